//! What clients that sample say and are told: GetSamplingTargets, GetSamplingStatisticSummaries.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::clock::Timestamp;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::sampling::{Counts, INTERVAL_SECONDS};
use crate::services::xray::state::XRay;

/// Statistics that are older than this are not counted.
const OLDEST: i64 = 5 * 60 * 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GetSamplingTargets {
    sampling_statistics_documents: Vec<Statistics>,
    sampling_boost_statistics_documents: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statistics {
    #[serde(rename = "RuleName")]
    rule: String,
    #[serde(rename = "ClientID")]
    client: String,
    #[serde(rename = "Timestamp")]
    at: Timestamp,
    #[serde(rename = "RequestCount")]
    requests: u64,
    #[serde(rename = "SampledCount")]
    sampled: u64,
    #[serde(rename = "BorrowCount", default)]
    borrowed: u64,
}

pub(crate) async fn targets(xray: Arc<XRay>, call: &Call, input: GetSamplingTargets) -> Result<Value, XRayFault> {
    if input.sampling_boost_statistics_documents.is_some_and(|documents| !documents.is_empty()) {
        return Err(XRayFault::Unsupported(
            "the parameter SamplingBoostStatisticsDocuments of GetSamplingTargets".into(),
        ));
    }
    let (now, mut targets, mut unprocessed) = (xray.now(), Vec::new(), Vec::new());
    for Statistics { rule, client, at, requests, sampled, borrowed } in input.sampling_statistics_documents {
        let mut refuse = |code: &str, message: String| {
            unprocessed.push(json!({"RuleName": rule, "ErrorCode": code, "Message": message}));
        };
        if now - at.millis() > OLDEST {
            refuse("400", "The statistics are too old.".into());
            continue;
        }
        let counts = Counts { requests, sampled, borrowed };
        match xray.sampler(&call.scope.region, |sampler| sampler.lend(&rule, &client, counts, now)) {
            Some((rate, quota, until)) => targets.push(json!({
                "RuleName": rule, "FixedRate": rate, "ReservoirQuota": quota,
                "ReservoirQuotaTTL": Timestamp::from_millis(until * 1000), "Interval": INTERVAL_SECONDS,
            })),
            None => refuse("404", format!("There is no sampling rule {rule}.")),
        }
    }
    let modified = xray.settings.region(&call.scope).rules_modified;
    Ok(json!({
        "SamplingTargetDocuments": targets, "LastRuleModification": Timestamp::from_millis(modified),
        "UnprocessedStatistics": unprocessed,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetSamplingStatisticSummaries {
    #[serde(rename = "NextToken")]
    _next_token: Option<String>,
}

pub(crate) async fn statistics(
    xray: Arc<XRay>,
    call: &Call,
    _: GetSamplingStatisticSummaries,
) -> Result<Value, XRayFault> {
    let summaries = xray.sampler(&call.scope.region, |sampler| {
        let summary = |(rule, at, counts): (&str, i64, Counts)| {
            json!({
                "RuleName": rule, "Timestamp": Timestamp::from_millis(at * 1000), "RequestCount": counts.requests,
                "BorrowCount": counts.borrowed, "SampledCount": counts.sampled,
            })
        };
        sampler.statistics().map(summary).collect::<Value>()
    });
    Ok(json!({"SamplingStatisticSummaries": summaries}))
}
