//! In express mode CloudFormation is done when a configuration is applied: whether things work is looked at here.

use crate::aws::functions::{FUNCTION, FunctionState};
use crate::aws::stacks::{StackRecord, StackResource};
use crate::aws::{Aws, AwsError};
use crate::engine::follow::waited;
use crate::engine::run::Run;
use crate::engine::trouble::{Failed, Trouble};
use crate::engine::wait::{Look, Pace, until};
use crate::plan::{ObservedStack, Step};
use aws_sdk_rds::types::SourceType;
use futures_util::future::try_join_all;

const CLUSTER: &str = "AWS::RDS::DBCluster";
const INSTANCE: &str = "AWS::RDS::DBInstance";
const CACHE: &str = "AWS::ElastiCache::ReplicationGroup";

/// Statuses that a database or cache may never leave.
const HOPELESS: &[&str] =
    &["failed", "create-failed", "deleting", "incompatible-parameters", "incompatible-network", "incompatible-restore"];

/// Waits until every resource of the stack that takes time to become usable is. Gives what the step did, in words.
pub async fn wait(run: &Run<'_>, step: &Step, record: &StackRecord) -> Result<String, Trouble> {
    let resources = run.aws.stack_resources(&record.id).await?;
    for resource in resources.iter().filter(|resource| takes_time(resource)) {
        let ready = until(Pace::OPERATION, async || look(run.aws, resource).await, |why| run.waiting(step, why)).await;
        let failed = |reason| {
            let (resource, kind) = (resource.resource.clone(), resource.kind.clone());
            Failed { stack_id: record.id.clone(), resource, kind, reason }
        };
        match ready.map_err(|error| waited(error, &record.id))? {
            Health::Works => {}
            Health::Failed(reason) => return Err(Trouble::Resource(failed(reason))),
            Health::Hopeless(reason) => return Err(Trouble::Hopeless(failed(reason))),
        }
    }
    let verb = if record.status.starts_with("CREATE") { "made" } else { "updated" };
    Ok(match resources.len() {
        1 => format!("{verb}, 1 resource"),
        count => format!("{verb}, {count} resources"),
    })
}

/// Waits for the stacks among `stacks` that this run did not see at work: one that was interrupted may have left them between
/// made and usable.
pub async fn rest(run: &Run<'_>, step: &Step, stacks: impl IntoIterator<Item = &str>) -> Result<(), Trouble> {
    for stack in stacks.into_iter().filter(|stack| !run.is_ready(stack)) {
        if let Some(record) = run.aws.stack(&run.wanted.instance.stack_name(stack)).await? {
            wait(run, step, &record).await?;
            run.learn_ready(stack);
        }
    }
    Ok(())
}

/// How a resource is that takes time to become usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub text: String,
    /// It will not work again by itself, nor by anything that `up` does.
    pub is_hopeless: bool,
}

/// How a resource is; `None` for those that work as soon as they are there.
pub async fn health(aws: &Aws, resource: &StackResource) -> Result<Option<Told>, AwsError> {
    if !takes_time(resource) {
        return Ok(None);
    }
    let (text, is_hopeless) = match look(aws, resource).await? {
        Look::Done(Health::Works) => ("ready".to_owned(), false),
        Look::Done(Health::Hopeless(why)) => (why, true),
        Look::Done(Health::Failed(why)) | Look::Waiting(why) | Look::Moving(why) => (why, false),
    };
    Ok(Some(Told { text, is_hopeless }))
}

/// What in a lab's stacks does not work any more, and that CloudFormation does not know of: somebody has deleted it, say.
pub async fn hopeless(aws: &Aws, stacks: impl IntoIterator<Item = &ObservedStack>) -> Result<Vec<Failed>, AwsError> {
    let each = stacks.into_iter().map(async |stack| {
        let resources = aws.stack_resources(&stack.id).await?;
        let looks = resources.into_iter().map(async |resource| {
            let told = health(aws, &resource).await?.filter(|told| told.is_hopeless);
            let StackResource { resource, kind, .. } = resource;
            let stack_id = stack.id.clone();
            Ok::<_, AwsError>(told.map(|told| Failed { stack_id, resource, kind, reason: told.text }))
        });
        try_join_all(looks).await
    });
    Ok(try_join_all(each).await?.into_iter().flatten().flatten().collect())
}

fn takes_time(resource: &StackResource) -> bool {
    [CLUSTER, INSTANCE, CACHE, FUNCTION].contains(&resource.kind.as_str()) && !resource.status.starts_with("DELETE")
}

/// What waiting for a resource came to.
enum Health {
    Works,
    /// What it was last told to do failed; telling it again may help.
    Failed(String),
    /// It may stay so: nothing that labctl would do again mends it.
    Hopeless(String),
}

async fn look(aws: &Aws, resource: &StackResource) -> Result<Look<Health>, AwsError> {
    let id = resource.id.as_str();
    let status = match resource.kind.as_str() {
        CLUSTER => aws.cluster_status(id).await?,
        INSTANCE => aws.database_instance_status(id).await?,
        CACHE => aws.cache_status(id).await?,
        _ => return function(aws, id).await,
    };
    Ok(match status.as_deref() {
        Some("available") => Look::Done(Health::Works),
        Some(bad) if HOPELESS.contains(&bad) => Look::Done(Health::Hopeless(match last_words(aws, resource).await {
            Some(why) => format!("it is {bad}: {why}"),
            None => format!("it is {bad}"),
        })),
        Some(status) => Look::Waiting(format!("{} is {status}", resource.resource)),
        None => gone(),
    })
}

fn gone() -> Look<Health> {
    Look::Done(Health::Hopeless("it is gone".to_owned()))
}

/// What the service last told of a resource. Whoever may not read events gets on without.
async fn last_words(aws: &Aws, resource: &StackResource) -> Option<String> {
    let told = match resource.kind.as_str() {
        CLUSTER => aws.last_database_event(SourceType::DbCluster, &resource.id).await,
        INSTANCE => aws.last_database_event(SourceType::DbInstance, &resource.id).await,
        _ => aws.last_cache_event(&resource.id).await,
    };
    told.ok().flatten()
}

async fn function(aws: &Aws, name: &str) -> Result<Look<Health>, AwsError> {
    Ok(match aws.function(name).await? {
        None => gone(),
        Some(FunctionState::Ready) => Look::Done(Health::Works),
        Some(FunctionState::Pending(why)) => Look::Waiting(why),
        Some(FunctionState::UpdateFailed(why)) => Look::Done(Health::Failed(why)),
        Some(FunctionState::Failed(why)) => Look::Done(Health::Hopeless(why)),
    })
}
