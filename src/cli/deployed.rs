//! A lab and its instance that is deployed, with the parameters it was deployed with.

use super::context::Context;
use super::instances;
use super::select::LabArg;
use crate::aws::{Aws, Need};
use crate::error::Failure;
use crate::lab::Lab;
use crate::plan::Known;
use crate::plan::{Instance, ObservedStack, Source, Wanted, Wiring};
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// A lab and its instance that is deployed.
pub(crate) struct Deployed {
    pub(crate) aws: Aws,
    pub(crate) wanted: Wanted,
    pub(crate) known: Known,
}

impl Deployed {
    pub(crate) async fn of(cx: &Context, lab: &LabArg) -> Result<Deployed, Failure> {
        let arg = lab;
        let mut lab = arg.load()?;
        let wiring = Wiring::of(&lab).map_err(|problems| {
            Failure::usage(format!("cannot wire lab `{}`", lab.manifest.lab)).with_problems(problems)
        })?;
        let aws = cx.aws(Need::Visit).await?;
        let instance = Instance::new(&lab.manifest.lab, cx.globals.env());
        let stacks = instances::there(&aws, arg, &instance).await?;
        let values = deployed_values(&lab, &wiring, &stacks);
        lab.choose(&values);
        let architecture = aws.target().architecture.lambda_name().to_owned();
        let outputs = stacks.iter().map(|(name, stack)| (name.clone(), stack.outputs.clone())).collect();
        let known = Known { outputs, ..Known::default() };
        let wanted = Wanted { lab, instance, values, wiring, architecture, expires: None };
        Ok(Deployed { aws, wanted, known })
    }
}

/// What the lab's parameters were when it was deployed: the stacks know. A new parameter has its default.
pub(super) fn deployed_values(
    lab: &Lab,
    wiring: &Wiring,
    stacks: &BTreeMap<String, ObservedStack>,
) -> IndexMap<String, String> {
    let deployed = |name: &String| {
        let takers = wiring.stacks.iter().filter(|(_, sources)| sources.get(name) == Some(&Source::Lab));
        takers.filter_map(|(stack, _)| stacks.get(stack)?.parameters.get(name)).next().cloned()
    };
    let parameters = lab.manifest.parameters.iter();
    parameters
        .filter_map(|(name, parameter)| Some((name.clone(), deployed(name).or_else(|| parameter.default.clone())?)))
        .collect()
}
