//! RDS in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_rds::types::SourceType;

/// How far back the services are asked for their events.
pub(super) const DAY_IN_MINUTES: i32 = 24 * 60;

impl Aws {
    /// The status of a cluster, `available` when it can be used. `None`: there is no such cluster.
    pub async fn cluster_status(&self, cluster: &str) -> Result<Option<String>, AwsError> {
        let sent = self.rds().describe_db_clusters().db_cluster_identifier(cluster).send().await;
        match sent.map_err(AwsError::of("rds:DescribeDBClusters")) {
            Err(error) if error.is("DBClusterNotFoundFault") => Ok(None),
            answer => Ok(answer?.db_clusters().first().and_then(|cluster| cluster.status()).map(str::to_owned)),
        }
    }

    /// The status of an instance, `available` when it can be used.
    pub async fn database_instance_status(&self, instance: &str) -> Result<Option<String>, AwsError> {
        let sent = self.rds().describe_db_instances().db_instance_identifier(instance).send().await;
        match sent.map_err(AwsError::of("rds:DescribeDBInstances")) {
            Err(error) if error.is("DBInstanceNotFound") => Ok(None),
            answer => {
                Ok(answer?.db_instances().first().and_then(|instance| instance.db_instance_status()).map(str::to_owned))
            }
        }
    }

    /// The last thing that RDS told of a cluster or an instance, within the last day.
    pub async fn last_database_event(&self, kind: SourceType, id: &str) -> Result<Option<String>, AwsError> {
        let asked = self.rds().describe_events().source_type(kind).source_identifier(id).duration(DAY_IN_MINUTES);
        let answer = asked.send().await.map_err(AwsError::of("rds:DescribeEvents"))?;
        let last = answer.events().iter().max_by_key(|event| event.date().map(|date| date.as_nanos()));
        Ok(last.and_then(|event| event.message()).map(str::to_owned))
    }

    /// Clusters whose identifiers begin with `prefix`.
    pub async fn clusters(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.rds().describe_db_clusters().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("rds:DescribeDBClusters"))?;
            let names = page.db_clusters().iter().filter_map(|cluster| cluster.db_cluster_identifier());
            found.extend(names.filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        Ok(found)
    }

    /// Snapshots of clusters, taken by hand or by CloudFormation when it deleted one, whose identifiers begin with `prefix`.
    pub async fn cluster_snapshots(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.rds().describe_db_cluster_snapshots().snapshot_type("manual").into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("rds:DescribeDBClusterSnapshots"))?;
            let names =
                page.db_cluster_snapshots().iter().filter_map(|snapshot| snapshot.db_cluster_snapshot_identifier());
            found.extend(names.filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        Ok(found)
    }
}
