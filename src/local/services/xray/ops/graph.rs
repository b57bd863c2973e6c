//! The service graph of a time, and of some traces.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::groups::Meant;
use super::traces::{ids, range};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::graph::Graph;
use crate::services::xray::state::XRay;

/// The longest time that one graph may be of.
const LONGEST_RANGE: i64 = 6 * 3600 * 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetServiceGraph {
    #[serde(rename = "StartTime")]
    start: Timestamp,
    #[serde(rename = "EndTime")]
    end: Timestamp,
    #[serde(rename = "GroupName")]
    group: Option<String>,
    #[serde(rename = "GroupARN")]
    arn: Option<String>,
    #[serde(rename = "NextToken")]
    _next_token: Option<String>,
}

pub(crate) async fn service(xray: Arc<XRay>, call: &Call, input: GetServiceGraph) -> Result<Value, XRayFault> {
    let (from, until) = range(input.start, input.end, LONGEST_RANGE)?;
    let settings = xray.settings.region(&call.scope);
    let expression = match (&input.group, &input.arn) {
        (None, None) => String::new(),
        (name, _) if name.as_deref() == Some(super::groups::DEFAULT) => String::new(),
        (name, arn) => Meant { name: name.clone(), arn: arn.clone() }.find(&settings)?.1.filter.clone(),
    };
    let filter = xray.filter(&call.scope, &expression)?;
    let region = call.scope.region.clone();
    let drawing = tokio::task::spawn_blocking(move || {
        let found = xray.store.between(&region, from.div_euclid(1000), until.div_euclid(1000));
        let traces = found.iter().map(|found| found.assembled());
        Graph::of(traces.filter(|trace| filter.fits(trace))).services()
    });
    let services = drawing.await.map_err(|error| XRayFault::Disk(error.to_string()))?;
    Ok(json!({
        "StartTime": input.start, "EndTime": input.end, "Services": services, "ContainsOldGroupVersions": false,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GetTraceGraph {
    trace_ids: Vec<String>,
    #[serde(rename = "NextToken")]
    _next_token: Option<String>,
}

pub(crate) async fn trace(xray: Arc<XRay>, call: &Call, input: GetTraceGraph) -> Result<Value, XRayFault> {
    ids(&input.trace_ids)?;
    let found = input.trace_ids.iter().filter_map(|id| xray.store.trace(&call.scope.region, id));
    Ok(json!({"Services": Graph::of(found.map(|found| found.assembled())).services()}))
}
