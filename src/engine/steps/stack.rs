//! Deploys a stack through a change set, whatever an earlier run left of it; deletes one.

use super::readiness;
use crate::aws::AwsError;
use crate::aws::stacks::{ChangeSetRequest, ChangeSetState, StackRecord, Template};
use crate::engine::follow::{follow, waited};
use crate::engine::observe;
use crate::engine::remove;
use crate::engine::run::Run;
use crate::engine::sources::sha256;
use crate::engine::trouble::Trouble;
use crate::engine::wait::{Look, Pace, until};
use crate::engine::walk::Done;
use crate::error::Failure;
use crate::plan::observed::Condition;
use crate::plan::{Step, names};
use std::collections::BTreeMap;

/// A bigger template is read by CloudFormation from the artifact bucket.
const MAX_TEMPLATE_BODY: usize = 51_200;

/// Brings a stack to what the lab wants.
pub async fn deploy(run: &Run<'_>, step: &Step, stack: &str) -> Result<Done, Failure> {
    let name = run.wanted.instance.stack_name(stack);
    let failed = |error: Trouble| failure(run, stack, error);
    let (there, changed) = settle(run, step, stack, &name).await.map_err(failed)?;
    let (done, record) = match changed {
        Some(record) => {
            let did = readiness::wait(run, step, &record).await.map_err(failed)?;
            run.learn_ready(stack);
            (Done::did(did), record)
        }
        None => (Done::nothing(), there.unwrap_or_default()),
    };
    run.learn_outputs(stack, record.outputs);
    Ok(done)
}

/// Changes the stack; again from the beginning when somebody else did so in between, which takes our change set away.
async fn settle(
    run: &Run<'_>,
    step: &Step,
    stack: &str,
    name: &str,
) -> Result<(Option<StackRecord>, Option<StackRecord>), Trouble> {
    let mut overtaken = 0;
    loop {
        let there = clear_the_way(run, step, name).await?;
        match change(run, step, stack, there.as_ref()).await {
            Err(Trouble::Aws(error)) if is_overtaken(&error) && overtaken < OVERTAKEN => {
                overtaken += 1;
                run.note(step, "another run has changed the stack; looking again");
            }
            changed => return Ok((there, changed?)),
        }
    }
}

/// How often another run may come first.
const OVERTAKEN: u32 = 5;

/// What CloudFormation says to whoever comes second: the first who executes a change set takes the stack's others away, and the
/// stack can not be changed until it is done.
fn is_overtaken(error: &AwsError) -> bool {
    let said = error.to_string();
    let invalid = ["already exists and cannot be created again with the changeSet", "state and can not be updated"];
    let refused = error.is("ValidationError") && invalid.iter().any(|words| said.contains(words));
    refused || ["ChangeSetNotFound", "InvalidChangeSetStatus"].iter().any(|code| error.is(code))
}

/// Deletes a stack that the lab no longer has.
pub async fn remove(run: &Run<'_>, step: &Step, stack: &str) -> Result<Done, Failure> {
    let there = run.observed.stacks.get(stack);
    let name = there.map_or_else(|| run.wanted.instance.stack_name(stack), |there| there.id.clone());
    let removed = remove::stack(run.aws, &name, run.options.express, &step.id, run.events).await;
    removed.map_err(|error| failure_to(run, "remove", stack, error))?;
    Ok(Done::did("removed"))
}

fn failure(run: &Run<'_>, stack: &str, error: Trouble) -> Failure {
    failure_to(run, "deploy", stack, error)
}

fn failure_to(run: &Run<'_>, doing: &str, stack: &str, error: Trouble) -> Failure {
    run.failure_of_stack(format!("cannot {doing} stack `{stack}`"), error)
}

/// Waits for what is under way, removes what is broken. Gives the stack if there is one to update.
async fn clear_the_way(run: &Run<'_>, step: &Step, name: &str) -> Result<Option<StackRecord>, Trouble> {
    loop {
        let Some(there) = run.aws.stack(name).await? else { return Ok(None) };
        let condition = Condition::of(&there.status);
        // What nobody has tagged and nothing is in was left by a change set that was never made whole.
        let unclaimed = condition == Condition::Empty && there.tags.is_empty();
        if condition != Condition::Gone && !is_ours(run, &there) && !unclaimed {
            return Err(Trouble::Foreign { name: name.to_owned() });
        }
        match condition {
            Condition::Gone | Condition::Empty => return Ok(None),
            Condition::Settled => return Ok(Some(there)),
            Condition::Busy => {
                run.waiting(step, &format!("an earlier operation is in {}", there.status));
                follow(run.aws, &there.id, None, &step.id, run.events).await?;
            }
            Condition::StuckRollback => {
                run.waiting(step, "the rollback of an earlier update is continued");
                run.aws.continue_rollback(&there.id, &token()).await?;
                let ended = follow(run.aws, &there.id, None, &step.id, run.events).await?;
                ended.must_end_in(&there.id, &["UPDATE_ROLLBACK_COMPLETE"])?;
            }
            Condition::Broken => {
                run.waiting(step, &format!("what an earlier run left in {} is removed", there.status));
                remove::stack(run.aws, &there.id, run.options.express, &step.id, run.events).await?;
            }
        }
    }
}

fn is_ours(run: &Run<'_>, there: &StackRecord) -> bool {
    let tag = |name: &str| there.tags.get(name).map(String::as_str);
    let instance = &run.wanted.instance;
    tag(names::TAG_LAB) == Some(instance.lab.as_str()) && tag(names::TAG_ENV) == Some(instance.env.as_str())
}

/// Makes, reads and executes a change set. `None`: there was nothing to change.
async fn change(
    run: &Run<'_>,
    step: &Step,
    stack: &str,
    there: Option<&StackRecord>,
) -> Result<Option<StackRecord>, Trouble> {
    let name = run.wanted.instance.stack_name(stack);
    let token = token();
    let change_set = format!("labctl-{token}");
    let request = ChangeSetRequest {
        stack: &name,
        name: &change_set,
        create: there.is_none(),
        template: template(run, stack).await?,
        parameters: parameters(run, stack)?,
        tags: tags(run, stack, there),
        express: run.options.express,
        token: &token,
    };
    let arn = run.aws.create_change_set(&request).await?;
    match settled(run, step, &name, &arn).await? {
        ChangeSetState::NoChanges { reason } | ChangeSetState::Failed { reason } if there.is_none() => {
            // With its change set first, the empty stack would be nobody's if we were interrupted now.
            remove::stack(run.aws, &name, run.options.express, &step.id, run.events).await?;
            return Err(Trouble::Refused { reason });
        }
        ChangeSetState::NoChanges { reason } => {
            run.aws.delete_change_set(&arn).await?;
            return match is_as_wanted(run, stack, &name, &request.tags).await? {
                true => Ok(None),
                false => Err(Trouble::Refused { reason }),
            };
        }
        ChangeSetState::Failed { reason } => {
            run.aws.delete_change_set(&arn).await?;
            return Err(Trouble::Refused { reason });
        }
        ChangeSetState::Pending | ChangeSetState::Ready => {}
    }
    let before = match there {
        Some(there) => run.aws.stack_events(&there.id, None).await?.last().map(|event| event.id.clone()),
        None => None,
    };
    run.aws.execute_change_set(&arn, &token).await?;
    let id = run.aws.stack(&name).await?.map_or_else(|| name.clone(), |record| record.id);
    let ended = follow(run.aws, &id, before, &step.id, run.events).await?;
    ended.must_end_in(&id, &["CREATE_COMPLETE", "UPDATE_COMPLETE"]).map(Some)
}

/// Whether there was nothing to change because all is as wanted. A change set fails without changes for other reasons too
/// (a macro, a missing permission), and those must not pass for success.
async fn is_as_wanted(
    run: &Run<'_>,
    stack: &str,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Result<bool, Trouble> {
    let Some(record) = run.aws.stack(name).await? else { return Ok(false) };
    // The version alone is no reason for an update.
    let tagged = tags.iter().all(|(tag, value)| *tag == names::TAG_VERSION || record.tags.get(tag) == Some(value));
    let mut there = observe::observed(record, stack);
    there.template = run.aws.stack_template(&there.id).await?;
    let mut observed = run.observed.clone();
    observed.stacks.insert(stack.to_owned(), there);
    Ok(tagged && run.wanted.unmet(stack, &observed, &run.known()).is_empty())
}

async fn settled(run: &Run<'_>, step: &Step, name: &str, arn: &str) -> Result<ChangeSetState, Trouble> {
    let look = async || match run.aws.change_set(arn).await? {
        ChangeSetState::Pending => Ok(Look::Waiting("CloudFormation works out the changes".to_owned())),
        state => Ok::<_, AwsError>(Look::Done(state)),
    };
    until(Pace::OPERATION, look, |why| run.waiting(step, why)).await.map_err(|error| waited(error, name))
}

async fn template<'a>(run: &'a Run<'_>, stack: &str) -> Result<Template<'a>, Trouble> {
    let text = run.wanted.lab.stacks.iter().find(|known| known.name == stack).map_or("", |stack| stack.text.as_str());
    if text.len() <= MAX_TEMPLATE_BODY {
        return Ok(Template::Body(text));
    }
    let bucket = run.artifact_bucket().await?;
    let digest = sha256(text.as_bytes());
    let key = format!("templates/{digest}.yaml");
    run.aws.put_object(&bucket, &key, text.as_bytes().to_vec(), &digest).await?;
    let base = match run.aws.target().config.endpoint_url() {
        Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
        None => format!("https://{bucket}.s3.{}.amazonaws.com", run.aws.target().region),
    };
    Ok(Template::Url(format!("{base}/{key}")))
}

fn parameters(run: &Run<'_>, stack: &str) -> Result<BTreeMap<String, String>, Trouble> {
    let values = run.wanted.parameters(stack, &run.known()).into_iter();
    let known = values.map(|(name, value)| match value {
        Some(value) => Ok((name, value)),
        None => Err(Trouble::Unknown { parameter: name }),
    });
    known.collect()
}

/// The owner stays who it was; the date changes only when one is given.
fn tags(run: &Run<'_>, stack: &str, there: Option<&StackRecord>) -> BTreeMap<String, String> {
    let earlier = |tag: &str| there.and_then(|there| there.tags.get(tag)).cloned();
    let instance = &run.wanted.instance;
    let tags = [
        (names::TAG_LAB, Some(instance.lab.clone())),
        (names::TAG_ENV, Some(instance.env.clone())),
        (names::TAG_STACK, Some(stack.to_owned())),
        (names::TAG_OWNER, earlier(names::TAG_OWNER).or_else(|| Some(run.options.owner.clone()))),
        (names::TAG_VERSION, Some(run.options.version.clone())),
        (names::TAG_EXPIRES, run.wanted.expires.clone().or_else(|| earlier(names::TAG_EXPIRES))),
    ];
    tags.into_iter().filter_map(|(tag, value)| Some((tag.to_owned(), value?))).collect()
}

/// Marks an operation and its events: letters and digits, not to be met twice.
pub fn token() -> String {
    format!("{:016x}", rand::random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_is_known_by_what_cloudformation_says() {
        let said = |code: &str, message: &str| AwsError::Fault {
            operation: "cloudformation:ExecuteChangeSet",
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: None,
        };
        for (code, message) in [
            ("ChangeSetNotFound", "ChangeSet [labctl-1] does not exist"),
            ("InvalidChangeSetStatus", "ChangeSet [1] cannot be executed in its current status of [CREATE_FAILED]"),
            ("ValidationError", "Stack [a] already exists and cannot be created again with the changeSet [labctl-1]."),
            ("ValidationError", "Stack:arn is in CREATE_IN_PROGRESS state and can not be updated."),
        ] {
            assert!(is_overtaken(&said(code, message)), "{message}");
        }
        assert!(!is_overtaken(&said("ValidationError", "Parameters: [A] must have values")));
        assert!(!is_overtaken(&said("AccessDenied", "no state and can not be updated")));
    }
}
