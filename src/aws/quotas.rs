//! How much an account may have of what labs are made of, as the services tell it themselves.

use super::clients::Aws;
use super::fault::AwsError;

/// How much of something an account has, and may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// In the plural: `DB clusters`.
    pub what: &'static str,
    pub used: u64,
    pub limit: u64,
}

impl Quota {
    /// The next one would be refused.
    pub fn is_full(&self) -> bool {
        self.used >= self.limit
    }
}

/// What RDS calls the quotas that a lab uses up, and what people call them.
const OF_RDS: [(&str, &str); 4] = [
    ("DBClusters", "DB clusters"),
    ("DBInstances", "DB instances"),
    ("DBSubnetGroups", "DB subnet groups"),
    ("DBClusterParameterGroups", "DB cluster parameter groups"),
];

impl Aws {
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeAccountAttributes.html>
    pub async fn database_quotas(&self) -> Result<Vec<Quota>, AwsError> {
        let sent = self.rds().describe_account_attributes().send().await;
        let answer = sent.map_err(AwsError::of("rds:DescribeAccountAttributes"))?;
        let told = answer.account_quotas();
        let quota = |(name, what): &(&str, &'static str)| {
            let quota = told.iter().find(|quota| quota.account_quota_name() == Some(name))?;
            Some(Quota { what, used: count(quota.used()?), limit: count(quota.max()?) })
        };
        Ok(OF_RDS.iter().filter_map(quota).collect())
    }

    /// Of `stacks` that are there.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeAccountLimits.html>
    pub async fn stack_quota(&self, stacks: usize) -> Result<Option<Quota>, AwsError> {
        let sent = self.cloudformation().describe_account_limits().send().await;
        let answer = sent.map_err(AwsError::of("cloudformation:DescribeAccountLimits"))?;
        let limit = answer.account_limits().iter().find(|limit| limit.name() == Some("StackLimit"));
        let limit = limit.and_then(|limit| limit.value());
        Ok(limit.map(|limit| Quota { what: "stacks", used: stacks as u64, limit: count(limit.into()) }))
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html>
    pub async fn role_quota(&self) -> Result<Option<Quota>, AwsError> {
        use aws_sdk_iam::types::SummaryKeyType;
        let sent = self.iam().get_account_summary().send().await;
        let answer = sent.map_err(AwsError::of("iam:GetAccountSummary"))?;
        let summary = answer.summary_map();
        let value = |key: &str| summary.and_then(|summary| summary.get(&SummaryKeyType::from(key))).copied();
        Ok(match (value("Roles"), value("RolesQuota")) {
            (Some(used), Some(limit)) => {
                Some(Quota { what: "roles", used: count(used.into()), limit: count(limit.into()) })
            }
            _ => None,
        })
    }
}

/// A count that AWS gives as a signed number; it is never below zero.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
