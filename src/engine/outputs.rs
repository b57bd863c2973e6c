//! What a lab's instance offers: the outputs of its stacks, and the URL that they make.

use crate::aws::Target;
use crate::plan::ObservedStack;
use std::collections::BTreeMap;

/// All outputs by name, with `ApiUrl` made from `ApiId` and `ApiStage`.
pub fn of(target: &Target, stacks: &BTreeMap<String, BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut outputs: BTreeMap<String, String> =
        stacks.values().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    if let (Some(api), Some(stage)) = (outputs.get("ApiId"), outputs.get("ApiStage")) {
        outputs.insert("ApiUrl".to_owned(), target.api_url(api, stage));
    }
    outputs
}

/// The same of stacks as they were observed.
pub fn observed(target: &Target, stacks: &BTreeMap<String, ObservedStack>) -> BTreeMap<String, String> {
    of(target, &stacks.iter().map(|(name, stack)| (name.clone(), stack.outputs.clone())).collect())
}
