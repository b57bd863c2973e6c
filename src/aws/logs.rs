//! CloudWatch Logs in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;

impl Aws {
    /// Log groups whose names begin with `prefix`.
    pub async fn log_groups(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.logs().describe_log_groups().log_group_name_prefix(prefix).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("logs:DescribeLogGroups"))?;
            found.extend(page.log_groups().iter().filter_map(|group| group.log_group_name().map(str::to_owned)));
        }
        Ok(found)
    }

    pub async fn delete_log_group(&self, name: &str) -> Result<(), AwsError> {
        let sent = self.logs().delete_log_group().log_group_name(name).send().await;
        match sent.map_err(AwsError::of("logs:DeleteLogGroup")) {
            Err(error) if !error.is("ResourceNotFoundException") => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
