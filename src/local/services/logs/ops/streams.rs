//! Log streams.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Nothing, group_name};
use crate::call::Call;
use crate::services::logs::faults::LogsFault;
use crate::services::logs::state::{Group, Logs};
use crate::services::logs::stream::Stream;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    log_group_name: String,
    log_stream_name: String,
}

/// CreateLogStream.
pub(crate) async fn create(logs: Arc<Logs>, call: &Call, input: Named) -> Result<Nothing, LogsFault> {
    let name = &input.log_stream_name;
    if name.is_empty() || name.len() > 512 || name.contains([':', '*']) {
        return Err(LogsFault::invalid(format!(
            "1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [^:*]*"
        )));
    }
    let group = logs.group(&call.scope, &input.log_group_name)?;
    logs.add_stream(&group, name, &call.request_id)?;
    Ok(Nothing {})
}

/// DeleteLogStream.
pub(crate) async fn delete(logs: Arc<Logs>, call: &Call, input: Named) -> Result<Nothing, LogsFault> {
    let group = logs.group(&call.scope, &input.log_group_name)?;
    logs.remove_stream(&group, &input.log_stream_name)?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DescribeLogStreams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    log_streams: Vec<StreamShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamShape {
    log_stream_name: String,
    creation_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ingestion_time: Option<i64>,
    upload_sequence_token: &'static str,
    arn: String,
    stored_bytes: u64,
}

/// The group that a request names in one of two ways.
pub(super) fn named_group(
    logs: &Logs,
    call: &Call,
    name: Option<String>,
    identifier: Option<String>,
) -> Result<(String, Group), LogsFault> {
    let name = match (name, identifier) {
        (Some(name), None) => name,
        (None, Some(identifier)) => group_name(&identifier).to_owned(),
        (Some(_), Some(_)) => {
            return Err(LogsFault::invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters."));
        }
        (None, None) => return Err(LogsFault::invalid("One of logGroupName and logGroupIdentifier is required.")),
    };
    let group = logs.group(&call.scope, &name)?;
    Ok((name, group))
}

/// DescribeLogStreams: by name or by the time of the last event.
pub(crate) async fn describe(logs: Arc<Logs>, call: &Call, input: DescribeLogStreams) -> Result<Described, LogsFault> {
    let (group_name, group) = named_group(&logs, call, input.log_group_name, input.log_group_identifier)?;
    let by_time = input.order_by.as_deref() == Some("LastEventTime");
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(LogsFault::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let limit = input.limit.unwrap_or(50);
    if !(1..=50).contains(&limit) {
        return Err(LogsFault::invalid(format!("The limit must be between 1 and 50, not {limit}.")));
    }
    let start = match input.next_token.as_deref() {
        Some(token) => token.parse().map_err(|_| LogsFault::invalid("The specified nextToken is invalid."))?,
        None => 0,
    };
    let mut streams = logs.streams(&group);
    streams
        .retain(|stream| input.log_stream_name_prefix.as_deref().is_none_or(|prefix| stream.name.starts_with(prefix)));
    match (by_time, input.descending.unwrap_or(false)) {
        (false, false) => {}
        (false, true) => streams.reverse(),
        (true, false) => streams.sort_by_cached_key(|stream| stream.summary().last),
        (true, true) => streams.sort_by_cached_key(|stream| Reverse(stream.summary().last)),
    }
    let next_token = (streams.len() > start + limit).then(|| (start + limit).to_string());
    let shape = |stream: &Arc<Stream>| shape(call, &group_name, stream);
    Ok(Described { log_streams: streams.iter().skip(start).take(limit).map(shape).collect(), next_token })
}

fn shape(call: &Call, group: &str, stream: &Stream) -> StreamShape {
    let summary = stream.summary();
    StreamShape {
        log_stream_name: stream.name.clone(),
        creation_time: stream.created,
        first_event_timestamp: summary.first,
        last_event_timestamp: summary.last,
        last_ingestion_time: summary.last_ingestion,
        // PutLogEvents no longer asks for it; old clients still read it.
        upload_sequence_token: "49039859627520474168951741232341412338823164234326178834",
        arn: call.scope.arn("logs", format!("log-group:{group}:log-stream:{}", stream.name)),
        // "As of June 17, 2019 this parameter is no longer supported … and always is 0" (LogStream.storedBytes).
        stored_bytes: 0,
    }
}
