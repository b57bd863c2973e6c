//! Looks again, by tag and by name, after everything of an instance should be gone.

use super::observe;
use crate::aws::{Aws, AwsError};
use crate::plan::Instance;
use crate::plan::names::{TAG_ENV, TAG_LAB};
use serde::Serialize;

/// Something of an instance that is still there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leftover {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: String,
}

/// Where Lambda keeps a function's log, if nobody made the group before.
const LAMBDA_LOGS: &str = "/aws/lambda/";

/// Removes log groups that Lambda itself made for the instance's functions; gives their names. The group of a function that is
/// there, and of one that may be another instance's, is left alone.
pub async fn remove_logs(aws: &Aws, instance: &Instance) -> Result<Vec<String>, AwsError> {
    let prefix = instance.prefix();
    let logs = format!("{LAMBDA_LOGS}{prefix}");
    let (groups, functions, instances) =
        tokio::try_join!(aws.log_groups(&logs), aws.functions(&prefix), observe::instances(aws))?;
    let groups = of_gone_functions(instance, groups, &functions, instances.keys());
    for group in &groups {
        aws.delete_log_group(group).await?;
    }
    Ok(groups)
}

fn of_gone_functions<'a>(
    instance: &Instance,
    groups: Vec<String>,
    functions: &[String],
    instances: impl Iterator<Item = &'a Instance> + Clone,
) -> Vec<String> {
    let gone = |group: &String| {
        let function = group.strip_prefix(LAMBDA_LOGS).unwrap_or(group);
        instance.may_have_made(function, instances.clone()) && !functions.iter().any(|there| there == function)
    };
    groups.into_iter().filter(gone).collect()
}

/// What is left of an instance. By tag: stacks, VPCs, security groups, REST and HTTP APIs, API keys and secrets. By a name that begins as
/// those of its stacks' resources do: buckets, functions, database clusters and the snapshots that are kept of them, caches, roles and the logs of functions.
pub async fn find(aws: &Aws, instance: &Instance) -> Result<Vec<Leftover>, AwsError> {
    let mut leftovers: Vec<Leftover> = Vec::new();
    let (tagged, named) = tokio::try_join!(by_tag(aws, instance), by_name(aws, instance))?;
    for (kind, ids) in tagged.into_iter().chain(named) {
        leftovers.extend(ids.into_iter().map(|id| Leftover { kind, id }));
    }
    leftovers.sort();
    Ok(leftovers)
}

type Found = Vec<(&'static str, Vec<String>)>;

async fn by_tag(aws: &Aws, instance: &Instance) -> Result<Found, AwsError> {
    let tags = [(TAG_LAB, instance.lab.as_str()), (TAG_ENV, instance.env.as_str())];
    let stacks = async {
        let all = aws.stacks().await?;
        let ours = all
            .into_iter()
            .filter(|stack| tags.iter().all(|(tag, value)| stack.tags.get(*tag).map(String::as_str) == Some(value)));
        Ok::<_, AwsError>(ours.map(|stack| stack.name).collect::<Vec<_>>())
    };
    let found = tokio::try_join!(
        stacks,
        aws.vpcs(&tags),
        aws.security_groups(&tags),
        aws.rest_apis(&tags),
        aws.http_apis(&tags),
        aws.api_keys(&tags),
        aws.secrets_with(&tags)
    )?;
    let kinds = ["stack", "VPC", "security group", "REST API", "HTTP API", "API key", "secret"];
    Ok(kinds.into_iter().zip([found.0, found.1, found.2, found.3, found.4, found.5, found.6]).collect())
}

async fn by_name(aws: &Aws, instance: &Instance) -> Result<Found, AwsError> {
    let prefix = instance.prefix();
    let logs = format!("{LAMBDA_LOGS}{prefix}");
    let found = tokio::try_join!(
        aws.buckets(&prefix),
        aws.functions(&prefix),
        aws.clusters(&prefix),
        aws.cluster_snapshots(&prefix),
        aws.caches(&prefix),
        aws.roles(&prefix),
        aws.log_groups(&logs),
        observe::instances(aws)
    )?;
    let others = found.7;
    let kinds = ["bucket", "function", "database cluster", "database snapshot", "cache", "role", "log group"];
    let lists = [found.0, found.1, found.2, found.3, found.4, found.5, found.6];
    let ours = |id: &String| instance.may_have_made(id.strip_prefix(LAMBDA_LOGS).unwrap_or(id), others.keys());
    Ok(kinds.into_iter().zip(lists).map(|(kind, ids)| (kind, ids.into_iter().filter(ours).collect())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_functions_that_are_there_and_of_other_instances_are_left_alone() {
        let (ours, other) = (Instance::new("a", "b"), Instance::new("a-b", "c"));
        let groups = ["/aws/lambda/a-b-gone", "/aws/lambda/a-b-there", "/aws/lambda/a-b-c-theirs"].map(str::to_owned);
        let gone = of_gone_functions(&ours, groups.to_vec(), &["a-b-there".to_owned()], [&ours, &other].into_iter());
        assert_eq!(gone, ["/aws/lambda/a-b-gone"]);
    }
}
