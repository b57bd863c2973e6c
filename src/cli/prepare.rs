//! What has to be known before anything is changed: the lab, its wiring, the target, what is there.

use super::context::Context;
use super::globals::DEFAULT_ENV;
use super::select::{LabArg, SetArgs};
use crate::aws::{Aws, Need};
use crate::engine::observe;
use crate::engine::run::Options;
use crate::error::Failure;
use crate::lab::Lab;
use crate::lab::parameters;
use crate::package::toolchain::Toolchain;
use crate::plan::build::resource_types;
use crate::plan::{Instance, Observed, Plan, Wanted, Wiring};
use std::path::PathBuf;

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
        let lab = request.lab.load()?;
        let values = parameters::resolve(&lab.manifest, &request.set.set)
            .map_err(|problems| Failure::usage("cannot use these parameters").with_problems(problems))?;
        let wiring = Wiring::of(&lab).map_err(|problems| {
            Failure::usage(format!("cannot wire lab `{}`", lab.manifest.lab)).with_problems(problems)
        })?;
        let types = resource_types(&lab);
        let aws = cx.aws(need(types.clone())).await?;
        let instance = Instance::new(&lab.manifest.lab, cx.globals.env());
        let architecture = aws.target().architecture.lambda_name().to_owned();
        let wanted = Wanted { lab, instance, values, wiring, architecture, expires: request.expires.clone() };
        let refused = wanted.refused_values();
        if !refused.is_empty() {
            return Err(Failure::usage("the templates refuse these parameters").with_problems(refused));
        }
        stand_in_the_way(&aws, &types)?;
        let cache = cache_folder()?;
        let sight = observe::lab(&aws, &wanted, &cache)
            .await
            .map_err(|error| Failure::failed("cannot see what is there").because(error))?;
        needs_toolchain(&wanted.lab, &sight.observed).await?;
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
        again: format!("labctl {}{flags}", request.again),
        validate: format!("labctl validate {}{flags}", wanted.instance.lab),
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

/// A function that was not built before needs a compiler, and that is better said before a database is made.
async fn needs_toolchain(lab: &Lab, observed: &Observed) -> Result<(), Failure> {
    let unbuilt = lab.manifest.functions.keys().find(|name| !observed.code_keys.contains_key(*name));
    let Some(function) = unbuilt else { return Ok(()) };
    match Toolchain::find(std::env::consts::ARCH).await {
        Some(_) => Ok(()),
        None => Err(Failure::usage(format!("cannot build function `{function}`: cargo and rustc are not on PATH"))
            .hint("install Rust from https://rustup.rs and open a new shell")),
    }
}

/// Where functions are built and packages kept, shared by all labs of the user.
pub(crate) fn cache_folder() -> Result<PathBuf, Failure> {
    let named = std::env::var_os(crate::env::LABCTL_CACHE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named.or_else(|| dirs::cache_dir().map(|folder| folder.join("labctl")));
    folder.ok_or_else(|| {
        Failure::usage("there is no cache folder").hint("set LABCTL_CACHE to a folder that can be written")
    })
}
