//! The pages of `docs/reference` that tell of the command line: made from the definitions themselves.

use super::Cli;
use crate::error::Kind;
use clap::{Arg, Command, CommandFactory};
use std::fmt::Write;

const MADE: &str = "Made by `UPDATE_DOCS=1 tests/run reference`; a test holds it fresh.";

/// `docs/reference/commands.md`: every command with its arguments.
pub fn commands() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut page = format!("# Commands\n\n{MADE}\n\nEvery command takes the global options:\n\n");
    options(&mut page, cli.get_arguments().filter(|arg| arg.is_global_set()));
    for command in cli.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        section(&mut page, command, "labctl", 2);
    }
    page
}

fn section(page: &mut String, command: &Command, parent: &str, level: usize) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    // Writing to a string does not fail.
    let _ = write!(page, "\n{} `{name}`\n\n{}\n", "#".repeat(level), about.trim());
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set() && arg.get_id() != "help").collect();
    if !own.is_empty() {
        page.push('\n');
        options(page, own.into_iter());
    }
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        section(page, inner, &name, level + 1);
    }
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    page.push_str("| argument | what it is |\n|---|---|\n");
    for arg in arguments.filter(|arg| !arg.is_hide_set()) {
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let default: Vec<String> =
            arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let default = match default.is_empty() || !takes_value(arg) {
            true => String::new(),
            false => format!(" (default: `{}`)", default.join(",")),
        };
        let _ = writeln!(page, "| `{}` | {}{default} |", shape(arg), about.replace('|', "\\|"));
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// `-e, --execute STMT`, or `[LAB]` for a place on the line.
fn shape(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    let several = matches!(arg.get_action(), clap::ArgAction::Append);
    if arg.is_positional() {
        let dots = if several { "…" } else { "" };
        return if arg.is_required_set() { format!("{value}{dots}") } else { format!("[{value}{dots}]") };
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let value = if takes_value(arg) { format!(" {value}") } else { String::new() };
    format!("{}{value}", names.join(", "))
}

/// `docs/reference/variables.md`: the constants of `src/env.rs` and what is written above them.
pub fn variables() -> String {
    let mut page = format!("# Environment variables\n\n{MADE}\n\n| variable | what it is |\n|---|---|\n");
    let mut about: Vec<&str> = Vec::new();
    for line in include_str!("../env.rs").lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            about.push(text);
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let name = rest.split(':').next().unwrap_or(rest);
            let _ = writeln!(page, "| `{name}` | {} |", about.join(" "));
            about.clear();
        }
    }
    page.push_str(
        "\nThe AWS SDK reads its own as well, such as `AWS_PROFILE` and `AWS_ACCESS_KEY_ID`: \
         <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>.\n",
    );
    page
}

/// `docs/reference/exit-codes.md`.
pub fn exit_codes() -> String {
    let mut page = format!("# Exit codes\n\n{MADE}\n\n| code | when |\n|---|---|\n| 0 | done |\n");
    for kind in Kind::ALL {
        let _ = writeln!(page, "| {} | {} |", kind.exit_code(), kind.meaning());
    }
    page
}
