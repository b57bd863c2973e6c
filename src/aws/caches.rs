//! ElastiCache in labctl's words.

use super::clients::Aws;
use super::database::DAY_IN_MINUTES;
use super::fault::AwsError;
use aws_sdk_elasticache::types::SourceType;

impl Aws {
    /// The status of a replication group, `available` when it can be used. `None`: there is no such group.
    pub async fn cache_status(&self, group: &str) -> Result<Option<String>, AwsError> {
        let sent = self.elasticache().describe_replication_groups().replication_group_id(group).send().await;
        match sent.map_err(AwsError::of("elasticache:DescribeReplicationGroups")) {
            Err(error) if error.is("ReplicationGroupNotFoundFault") => Ok(None),
            answer => Ok(answer?.replication_groups().first().and_then(|group| group.status()).map(str::to_owned)),
        }
    }

    /// The last thing that ElastiCache told of a replication group, within the last day.
    pub async fn last_cache_event(&self, group: &str) -> Result<Option<String>, AwsError> {
        let kind = SourceType::ReplicationGroup;
        let asked = self.elasticache().describe_events().source_type(kind).source_identifier(group);
        let sent = asked.duration(DAY_IN_MINUTES).send().await;
        let answer = sent.map_err(AwsError::of("elasticache:DescribeEvents"))?;
        let last = answer.events().iter().max_by_key(|event| event.date().map(|date| date.as_nanos()));
        Ok(last.and_then(|event| event.message()).map(str::to_owned))
    }

    /// Replication groups whose identifiers begin with `prefix`.
    pub async fn caches(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.elasticache().describe_replication_groups().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("elasticache:DescribeReplicationGroups"))?;
            let names = page.replication_groups().iter().filter_map(|group| group.replication_group_id());
            found.extend(names.filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        Ok(found)
    }
}
