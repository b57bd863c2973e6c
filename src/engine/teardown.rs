//! Takes an instance down: stacks in reverse order, logs, and then a second look at what is left.

use super::event::Events;
use super::leftovers::{self, Leftover};
use super::observe;
use super::remove;
use super::walk::{Done, Report, Runner, walk};
use crate::aws::{Aws, AwsError};
use crate::error::Failure;
use crate::plan::build::removal;
use crate::plan::{Instance, ObservedStack, Step, Work, names};
use std::collections::BTreeMap;

/// What came of taking one instance down.
#[derive(Debug)]
pub struct Down {
    /// Stacks that are gone, in the order in which they went.
    pub removed: Vec<String>,
    /// What is still there, by tag or by name; an error where AWS did not say.
    pub left: Result<Vec<Leftover>, AwsError>,
    /// The first thing that failed.
    pub failure: Option<Failure>,
}

struct Remover<'a> {
    aws: &'a Aws,
    stacks: &'a BTreeMap<String, ObservedStack>,
    express: bool,
    events: &'a Events,
}

impl Runner for Remover<'_> {
    async fn run(&self, step: &Step) -> Result<Done, Failure> {
        let Work::DeleteStack { stack } = &step.work else { return Ok(Done::nothing()) };
        let Some(there) = self.stacks.get(stack) else { return Ok(Done::nothing()) };
        match remove::stack(self.aws, &there.id, self.express, &step.id, self.events).await {
            Ok(0) => Ok(Done::did("removed")),
            Ok(1) => Ok(Done::did("removed, with 1 object version")),
            Ok(objects) => Ok(Done::did(format!("removed, with {objects} object versions"))),
            Err(error) => {
                let link = error.stack_id().and_then(|id| self.aws.target().console_link(id));
                let failure = Failure::failed(format!("cannot remove stack `{}`", there.name)).because(error);
                Err(link.into_iter().fold(failure, |failure, link| failure.hint(format!("see it happen: {link}"))))
            }
        }
    }
}

/// Takes one instance down and looks again.
pub async fn instance(
    aws: &Aws,
    instance: &Instance,
    stacks: &BTreeMap<String, ObservedStack>,
    express: bool,
    events: &Events,
) -> Down {
    let remover = Remover { aws, stacks, express, events };
    let Report { finished, mut failed, .. } = walk(&removal(stacks), &remover, events).await;
    let failure = (!failed.is_empty()).then(|| failed.remove(0).1);
    let removed = finished.iter().map(|id| id.0.trim_start_matches("delete/").to_owned()).collect();
    let left = match &failure {
        None => look_again(aws, instance).await,
        // The function of a stack that is still there goes on writing its log.
        Some(_) => leftovers::find(aws, instance).await,
    };
    Down { removed, left, failure }
}

/// Removes the logs of functions that are gone, and looks what is left.
pub async fn look_again(aws: &Aws, instance: &Instance) -> Result<Vec<Leftover>, AwsError> {
    leftovers::remove_logs(aws, instance).await?;
    leftovers::find(aws, instance).await
}

/// Forgets an instance in the artifact bucket, and removes the bucket with the last instance.
pub async fn artifacts(aws: &Aws, gone: &[Instance]) -> Result<(), AwsError> {
    let bucket = names::artifact_bucket(&aws.caller().await?.account, &aws.target().region);
    if !aws.bucket_exists(&bucket).await? {
        return Ok(());
    }
    if observe::instances(aws).await?.is_empty() {
        aws.empty_bucket(&bucket).await?;
        return aws.delete_bucket(&bucket).await;
    }
    for instance in gone {
        for key in aws.object_keys(&bucket, &instance.checked_key("")).await? {
            aws.delete_object(&bucket, &key).await?;
        }
    }
    Ok(())
}
