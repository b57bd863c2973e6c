//! ElastiCache in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;

impl Aws {
    /// The status of a replication group, `available` when it can be used. `None`: there is no such group.
    pub async fn cache_status(&self, group: &str) -> Result<Option<String>, AwsError> {
        let sent = self.elasticache().describe_replication_groups().replication_group_id(group).send().await;
        match sent.map_err(AwsError::of("elasticache:DescribeReplicationGroups")) {
            Err(error) if error.is("ReplicationGroupNotFoundFault") => Ok(None),
            answer => Ok(answer?.replication_groups().first().and_then(|group| group.status()).map(str::to_owned)),
        }
    }
}
