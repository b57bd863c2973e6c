//! Asks before something is lost.

use super::context::Context;
use crate::error::{Failure, Kind};
use crate::ui::Printer;

/// Goes on with `--yes` or a yes; without a terminal it refuses, and nothing was changed. `command` is what was typed, to be
/// typed again with `--yes`.
pub(crate) async fn confirm(cx: &Context, what: &str, losses: &[String], command: &str) -> Result<(), Failure> {
    if cx.globals.yes {
        return Ok(());
    }
    if !cx.ui.interactive() {
        return Err(Failure::usage(format!("refusing to {what} without a question or --yes"))
            .with_problems(losses.iter().cloned())
            .hint(format!("{command} --yes")));
    }
    let mut letters = what.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    // With what is at stake in the question itself, `--quiet` cannot leave it out.
    let at_stake: String = losses.iter().map(|loss| format!("  {loss}\n")).collect();
    let asked = cx.ui.ask(&format!("{at_stake}{first}{}?", letters.as_str()));
    let answered = match asked {
        Ok(()) => {
            tokio::task::spawn_blocking(Printer::answer_to_question).await.unwrap_or_else(|gone| Err(gone.into()))
        }
        Err(error) => Err(error),
    };
    match answered {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(Kind::Usage, "nothing was changed")),
        Err(error) => Err(Failure::usage("cannot ask").because(error).hint(format!("{command} --yes"))),
    }
}
