//! Asks before something is lost.

use super::context::Context;
use crate::error::{Failure, Kind};

/// Goes on with `--yes` or a yes; without a terminal it refuses, and nothing was changed.
pub(crate) fn confirm(cx: &Context, what: &str, losses: &[String]) -> Result<(), Failure> {
    if cx.globals.yes {
        return Ok(());
    }
    if !cx.ui.interactive() {
        return Err(Failure::usage(format!("refusing to {what} without a question or --yes"))
            .with_problems(losses.iter().cloned())
            .hint("add --yes"));
    }
    for loss in losses {
        cx.ui.note(&format!("  {loss}"));
    }
    match cx.ui.confirm(&format!("{}{}?", what[..1].to_uppercase(), &what[1..])) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(Kind::Usage, "nothing was changed")),
        Err(error) => Err(Failure::usage("cannot ask").because(error).hint("add --yes")),
    }
}
