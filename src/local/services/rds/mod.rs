//! RDS: Aurora MySQL clusters on real engines. `cluster` runs one, `frontdoor` is where its clients connect, `rewrite` knows
//! what Aurora adds to SQL; `pause` ends and starts the engine of one that nobody uses; `state`, `ops`, `lifecycle` and `watch`
//! are the control plane.

use std::sync::Arc;

use async_trait::async_trait;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::resource::ResourceType;
use crate::service::{self, Operation, Service, Support};
use crate::store::StoreError;

mod cfn;
mod cluster;
mod data;
pub(crate) mod data_api;
mod engine;
mod faults;
mod frontdoor;
mod lifecycle;
mod ops;
mod parameters;
mod pause;
pub(crate) mod rewrite;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod versions;
mod views;
mod watch;

pub(crate) use engine::door_socket;
pub use state::Rds;

/// The operations that work here.
const OPERATIONS: &[Operation<Rds>] = operations!(Rds;
    Real CreateDBCluster => ops::create_cluster::create,
    Real DescribeDBClusters => ops::clusters::describe,
    Real ModifyDBCluster => ops::modify_cluster::modify,
    Real DeleteDBCluster => ops::clusters::delete,
    Real StartDBCluster => ops::clusters::start,
    Real StopDBCluster => ops::clusters::stop,
    Real AddRoleToDBCluster => ops::roles::add,
    Real RemoveRoleFromDBCluster => ops::roles::remove,
    Real EnableHttpEndpoint => ops::roles::enable_http,
    Real DisableHttpEndpoint => ops::roles::disable_http,
    Real CreateDBInstance => ops::instances::create,
    Real DescribeDBInstances => ops::instances::describe,
    Modelled ModifyDBInstance => ops::instances::modify,
    Real DeleteDBInstance => ops::instances::delete,
    Real RebootDBInstance => ops::instances::reboot,
    Modelled CreateDBSubnetGroup => ops::subnets::create,
    Modelled DescribeDBSubnetGroups => ops::subnets::describe,
    Modelled ModifyDBSubnetGroup => ops::subnets::modify,
    Modelled DeleteDBSubnetGroup => ops::subnets::delete,
    Real CreateDBClusterParameterGroup => ops::parameters::create_cluster,
    Real DescribeDBClusterParameterGroups => ops::parameters::describe_cluster,
    Real ModifyDBClusterParameterGroup => ops::parameters::modify_cluster,
    Real ResetDBClusterParameterGroup => ops::parameters::reset_cluster,
    Real DescribeDBClusterParameters => ops::parameters::list_cluster,
    Real DeleteDBClusterParameterGroup => ops::parameters::delete_cluster,
    Modelled CreateDBParameterGroup => ops::parameters::create_instance,
    Modelled DescribeDBParameterGroups => ops::parameters::describe_instance,
    Modelled ModifyDBParameterGroup => ops::parameters::modify_instance,
    Modelled ResetDBParameterGroup => ops::parameters::reset_instance,
    Modelled DescribeDBParameters => ops::parameters::list_instance,
    Modelled DeleteDBParameterGroup => ops::parameters::delete_instance,
    Modelled AddTagsToResource => ops::tags::add,
    Modelled RemoveTagsFromResource => ops::tags::remove,
    Modelled ListTagsForResource => ops::tags::list,
    Modelled DescribeDBEngineVersions => ops::catalog::versions,
    Modelled DescribeOrderableDBInstanceOptions => ops::catalog::orderable,
    Real DescribeAccountAttributes => ops::quotas::describe,
    Real DescribeEvents => ops::catalog::events,
    Modelled DescribeGlobalClusters => ops::catalog::global_clusters,
    Modelled DescribeDBClusterSnapshots => ops::catalog::cluster_snapshots,
);

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(Rds::open(cloud.clone())?))
}

#[async_trait]
impl Service for Rds {
    fn name(&self) -> &'static str {
        "rds"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        match call.operation.as_str() {
            data_api::ROUTE => data_api::route(&self, &call),
            _ => service::run(self, OPERATIONS, call).await,
        }
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }

    fn status(&self) -> serde_json::Value {
        views::status(self)
    }

    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        lifecycle::restore(&self).await;
        Ok(())
    }

    async fn stop(self: Arc<Self>) {
        futures_util::future::join_all(self.all_running().iter().map(|cluster| cluster.stop())).await;
    }
}
