//! The AWS managed policies that exist here, with the documents that AWS gives them.
//!
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::state::{Policy, Version};
use crate::clock::Timestamp;

/// Path, name, version and statements of one policy.
struct Managed {
    path: &'static str,
    name: &'static str,
    version: u32,
    statements: Value,
}

fn allow(actions: &[&str]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": "*"})
}

fn named(sid: &str, actions: &[&str]) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*"})
}

fn documents() -> Vec<Managed> {
    const SERVICE_ROLE: &str = "/service-role/";
    let managed = |path, name, version, statements: Vec<Value>| Managed {
        path,
        name,
        version,
        statements: Value::Array(statements),
    };
    let logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let with_logs = |more: &[&'static str]| [&logs[..], more].concat();
    vec![
        managed("/", "AdministratorAccess", 1, vec![json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]),
        managed(
            "/",
            "IAMFullAccess",
            2,
            vec![allow(&[
                "iam:*",
                "organizations:DescribeAccount",
                "organizations:DescribeOrganization",
                "organizations:DescribeOrganizationalUnit",
                "organizations:DescribePolicy",
                "organizations:ListChildren",
                "organizations:ListParents",
                "organizations:ListPoliciesForTarget",
                "organizations:ListRoots",
                "organizations:ListPolicies",
                "organizations:ListTargetsForPolicy",
            ])],
        ),
        managed("/", "AmazonS3FullAccess", 2, vec![allow(&["s3:*", "s3-object-lambda:*"])]),
        managed(
            "/",
            "AmazonS3ReadOnlyAccess",
            3,
            vec![allow(&["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"])],
        ),
        managed(
            "/",
            "AWSXRayDaemonWriteAccess",
            2,
            vec![allow(&[
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
                "xray:GetSamplingStatisticSummaries",
            ])],
        ),
        managed(SERVICE_ROLE, "AWSLambdaBasicExecutionRole", 1, vec![allow(&logs)]),
        managed(
            SERVICE_ROLE,
            "AWSLambdaVPCAccessExecutionRole",
            3,
            vec![named(
                "AWSLambdaVPCAccessExecutionPermissions",
                &with_logs(&[
                    "ec2:CreateNetworkInterface",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSubnets",
                    "ec2:DeleteNetworkInterface",
                    "ec2:AssignPrivateIpAddresses",
                    "ec2:UnassignPrivateIpAddresses",
                ]),
            )],
        ),
        managed(
            SERVICE_ROLE,
            "AWSLambdaENIManagementAccess",
            2,
            vec![allow(&[
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ])],
        ),
        managed(
            SERVICE_ROLE,
            "AWSLambdaSQSQueueExecutionRole",
            1,
            vec![allow(&with_logs(&["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]))],
        ),
        managed(SERVICE_ROLE, "AWSLambdaRole", 1, vec![allow(&["lambda:InvokeFunction"])]),
        managed(
            SERVICE_ROLE,
            "AmazonAPIGatewayPushToCloudWatchLogs",
            1,
            vec![allow(&[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogGroups",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
                "logs:GetLogEvents",
                "logs:FilterLogEvents",
            ])],
        ),
    ]
}

/// The day that all of them show as their date: AWS made each at some time, and nothing depends on when.
const CREATED: Timestamp = Timestamp::from_millis(1_423_180_800_000);

static POLICIES: LazyLock<BTreeMap<String, Policy>> = LazyLock::new(|| {
    let policies = documents().into_iter().map(|managed| {
        let arn = format!("arn:aws:iam::aws:policy{}{}", managed.path, managed.name);
        let document = json!({"Version": "2012-10-17", "Statement": managed.statements}).to_string();
        let policy = Policy {
            name: managed.name.to_owned(),
            path: managed.path.to_owned(),
            id: id(managed.name),
            arn: arn.clone(),
            description: None,
            created: CREATED,
            updated: CREATED,
            versions: BTreeMap::from([(managed.version, Version { document, created: CREATED })]),
            default: managed.version,
            latest: managed.version,
            tags: BTreeMap::new(),
        };
        (arn, policy)
    });
    policies.collect()
});

/// `ANPA` and 17 characters that are always the same for the same policy.
fn id(name: &str) -> String {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| char::from(byte.to_ascii_uppercase()));
    let letters: String = letters.chain(std::iter::repeat('A')).take(17).collect();
    format!("ANPA{letters}")
}

/// The AWS managed policy with this ARN.
pub(super) fn find(arn: &str) -> Option<&'static Policy> {
    POLICIES.get(arn)
}

pub(super) fn all() -> impl Iterator<Item = &'static Policy> {
    POLICIES.values()
}

#[cfg(test)]
mod tests {

    use super::super::document::{Use, check};
    use super::*;

    #[test]
    fn every_document_is_a_good_one() {
        for policy in all() {
            check(&policy.versions[&policy.default].document, Use::Identity).unwrap();
        }
    }
}
