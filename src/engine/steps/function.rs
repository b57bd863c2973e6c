//! Builds a function and puts its package where Lambda finds it.

use crate::aws::{Architecture, Glibc, Target};
use crate::engine::run::Run;
use crate::engine::sources;
use crate::engine::walk::Done;
use crate::error::Failure;
use crate::lab::Lab;
use crate::package::glibc::Version;
use crate::package::{self, BuildError, Built};
use crate::plan::Step;
use std::path::Path;

/// What a function is built with and for.
pub async fn options(target: &Target, cache: &Path) -> package::Options {
    let version = |glibc: Glibc| Version { major: glibc.major, minor: glibc.minor };
    let architecture = match target.architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    };
    package::Options {
        cache: cache.to_owned(),
        architecture: architecture.to_owned(),
        ceiling: version(target.glibc),
        host: Glibc::of_host().await.map(version),
        quick: false,
    }
}

/// The package of a function, if it was built before.
pub async fn built_before(lab: &Lab, function: &str, options: &package::Options) -> Option<Built> {
    let source = sources::of_function(lab, function).ok()??;
    package::build::cached(&source, options).await
}

pub async fn build(run: &Run<'_>, step: &Step, function: &str) -> Result<Done, Failure> {
    let failed = || run.failure(format!("cannot build function `{function}`"));
    let source = sources::of_function(&run.wanted.lab, function).map_err(|error| failed().because(error))?;
    let source = source.ok_or_else(|| failed().because("the lab has no crate of its name in `lambdas/`"))?;
    let quick = run.options.quick;
    let options = package::Options { quick, ..options(run.aws.target(), &run.options.cache).await };
    let built = package::build(&source, &options, |line| run.waiting(step, line)).await;
    let built = built.map_err(|error| remedied(failed(), error))?;
    let (size, cached) = (format!("{:.1} MB", built.size as f64 / 1e6), built.cached);
    run.learn_package(function, built);
    let did = match (cached, quick) {
        (true, _) => format!("built before, {size}"),
        (false, true) => format!("built to be tried out, {size}"),
        (false, false) => format!("built, {size}"),
    };
    Ok(Done { did, unchanged: cached })
}

/// The remedy comes before the general advice.
fn remedied(mut failure: Failure, error: BuildError) -> Failure {
    failure.hints.splice(..0, error.remedy());
    failure.because(error)
}

pub async fn upload(run: &Run<'_>, function: &str) -> Result<Done, Failure> {
    let failed = || run.failure(format!("cannot upload function `{function}`"));
    let built = run.package(function).ok_or_else(|| failed().because("it was not built"))?;
    let bucket = run.artifact_bucket().await.map_err(|error| failed().because(error))?;
    let key = built.key(function);
    if run.aws.object_exists(&bucket, &key).await.map_err(|error| failed().because(error))? {
        return Ok(Done { did: "uploaded before".to_owned(), unchanged: true });
    }
    let bytes = tokio::fs::read(&built.zip).await.map_err(|error| failed().because(error))?;
    run.aws.put_object(&bucket, &key, bytes, &built.sha256).await.map_err(|error| failed().because(error))?;
    Ok(Done::did("uploaded"))
}
