//! The local cloud as a target: what the orchestrator is told of it.

use aws_credential_types::Credentials;

use super::{Wish, admin, start};
use crate::aws::config::{self, Settings};
use crate::aws::target::{Architecture, Finding, Glibc};
use crate::aws::{Need, Target};
use crate::env;
use crate::error::Failure;
use crate::local::process::disk;
use crate::local::process::engines::{Engine, EngineError, Engines, Search};
use crate::ui::Printer;

/// Key id and secret of the home's owner. Other users of the machine are kept out by who they are, not by a secret.
pub(super) const KEY: &str = "test";

/// `--region`, else the variables that every AWS tool reads, else us-east-1.
pub(super) fn region(settings: &Settings) -> String {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named =
        settings.region.clone().or_else(|| variable(env::AWS_REGION)).or_else(|| variable(env::AWS_DEFAULT_REGION));
    named.unwrap_or_else(|| "us-east-1".to_owned())
}

/// Prepares what `need` asks for and describes it.
pub(super) async fn fill(wish: &Wish, settings: &Settings, need: &Need, ui: &Printer) -> Result<Target, Failure> {
    let (endpoint, answers, findings) = match need {
        Need::Inspect => inspect(wish).await?,
        Need::Deploy { types } => {
            let engines = start::engines(wish, ui).await?;
            let findings = vec![sql(engines.sql()), cache(engines.cache()), room(wish)];
            match findings.iter().any(|finding| finding.stands_in_the_way(types)) {
                // Whoever deploys looks at the findings first; until then there is nothing to start.
                true => (format!("http://127.0.0.1:{}", wish.port), false, findings),
                false => (start::ensure(wish, &engines, ui).await?.found.endpoint, true, findings),
            }
        }
        Need::Visit => {
            let engines = start::engines(wish, ui).await?;
            (start::ensure(wish, &engines, ui).await?.found.endpoint, true, Vec::new())
        }
    };
    let region = region(settings);
    let credentials = Credentials::from_keys(KEY, KEY, None);
    Ok(Target {
        name: "local".into(),
        title: if answers { format!("this machine ({endpoint})") } else { "this machine".to_owned() },
        config: config::fixed(&region, &endpoint, credentials),
        api_url: format!("{endpoint}/_aws/execute-api/{{api}}/{{stage}}"),
        console: None,
        architecture: Architecture::HOST,
        // Functions meet this machine's own C library. Without glibc (musl), they may need none.
        glibc: Glibc::of_host().await.unwrap_or(Glibc { major: 0, minor: 0 }),
        findings,
        answers,
        flags: " --local".into(),
        region,
    })
}

/// What `doctor` wants to know, and whether the endpoint answers; nothing is started.
async fn inspect(wish: &Wish) -> Result<(String, bool, Vec<Finding>), Failure> {
    let found = admin::find(&wish.home)?;
    let answers = match &found {
        Some(found) => admin::is_healthy(found).await,
        None => false,
    };
    let running = match &found {
        Some(found) if answers => Finding::fine("local cloud", format!("runs at {}", found.endpoint)),
        Some(found) => {
            Finding::problem("local cloud", format!("process {} does not answer", found.pid), "labctl local stop")
        }
        None => match start::check_port(wish.port) {
            Ok(()) => Finding::fine("local cloud", format!("does not run; state in {}", wish.home.display())),
            Err(taken) => Finding::problem("local cloud", taken.summary, taken.hints.join("; ")),
        },
    };
    let engines = match Engines::find(&Search::here(&wish.home)).await {
        Ok(engines) => vec![sql(engines.sql()), cache(engines.cache())],
        Err(error) => vec![problem("engines", &error)],
    };
    let endpoint = found.map_or_else(|| format!("http://127.0.0.1:{}", wish.port), |found| found.endpoint);
    Ok((endpoint, answers, [vec![running], engines, vec![room(wish)]].concat()))
}

fn engine(subject: &str, engine: Result<&Engine, EngineError>) -> Finding {
    match engine {
        Ok(engine) => {
            Finding::fine(subject, format!("{} {}: {}", engine.kind, engine.version, engine.program.display()))
        }
        Err(error) => problem(subject, &error),
    }
}

fn problem(subject: &str, error: &EngineError) -> Finding {
    Finding::problem(subject, error.to_string(), error.remedies().join("; or "))
}

fn sql(found: Result<&Engine, EngineError>) -> Finding {
    engine("database engine", found).needed_by(&["AWS::RDS::"])
}

fn cache(found: Result<&Engine, EngineError>) -> Finding {
    engine("cache engine", found).needed_by(&["AWS::ElastiCache::"])
}

fn room(wish: &Wish) -> Finding {
    match disk::require(&wish.home, disk::NEEDED) {
        Ok(()) => {
            let free = disk::free(&wish.home).unwrap_or_default();
            Finding::fine("disk space", format!("{} free", crate::ui::words::size(free)))
        }
        Err(error) => Finding::problem(
            "disk space",
            error.to_string(),
            format!("make room, or name a directory on another disk: export {}=/path/to/a/directory", env::LABCTL_HOME),
        ),
    }
}
