//! `labctl ls`.

use super::context::Context;
use super::instances;
use crate::aws::Need;
use crate::error::Failure;
use crate::plan::observed::Condition;
use crate::plan::{ObservedStack, names};
use crate::ui::{Answer, Table, Theme};
use serde::Serialize;
use std::collections::BTreeMap;

/// List the labs that are deployed
#[derive(clap::Args, Debug)]
pub(crate) struct LsArgs {}

#[derive(Debug, Serialize)]
struct LsAnswer {
    target: String,
    instances: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    lab: String,
    env: String,
    state: &'static str,
    stacks: usize,
    owner: Option<String>,
    expires: Option<String>,
    created: Option<String>,
}

impl Answer for LsAnswer {
    fn text(&self, theme: Theme) -> String {
        if self.instances.is_empty() {
            return format!("no lab is deployed on {}\n", self.target);
        }
        let mut table = Table::new(&["LAB", "ENV", "STATE", "STACKS", "OWNER", "CREATED", "EXPIRES"]);
        for row in &self.instances {
            let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            table.row([
                row.lab.clone(),
                row.env.clone(),
                row.state.to_owned(),
                row.stacks.to_string(),
                optional(&row.owner),
                optional(&row.created),
                optional(&row.expires),
            ]);
        }
        table.render(theme)
    }
}

pub(crate) async fn run(_args: LsArgs, cx: &Context) -> Result<(), Failure> {
    let aws = cx.aws(Need::Visit).await?;
    let found = instances::all(&aws).await?;
    let rows = found.into_iter().map(|(instance, stacks)| Row {
        lab: instance.lab,
        env: instance.env,
        state: state(&stacks),
        stacks: stacks.len(),
        owner: first_tag(&stacks, names::TAG_OWNER),
        expires: first_tag(&stacks, names::TAG_EXPIRES),
        created: stacks.values().filter_map(|stack| stack.created.clone()).min(),
    });
    cx.ui.answer(&LsAnswer { target: aws.target().name.clone(), instances: rows.collect() });
    Ok(())
}

fn first_tag(stacks: &BTreeMap<String, ObservedStack>, tag: &str) -> Option<String> {
    stacks.values().find_map(|stack| stack.tag(tag)).map(str::to_owned)
}

/// One word for an instance, by the worst of its stacks.
pub(super) fn state(stacks: &BTreeMap<String, ObservedStack>) -> &'static str {
    let has = |condition| stacks.values().any(|stack| stack.condition() == condition);
    if has(Condition::Broken) || has(Condition::StuckRollback) {
        "broken"
    } else if has(Condition::Busy) {
        "busy"
    } else if has(Condition::Empty) {
        "unfinished"
    } else {
        "up"
    }
}
