//! Deletes a stack and what keeps it from going: full buckets, network interfaces that nobody uses.

use super::event::{Event, Events};
use super::follow::{Ended, follow};
use super::steps::stack::token;
use super::trouble::Trouble;
use crate::aws::stacks::StackResource;
use crate::aws::{Aws, AwsError};
use crate::plan::StepId;
use crate::plan::observed::Condition;
use std::time::Duration;

/// How often a deletion that failed without a reason that can be waited for is tried.
const TRIES: usize = 3;
/// How often one is tried while network interfaces are still in use: Lambda takes up to twenty minutes to give them back.
const PATIENT_TRIES: usize = 60;
const PAUSE: Duration = Duration::from_secs(30);

/// Deletes a stack, whatever state it is in. One that is gone is success. Gives the number of objects removed with buckets.
pub async fn stack(aws: &Aws, name: &str, express: bool, step: &StepId, events: &Events) -> Result<usize, Trouble> {
    let waiting = |why: String| events.emit(Event::StepWaiting { step: step.0.clone(), why });
    let mut objects = 0;
    let mut tries = 0;
    loop {
        let Some(there) = aws.stack(name).await? else { return Ok(objects) };
        match Condition::of(&there.status) {
            Condition::Gone => return Ok(objects),
            Condition::Busy => {
                waiting(format!("an operation is in {}", there.status));
                follow(aws, &there.id, None, step, events).await?;
                continue;
            }
            Condition::Settled | Condition::Empty | Condition::Broken | Condition::StuckRollback => {}
        }
        let resources = aws.stack_resources(&there.id).await?;
        objects += empty_buckets(aws, &resources).await?;
        let before = aws.stack_events(&there.id, None).await?.last().map(|event| event.id.clone());
        aws.delete_stack(&there.id, &token(), express).await?;
        let ended = follow(aws, &there.id, before, step, events).await?;
        if !ended.remains() {
            return Ok(objects);
        }
        tries += 1;
        let held = release(aws, &resources, &ended).await?;
        if tries >= TRIES && (held == 0 || tries >= PATIENT_TRIES) {
            return Err(ended.trouble(&there.id));
        }
        if held > 0 {
            waiting(format!(
                "{held} network interfaces are still in use by Lambda, which gives them back in up to 20 min"
            ));
            tokio::time::sleep(PAUSE).await;
        } else {
            let why = ended.failure.and_then(|event| event.reason).unwrap_or_else(|| "the deletion failed".to_owned());
            waiting(format!("tried again: {why}"));
        }
    }
}

async fn empty_buckets(aws: &Aws, resources: &[StackResource]) -> Result<usize, AwsError> {
    let mut objects = 0;
    let there = resources.iter().filter(|resource| !resource.id.is_empty() && resource.status != "DELETE_COMPLETE");
    for bucket in there.filter(|resource| resource.kind == "AWS::S3::Bucket") {
        objects += aws.empty_bucket(&bucket.id).await?;
    }
    Ok(objects)
}

/// Deletes Lambda's network interfaces that nobody uses any more; gives how many are still in use.
async fn release(aws: &Aws, resources: &[StackResource], ended: &Ended) -> Result<usize, AwsError> {
    let holders = resources.iter().filter(|resource| ended.failed.contains(&resource.resource));
    let mut held = 0;
    for holder in holders {
        if !matches!(holder.kind.as_str(), "AWS::EC2::SecurityGroup" | "AWS::EC2::Subnet" | "AWS::EC2::VPC") {
            continue;
        }
        for interface in aws.network_interfaces(&holder.id).await?.into_iter().filter(|interface| interface.of_lambda) {
            match interface.free {
                true => aws.delete_network_interface(&interface.id).await?,
                false => held += 1,
            }
        }
    }
    Ok(held)
}
