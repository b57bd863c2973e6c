//! The command line: one file per command.

mod access;
mod chart;
mod completions;
mod confirm;
mod context;
mod dashboard;
mod deploy_lambda;
mod deployed;
mod doctor;
mod down;
mod functions;
mod globals;
mod init;
mod instances;
mod invoke;
mod labs;
mod load;
mod local;
mod logs;
mod ls;
mod outputs;
mod plan;
mod prepare;
mod query;
pub mod reference;
mod screen;
mod select;
mod sql;
mod status;
mod swaps;
mod trace;
mod up;
mod validate;
mod watching;

use crate::error::{Failure, Kind};
use crate::ui::printer::Streams;
use crate::ui::{Format, Printer};
use clap::Parser;
use context::Context;
use globals::Globals;
use std::ffi::OsString;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// AWS data labs from nothing to a checked endpoint, and back to nothing
#[derive(Parser, Debug)]
#[command(name = "labctl", version, propagate_version = false, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Labs(labs::LabsArgs),
    Init(init::InitArgs),
    Plan(plan::PlanArgs),
    Up(up::UpArgs),
    Down(down::DownArgs),
    Ls(ls::LsArgs),
    Status(status::StatusArgs),
    Outputs(outputs::OutputsArgs),
    Access(access::AccessArgs),
    DeployLambda(deploy_lambda::DeployLambdaArgs),
    Sql(sql::SqlArgs),
    Validate(validate::ValidateArgs),
    Load(load::LoadArgs),
    Invoke(invoke::InvokeArgs),
    Logs(logs::LogsArgs),
    Trace(trace::TraceArgs),
    Doctor(doctor::DoctorArgs),
    Local(local::LocalArgs),
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// It goes on until it is interrupted.
    fn is_endless(&self) -> bool {
        match self {
            Command::Logs(args) => args.is_endless(),
            Command::Status(args) => args.is_endless(),
            Command::DeployLambda(args) => args.is_endless(),
            _ => false,
        }
    }

    /// Decides itself what a signal means: the local cloud's server goes on until it is told to stop; a load and many calls that are
    /// ended early are reported as far as they came.
    fn hears_signals(&self) -> bool {
        match self {
            Command::Load(_) | Command::Local(_) => true,
            Command::Invoke(args) => args.hears_signals(),
            _ => false,
        }
    }

    /// What it was asked to do goes on without it, and the next run goes on from there.
    fn resumes(&self) -> bool {
        match self {
            Command::Up(_) | Command::Down(_) | Command::DeployLambda(_) => true,
            Command::Sql(args) => args.resumes(),
            _ => false,
        }
    }
}

/// Runs labctl with `args` (the program's name first) and gives the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, &args),
    };
    let ui = Printer::new(cli.globals.output, Streams::of_process(), cli.globals.quiet);
    let cx = Context { globals: cli.globals, ui };
    let endless = cli.command.is_endless();
    match start(cli.command, &cx).and_then(|()| cx.ui.written()) {
        Ok(()) => ExitCode::SUCCESS,
        // Not an error: the answer was printed, the code tells the rest.
        Err(failure) if failure.kind == Kind::Changes => ExitCode::from(failure.kind.exit_code()),
        // Nor is the only way in which a command ends.
        Err(failure) if failure.kind == Kind::Interrupted && endless => {
            cx.ui.part();
            ExitCode::from(failure.kind.exit_code())
        }
        Err(failure) => {
            cx.ui.failure(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// Help and version are answers. Bad usage is told in clap's own words, and as a document to whoever asked for one.
fn refused(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let asked = |pair: &[OsString]| pair[0] == "--output" && pair[1] == "json";
    if args.iter().any(|arg| arg == "--output=json") || args.windows(2).any(asked) {
        let text = error.to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let failure = Failure::usage(first.strip_prefix("error: ").unwrap_or(first));
        let tips = lines.filter_map(|line| line.strip_prefix("tip: ")).map(str::to_owned);
        Printer::new(Format::Json, Streams::of_process(), false).failure_document(&tips.fold(failure, Failure::hint));
    }
    ExitCode::from(Kind::Usage.exit_code())
}

fn start(command: Command, cx: &Context) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start threads").because(error))?;
    let (hears_signals, resumes) = (command.hears_signals(), command.resumes());
    let done = runtime.block_on(async {
        tokio::select! {
            done = dispatch(command, cx) => done,
            () = asked_to_end(), if !hears_signals => Err(interrupted(resumes)),
        }
    });
    // What still runs in the background (a connection that closes, a blocking read) is not waited for.
    runtime.shutdown_background();
    done
}

/// Ctrl-C, a shutdown, a terminal that is closed: all end a command the same way.
async fn asked_to_end() {
    let heard = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => drop(signals.recv().await),
            // Without a handler the signal ends the process by itself.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = heard(SignalKind::interrupt()) => {}
        () = heard(SignalKind::terminate()) => {}
        () = heard(SignalKind::hangup()) => {}
    }
}

/// Nothing is undone: what AWS was asked to do goes on there, and the next run waits for it.
fn interrupted(resumes: bool) -> Failure {
    let failure = Failure::new(Kind::Interrupted, "interrupted");
    match resumes {
        true => failure.hint("run the same command again: it goes on from what is there"),
        false => failure,
    }
}

async fn dispatch(command: Command, cx: &Context) -> Result<(), Failure> {
    match command {
        Command::Labs(args) => labs::run(&args, cx),
        Command::Init(args) => init::run(args, cx),
        Command::Plan(args) => plan::run(args, cx).await,
        Command::Up(args) => up::run(args, cx).await,
        Command::Down(args) => down::run(args, cx).await,
        Command::Ls(args) => ls::run(args, cx).await,
        Command::Status(args) => status::run(args, cx).await,
        Command::Outputs(args) => outputs::run(args, cx).await,
        Command::Access(args) => access::run(args, cx).await,
        Command::DeployLambda(args) => deploy_lambda::run(args, cx).await,
        Command::Sql(args) => sql::run(args, cx).await,
        Command::Validate(args) => validate::run(args, cx).await,
        Command::Load(args) => load::run(args, cx).await,
        Command::Invoke(args) => invoke::run(args, cx).await,
        Command::Logs(args) => logs::run(args, cx).await,
        Command::Trace(args) => trace::run(args, cx).await,
        Command::Doctor(args) => doctor::run(args, cx).await,
        Command::Local(args) => local::run(args, cx).await,
        Command::Completions(args) => completions::run(&args, cx),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::{CommandFactory, Parser};

    fn refused(args: &[&str]) -> String {
        Cli::try_parse_from([&["labctl"], args].concat()).expect_err("refused").to_string()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_may_stand_before_or_after_the_command() {
        for args in [["labctl", "--env", "ci", "ls"], ["labctl", "ls", "--env", "ci"]] {
            let cli = Cli::try_parse_from(args).expect("parsed");
            assert_eq!(cli.globals.env(), "ci");
            assert!(matches!(cli.command, Command::Ls(_)));
        }
    }

    #[test]
    fn bad_usage_is_refused_with_what_was_probably_meant() {
        assert!(refused(&["dwn"]).contains("'down'"));
        assert!(refused(&["up", "--locl"]).contains("--local"));
        assert!(refused(&["up", "--ttl", "soon"]).contains("write 90s, 30m, 4h, 2d or 1h30m"));
        assert!(refused(&["ls", "--env", "Dev"]).contains("lower-case letters"));
        assert!(refused(&["down", "superheroes", "--all"]).contains("cannot be used with"));
        assert!(refused(&["sql", "superheroes", "-e", "SELECT 1", "-f", "x.sql"]).contains("cannot be used with"));
    }

    #[test]
    fn every_command_has_help_that_begins_with_a_sentence() {
        for command in Cli::command().get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(
                about.starts_with(|c: char| c.is_uppercase()) && !about.ends_with('.'),
                "{}: {about}",
                command.get_name()
            );
        }
    }
}
