//! The rounds of `labctl deploy-lambda --watch`: a function whose sources changed is built and swapped, then its stack is told.

use super::context::Context;
use super::deploy_lambda::keep_to_functions;
use super::prepare::Prepared;
use super::screen::watched;
use crate::engine::steps::swap;
use crate::engine::{Event, Events, Run, walk};
use crate::error::Failure;
use crate::plan::{Plan, Step, Work};
use crate::ui::EventLog;
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A lab that is there, and its functions that can be swapped.
pub(super) struct Swaps {
    prepared: Prepared,
    /// Names in Lambda of the functions that run a package.
    takers: BTreeMap<String, Vec<String>>,
}

impl Swaps {
    /// Of a lab whose functions have just been deployed.
    pub(super) fn of(prepared: Prepared) -> Self {
        Swaps { prepared, takers: BTreeMap::new() }
    }

    /// Builds the functions that have `changed`, swaps them, and brings their stacks in line.
    pub(super) async fn deploy(
        &mut self,
        cx: &Context,
        changed: &BTreeSet<String>,
        log: &mut EventLog,
    ) -> Result<(), Failure> {
        self.learn_takers(changed).await?;
        let Prepared { aws, wanted, observed, options } = &self.prepared;
        let mut observed = observed.clone();
        observed.code_keys.retain(|function, _| !changed.contains(function));
        let mut plan = wanted.plan(&observed);
        keep_to_functions(&mut plan, &wanted.wiring, changed);
        let (packages, stacks) = halves(plan);
        let keys = watched(cx, (&wanted.instance, &aws.target().name), log, async |events| {
            let run = Run::new(aws, wanted, &observed, options, events);
            walk(&packages, &run, events).await.into_result()?;
            self.swap(&run, changed, events).await?;
            walk(&stacks, &run, events).await.into_result()?;
            Ok::<_, Failure>(run.known().code_keys)
        });
        self.prepared.observed.code_keys = keys.await?;
        Ok(())
    }

    async fn learn_takers(&mut self, functions: &BTreeSet<String>) -> Result<(), Failure> {
        let Prepared { aws, wanted, .. } = &self.prepared;
        let unknown: Vec<&String> = functions.iter().filter(|name| !self.takers.contains_key(*name)).collect();
        for function in unknown {
            let found = swap::takers(aws, wanted, function).await;
            let found = found.map_err(|error| super::instances::unseen(aws, error))?;
            self.takers.insert(function.clone(), found);
        }
        Ok(())
    }

    async fn swap(&self, run: &Run<'_>, functions: &BTreeSet<String>, events: &Events) -> Result<(), Failure> {
        let before = &self.prepared.observed.code_keys;
        // Sources may change and their binary stay the same.
        let is_new = |function: &&String| run.known().code_keys.get(*function) != before.get(*function);
        let each = functions.iter().filter(is_new).map(async |function| {
            let takers = self.takers.get(function).map(Vec::as_slice).unwrap_or_default();
            swap::swap(run, function, takers).await?;
            let since = run.package(function).and_then(|built| built.compiled);
            events.emit(Event::StepNoted { step: format!("upload/{function}"), note: live(since, takers) });
            Ok::<_, Failure>(())
        });
        try_join_all(each).await.map(drop)
    }
}

fn live(compiled: Option<Instant>, takers: &[String]) -> String {
    let takers = takers.join(", ");
    match compiled {
        Some(compiled) => format!("live {} ms after it was compiled: {takers}", compiled.elapsed().as_millis()),
        None => format!("live: {takers}"),
    }
}

/// The steps that make packages, and those that tell stacks of them.
fn halves(plan: Plan) -> (Vec<Step>, Vec<Step>) {
    plan.steps.into_iter().partition(|step| !matches!(step.work, Work::DeployStack { .. }))
}
