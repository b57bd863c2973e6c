//! The logs of several functions as one: earlier events merged by their times, later ones followed.

pub mod follow;
pub mod merge;

pub use follow::{Follower, Seen};
pub use merge::Walk;

use crate::aws::logs::{LogPage, LogQuery};
use crate::aws::{Aws, AwsError};

/// Where events come from.
pub trait Source {
    /// A page of the events of `from..=to`, by their times.
    fn page(&self, from: i64, to: Option<i64>, next: Option<String>)
    -> impl Future<Output = Result<LogPage, AwsError>>;
}

/// The log of one function.
#[derive(Debug)]
pub struct FunctionLog<'a> {
    pub aws: &'a Aws,
    pub group: String,
    pub pattern: Option<String>,
}

impl Source for FunctionLog<'_> {
    async fn page(&self, from: i64, to: Option<i64>, next: Option<String>) -> Result<LogPage, AwsError> {
        let (group, pattern) = (self.group.clone(), self.pattern.clone());
        self.aws.log_events(&LogQuery { group, stream: None, pattern, from, to }, next).await
    }
}

/// A line that Lambda wrote and not the function: START, END, REPORT and their like, as text or JSON.
pub fn is_platforms(message: &str) -> bool {
    const WORDS: [&str; 5] =
        ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_START ", "INIT_REPORT "];
    WORDS.iter().any(|word| message.starts_with(word))
        || (message.starts_with('{') && message.contains("\"type\":\"platform."))
}
