//! `labctl plan`.

use super::context::Context;
use super::instances::unseen;
use super::prepare::{Prepared, Request};
use super::select::{LabArg, SetArgs};
use crate::aws::Need;
use crate::engine::steps::readiness;
use crate::engine::trouble::Failed;
use crate::error::{Failure, Kind};

/// Show what `up` would do, and what the lab costs
#[derive(clap::Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    lab: LabArg,
    #[command(flatten)]
    set: SetArgs,
    /// Exit with 3 if there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(crate) async fn run(args: PlanArgs, cx: &Context) -> Result<(), Failure> {
    let again = format!("up{}{}", args.lab.typed(), args.set.typed());
    let up = format!("up{}{}", args.lab.typed(), args.set.typed());
    let request = Request { lab: &args.lab, set: &args.set, again, up, express: true, expires: None };
    let prepared = Prepared::of(cx, &request, |_| Need::Visit).await?;
    let plan = prepared.plan();
    cx.ui.answer(&plan);
    if !plan.has_changes() {
        let broken = readiness::hopeless(&prepared.aws, prepared.observed.stacks.values()).await;
        for Failed { resource, kind, reason, .. } in broken.map_err(|error| unseen(&prepared.aws, error))? {
            cx.ui.warning(&format!("{resource} ({kind}): {reason}"));
        }
    }
    match args.detailed_exitcode && plan.has_changes() {
        true => Err(Failure::new(Kind::Changes, "")),
        false => Ok(()),
    }
}
