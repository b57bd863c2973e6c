//! Gives functions a new package directly, and not by their stack: a change of code is live at once. The stack has to be told
//! of it afterwards, or it does not know what it has.

use crate::aws::functions::{FUNCTION, FunctionState};
use crate::aws::{Aws, AwsError};
use crate::engine::run::Run;
use crate::engine::wait::{Look, Pace, until};
use crate::error::Failure;
use crate::lab::model::Stack;
use crate::package;
use crate::plan::Wanted;
use crate::plan::wiring::{BuiltIn, Source};
use crate::template::refs::references;
use futures_util::future::try_join_all;

/// The functions in Lambda that run the package of the lab's `function`.
///
/// # Errors
/// A stack cannot be looked at.
pub async fn takers(aws: &Aws, wanted: &Wanted, function: &str) -> Result<Vec<String>, AwsError> {
    let mut names = Vec::new();
    for stack in &wanted.lab.stacks {
        let resources = taking(wanted, stack, function);
        if resources.is_empty() {
            continue;
        }
        let there = aws.stack_resources(&wanted.instance.stack_name(&stack.name)).await?;
        let there = there.into_iter().filter(|found| resources.contains(&found.resource.as_str()));
        names.extend(there.map(|found| found.id));
    }
    Ok(names)
}

/// The functions in a template whose code is that of the parameter with the package's key.
fn taking<'s>(wanted: &Wanted, stack: &'s Stack, function: &str) -> Vec<&'s str> {
    let sources = wanted.wiring.stacks.get(&stack.name).into_iter().flatten();
    let is_key =
        |source: &Source| matches!(source, Source::BuiltIn(BuiltIn::CodeKey { function: of }) if of == function);
    let keys: Vec<&String> = sources.filter(|(_, source)| is_key(source)).map(|(name, _)| name).collect();
    let functions = stack.template.resources.iter().filter(|(_, resource)| resource.kind == FUNCTION);
    let takes = functions.filter(|(_, resource)| {
        let code = resource.properties.get("Code").map(|code| references(code, "Code")).unwrap_or_default();
        code.iter().any(|reference| keys.contains(&&reference.target))
    });
    takes.map(|(name, _)| name.as_str()).collect()
}

/// Lets calls of `takers` go to the package of `function` that this run knows, which lies in the artifact bucket.
///
/// # Errors
/// Lambda refuses it, or the update failed.
pub async fn swap(run: &Run<'_>, function: &str, takers: &[String]) -> Result<(), Failure> {
    let failed = || run.failure(format!("cannot swap function `{function}`"));
    let key = run.known().code_keys.remove(function).ok_or_else(|| failed().because("it was not built"))?;
    let bucket = run.artifact_bucket().await.map_err(|error| failed().because(error))?;
    let each = takers.iter().map(async |name| {
        give(run.aws, name, &bucket, &key).await?;
        ready(run.aws, name).await
    });
    try_join_all(each).await.map(drop).map_err(|error| failed().because(error))
}

/// Gives functions the packages that their stacks name, where they run others: a watch that was interrupted leaves them so, and
/// CloudFormation does not know of it. Gives those that it had to.
///
/// # Errors
/// Lambda refuses it, or the update failed.
pub async fn take_back<'f>(
    run: &Run<'_>,
    functions: impl IntoIterator<Item = &'f String>,
) -> Result<Vec<String>, Failure> {
    let mut given = Vec::new();
    for function in functions {
        let unseen = |error: AwsError| run.failure(format!("cannot see what `{function}` runs")).because(error);
        let Some(digest) =
            run.known().code_keys.get(function).and_then(|key| package::digest_of(key).map(str::to_owned))
        else {
            continue;
        };
        let mut others = Vec::new();
        for taker in takers(run.aws, run.wanted, function).await.map_err(unseen)? {
            if run.aws.function_code(&taker).await.map_err(unseen)?.is_some_and(|runs| runs != digest) {
                others.push(taker);
            }
        }
        if !others.is_empty() {
            swap(run, function, &others).await?;
            given.extend(others);
        }
    }
    Ok(given)
}

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// An update of the stack, or of somebody else, may be in progress.
async fn give(aws: &Aws, name: &str, bucket: &str, key: &str) -> Result<(), Trouble> {
    let look = async || match aws.update_function_code(name, bucket, key).await {
        Err(error) if error.is("ResourceConflictException") => Ok(Look::Waiting(error.to_string())),
        answer => answer.map(Look::Done),
    };
    Ok(until(Pace::OPERATION, look, |_| ()).await?)
}

async fn ready(aws: &Aws, name: &str) -> Result<(), Trouble> {
    let look = async || {
        Ok::<_, AwsError>(match aws.function(name).await? {
            Some(FunctionState::Ready) => Look::Done(Ok(())),
            Some(FunctionState::Pending(why)) => Look::Waiting(why),
            Some(FunctionState::UpdateFailed(why) | FunctionState::Failed(why)) => Look::Done(Err(why)),
            None => Look::Done(Err(format!("{name} is gone"))),
        })
    };
    until(Pace::OPERATION, look, |_| ()).await?.map_err(Trouble::from)
}
