//! Instances by their tags.

use super::prepare::flags_of;
use super::select::LabArg;
use crate::aws::{Aws, AwsError};
use crate::engine::observe;
use crate::error::Failure;
use crate::plan::{Instance, ObservedStack};
use crate::template::problem::nearest;
use std::collections::BTreeMap;

/// Every instance of the account and region.
pub(crate) type Instances = BTreeMap<Instance, BTreeMap<String, ObservedStack>>;

pub(crate) async fn all(aws: &Aws) -> Result<Instances, Failure> {
    observe::instances(aws).await.map_err(|error| unseen(aws, error))
}

/// Looking changes nothing, so it can always be done again.
pub(crate) const AGAIN: &str =
    "run the same command again; if it goes on, look at the network and the endpoint: labctl doctor";

pub(crate) fn unseen(aws: &Aws, error: AwsError) -> Failure {
    Failure::failed(format!("cannot see what is on {}", aws.target().title)).because(error).hint(AGAIN)
}

/// The stacks of an instance that must be there.
pub(crate) async fn there(
    aws: &Aws,
    lab: &LabArg,
    instance: &Instance,
) -> Result<BTreeMap<String, ObservedStack>, Failure> {
    let mut all = all(aws).await?;
    all.remove(instance).ok_or_else(|| absent(aws, lab, instance, &all))
}

fn absent(aws: &Aws, lab: &LabArg, instance: &Instance, all: &Instances) -> Failure {
    let title = &aws.target().title;
    let failure = Failure::usage(format!("lab `{}` ({}) is not there on {title}", instance.lab, instance.env));
    let same_lab = all.keys().find(|other| other.lab == instance.lab);
    let near = nearest(&instance.lab, all.keys().map(|other| other.lab.as_str()));
    match (same_lab, near) {
        (Some(other), _) => failure.hint(format!("it is there as --env {}", other.env)),
        (None, Some(near)) => failure.hint(format!("did you mean `{near}`?")),
        (None, None) => failure.hint(format!("labctl up{}{}", lab.typed(), flags_of(&instance.env, aws))),
    }
}
