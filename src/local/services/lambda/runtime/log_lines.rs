//! The lines that Lambda itself writes to a function's log, as text or JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::trace::Traced;
use crate::clock::Timestamp;
use crate::services::lambda::state::Version;

/// What the REPORT line says.
pub(super) struct Report<'r> {
    pub request_id: &'r str,
    pub duration: Duration,
    /// Only with the first invocation of an environment.
    pub init: Option<Duration>,
    pub memory_used: u64,
    pub failure: Option<&'r Failure>,
    pub trace: &'r Traced,
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

fn system_lines(version: &Version) -> bool {
    version.logging.system_level.as_deref() != Some("WARN")
}

fn event(now: Timestamp, kind: &str, record: Value) -> String {
    json!({"time": now.iso8601(), "type": kind, "record": record}).to_string()
}

pub(super) fn init_start(version: &Version, now: Timestamp) -> Option<String> {
    if version.logging.format == "JSON" {
        let record = json!({
            "initializationType": "on-demand", "phase": "init", "runtimeVersion": version.runtime.replace("provided.", "provided:"),
            "functionName": version.name, "functionVersion": version.version,
        });
        return system_lines(version).then(|| event(now, "platform.initStart", record));
    }
    Some(format!("INIT_START Runtime Version: {}", version.runtime.replace("provided.", "provided:")))
}

/// The line that tells why an environment did not start.
pub(super) fn init_report(version: &Version, now: Timestamp, took: Duration, failure: &Failure) -> String {
    let kind = failure.kind();
    if version.logging.format == "JSON" {
        let record = json!({
            "initializationType": "on-demand", "phase": "init", "status": failure.status(),
            "errorType": kind, "metrics": {"durationMs": millis(took)},
        });
        return event(now, "platform.initReport", record);
    }
    let status = failure.status();
    let error = if status == "error" { format!("\tError Type: {kind}") } else { String::new() };
    format!("INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: {status}{error}", millis(took))
}

pub(super) fn start(version: &Version, now: Timestamp, request_id: &str) -> Option<String> {
    if version.logging.format == "JSON" {
        let record = json!({"requestId": request_id, "version": version.version});
        return system_lines(version).then(|| event(now, "platform.start", record));
    }
    Some(format!("START RequestId: {request_id} Version: {}", version.version))
}

/// The lines after an invocation: END and REPORT.
pub(super) fn end(version: &Version, now: Timestamp, report: &Report<'_>) -> Vec<String> {
    let (duration, memory) = (millis(report.duration), version.memory);
    let billed = report.duration.as_millis() + u128::from(!report.duration.as_nanos().is_multiple_of(1_000_000));
    let used = report.memory_used.div_ceil(1 << 20);
    if version.logging.format == "JSON" {
        let mut metrics = Map::new();
        metrics.insert("durationMs".into(), json!(duration));
        metrics.insert("billedDurationMs".into(), json!(u64::try_from(billed).unwrap_or(u64::MAX)));
        metrics.insert("memorySizeMB".into(), json!(memory));
        metrics.insert("maxMemoryUsedMB".into(), json!(used));
        if let Some(init) = report.init {
            metrics.insert("initDurationMs".into(), json!(millis(init)));
        }
        let status = report.failure.map_or("success", Failure::status);
        let mut record = json!({"requestId": report.request_id, "metrics": metrics, "status": status});
        if let Some((_, segment)) = report.trace.looked_at() {
            record["tracing"] = json!({"spanId": segment, "type": "X-Amzn-Trace-Id", "value": report.trace.header()});
        }
        let wanted = system_lines(version) || report.failure.is_some();
        return wanted.then(|| event(now, "platform.report", record)).into_iter().collect();
    }
    let mut text = format!(
        "REPORT RequestId: {}\tDuration: {duration:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {memory} MB\tMax Memory Used: {used} MB\t",
        report.request_id,
    );
    if let Some(init) = report.init {
        text.push_str(&format!("Init Duration: {:.2} ms\t", millis(init)));
    }
    if let Some(failure) = report.failure {
        text.push_str(&format!("Status: {}\t", failure.status()));
        if failure.status() == "error" {
            text.push_str(&format!("Error Type: {}\t", failure.kind()));
        }
    }
    if let Some((root, segment)) = report.trace.looked_at() {
        text.push_str(&format!("\nXRAY TraceId: {root}\tSegmentId: {segment}\tSampled: true\t"));
    }
    vec![format!("END RequestId: {}", report.request_id), text]
}
