//! What the Data API asks RDS: where a cluster is, and whether it can be called.

use serde::{Deserialize, Serialize};

use super::state::{Rds, Status};
use super::views::{cluster_arn, cluster_status};
use crate::call::{Call, Reply};
use crate::fault::Fault;
use crate::service;

/// The operation's name. The service model has none like it: no request from outside can have this name.
pub(crate) const ROUTE: &str = "labctl:RouteDataApi";

/// Which cluster is called.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) arn: String,
    /// A statement is going to be run: a paused cluster is woken.
    pub(crate) wake: bool,
}

/// What RDS answers; of a cluster that is not there, nothing.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Route {
    pub(crate) resource_id: String,
    pub(crate) http_endpoint: bool,
    /// The resource id of its one instance.
    pub(crate) instance: Option<String>,
    /// `available`, `stopped`, …
    pub(crate) status: String,
    /// It is paused, or on its way back: it cannot be called yet.
    pub(crate) paused: bool,
    /// Connections of an earlier one are dead.
    pub(crate) era: u64,
}

/// Answers the Data API.
pub(super) fn route(rds: &Rds, call: &Call) -> Result<Reply, Fault> {
    let Asked { arn, wake } = service::input(call)?;
    let book = rds.shelf.get();
    let region = book.regions.get(&call.scope.region);
    let found = region.and_then(|region| region.cluster(&arn).ok().map(|cluster| (region, cluster)));
    // The ARN has to be the cluster's to the letter, as on AWS.
    let found = found.filter(|(_, cluster)| cluster_arn(&call.scope, &cluster.identifier) == arn);
    let Some((region, cluster)) = found else { return service::output(&None::<Route>) };
    let running = rds.running(&cluster.resource_id);
    let paused = running.as_ref().is_some_and(|running| running.is_paused());
    if let Some(running) = running.as_ref().filter(|_| cluster.http_endpoint) {
        running.touch();
        if wake {
            running.wake();
        }
    }
    let writer = region.writer(&cluster.identifier).filter(|writer| writer.status != Status::Deleting);
    service::output(&Some(Route {
        resource_id: cluster.resource_id.clone(),
        http_endpoint: cluster.http_endpoint,
        instance: writer.map(|writer| writer.resource_id.clone()),
        status: cluster_status(rds, cluster).to_owned(),
        paused,
        era: running.map_or(0, |running| running.era()),
    }))
}
