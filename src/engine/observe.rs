//! What is there now: stacks by their tags, templates, packages, data.

use super::run::{expand, names_of};
use super::sources::sha256;
use super::steps::{data, function};
use crate::aws::identity::Caller;
use crate::aws::stacks::StackRecord;
use crate::aws::{Aws, AwsError};
use crate::plan::Wanted;
use crate::plan::observed::Condition;
use crate::plan::{Instance, Observed, ObservedStack, names};
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every instance in the account and region, with its stacks by their names within the lab.
pub async fn instances(aws: &Aws) -> Result<BTreeMap<Instance, BTreeMap<String, ObservedStack>>, AwsError> {
    let mut found: BTreeMap<Instance, BTreeMap<String, ObservedStack>> = BTreeMap::new();
    for record in aws.stacks().await? {
        if let Some((instance, stack)) = membership(&record) {
            let observed = observed(record, &stack);
            found.entry(instance).or_default().insert(stack, observed);
        }
    }
    Ok(found)
}

/// What an observation finds, and who looked.
#[derive(Debug)]
pub struct Sight {
    pub observed: Observed,
    pub caller: Caller,
}

/// What is there of a lab's instance.
pub async fn lab(aws: &Aws, wanted: &Wanted, cache: &Path) -> Result<Sight, AwsError> {
    let (caller, mut all, code_keys) =
        tokio::try_join!(aws.caller(), instances(aws), async { Ok(packages(aws, wanted, cache).await) })?;
    let mut stacks = all.remove(&wanted.instance).unwrap_or_default();
    let there = stacks.values_mut().filter(|stack| stack.condition() != Condition::Empty);
    try_join_all(there.map(async |stack| {
        stack.template = aws.stack_template(&stack.id).await?;
        Ok::<_, AwsError>(())
    }))
    .await?;
    let (account, region) = (caller.account.clone(), aws.target().region.clone());
    let mut observed = Observed { account, region, stacks, code_keys, ..Observed::default() };
    let bucket = names::artifact_bucket(&observed.account, &observed.region);
    let checked = async {
        match wanted.digest(&observed) {
            Some(digest) => aws.object_exists(&bucket, &wanted.instance.checked_key(&digest)).await,
            None => Ok(false),
        }
    };
    let (uploaded, data, checked) =
        tokio::try_join!(uploaded(aws, &bucket, &observed), data_there(aws, wanted, &observed), checked)?;
    (observed.uploaded, observed.data, observed.checked) = (uploaded, data, checked);
    Ok(Sight { observed, caller })
}

/// The keys of packages that were built before on this machine from these very sources.
async fn packages(aws: &Aws, wanted: &Wanted, cache: &Path) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    if wanted.lab.manifest.functions.is_empty() {
        return keys;
    }
    let options = function::options(aws.target(), cache).await;
    for name in wanted.lab.manifest.functions.keys() {
        if let Some(built) = function::built_before(&wanted.lab, name, &options).await {
            keys.insert(name.clone(), built.key(name));
        }
    }
    keys
}

async fn uploaded(aws: &Aws, bucket: &str, observed: &Observed) -> Result<BTreeSet<String>, AwsError> {
    let looks = observed.code_keys.values().map(async |key| Ok((key.clone(), aws.object_exists(bucket, key).await?)));
    let found: Vec<(String, bool)> = try_join_all(looks).await?;
    Ok(found.into_iter().filter(|(_, there)| *there).map(|(key, _)| key).collect())
}

/// The data files that are where the lab wants them, with the same bytes.
async fn data_there(aws: &Aws, wanted: &Wanted, observed: &Observed) -> Result<BTreeSet<String>, AwsError> {
    let names = names_of(wanted, &wanted.known(observed));
    let looks = wanted.lab.manifest.data.iter().map(async |data| {
        let bytes = wanted.lab.data.iter().find(|file| file.name == data.file).map(|file| sha256(&file.bytes));
        let address = expand(&data.to, &names).ok();
        let there = match address.as_deref().and_then(data::place) {
            Some((bucket, key)) => aws.object_digest(bucket, key).await?,
            None => None,
        };
        Ok::<_, AwsError>((data.file.clone(), there.is_some() && there == bytes))
    });
    let found = try_join_all(looks).await?;
    Ok(found.into_iter().filter(|(_, there)| *there).map(|(file, _)| file).collect())
}

/// The instance a stack belongs to and its name within the lab, by its tags.
fn membership(record: &StackRecord) -> Option<(Instance, String)> {
    let tag = |name: &str| record.tags.get(name).cloned();
    if Condition::of(&record.status) == Condition::Gone {
        return None;
    }
    let instance = Instance { lab: tag(names::TAG_LAB)?, env: tag(names::TAG_ENV)? };
    let stack = tag(names::TAG_STACK)
        .or_else(|| record.name.strip_prefix(&instance.prefix()).map(str::to_owned))
        .unwrap_or_else(|| record.name.clone());
    Some((instance, stack))
}

pub(super) fn observed(record: StackRecord, stack: &str) -> ObservedStack {
    ObservedStack {
        stack: stack.to_owned(),
        name: record.name,
        id: record.id,
        status: record.status,
        reason: record.reason,
        parameters: record.parameters,
        outputs: record.outputs,
        tags: record.tags,
        template: String::new(),
        created: record.created,
    }
}
