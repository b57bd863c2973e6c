//! Cache clusters: the nodes of replication groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Service, page};
use crate::call::Call;
use crate::services::elasticache::faults::{CacheFault, Kind};
use crate::services::elasticache::state::{Group, Node};
use crate::services::elasticache::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeClusters {
    cache_cluster_id: Option<String>,
    max_records: Option<usize>,
    marker: Option<String>,
    #[serde(default)]
    show_cache_node_info: bool,
    /// There are no clusters outside replication groups here.
    #[serde(default)]
    show_cache_clusters_not_in_replication_groups: bool,
}

pub(in super::super) async fn describe(service: Service, call: &Call, input: DescribeClusters) -> Answer {
    let caches = service.caches.get();
    let groups = caches.regions.get(&call.scope.region).into_iter().flat_map(|region| region.groups.values());
    let nodes = groups.flat_map(|group| group.nodes.iter().map(move |node| (group, node)));
    let id = input.cache_cluster_id.map(|id| id.to_ascii_lowercase());
    let shown = nodes.filter(|(_, node)| id.as_ref().is_none_or(|id| *id == node.cluster));
    let shown = shown.filter(|_| !input.show_cache_clusters_not_in_replication_groups);
    let shown: Vec<Value> =
        shown.map(|(group, node)| views::cache_cluster(&call.scope, group, node, input.show_cache_node_info)).collect();
    match id {
        Some(id) if shown.is_empty() => Err(CacheFault::NotFound(Kind::CacheCluster, id)),
        _ => page("CacheClusters", shown, input.max_records, input.marker.as_deref()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Reboot {
    cache_cluster_id: String,
    cache_node_ids_to_reboot: Vec<String>,
}

/// RebootCacheCluster. The node's memory is lost, as on AWS.
pub(in super::super) async fn reboot(service: Service, call: &Call, input: Reboot) -> Answer {
    let id = input.cache_cluster_id.to_ascii_lowercase();
    if input.cache_node_ids_to_reboot != ["0001"] {
        return Err(CacheFault::InvalidValue(format!("The cache cluster {id} has the node 0001 only.")));
    }
    let (group, node) = find(&service, call, &id)?;
    group.must_be_available()?;
    service.reboot(&call.scope.region, &node.cluster).await;
    let mut view = views::cache_cluster(&call.scope, &group, &node, false);
    view["CacheClusterStatus"] = json!("rebooting cache cluster nodes");
    Ok(json!({"CacheCluster": view}))
}

fn find(service: &Service, call: &Call, id: &str) -> Result<(Group, Node), CacheFault> {
    let caches = service.caches.get();
    let groups = caches.regions.get(&call.scope.region).into_iter().flat_map(|region| region.groups.values());
    let mut nodes = groups.flat_map(|group| group.nodes.iter().map(move |node| (group, node)));
    let found = nodes.find(|(_, node)| node.cluster == id).map(|(group, node)| (group.clone(), node.clone()));
    found.ok_or_else(|| CacheFault::NotFound(Kind::CacheCluster, id.to_owned()))
}
