//! What a lab's instance offers: the outputs of its stacks, and the URL that they make.

use super::run::expand;
use crate::aws::Target;
use crate::lab::Lab;
use crate::lab::parameters::Values;
use crate::plan::{Instance, ObservedStack};
use serde::Serialize;
use std::collections::BTreeMap;

/// The output that is not shown with the others: the value of the key of `ApiKeyId`.
pub const API_KEY: &str = "ApiKey";

/// All outputs by name, with `ApiUrl` made from `ApiId` and `ApiStage`.
pub fn of(target: &Target, stacks: &BTreeMap<String, BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut outputs: BTreeMap<String, String> =
        stacks.values().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    if let (Some(api), Some(stage)) = (outputs.get("ApiId"), outputs.get("ApiStage")) {
        outputs.insert("ApiUrl".to_owned(), target.api_url(api, stage));
    }
    outputs
}

/// A command to type, with the instance's own names in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggested {
    pub about: String,
    pub command: String,
}

/// What the lab suggests to type. `key` stands where a command needs the API key. A command with a name that this instance has not
/// (it was deployed before the manifest got it) is left out.
pub fn suggested(
    lab: &Lab,
    values: &Values,
    instance: &Instance,
    outputs: &BTreeMap<String, String>,
    key: &str,
) -> Vec<Suggested> {
    let mut names: BTreeMap<String, String> = values.clone().into_iter().collect();
    names.extend([("LabName".to_owned(), instance.lab.clone()), ("LabEnv".to_owned(), instance.env.clone())]);
    names.extend(outputs.clone());
    if outputs.contains_key("ApiKeyId") {
        names.insert(API_KEY.to_owned(), key.to_owned());
    }
    let wanted = lab.manifest.suggestions.iter().filter(|suggestion| suggestion.condition.holds(values));
    wanted
        .filter_map(|suggestion| {
            let command = expand(&suggestion.command, &names).ok()?;
            Some(Suggested { about: suggestion.about.clone(), command })
        })
        .collect()
}

/// The same of stacks as they were observed.
pub fn observed(target: &Target, stacks: &BTreeMap<String, ObservedStack>) -> BTreeMap<String, String> {
    of(target, &stacks.iter().map(|(name, stack)| (name.clone(), stack.outputs.clone())).collect())
}
