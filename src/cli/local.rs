//! `--local` and `labctl local`: the one place that knows of the local cloud, through its face alone.

use std::path::PathBuf;

use clap::Subcommand;

use super::context::Context;
use crate::aws::config::Settings;
use crate::aws::{Need, Target};
use crate::env;
use crate::error::Failure;
use crate::ui::Printer;

mod admin;
mod commands;
mod fault;
mod logs;
mod server;
mod start;
mod target;

/// Flags that choose the local cloud as the target.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Place {
    /// Work on this machine instead of AWS
    #[arg(long, global = true, conflicts_with_all = ["profile", "endpoint_url"])]
    local: bool,
    /// Port of the local cloud; 0 picks a free one [default: 4566, or LABCTL_LOCAL_PORT]
    #[arg(long, global = true, value_name = "PORT")]
    port: Option<u16>,
    /// Install the database and cache servers that the local cloud needs, if they are missing
    #[arg(long, global = true)]
    install_engines: bool,
}

impl Place {
    /// The flags as they have to be typed again, each with a space before it.
    pub(crate) fn typed(&self) -> String {
        let local = if self.local { " --local" } else { "" };
        format!("{local}{}", self.port.map(|port| format!(" --port {port}")).unwrap_or_default())
    }

    /// The local cloud as a target, if the flags ask for it.
    pub(crate) async fn target(
        &self,
        settings: &Settings,
        need: &Need,
        ui: &Printer,
    ) -> Result<Option<Target>, Failure> {
        match self.local {
            true => target::fill(&self.wish()?, settings, need, ui).await.map(Some),
            false => Ok(None),
        }
    }

    /// The flags and variables as one checked value.
    fn wish(&self) -> Result<Wish, Failure> {
        const DEFAULT_PORT: u16 = 4566;
        let variable = std::env::var(env::LABCTL_LOCAL_PORT).ok().filter(|value| !value.is_empty());
        let from_variable = variable.map(|value| {
            value.parse::<u16>().map_err(|_| {
                Failure::usage(format!("{} is not a port: {value}", env::LABCTL_LOCAL_PORT))
                    .hint("use a number from 0 to 65535")
            })
        });
        let from_variable = from_variable.transpose()?;
        Ok(Wish {
            home: home()?,
            port: self.port.or(from_variable).unwrap_or(DEFAULT_PORT),
            insists_on_port: self.port.is_some_and(|port| port != 0),
            install_engines: self.install_engines,
        })
    }
}

/// Which local cloud is meant, and how it may be started.
#[derive(Clone, Debug)]
struct Wish {
    home: PathBuf,
    port: u16,
    /// The port was given as a flag: another one will not do.
    insists_on_port: bool,
    install_engines: bool,
}

/// The directory that the local cloud owns: `LABCTL_HOME`, or `labctl` in the user's data directory.
fn home() -> Result<PathBuf, Failure> {
    let named = std::env::var_os(env::LABCTL_HOME).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = named.or_else(|| dirs::data_dir().map(|directory| directory.join("labctl"))).ok_or_else(|| {
        Failure::usage("this user has no data directory")
            .hint(format!("export {}=/path/to/a/directory", env::LABCTL_HOME))
    })?;
    std::path::absolute(&home).map_err(|error| Failure::usage(format!("not a path: {}", home.display())).because(error))
}

/// Start, stop and look after the local cloud
#[derive(clap::Args, Debug)]
pub(crate) struct LocalArgs {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Subcommand, Debug)]
enum LocalCommand {
    /// Start the local cloud in the background, if it does not run
    Start,
    /// Stop it; its state stays
    Stop,
    /// Show whether it runs, where, on which engines, and what it holds
    Status,
    /// Forget everything it holds
    Reset,
    /// Print the variables that other AWS tools need, for `eval "$(labctl local env)"`
    Env(commands::EnvArgs),
    /// Show its log, or that of an engine
    Logs(logs::LogsArgs),
    /// Make it misbehave on purpose: throttle a service, pause clusters soon, resume them slowly
    Fault(fault::FaultArgs),
    /// Run it in the foreground
    #[command(hide = true)]
    Serve(server::ServeArgs),
}

pub(crate) async fn run(args: LocalArgs, cx: &Context) -> Result<(), Failure> {
    let wish = cx.globals.place.wish()?;
    match args.command {
        LocalCommand::Start => commands::start(&wish, cx).await,
        LocalCommand::Stop => commands::stop(&wish, cx).await,
        LocalCommand::Status => commands::status(&wish, cx).await,
        LocalCommand::Reset => commands::reset(&wish, cx).await,
        LocalCommand::Env(args) => commands::env(&args, &wish, cx).await,
        LocalCommand::Logs(args) => logs::logs(&args, &wish, cx).await,
        LocalCommand::Fault(args) => fault::fault(&args, &wish, cx).await,
        LocalCommand::Serve(args) => server::serve(&args, &wish, cx).await,
    }
}
