//! The rounds of `labctl deploy-lambda --watch`. A change is compiled quickly and swapped in, to be tried out at once; then it is
//! compiled well, and its stack is told, unless the next change comes first.

use super::context::Context;
use super::deploy_lambda::keep_to_functions;
use super::prepare::Prepared;
use super::screen::watched;
use crate::engine::run::Options;
use crate::engine::steps::swap;
use crate::engine::{Event, Events, Run, walk};
use crate::error::Failure;
use crate::plan::{Observed, Plan, Step, Work};
use crate::ui::EventLog;
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A lab that is there, and its functions that can be swapped.
pub(super) struct Swaps {
    prepared: Prepared,
    /// Names in Lambda of the functions that run a package.
    takers: BTreeMap<String, Vec<String>>,
    /// The packages that were swapped in, which their stacks do not know of.
    live: BTreeMap<String, String>,
    /// Functions whose stacks are still to be told.
    behind: BTreeSet<String>,
}

impl Swaps {
    /// Of a lab whose functions have just been deployed.
    pub(super) fn of(prepared: Prepared) -> Self {
        Swaps { prepared, takers: BTreeMap::new(), live: BTreeMap::new(), behind: BTreeSet::new() }
    }

    /// Compiles what quick builds are made of, which else the first change would wait for. It is given up when there is one.
    pub(super) async fn get_ready(
        &mut self,
        cx: &Context,
        functions: &BTreeSet<String>,
        log: &mut EventLog,
        given_up: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        self.learn_takers(functions).await?;
        let (steps, observed) = self.packages(functions);
        let builds: Vec<Step> =
            steps.into_iter().filter(|step| matches!(step.work, Work::BuildFunction { .. })).collect();
        let Prepared { aws, wanted, options, .. } = &self.prepared;
        let options = Options { quick: true, ..options.clone() };
        watched(cx, (&wanted.instance, &aws.target().name), log, async |events| {
            let run = Run::new(aws, wanted, &observed, &options, events);
            tokio::select! {
                built = walk(&builds, &run, events) => built.into_result(),
                () = given_up => Ok(()),
            }
        })
        .await
    }

    /// Compiles the functions that have `changed`, quickly, and lets calls go to them.
    pub(super) async fn try_out(
        &mut self,
        cx: &Context,
        changed: &BTreeSet<String>,
        log: &mut EventLog,
    ) -> Result<(), Failure> {
        self.learn_takers(changed).await?;
        self.behind.extend(changed.iter().cloned());
        let (steps, observed) = self.packages(changed);
        let Prepared { aws, wanted, options, .. } = &self.prepared;
        let options = Options { quick: true, ..options.clone() };
        let live = watched(cx, (&wanted.instance, &aws.target().name), log, async |events| {
            let run = Run::new(aws, wanted, &observed, &options, events);
            walk(&steps, &run, events).await.into_result()?;
            // From the first swap on, whenever this is interrupted.
            let names: Vec<&str> = self.behind.iter().map(String::as_str).collect();
            let again = &options.again;
            cx.ui.on_parting(Some(format!("the stacks do not know yet what {} runs now: {again}", names.join(", "))));
            self.swap(&run, changed, events).await
        });
        let live = live.await?;
        self.live.extend(live);
        Ok(())
    }

    /// Compiles well what was tried out, and tells the stacks. `false`: `given_up` came first, and all of it is left for later.
    pub(super) async fn settle(
        &mut self,
        cx: &Context,
        log: &mut EventLog,
        given_up: impl Future<Output = ()>,
    ) -> Result<bool, Failure> {
        let (steps, observed) = self.packages(&self.behind);
        let Prepared { aws, wanted, options, .. } = &self.prepared;
        let of = (&wanted.instance, aws.target().name.as_str());
        let keys = watched(cx, of, log, async |events| {
            let run = Run::new(aws, wanted, &observed, options, events);
            tokio::select! {
                built = walk(&steps, &run, events) => built.into_result().map(|()| Some(run.known().code_keys)),
                () = given_up => Ok(None),
            }
        });
        let Some(code_keys) = keys.await? else { return Ok(false) };
        // From here on nothing gives it up: a stack that is being updated would put its package over a newer one.
        let mut observed = Observed { code_keys, ..self.prepared.observed.clone() };
        observed.uploaded.extend(observed.code_keys.values().cloned());
        let mut plan = wanted.plan(&observed);
        keep_to_functions(&mut plan, &wanted.wiring, &self.behind);
        watched(cx, of, log, async |events| {
            let run = Run::new(aws, wanted, &observed, options, events);
            match plan.has_changes() {
                true => walk(&plan.steps, &run, events).await.into_result(),
                // What was tried out was taken back: the stacks have this package, and the functions another.
                false => self.swap(&run, &self.behind, events).await.map(drop),
            }
        })
        .await?;
        let known = wanted.known(&observed);
        for stack in observed.stacks.values_mut() {
            let values = wanted.parameters(&stack.stack, &known).into_iter();
            stack.parameters.extend(values.filter_map(|(name, value)| Some((name, value?))));
        }
        self.prepared.observed = observed;
        self.live.clear();
        self.behind.clear();
        cx.ui.on_parting(None);
        Ok(true)
    }

    /// The steps that make the packages of `functions` anew, and what they take for there.
    fn packages(&self, functions: &BTreeSet<String>) -> (Vec<Step>, Observed) {
        let Prepared { wanted, observed, .. } = &self.prepared;
        let mut observed = observed.clone();
        observed.code_keys.retain(|function, _| !functions.contains(function));
        let mut plan: Plan = wanted.plan(&observed);
        keep_to_functions(&mut plan, &wanted.wiring, functions);
        plan.steps.retain(|step| !matches!(step.work, Work::DeployStack { .. }));
        (plan.steps, observed)
    }

    async fn learn_takers(&mut self, functions: &BTreeSet<String>) -> Result<(), Failure> {
        let Prepared { aws, wanted, .. } = &self.prepared;
        let unknown: Vec<&String> = functions.iter().filter(|name| !self.takers.contains_key(*name)).collect();
        for function in unknown {
            let found = swap::takers(aws, wanted, function).await;
            let mut found = found.map_err(|error| super::instances::unseen(aws, error))?;
            found.sort();
            self.takers.insert(function.clone(), found);
        }
        Ok(())
    }

    /// Gives the keys of the packages that calls go to now.
    async fn swap(
        &self,
        run: &Run<'_>,
        functions: &BTreeSet<String>,
        events: &Events,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let known = run.known().code_keys;
        let keys = functions.iter().filter_map(|function| Some((function, known.get(function)?)));
        // Sources may change and their binary stay the same.
        let new = keys.filter(|(function, key)| self.live.get(*function) != Some(key));
        let each = new.map(async |(function, key)| {
            let takers = self.takers.get(function).map(Vec::as_slice).unwrap_or_default();
            swap::swap(run, function, takers).await?;
            let since = run.package(function).and_then(|built| built.compiled);
            events.emit(Event::StepNoted { step: format!("upload/{function}"), note: live(since, takers) });
            Ok::<_, Failure>((function.clone(), key.clone()))
        });
        Ok(try_join_all(each).await?.into_iter().collect())
    }
}

fn live(compiled: Option<Instant>, takers: &[String]) -> String {
    let takers = takers.join(", ");
    match compiled {
        Some(compiled) => format!("live {} ms after it was compiled: {takers}", compiled.elapsed().as_millis()),
        None => format!("live: {takers}"),
    }
}
