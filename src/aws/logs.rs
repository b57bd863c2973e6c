//! CloudWatch Logs in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;

/// One event of a log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Different for every event of a group.
    pub id: String,
    pub stream: String,
    /// Milliseconds since the epoch.
    pub time: i64,
    pub message: String,
}

/// Which events of a log group are wanted.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    pub group: String,
    /// Only this stream.
    pub stream: Option<String>,
    /// CloudWatch's filter pattern.
    pub pattern: Option<String>,
    /// Milliseconds since the epoch, both included.
    pub from: i64,
    pub to: Option<i64>,
}

/// Some of the events, by their times, and the way to the next ones. A page may be empty and not the last.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    pub events: Vec<LogEvent>,
    pub next: Option<String>,
}

impl Aws {
    /// Log groups whose names begin with `prefix`.
    pub async fn log_groups(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.logs().describe_log_groups().log_group_name_prefix(prefix).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("logs:DescribeLogGroups"))?;
            found.extend(page.log_groups().iter().filter_map(|group| group.log_group_name().map(str::to_owned)));
        }
        Ok(found)
    }

    /// A page of events. A group or a stream that is not there (yet) has none.
    pub async fn log_events(&self, query: &LogQuery, next: Option<String>) -> Result<LogPage, AwsError> {
        let request = self
            .logs()
            .filter_log_events()
            .log_group_name(&query.group)
            .set_log_stream_names(query.stream.clone().map(|stream| vec![stream]))
            .set_filter_pattern(query.pattern.clone())
            .start_time(query.from)
            .set_end_time(query.to)
            .set_next_token(next);
        let answer = match request.send().await.map_err(AwsError::of("logs:FilterLogEvents")) {
            Err(error) if error.is("ResourceNotFoundException") => return Ok(LogPage::default()),
            answer => answer?,
        };
        let event = |event: &aws_sdk_cloudwatchlogs::types::FilteredLogEvent| LogEvent {
            id: event.event_id().unwrap_or_default().to_owned(),
            stream: event.log_stream_name().unwrap_or_default().to_owned(),
            time: event.timestamp().unwrap_or_default(),
            message: event.message().unwrap_or_default().to_owned(),
        };
        Ok(LogPage {
            events: answer.events().iter().map(event).collect(),
            next: answer.next_token().map(str::to_owned),
        })
    }

    pub async fn delete_log_group(&self, name: &str) -> Result<(), AwsError> {
        let sent = self.logs().delete_log_group().log_group_name(name).send().await;
        match sent.map_err(AwsError::of("logs:DeleteLogGroup")) {
            Err(error) if !error.is("ResourceNotFoundException") => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
