//! One run of a plan: what its steps share.

use super::event::{Event, Events};
use super::observe;
use super::steps::{check, data, function, sql, stack};
use super::trouble::Trouble;
use super::walk::{Done, Runner};
use crate::aws::{Aws, AwsError};
use crate::error::{Failure, Kind};
use crate::package;
use crate::plan::names;
use crate::plan::{Known, Wanted};
use crate::plan::{Observed, Step, Work};
use crate::template::names::{Piece, pieces};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tokio::sync::OnceCell;

/// What the command line says about a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stacks are done when their configuration is applied, and labctl waits for readiness itself.
    pub express: bool,
    /// For `labctl:version`.
    pub version: String,
    /// For `labctl:owner`, where a stack has none yet.
    pub owner: String,
    /// Where functions are built and packages kept.
    pub cache: PathBuf,
    /// Functions are compiled to be tried out, in a fraction of the time.
    pub quick: bool,
    /// Type it to go on after a failure.
    pub again: String,
    /// Type it to make the lab from nothing.
    pub up: String,
    /// Type it to run the checks again.
    pub validate: String,
    /// Type it to take the lab away.
    pub down: String,
}

/// One run of a plan. Its steps take turns on one thread, so what they share needs no locks.
#[derive(Debug)]
pub struct Run<'a> {
    pub aws: &'a Aws,
    pub wanted: &'a Wanted,
    pub observed: &'a Observed,
    pub options: &'a Options,
    pub events: &'a Events,
    known: RefCell<Known>,
    packages: RefCell<BTreeMap<String, package::Built>>,
    /// Stacks whose resources were seen to work.
    ready: RefCell<BTreeSet<String>>,
    bucket: OnceCell<()>,
}

impl<'a> Run<'a> {
    pub fn new(
        aws: &'a Aws,
        wanted: &'a Wanted,
        observed: &'a Observed,
        options: &'a Options,
        events: &'a Events,
    ) -> Self {
        let known = RefCell::new(wanted.known(observed));
        let (packages, ready, bucket) = (RefCell::default(), RefCell::default(), OnceCell::new());
        Run { aws, wanted, observed, options, events, known, packages, ready, bucket }
    }

    /// What has become known so far.
    pub fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    pub fn learn_outputs(&self, stack: &str, outputs: BTreeMap<String, String>) {
        self.known.borrow_mut().outputs.insert(stack.to_owned(), outputs);
    }

    pub fn learn_ready(&self, stack: &str) {
        self.ready.borrow_mut().insert(stack.to_owned());
    }

    pub fn is_ready(&self, stack: &str) -> bool {
        self.ready.borrow().contains(stack)
    }

    pub fn learn_package(&self, function: &str, built: package::Built) {
        self.known.borrow_mut().code_keys.insert(function.to_owned(), built.key(function));
        self.packages.borrow_mut().insert(function.to_owned(), built);
    }

    pub fn package(&self, function: &str) -> Option<package::Built> {
        self.packages.borrow().get(function).cloned()
    }

    /// Every output of the lab's stacks by its name, and the lab's parameters: what `${Name}` stands for.
    pub fn names(&self) -> BTreeMap<String, String> {
        names_of(self.wanted, &self.known.borrow())
    }

    pub fn waiting(&self, step: &Step, why: &str) {
        self.events.emit(Event::StepWaiting { step: step.id.0.clone(), why: why.to_owned() });
    }

    /// [`Run::waiting`] for what outlives a borrow.
    pub fn teller(&self, step: &Step) -> impl Fn(&str) + Clone + Send + Sync + use<> {
        let (events, id) = (self.events.clone(), step.id.0.clone());
        move |why| events.emit(Event::StepWaiting { step: id.clone(), why: why.to_owned() })
    }

    pub fn note(&self, step: &Step, note: impl Into<String>) {
        self.events.emit(Event::StepNoted { step: step.id.0.clone(), note: note.into() });
    }

    /// The artifact bucket, made when it is first needed.
    pub async fn artifact_bucket(&self) -> Result<String, AwsError> {
        let name = self.known.borrow().artifact_bucket.clone();
        let make = async {
            match self.aws.bucket_exists(&name).await? {
                true => Ok(()),
                false => self.aws.create_bucket(&name, &[(names::TAG_VERSION, &self.options.version)]).await,
            }
        };
        self.bucket.get_or_try_init(|| make).await?;
        Ok(name)
    }

    /// Leaves a mark that these exact inputs were brought up and checked: the next run need not check again.
    pub async fn remember_checked(&self) -> Result<(), Failure> {
        let failed = |error: AwsError| self.failure("cannot remember that the lab was checked").because(error);
        let bucket = self.artifact_bucket().await.map_err(failed)?;
        let instance = &self.wanted.instance;
        let mut observed = self.observed.clone();
        let now = observe::instances(self.aws).await.map_err(failed)?;
        observed.stacks = now.get(instance).cloned().unwrap_or_default();
        observed.code_keys = self.known().code_keys;
        let Some(digest) = self.wanted.digest(&observed) else { return Ok(()) };
        let key = instance.checked_key(&digest);
        let earlier = self.aws.object_keys(&bucket, &instance.checked_key("")).await.map_err(failed)?;
        for old in earlier.iter().filter(|old| **old != key) {
            self.aws.delete_object(&bucket, old).await.map_err(failed)?;
        }
        self.aws.put_object(&bucket, &key, Vec::new(), &digest).await.map_err(failed)
    }

    /// A failure of this run: what to type next comes last.
    pub fn failure(&self, summary: impl Into<String>) -> Failure {
        Failure::new(Kind::Failed, summary).hint(format!("mend it and go on: {}", self.options.again))
    }

    /// A failure of this run because of a stack.
    pub fn failure_of_stack(&self, summary: impl Into<String>, trouble: Trouble) -> Failure {
        let mut failure = match trouble {
            Trouble::Hopeless(_) => self.failure(summary).hint(format!(
                "if it stays so, take the lab away with its data and begin again: {} && {}",
                self.options.down, self.options.up
            )),
            _ => self.failure(summary),
        };
        if let Some(link) = trouble.stack_id().and_then(|id| self.aws.target().console_link(id)) {
            failure = failure.hint(format!("see it happen: {link}"));
        }
        failure.because(trouble)
    }
}

/// What `${Name}` stands for in data targets, SQL and checks.
pub fn names_of(wanted: &Wanted, known: &Known) -> BTreeMap<String, String> {
    let outputs = known.outputs.values().flatten().map(|(name, value)| (name.clone(), value.clone()));
    let values = wanted.values.iter().map(|(name, value)| (name.clone(), value.clone()));
    let instance =
        [("LabName".to_owned(), wanted.instance.lab.clone()), ("LabEnv".to_owned(), wanted.instance.env.clone())];
    values.chain(instance).chain(outputs).collect()
}

/// Puts values in the place of `${Name}`. The error is the first name that stands for nothing.
pub fn expand(text: &str, names: &BTreeMap<String, String>) -> Result<String, String> {
    let value = |piece| match piece {
        Piece::Text(text) | Piece::Open { rest: text, .. } => Ok(text),
        Piece::Name { name, .. } => names.get(name).map(String::as_str).ok_or_else(|| name.to_owned()),
    };
    pieces(text).map(value).collect()
}

impl Runner for Run<'_> {
    async fn run(&self, step: &Step) -> Result<Done, Failure> {
        match &step.work {
            Work::DeployStack { stack } => stack::deploy(self, step, stack).await,
            Work::DeleteStack { stack } => stack::remove(self, step, stack).await,
            Work::BuildFunction { function } => function::build(self, step, function).await,
            Work::UploadFunction { function } => function::upload(self, function).await,
            Work::UploadData { file, to } => data::upload(self, file, to).await,
            Work::LoadSql { .. } => sql::load(self, step).await,
            Work::RunChecks { .. } => check::run(self, step).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expand;
    use std::collections::BTreeMap;

    #[test]
    fn names_in_braces_are_replaced_and_an_unknown_one_is_told() {
        let names = BTreeMap::from([("LabBucket".to_owned(), "b-1".to_owned())]);
        assert_eq!(expand("s3://${LabBucket}/x", &names).as_deref(), Ok("s3://b-1/x"));
        assert_eq!(expand("${LabBuckt}", &names), Err("LabBuckt".to_owned()));
        assert_eq!(expand("costs $5 {x} ${", &names).as_deref(), Ok("costs $5 {x} ${"));
    }
}
