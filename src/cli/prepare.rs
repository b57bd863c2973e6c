//! What has to be known before anything is changed: the lab, its wiring, the target, what is there.

use super::context::Context;
use super::globals::DEFAULT_ENV;
use super::instances::AGAIN;
use super::select::{LabArg, SetArgs};
use crate::aws::{Architecture, Aws, Need};
use crate::engine::run::Options;
use crate::engine::{observe, references};
use crate::error::Failure;
use crate::lab::Lab;
use crate::package::{self, BuildError};
use crate::plan::build::resource_types;
use crate::plan::{Instance, Observed, Plan, Wanted, Wiring};
use std::path::{Path, PathBuf};

/// Everything a plan is made of.
pub(crate) struct Prepared {
    pub(crate) aws: Aws,
    pub(crate) wanted: Wanted,
    pub(crate) observed: Observed,
    pub(crate) options: Options,
}

/// What the user asked for.
pub(crate) struct Request<'a> {
    pub(crate) lab: &'a LabArg,
    pub(crate) set: &'a SetArgs,
    /// The command with its arguments, to be typed again after a failure.
    pub(crate) again: String,
    /// The command that makes the lab from nothing.
    pub(crate) up: String,
    pub(crate) express: bool,
    pub(crate) expires: Option<String>,
}

impl Prepared {
    /// Validates everything that can be without a request, then looks at what is there.
    pub(crate) async fn of(
        cx: &Context,
        request: &Request<'_>,
        need: fn(Vec<String>) -> Need,
    ) -> Result<Prepared, Failure> {
        let mut wanted = wanted(cx, request)?;
        let cache = cache_folder()?;
        can_build(&wanted.lab, &cache).await?;
        let types = resource_types(&wanted.lab);
        let aws = cx.aws(need(types.clone())).await?;
        wanted.architecture = aws.target().architecture.lambda_name().to_owned();
        accepted(&wanted)?;
        stand_in_the_way(&aws, &types)?;
        let sight = observe::lab(&aws, &wanted, &cache)
            .await
            .map_err(|error| Failure::failed("cannot see what is there").because(error).hint(AGAIN))?;
        let unbuilt = wanted.lab.manifest.functions.keys().find(|name| !sight.observed.code_keys.contains_key(*name));
        unbuilt.map_or(Ok(()), |function| package::has_room(&cache).map_err(|error| unbuildable(function, error)))?;
        let options = options(cx, request, &aws, &wanted, sight.caller.name(), cache);
        Ok(Prepared { aws, wanted, observed: sight.observed, options })
    }

    pub(crate) fn plan(&self) -> Plan {
        self.wanted.plan(&self.observed)
    }
}

fn options(cx: &Context, request: &Request<'_>, aws: &Aws, wanted: &Wanted, owner: &str, cache: PathBuf) -> Options {
    let flags = flags(cx, aws);
    Options {
        express: request.express,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        owner: tag_value(owner),
        cache,
        quick: false,
        again: format!("labctl {}{flags}", request.again),
        up: format!("labctl {}{flags}", request.up),
        validate: format!("labctl validate {}{flags}", wanted.instance.lab),
        down: format!("labctl down {}{flags}", wanted.instance.lab),
    }
}

/// The flags that reach this instance and target again, each with a space before it.
pub(crate) fn flags(cx: &Context, aws: &Aws) -> String {
    flags_of(cx.globals.env(), aws)
}

/// The same for an instance that the flags did not name.
pub(crate) fn flags_of(env: &str, aws: &Aws) -> String {
    let env = if env == DEFAULT_ENV { String::new() } else { format!(" --env {env}") };
    format!("{env}{}", aws.target().flags)
}

/// What tags may hold: letters, digits, blanks and `+ - = . _ : / @`.
fn tag_value(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || " +-=._:/@".contains(c) { c } else { '_' }).collect()
}

fn stand_in_the_way(aws: &Aws, types: &[String]) -> Result<(), Failure> {
    let problems: Vec<_> = aws.target().problems(types).collect();
    if problems.is_empty() {
        return Ok(());
    }
    let told = problems
        .iter()
        .map(|finding| format!("{}: {}", finding.subject, finding.problem.as_deref().unwrap_or_default()));
    let failure = Failure::usage(format!("{} is not ready for this lab", aws.target().title)).with_problems(told);
    Err(problems.iter().filter_map(|finding| finding.remedy.clone()).fold(failure, Failure::hint))
}

/// The lab as it is asked for: manifest, templates, wiring, names and values, with everything that is wrong with them.
fn wanted(cx: &Context, request: &Request<'_>) -> Result<Wanted, Failure> {
    let (mut lab, values) = request.lab.load_with(request.set)?;
    // Wired with all its stacks: what is wrong with one that is left out today is wrong all the same.
    let wiring = Wiring::of(&lab);
    if let Ok(values) = &values {
        lab.choose(values);
    }
    let known = values.as_ref().ok().into_iter().flatten();
    let references = references::refused(&lab, known);
    let name = lab.manifest.lab.clone();
    match (values, wiring) {
        (Ok(values), Ok(wiring)) if references.is_empty() => {
            let instance = Instance::new(&name, cx.globals.env());
            let architecture = Architecture::HOST.lambda_name().to_owned();
            let wanted = Wanted { lab, instance, values, wiring, architecture, expires: request.expires.clone() };
            accepted(&wanted)?;
            Ok(wanted)
        }
        (Err(problems), Ok(_)) if references.is_empty() => {
            Err(Failure::usage("cannot use these parameters").with_problems(problems))
        }
        (values, wiring) => {
            let problems = wiring.err().into_iter().chain([references]).chain(values.err()).flatten();
            Err(Failure::usage(format!("cannot wire lab `{name}`")).with_problems(problems))
        }
    }
}

/// What the templates say of the values, before AWS is asked.
fn accepted(wanted: &Wanted) -> Result<(), Failure> {
    let refused = wanted.refused_values();
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Failure::usage("the templates refuse these parameters").with_problems(refused)),
    }
}

/// Functions need a compiler and a place to build in, and that is better said before a database is made.
async fn can_build(lab: &Lab, cache: &Path) -> Result<(), Failure> {
    match lab.manifest.functions.keys().next() {
        Some(function) => package::can_build(cache).await.map_err(|error| unbuildable(function, error)),
        None => Ok(()),
    }
}

fn unbuildable(function: &str, error: BuildError) -> Failure {
    let remedy = error.remedy();
    let failure = Failure::usage(format!("cannot build function `{function}`")).because(error);
    remedy.into_iter().fold(failure, Failure::hint)
}

/// Where functions are built and packages kept, shared by all labs of the user.
pub(crate) fn cache_folder() -> Result<PathBuf, Failure> {
    let named = std::env::var_os(crate::env::LABCTL_CACHE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named.or_else(|| dirs::cache_dir().map(|folder| folder.join("labctl")));
    folder.ok_or_else(|| {
        Failure::usage("there is no cache folder").hint("set LABCTL_CACHE to a folder that can be written")
    })
}
