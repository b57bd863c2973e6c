//! Follows an operation of CloudFormation by its events, to its end and to its first failure.

use super::event::{Event, Events};
use super::trouble::{Failed, Trouble};
use super::wait::{Look, Pace, WaitError, until};
use crate::aws::stacks::{StackEvent, StackRecord};
use crate::aws::{Aws, AwsError};
use crate::plan::StepId;
use crate::plan::observed::Condition;
use std::collections::BTreeSet;

/// How an operation ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// `None`: the stack is gone without a trace.
    pub record: Option<StackRecord>,
    /// The chronologically first failure.
    pub failure: Option<StackEvent>,
    /// Logical ids of everything that failed.
    pub failed: BTreeSet<String>,
}

impl Ended {
    /// Something is still there.
    pub fn remains(&self) -> bool {
        self.record.as_ref().is_some_and(|record| Condition::of(&record.status) != Condition::Gone)
    }

    pub fn must_end_in(self, stack_id: &str, wanted: &[&str]) -> Result<StackRecord, Trouble> {
        match self.record {
            Some(record) if wanted.contains(&record.status.as_str()) => Ok(record),
            _ => Err(self.trouble(stack_id)),
        }
    }

    /// What to tell about an operation that ended badly.
    pub fn trouble(self, stack_id: &str) -> Trouble {
        let stack_id = stack_id.to_owned();
        match self.failure {
            Some(StackEvent { resource, kind, reason, status, .. }) => {
                Trouble::Resource(Failed { stack_id, resource, kind, reason: reason.unwrap_or(status) })
            }
            None => {
                let status = self.record.map_or_else(|| "DELETE_COMPLETE".to_owned(), |record| record.status);
                Trouble::Ended { stack_id, status }
            }
        }
    }

    /// Takes note of one event; gives what the screen hears of it.
    fn take(&mut self, event: StackEvent, stack_id: &str, step: &StepId) -> Option<Event> {
        if event.physical_id == stack_id {
            return None;
        }
        if event.status.ends_with("_FAILED") {
            self.failed.insert(event.resource.clone());
            // What fails later was mostly cancelled because of the first.
            self.failure.get_or_insert_with(|| event.clone());
        }
        let StackEvent { resource, kind, status, reason, .. } = event;
        Some(Event::ResourceChanged { step: step.0.clone(), resource, kind, status, reason })
    }
}

/// Follows a stack's events, after the one called `last`, until nothing is under way any more.
pub async fn follow(
    aws: &Aws,
    id: &str,
    last: Option<String>,
    step: &StepId,
    events: &Events,
) -> Result<Ended, Trouble> {
    let mut last = last;
    let mut ended = Ended::default();
    let look = async || {
        // The status first: events that come between the two looks are then not missed.
        let Some(record) = aws.stack(id).await? else { return Ok::<_, AwsError>(Look::Done(None)) };
        let news = aws.stack_events(id, last.as_deref()).await?;
        let moved = !news.is_empty();
        for event in news {
            last = Some(event.id.clone());
            if let Some(event) = ended.take(event, &record.id, step) {
                events.emit(event);
            }
        }
        Ok(match Condition::of(&record.status) {
            Condition::Busy if moved => Look::Moving(record.status),
            Condition::Busy => Look::Waiting(record.status),
            _ => Look::Done(Some(record)),
        })
    };
    let record = until(Pace::OPERATION, look, |_| ()).await.map_err(|error| waited(error, id))?;
    ended.record = record;
    Ok(ended)
}

pub fn waited(error: WaitError<AwsError>, stack_id: &str) -> Trouble {
    match error {
        WaitError::Failed(error) => Trouble::Aws(error),
        WaitError::TimedOut { after, last } => {
            Trouble::TimedOut { stack_id: stack_id.to_owned(), after: after.as_secs(), last }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(resource: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            id: format!("{resource}-{status}"),
            token: None,
            resource: resource.into(),
            kind: "AWS::S3::Bucket".into(),
            physical_id: "p".into(),
            status: status.into(),
            reason: Some(reason.into()),
            at: 0.0,
        }
    }

    #[test]
    fn the_first_failure_is_the_one_to_blame_and_the_stacks_own_events_are_not_resources() {
        let step = StepId("stack/a".into());
        let mut ended = Ended::default();
        for (resource, reason) in [("Bucket", "name is taken"), ("Role", "Resource creation cancelled")] {
            ended.take(event(resource, "CREATE_FAILED", reason), "arn", &step);
        }
        let own = StackEvent { physical_id: "arn".into(), ..event("a", "CREATE_FAILED", "x") };
        assert_eq!(ended.take(own, "arn", &step), None);
        assert_eq!(ended.failed.len(), 2);
        assert_eq!(ended.trouble("arn").to_string(), "Bucket (AWS::S3::Bucket): name is taken");
    }
}
