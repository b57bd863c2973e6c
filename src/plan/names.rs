//! Names that labctl gives: stacks, tags, objects in the artifact bucket.

use serde::Serialize;
use std::fmt;

/// Tags on every stack, and through CloudFormation on what the stacks make.
pub const TAG_LAB: &str = "labctl:lab";
pub const TAG_ENV: &str = "labctl:env";
pub const TAG_STACK: &str = "labctl:stack";
pub const TAG_OWNER: &str = "labctl:owner";
pub const TAG_VERSION: &str = "labctl:version";
pub const TAG_EXPIRES: &str = "labctl:expires";

/// Tag on a security group's rule that `labctl access` made: for whom.
pub const TAG_ACCESS: &str = "labctl:access";

/// The output that names the function through which SQL is loaded where the Data API does not run it.
pub const LOADER_OUTPUT: &str = "LoaderFunctionName";

/// A deployed lab: lab name and `--env`. Where it is deployed is the target's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Instance {
    pub lab: String,
    pub env: String,
}

impl Instance {
    pub fn new(lab: impl Into<String>, env: impl Into<String>) -> Self {
        Instance { lab: lab.into(), env: env.into() }
    }

    /// `<lab>-<env>-<stack>`. Two instances could meet in one name (`a-b`/`c` and `a`/`b-c`); the tags tell them apart,
    /// and a stack with other tags is never touched.
    pub fn stack_name(&self, stack: &str) -> String {
        format!("{}-{}-{stack}", self.lab, self.env)
    }

    /// What the names of everything an instance makes begin with.
    pub fn prefix(&self) -> String {
        format!("{}-{}-", self.lab, self.env)
    }

    /// A name may be that of something this instance made. Of two instances whose prefixes fit (`a` in `b-c`, and `a-b` in `c`
    /// or in `c-d`) the longer prefix has it, and of two that are the same neither.
    pub fn may_have_made<'a>(&self, name: &str, others: impl IntoIterator<Item = &'a Instance>) -> bool {
        let ours = self.prefix();
        let theirs = others.into_iter().filter(|other| *other != self).map(Instance::prefix);
        name.starts_with(&ours)
            && theirs.filter(|theirs| theirs.len() >= ours.len()).all(|theirs| !name.starts_with(&theirs))
    }

    /// An empty object of this key says that these exact inputs were brought up and checked.
    pub fn checked_key(&self, digest: &str) -> String {
        format!("checked/{}/{}/{digest}", self.lab, self.env)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.lab, self.env)
    }
}

/// The bucket for functions' packages: one per account and region, shared by the instances there.
pub fn artifact_bucket(account: &str, region: &str) -> String {
    format!("labctl-artifacts-{account}-{region}")
}

/// The template parameter that takes a function's code key: `superheroes` → `SuperheroesCodeKey`.
pub fn code_key_parameter(function: &str) -> String {
    let words = function.split(['-', '_']).filter(|word| !word.is_empty());
    let pascal: String = words
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
        })
        .collect();
    format!("{pascal}CodeKey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_lab_env_and_stack() {
        let instance = Instance::new("superheroes", "dev");
        assert_eq!(instance.stack_name("network"), "superheroes-dev-network");
        assert_eq!(artifact_bucket("000000000000", "us-east-1"), "labctl-artifacts-000000000000-us-east-1");
    }

    #[test]
    fn what_another_instance_may_have_made_is_not_ours() {
        let (ours, longer) = (Instance::new("a", "b"), Instance::new("a-b", "c"));
        let others = [ours.clone(), longer.clone(), Instance::new("x", "y")];
        assert!(ours.may_have_made("a-b-function", &others));
        assert!(!ours.may_have_made("a-b-c-function", &others) && longer.may_have_made("a-b-c-function", &others));
        assert!(!ours.may_have_made("a-bc-function", &others));
        let same = Instance::new("a", "b-c");
        assert!(!longer.may_have_made("a-b-c-function", &[longer.clone(), same.clone()]));
        assert!(!same.may_have_made("a-b-c-function", &[longer.clone(), same.clone()]));
    }

    #[test]
    fn a_functions_code_key_parameter_is_its_name_in_pascal_case() {
        assert_eq!(code_key_parameter("superheroes"), "SuperheroesCodeKey");
        assert_eq!(code_key_parameter("get-instance_by"), "GetInstanceByCodeKey");
    }
}
