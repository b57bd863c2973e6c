//! X-Ray in labctl's words: summaries of traces, and their documents.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_xray::types::{AnnotationValue, TraceSummary as Summary};
use aws_smithy_types::DateTime;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How many traces BatchGetTraces gives at once.
const BATCH: usize = 5;

/// What X-Ray says of a trace without showing it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TraceSummary {
    pub id: String,
    /// Seconds since the epoch.
    pub start: f64,
    /// Seconds from the first beginning to the last end.
    pub duration: f64,
    /// Seconds that the caller waited; `None` while it does.
    pub response_time: Option<f64>,
    pub fault: bool,
    pub error: bool,
    pub throttle: bool,
    /// Something in it has not ended.
    pub partial: bool,
    pub status: Option<i32>,
    pub method: Option<String>,
    pub url: Option<String>,
    /// The service it began with.
    pub entry: Option<String>,
    pub services: BTreeSet<String>,
    pub annotations: BTreeMap<String, Vec<String>>,
}

/// A trace as the documents of its segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceDocuments {
    pub id: String,
    /// There were more than X-Ray keeps of one trace.
    pub cut: bool,
    pub segments: Vec<serde_json::Value>,
}

impl TraceSummary {
    fn of(summary: &Summary) -> Option<Self> {
        let http = summary.http();
        let id = summary.id()?.to_owned();
        let annotations = summary.annotations().into_iter().flatten().map(|(key, values)| {
            let values = values.iter().filter_map(|value| annotation(value.annotation_value()?));
            (key.clone(), values.collect())
        });
        Some(TraceSummary {
            start: summary.start_time().map_or_else(|| began(&id), DateTime::as_secs_f64),
            duration: summary.duration().unwrap_or_default(),
            response_time: summary.response_time(),
            fault: summary.has_fault().unwrap_or_default(),
            error: summary.has_error().unwrap_or_default(),
            throttle: summary.has_throttle().unwrap_or_default(),
            partial: summary.is_partial().unwrap_or_default(),
            status: http.and_then(|http| http.http_status()),
            method: http.and_then(|http| http.http_method()).map(str::to_owned),
            url: http.and_then(|http| http.http_url()).map(str::to_owned),
            entry: summary.entry_point().and_then(|entry| entry.name()).map(str::to_owned),
            services: summary.service_ids().iter().filter_map(|service| service.name().map(str::to_owned)).collect(),
            annotations: annotations.collect(),
            id,
        })
    }
}

fn annotation(value: &AnnotationValue) -> Option<String> {
    match value {
        AnnotationValue::StringValue(text) => Some(text.clone()),
        AnnotationValue::BooleanValue(boolean) => Some(boolean.to_string()),
        AnnotationValue::NumberValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The time in a trace id, in seconds.
fn began(id: &str) -> f64 {
    id.get(2..10).and_then(|time| u32::from_str_radix(time, 16).ok()).map_or(0.0, f64::from)
}

impl Aws {
    /// What X-Ray knows of the traces of `from..until` (seconds since the epoch) that fit the filter expression.
    pub async fn trace_summaries(&self, filter: &str, from: i64, until: i64) -> Result<Vec<TraceSummary>, AwsError> {
        let request = self.xray().get_trace_summaries().filter_expression(filter);
        let request = request.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(until));
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("xray:GetTraceSummaries"))?;
            found.extend(page.trace_summaries().iter().filter_map(TraceSummary::of));
        }
        Ok(found)
    }

    /// The documents of these traces; one that is not there is left out.
    pub async fn trace_documents(&self, ids: &[String]) -> Result<Vec<TraceDocuments>, AwsError> {
        let mut found = Vec::new();
        for ids in ids.chunks(BATCH) {
            let mut pages = self.xray().batch_get_traces().set_trace_ids(Some(ids.to_vec())).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(AwsError::of("xray:BatchGetTraces"))?;
                found.extend(page.traces().iter().map(|trace| {
                    TraceDocuments {
                        id: trace.id().unwrap_or_default().to_owned(),
                        cut: trace.limit_exceeded().unwrap_or_default(),
                        segments: trace
                            .segments()
                            .iter()
                            .filter_map(|segment| serde_json::from_str(segment.document()?).ok())
                            .collect(),
                    }
                }));
            }
        }
        Ok(found)
    }
}
