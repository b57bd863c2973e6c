//! `labctl doctor`.

use super::context::Context;
use crate::aws::quotas::Quota;
use crate::aws::{Architecture, Aws, AwsError, Finding, Need};
use crate::engine::steps::function;
use crate::error::Failure;
use crate::package::toolchain::{Builder, Toolchain};
use crate::ui::{Answer, Label, Table, Theme, words};
use serde::Serialize;

/// Look for what stands in the way of a lab
///
/// Credentials, permissions, region, quotas, toolchain and engines: each problem with its remedy. Exits with 1 if there is one.
#[derive(clap::Args, Debug)]
pub(crate) struct DoctorArgs {}

#[derive(Debug, Serialize)]
struct DoctorAnswer {
    target: String,
    problems: usize,
    findings: Vec<Finding>,
}

impl Answer for DoctorAnswer {
    fn text(&self, theme: Theme) -> String {
        let mut table = Table::new(&[]);
        for finding in &self.findings {
            let (mark, label, text) = match (&finding.problem, &finding.detail) {
                (Some(problem), _) => ("✗", Label::Bad, problem.clone()),
                (None, Some(detail)) => ("✓", Label::Good, detail.clone()),
                (None, None) => ("✓", Label::Good, String::new()),
            };
            table.labelled([(Some(label), mark.to_owned()), (None, finding.subject.clone()), (None, text)]);
            if let Some(remedy) = &finding.remedy {
                table.labelled([
                    (None, String::new()),
                    (None, String::new()),
                    (Some(Label::Hint), format!("→ {remedy}")),
                ]);
            }
        }
        let said = match self.problems {
            0 => "nothing stands in the way".to_owned(),
            problems => words::count(problems, "problem"),
        };
        format!("{}{said}\n", table.render(theme))
    }
}

pub(crate) async fn run(_args: DoctorArgs, cx: &Context) -> Result<(), Failure> {
    let aws = match cx.aws(Need::Inspect).await {
        Ok(aws) => aws,
        Err(failure) => return without_target(cx, failure).await,
    };
    let mut findings = aws.target().findings.clone();
    if aws.target().answers {
        findings.extend(permissions(&aws).await);
    }
    findings.push(toolchain(Some(&aws)).await);
    report(cx, aws.target().name.clone(), findings)
}

/// Without a target there is still a toolchain to look at.
async fn without_target(cx: &Context, failure: Failure) -> Result<(), Failure> {
    let cause = std::error::Error::source(&failure).map(|cause| format!(": {cause}")).unwrap_or_default();
    let problem = format!("{}{cause}", failure.summary);
    let mut remedies = failure.hints.into_iter();
    let finding = Finding::problem("target", problem, remedies.next().unwrap_or_default());
    report(cx, "none".to_owned(), vec![finding, toolchain(None).await])
}

fn report(cx: &Context, target: String, findings: Vec<Finding>) -> Result<(), Failure> {
    let problems = findings.iter().filter(|finding| finding.problem.is_some()).count();
    cx.ui.answer(&DoctorAnswer { target, problems, findings });
    match problems {
        0 => Ok(()),
        _ => Err(Failure::failed(format!("{} in the way", words::count(problems, "problem")))),
    }
}

/// Whether the services that labs use answer to these credentials. Reading is tried, nothing is changed. The Data API is not
/// asked: it answers of a cluster only, and here is none.
async fn permissions(aws: &Aws) -> Vec<Finding> {
    let caller = aws.caller().await;
    let mut findings = vec![match &caller {
        Ok(caller) => Finding::fine("identity", format!("{} in account {}", caller.name(), caller.account)),
        Err(error) => refused("identity", error),
    }];
    if caller.is_err() {
        return findings;
    }
    let nobody = "labctl-doctor";
    let tags = [("labctl:lab", nobody)];
    let (stacks, buckets, functions, clusters, caches, networks, roles, logs, apis, secrets) = tokio::join!(
        aws.stacks(),
        aws.buckets(nobody),
        aws.functions(nobody),
        aws.clusters(nobody),
        aws.cache_status(nobody),
        aws.vpcs(&tags),
        aws.roles(nobody),
        aws.log_groups(nobody),
        aws.rest_apis(&tags),
        aws.secrets_with(&tags),
    );
    let there = stacks.as_ref().ok().map(Vec::len);
    let answers = [
        ("CloudFormation", stacks.err()),
        ("S3", buckets.err()),
        ("Lambda", functions.err()),
        ("RDS", clusters.err()),
        ("ElastiCache", caches.err()),
        ("EC2", networks.err()),
        ("IAM", roles.err()),
        ("CloudWatch Logs", logs.err()),
        ("API Gateway", apis.err()),
        ("Secrets Manager", secrets.err()),
    ];
    findings.extend(answers.into_iter().map(|(service, error)| match error {
        None => Finding::fine(service, "answers"),
        Some(error) => refused(service, &error),
    }));
    findings.extend(quotas(aws, there).await);
    findings
}

/// Which quotas are used up. `stacks` are there, if that is known.
async fn quotas(aws: &Aws, stacks: Option<usize>) -> Vec<Finding> {
    let stack_quota = async {
        match stacks {
            Some(stacks) => aws.stack_quota(stacks).await,
            None => Ok(None),
        }
    };
    let (databases, stacks, roles) = tokio::join!(aws.database_quotas(), stack_quota, aws.role_quota());
    let (mut told, mut findings) = (Vec::new(), Vec::new());
    for answer in [databases, stacks.map(Vec::from_iter), roles.map(Vec::from_iter)] {
        match answer {
            Ok(quotas) => told.extend(quotas),
            // Nobody needs to know them to bring a lab up.
            Err(error) => findings.push(Finding::fine("quotas", format!("not told: {error}"))),
        }
    }
    let (full, room): (Vec<Quota>, Vec<Quota>) = told.into_iter().partition(Quota::is_full);
    findings.extend(full.iter().map(|quota| {
        let problem = format!("all {} {} that the account may have are there", quota.limit, quota.what);
        Finding::problem("quotas", problem, "take a lab down, or ask for more in the Service Quotas console")
    }));
    if !room.is_empty() {
        let room = room.iter().map(|quota| format!("{} of {} {}", quota.used, quota.limit, quota.what));
        findings.push(Finding::fine("quotas", room.collect::<Vec<_>>().join(", ")));
    }
    findings
}

fn refused(subject: &str, error: &AwsError) -> Finding {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let remedy = match error.code() {
        Some("AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation") => {
            "ask for the permission that the message names"
        }
        Some("ExpiredToken" | "ExpiredTokenException") => "sign in again: aws sso login",
        Some(_) => "check the credentials: aws sts get-caller-identity",
        None => "check the network and the endpoint",
    };
    Finding::problem(subject, format!("{error}{cause}"), remedy)
}

/// What functions would be built with.
async fn toolchain(aws: Option<&Aws>) -> Finding {
    let architecture = match aws.map_or(Architecture::HOST, |aws| aws.target().architecture) {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    };
    let Some(toolchain) = Toolchain::find(architecture).await else {
        return Finding::problem(
            "Rust toolchain",
            "cargo and rustc are not on PATH",
            "install Rust from https://rustup.rs and open a new shell",
        );
    };
    let version = toolchain.rustc.lines().next().unwrap_or_default().to_owned();
    let Some(aws) = aws else { return Finding::fine("Rust toolchain", version) };
    let options = function::options(aws.target(), std::path::Path::new("")).await;
    match toolchain.builder(options.ceiling, options.host) {
        Builder::Zig => Finding::fine("Rust toolchain", format!("{version}, with zig for glibc {}", options.ceiling)),
        Builder::Musl => Finding::fine("Rust toolchain", format!("{version}, with musl")),
        Builder::Native if options.host.is_some_and(|host| host <= options.ceiling) => {
            Finding::fine("Rust toolchain", version)
        }
        Builder::Native => Finding::problem(
            "Rust toolchain",
            format!(
                "{version} links this machine's glibc, which may be newer than the {} of the target",
                options.ceiling
            ),
            "pip install cargo-zigbuild   (it brings zig, which links an older glibc)",
        ),
    }
}
