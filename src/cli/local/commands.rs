//! `labctl local start`, `stop`, `status`, `reset` and `env`.

use std::fmt::Write as _;
use std::time::Duration;

use http::Method;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::{Wish, admin, start as starting, target};
use crate::cli::confirm::confirm;
use crate::cli::context::Context;
use crate::env;
use crate::error::Failure;
use crate::local::Found;
use crate::ui::{Answer, Theme, words};

#[derive(Serialize)]
struct Started {
    already_running: bool,
    #[serde(flatten)]
    found: Found,
    home: String,
}

impl Answer for Started {
    fn text(&self, _: Theme) -> String {
        let how = if self.already_running { "runs already" } else { "started" };
        format!("the local cloud {how}: {} (process {})\n", self.found.endpoint, self.found.pid)
    }
}

pub(super) async fn start(wish: &Wish, cx: &Context) -> Result<(), Failure> {
    let engines = starting::engines(wish, &cx.ui).await?;
    let up = starting::ensure(wish, &engines, &cx.ui).await?;
    for family in engines.missing() {
        let error = crate::local::process::engines::EngineError::Missing { family };
        cx.ui.warning(&format!("{error}: what needs it cannot be made. hint: {}", error.remedies().join("; or ")));
    }
    cx.ui.answer(&Started { already_running: !up.started, found: up.found, home: wish.home.display().to_string() });
    Ok(())
}

#[derive(Serialize)]
struct Stopped {
    /// False if it did not run.
    stopped: bool,
}

impl Answer for Stopped {
    fn text(&self, _: Theme) -> String {
        let text =
            if self.stopped { "the local cloud has stopped; its state stays" } else { "the local cloud does not run" };
        format!("{text}\n")
    }
}

pub(super) async fn stop(wish: &Wish, cx: &Context) -> Result<(), Failure> {
    let found = admin::find(&wish.home)?;
    if let Some(found) = &found {
        admin::stop(&wish.home, found).await?;
    }
    cx.ui.answer(&Stopped { stopped: found.is_some() });
    Ok(())
}

#[derive(Serialize)]
struct Status {
    running: bool,
    home: String,
    /// What the admin API says, if it runs.
    #[serde(flatten)]
    state: Value,
}

impl Answer for Status {
    fn text(&self, _: Theme) -> String {
        if !self.running {
            return format!("the local cloud does not run (state in {})\n", self.home);
        }
        let word = |name: &str| self.state[name].as_str().unwrap_or_default();
        let up = Duration::from_secs(self.state["uptime_seconds"].as_u64().unwrap_or_default());
        let mut text =
            format!("endpoint  {}\nprocess   {}, up {}\n", word("endpoint"), self.state["pid"], words::duration(up));
        let _ = writeln!(text, "version   {}\nstate     {}", word("version"), self.home);
        for (name, title) in [("sql", "database"), ("cache", "cache")] {
            let engine = &self.state["engines"][name];
            let shown = match engine["kind"].as_str() {
                Some(kind) => format!("{kind} {}", engine["version"].as_str().unwrap_or_default()),
                None => "no engine: labctl local start --install-engines".to_owned(),
            };
            let _ = writeln!(text, "{title:<9} {shown}");
        }
        for (service, state) in self.state["services"].as_object().into_iter().flatten() {
            if !state.is_null() {
                let _ = writeln!(text, "{service:<15} {}", line(state));
            }
        }
        text
    }
}

/// A service's state on one line.
fn line(state: &Value) -> String {
    match state {
        Value::Object(members) => {
            let parts = members.iter().map(|(name, value)| format!("{name}: {}", line(value)));
            parts.collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) => format!("[{}]", items.iter().map(line).collect::<Vec<_>>().join("; ")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) async fn status(wish: &Wish, cx: &Context) -> Result<(), Failure> {
    let mut state = Value::Object(serde_json::Map::new());
    let found = admin::find(&wish.home)?;
    if let Some(found) = &found {
        let answer = admin::ask(found, Method::GET, "status", Duration::from_secs(10)).await;
        state = answer.map_err(|error| {
            let summary = format!("the local cloud does not answer (process {})", found.pid);
            Failure::failed(summary).because(error).hint("labctl local stop")
        })?;
        if let Some(members) = state.as_object_mut() {
            members.remove("home");
        }
    }
    cx.ui.answer(&Status { running: found.is_some(), home: wish.home.display().to_string(), state });
    Ok(())
}

#[derive(Serialize)]
struct Reset {
    reset: bool,
    home: String,
}

impl Answer for Reset {
    fn text(&self, _: Theme) -> String {
        format!("the local cloud is empty (state in {})\n", self.home)
    }
}

pub(super) async fn reset(wish: &Wish, cx: &Context) -> Result<(), Failure> {
    let what = format!("forget everything the local cloud in {} holds", wish.home.display());
    confirm(cx, &what, &[], "labctl local reset").await?;
    let failed = || Failure::failed("cannot reset the local cloud");
    match admin::find(&wish.home)? {
        Some(found) => {
            let reset = admin::ask(&found, Method::POST, "reset", Duration::from_secs(180)).await;
            reset.map_err(|error| failed().because(error).hint("labctl local stop, then the same again"))?;
        }
        None if wish.home.exists() => crate::local::wipe(&wish.home).map_err(|error| failed().because(error))?,
        None => {}
    }
    cx.ui.answer(&Reset { reset: true, home: wish.home.display().to_string() });
    Ok(())
}

/// Print the variables that other AWS tools need
#[derive(clap::Args, Debug)]
pub(super) struct EnvArgs {
    /// Shell to print for
    #[arg(long, value_enum, default_value_t)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Shell {
    /// Any POSIX shell
    Sh,
    #[default]
    Bash,
    Zsh,
    Fish,
}

/// What AWS tools read. Settings that would win over these are unset.
#[derive(Serialize)]
struct Variables {
    #[serde(flatten)]
    set: IndexMap<&'static str, String>,
    #[serde(skip)]
    shell: Shell,
}

const UNSET: [&str; 3] = ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"];

impl Answer for Variables {
    fn text(&self, _: Theme) -> String {
        let mut text = String::new();
        for name in UNSET {
            let _ = match self.shell {
                Shell::Fish => writeln!(text, "set -e {name};"),
                Shell::Sh | Shell::Bash | Shell::Zsh => writeln!(text, "unset {name};"),
            };
        }
        for (name, value) in &self.set {
            let _ = match self.shell {
                Shell::Fish => writeln!(text, "set -gx {name} '{}';", value.replace('\\', "\\\\").replace('\'', "\\'")),
                Shell::Sh | Shell::Bash | Shell::Zsh => {
                    writeln!(text, "export {name}='{}';", value.replace('\'', "'\\''"))
                }
            };
        }
        text
    }
}

pub(super) async fn env(args: &EnvArgs, wish: &Wish, cx: &Context) -> Result<(), Failure> {
    let found = admin::find(&wish.home)?
        .ok_or_else(|| Failure::failed("the local cloud does not run").hint("labctl local start"))?;
    let region = target::region(&cx.globals.settings());
    let status = admin::ask(&found, Method::GET, "status", Duration::from_secs(10)).await.ok();
    let mut set = IndexMap::from([
        (env::AWS_ENDPOINT_URL, found.endpoint),
        ("AWS_ACCESS_KEY_ID", target::KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", target::KEY.to_owned()),
        (env::AWS_REGION, region.clone()),
        (env::AWS_DEFAULT_REGION, region),
        (env::LABCTL_LOCAL_CA, wish.home.join("keys/ca.pem").display().to_string()),
    ]);
    // There is a daemon for each region in which something is traced, and always one for the usual region.
    let daemons = status.as_ref().map_or(&Value::Null, |status| &status["services"]["xray"]["daemons"]);
    if let Some(daemon) = daemons[set[env::AWS_REGION].as_str()].as_str() {
        set.insert(env::AWS_XRAY_DAEMON_ADDRESS, daemon.to_owned());
    }
    cx.ui.answer(&Variables { set, shell: args.shell });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_quoted_for_their_shell() {
        let set = IndexMap::from([("A", "it's; $(rm)".to_owned())]);
        let posix = Variables { set: set.clone(), shell: Shell::Bash }.text(Theme::for_stream(false));
        assert!(posix.ends_with("export A='it'\\''s; $(rm)';\n"), "{posix}");
        let fish = Variables { set, shell: Shell::Fish }.text(Theme::for_stream(false));
        assert!(fish.ends_with("set -gx A 'it\\'s; $(rm)';\n"), "{fish}");
    }
}
