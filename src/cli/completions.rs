//! `labctl completions`.

use super::Cli;
use super::context::Context;
use crate::error::Failure;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print completions for a shell
///
/// For example: labctl completions bash > ~/.local/share/bash-completion/completions/labctl
#[derive(clap::Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, cx: &Context) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "labctl", &mut script);
    cx.ui.raw(&String::from_utf8_lossy(&script));
    Ok(())
}
