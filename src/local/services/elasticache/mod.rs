//! ElastiCache: a real Redis or Valkey process for every node, with TLS by the local authority.
//!
//! `available` means that every node of the group has answered a PING over verified TLS (or plain, as asked for). A node
//! that ends is started again on its port, empty. The engine is the one of this machine: Valkey where only Redis is there
//! is served by Redis, which speaks the same protocol; events and `labctl local status` say so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::resource::ResourceType;
use crate::service::{self, Operation, Service, Support};
use crate::store::{Shelf, StoreError};

mod cfn;
mod faults;
mod keeper;
mod node;
mod ops;
mod resp;
mod state;
#[cfg(test)]
mod tests;
mod versions;
mod views;

use keeper::Keeper;
use ops::{clusters, events, groups, parameters, subnets, tags};
use state::Caches;

/// The operations that work here.
const OPERATIONS: &[Operation<ElastiCache>] = crate::operations!(ElastiCache;
    Real CreateReplicationGroup => groups::create,
    Real ModifyReplicationGroup => groups::modify,
    Real DeleteReplicationGroup => groups::delete,
    Real DescribeReplicationGroups => groups::describe,
    Real IncreaseReplicaCount => groups::increase,
    Real DecreaseReplicaCount => groups::decrease,
    Real DescribeCacheClusters => clusters::describe,
    Real RebootCacheCluster => clusters::reboot,
    Modelled TestFailover => groups::test_failover,
    Modelled CreateCacheSubnetGroup => subnets::create,
    Modelled ModifyCacheSubnetGroup => subnets::modify,
    Modelled DescribeCacheSubnetGroups => subnets::describe,
    Modelled DeleteCacheSubnetGroup => subnets::delete,
    Real CreateCacheParameterGroup => parameters::create,
    Real ModifyCacheParameterGroup => parameters::modify,
    Real ResetCacheParameterGroup => parameters::reset,
    Modelled DescribeCacheParameterGroups => parameters::describe,
    Modelled DescribeCacheParameters => parameters::describe_parameters,
    Modelled DeleteCacheParameterGroup => parameters::delete,
    Modelled DescribeCacheEngineVersions => parameters::engine_versions,
    Modelled AddTagsToResource => tags::add,
    Modelled RemoveTagsFromResource => tags::remove,
    Modelled ListTagsForResource => tags::list,
    Modelled DescribeEvents => events::describe,
);

/// The service's state, its nodes, and what it needs of the cloud.
pub struct ElastiCache {
    cloud: Arc<Cloud>,
    caches: Shelf<Caches>,
    /// By region and cluster id.
    keepers: tokio::sync::Mutex<BTreeMap<(String, String), Keeper>>,
    /// Set under the keepers' lock when the cloud stops: nothing is kept any more.
    closed: AtomicBool,
}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    let caches = Shelf::open(cloud.home.state("elasticache").join("caches.json"), 1)?;
    Ok(Arc::new(ElastiCache {
        cloud: cloud.clone(),
        caches,
        keepers: tokio::sync::Mutex::default(),
        closed: AtomicBool::new(false),
    }))
}

#[async_trait]
impl Service for ElastiCache {
    fn name(&self) -> &'static str {
        "elasticache"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }

    fn status(&self) -> Value {
        let caches = self.caches.get();
        let groups =
            caches.regions.iter().flat_map(|(region, caches)| caches.groups.values().map(move |group| (region, group)));
        let engine = self.cloud.engines.redis.as_ref().map(|engine| format!("{} {}", engine.kind, engine.version));
        let shown = groups.map(|(region, group)| {
            json!({
                "replication_group": group.id, "region": region, "status": group.status.to_string(), "engine": engine,
                "endpoint": format!("127.0.0.1:{}", group.primary_port()), "tls": group.tls, "nodes": group.nodes.len(),
            })
        });
        let shown: Vec<Value> = shown.collect();
        if shown.is_empty() { Value::Null } else { Value::Array(shown) }
    }

    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        self.bring_back().await;
        Ok(())
    }

    async fn stop(self: Arc<Self>) {
        self.stop_all().await;
    }
}
