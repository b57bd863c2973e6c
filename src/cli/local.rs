//! `--local` and `labctl local`: the one file that knows of the local cloud, through its face alone.

use super::context::Context;
use crate::aws::config::Settings;
use crate::aws::{Need, Target};
use crate::error::Failure;
use crate::ui::Printer;

/// Flags that choose the local cloud as the target.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Place {
    /// Work on this machine instead of AWS
    #[arg(long, global = true)]
    local: bool,
}

impl Place {
    /// The local cloud as a target, if the flags ask for it.
    pub(crate) async fn target(
        &self,
        settings: &Settings,
        need: &Need,
        ui: &Printer,
    ) -> Result<Option<Target>, Failure> {
        let _ = (settings, need, ui);
        match self.local {
            true => Err(Failure::usage("the local cloud is not built yet")),
            false => Ok(None),
        }
    }
}

/// Start, stop and look after the local cloud
#[derive(clap::Args, Debug)]
pub(crate) struct LocalArgs {}

pub(crate) async fn run(args: LocalArgs, cx: &Context) -> Result<(), Failure> {
    let _ = (args, cx);
    Err(Failure::usage("the local cloud is not built yet"))
}
