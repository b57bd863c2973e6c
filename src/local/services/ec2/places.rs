//! Regions, zones and the prefix lists of the gateway endpoints.

use sha2::{Digest, Sha256};

/// Region, the stem of its zone ids, and the letters of its zones.
const REGIONS: &[(&str, &str, &str)] = &[
    ("ap-northeast-1", "apne1", "acd"),
    ("ap-northeast-2", "apne2", "abcd"),
    ("ap-northeast-3", "apne3", "abc"),
    ("ap-south-1", "aps1", "abc"),
    ("ap-southeast-1", "apse1", "abc"),
    ("ap-southeast-2", "apse2", "abc"),
    ("ca-central-1", "cac1", "abd"),
    ("eu-central-1", "euc1", "abc"),
    ("eu-north-1", "eun1", "abc"),
    ("eu-west-1", "euw1", "abc"),
    ("eu-west-2", "euw2", "abc"),
    ("eu-west-3", "euw3", "abc"),
    ("sa-east-1", "sae1", "abc"),
    ("us-east-1", "use1", "abcdef"),
    ("us-east-2", "use2", "abc"),
    ("us-west-1", "usw1", "ac"),
    ("us-west-2", "usw2", "abcd"),
];

pub(super) fn regions() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(name, ..)| *name)
}

/// Names and ids of a region's zones.
pub(super) fn zones(region: &str) -> Vec<(String, String)> {
    // A region that is not in the table (opt-in, or newer than this list) has three zones.
    let short = region.replace('-', "");
    let (stem, letters) = REGIONS
        .iter()
        .find(|(name, ..)| *name == region)
        .map_or((short.as_str(), "abc"), |(_, stem, letters)| (stem, letters));
    letters
        .chars()
        .enumerate()
        .map(|(at, letter)| (format!("{region}{letter}"), format!("{stem}-az{}", at + 1)))
        .collect()
}

pub(super) fn zone_id(zone: &str) -> String {
    let region = zone.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    zones(region).into_iter().find(|(name, _)| name == zone).map(|(_, id)| id).unwrap_or_default()
}

/// An AWS-managed prefix list.
pub(super) struct PrefixList {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) cidrs: &'static [&'static str],
}

/// The lists behind the gateway endpoints of S3 and DynamoDB.
pub(super) fn prefix_lists(region: &str) -> Vec<PrefixList> {
    const LISTS: [(&str, &str, &[&str]); 2] = [
        ("s3", "pl-63a5400a", &["3.5.0.0/19", "16.15.176.0/20", "52.216.0.0/15", "54.231.0.0/16"]),
        ("dynamodb", "pl-02cd2c6b", &["3.218.180.0/22", "52.94.0.0/22", "52.119.224.0/20"]),
    ];
    let list = |(service, us_east_1, cidrs): (&str, &str, &'static [&'static str])| {
        let name = format!("com.amazonaws.{region}.{service}");
        let id = match region {
            "us-east-1" => us_east_1.to_owned(),
            _ => format!("pl-{}", hex::encode(&Sha256::digest(name.as_bytes())[..4])),
        };
        PrefixList { id, name, cidrs }
    };
    LISTS.into_iter().map(list).collect()
}

/// The services that have an endpoint in a VPC, by the last part of the endpoint service's name.
pub(super) const ENDPOINT_SERVICES: &[&str] = &[
    "athena",
    "autoscaling",
    "cloudformation",
    "dynamodb",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "elasticache",
    "elasticloadbalancing",
    "events",
    "execute-api",
    "glue",
    "kinesis-firehose",
    "kinesis-streams",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "rds",
    "rds-data",
    "s3",
    "secretsmanager",
    "servicecatalog",
    "sns",
    "sqs",
    "ssm",
    "ssmmessages",
    "states",
    "sts",
    "sync-states",
    "xray",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_and_ids() {
        assert_eq!(zones("us-east-1").len(), 6);
        assert_eq!(zone_id("eu-west-1b"), "euw1-az2");
        assert_eq!(zones("xx-new-1")[0].0, "xx-new-1a");
        assert_eq!(prefix_lists("us-east-1")[0].id, "pl-63a5400a");
        assert_eq!(prefix_lists("eu-west-1")[0].name, "com.amazonaws.eu-west-1.s3");
    }
}
