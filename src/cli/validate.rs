//! `labctl validate`.

use super::context::Context;
use super::deployed::Deployed;
use super::select::LabArg;
use super::sql;
use crate::engine::steps::check::{self, Endpoint, Outcome};
use crate::error::Failure;
use crate::ui::{Answer, Label, Theme};
use serde::Serialize;

/// Run a lab's checks against what is deployed
///
/// Exits with 4 if one fails.
#[derive(clap::Args, Debug)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    lab: LabArg,
}

#[derive(Debug, Serialize)]
struct ValidateAnswer {
    lab: String,
    env: String,
    target: String,
    passed: usize,
    failed: usize,
    checks: Vec<Outcome>,
}

impl Answer for ValidateAnswer {
    fn text(&self, theme: Theme) -> String {
        let line = |outcome: &Outcome| {
            let (label, mark) = if outcome.passed { (Label::Good, "✓") } else { (Label::Bad, "✗") };
            let took = format!("({:.1} ms)", outcome.took_ms);
            let differences: String =
                outcome.differences.iter().map(|difference| format!("    {difference}\n")).collect();
            format!("{} {} {}\n{differences}", theme.paint(label, mark), outcome.check, theme.paint(Label::Dim, &took))
        };
        let lines: String = self.checks.iter().map(line).collect();
        format!("{lines}{} passed, {} failed\n", self.passed, self.failed)
    }
}

pub(crate) async fn run(args: ValidateArgs, cx: &Context) -> Result<(), Failure> {
    let Deployed { aws, wanted, known, .. } = Deployed::of(cx, &args.lab).await?;
    let cannot = || Failure::failed("cannot run the lab's checks");
    let endpoint = Endpoint::of(&aws, &wanted, known).await.map_err(|error| cannot().because(error))?;
    let endpoint = endpoint.telling(sql::notes(cx));
    let checks = endpoint.run_all(|_| ()).await.map_err(|error| cannot().because(error))?;
    let failed = checks.iter().filter(|outcome| !outcome.passed).count();
    let failure = check::failure(&checks);
    cx.ui.answer(&ValidateAnswer {
        lab: wanted.instance.lab.clone(),
        env: wanted.instance.env.clone(),
        target: aws.target().name.clone(),
        passed: checks.len() - failed,
        failed,
        checks,
    });
    failure.map_or(Ok(()), Err)
}
