//! What senders send: PutTraceSegments and PutTelemetryRecords.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::segment::Document;
use crate::services::xray::state::XRay;
use crate::services::xray::store::Arriving;

/// How many documents one request may hold.
const MOST_DOCUMENTS: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct PutTraceSegments {
    trace_segment_documents: Vec<String>,
}

/// PutTraceSegments: what can be taken is on disk before the answer; the rest is named in it.
pub(crate) async fn put(xray: Arc<XRay>, call: &Call, input: PutTraceSegments) -> Result<Value, XRayFault> {
    if input.trace_segment_documents.len() > MOST_DOCUMENTS {
        return Err(XRayFault::invalid(format!("A request can hold at most {MOST_DOCUMENTS} segment documents.")));
    }
    let (now, region) = (xray.now(), call.scope.region.clone());
    let taking = tokio::task::spawn_blocking(move || {
        let (mut fit, mut refused) = (Vec::new(), Vec::new());
        for read in input.trace_segment_documents.iter().flat_map(|text| Document::read(text, now.div_euclid(1000))) {
            match read {
                Ok(document) => fit.push(Arriving { region: region.clone(), document }),
                Err((id, why)) => {
                    let mut unprocessed = json!({"ErrorCode": why.code(), "Message": why.message()});
                    if let Some(id) = id {
                        unprocessed["Id"] = json!(id);
                    }
                    refused.push(unprocessed);
                }
            }
        }
        xray.store.keep(fit, now).map(|()| refused)
    });
    let refused = taking.await.map_err(|error| XRayFault::Disk(error.to_string()))?;
    let refused = refused.map_err(|error| XRayFault::Disk(error.to_string()))?;
    Ok(json!({"UnprocessedTraceSegments": refused}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the codec has checked the members; what a daemon says of itself is taken and shown nowhere, as on AWS"
)]
pub(crate) struct PutTelemetryRecords {
    #[serde(rename = "TelemetryRecords")]
    records: Vec<Value>,
    #[serde(rename = "EC2InstanceId")]
    instance: Option<String>,
    #[serde(rename = "Hostname")]
    host: Option<String>,
    #[serde(rename = "ResourceARN")]
    arn: Option<String>,
}

pub(crate) async fn telemetry(_: Arc<XRay>, _: &Call, _: PutTelemetryRecords) -> Result<Value, XRayFault> {
    Ok(json!({}))
}
