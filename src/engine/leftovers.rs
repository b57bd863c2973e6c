//! Looks again, by tag and by name, after everything of an instance should be gone.

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

/// Removes log groups that Lambda itself made for the instance's functions; gives their names.
pub async fn remove_logs(aws: &Aws, instance: &Instance) -> Result<Vec<String>, AwsError> {
    let groups = aws.log_groups(&format!("{LAMBDA_LOGS}{}", instance.prefix())).await?;
    for group in &groups {
        aws.delete_log_group(group).await?;
    }
    Ok(groups)
}

/// Everything that carries the instance's tags, or a name that begins as its stacks' resources do.
pub async fn find(aws: &Aws, instance: &Instance) -> Result<Vec<Leftover>, AwsError> {
    let prefix = instance.prefix();
    let tags = [(TAG_LAB, instance.lab.as_str()), (TAG_ENV, instance.env.as_str())];
    let stacks = async {
        let all = aws.stacks().await?;
        let ours = all
            .into_iter()
            .filter(|stack| tags.iter().all(|(tag, value)| stack.tags.get(*tag).map(String::as_str) == Some(value)));
        Ok::<_, AwsError>(ours.map(|stack| stack.name).collect::<Vec<_>>())
    };
    let (logs, vpcs) = (format!("{LAMBDA_LOGS}{prefix}"), aws.vpcs(&tags));
    let found = tokio::try_join!(
        stacks,
        aws.buckets(&prefix),
        aws.functions(&prefix),
        aws.clusters(&prefix),
        aws.roles(&prefix),
        aws.log_groups(&logs),
        vpcs,
    )?;
    let kinds = ["stack", "bucket", "function", "database cluster", "role", "log group", "VPC"];
    let lists = [found.0, found.1, found.2, found.3, found.4, found.5, found.6];
    let mut leftovers: Vec<Leftover> = kinds
        .into_iter()
        .zip(lists)
        .flat_map(|(kind, ids)| ids.into_iter().map(move |id| Leftover { kind, id }))
        .collect();
    leftovers.sort();
    Ok(leftovers)
}
