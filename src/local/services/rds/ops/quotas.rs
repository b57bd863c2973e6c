//! How many of each thing a region may hold: AWS's defaults, told by DescribeAccountAttributes and held by what creates them.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/CHAP_Limits.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::check::Nothing;
use crate::call::Call;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::state::{Rds, Region};

/// What there is a quota for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quota {
    Clusters,
    ClusterParameterGroups,
    Instances,
    ParameterGroups,
    SubnetGroups,
}

impl Quota {
    const ALL: [Quota; 5] =
        [Quota::Instances, Quota::ParameterGroups, Quota::SubnetGroups, Quota::Clusters, Quota::ClusterParameterGroups];

    /// Its name among an account's attributes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Quota::Clusters => "DBClusters",
            Quota::ClusterParameterGroups => "DBClusterParameterGroups",
            Quota::Instances => "DBInstances",
            Quota::ParameterGroups => "DBParameterGroups",
            Quota::SubnetGroups => "DBSubnetGroups",
        }
    }

    const fn limit(self) -> usize {
        match self {
            Quota::Clusters | Quota::Instances => 40,
            Quota::ClusterParameterGroups | Quota::ParameterGroups | Quota::SubnetGroups => 50,
        }
    }

    fn used(self, region: &Region) -> usize {
        match self {
            Quota::Clusters => region.clusters.len(),
            Quota::ClusterParameterGroups => region.cluster_parameters.len(),
            Quota::Instances => region.instances.len(),
            Quota::ParameterGroups => region.instance_parameters.len(),
            Quota::SubnetGroups => region.subnet_groups.len(),
        }
    }

    /// There is room for one more.
    pub(crate) fn check(self, region: &Region) -> Result<(), RdsFault> {
        match self.used(region) < self.limit() {
            true => Ok(()),
            false => Err(RdsFault::QuotaExceeded(self)),
        }
    }
}

/// DescribeAccountAttributes.
pub(crate) async fn describe(rds: Arc<Rds>, call: &Call, _: Nothing) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    let quotas = Quota::ALL
        .map(|quota| json!({"AccountQuotaName": quota.name(), "Used": quota.used(&region), "Max": quota.limit()}));
    Ok(json!({"AccountQuotas": quotas}))
}
