//! A plan as people read it.

use super::printer::Answer;
use super::theme::{Label, Theme};
use super::words;
use crate::plan::cost::Cost;
use crate::plan::{Action, Plan, StackChange, Work};

impl Answer for Plan {
    fn text(&self, theme: Theme) -> String {
        let mut text = String::new();
        for stack in self.stacks.iter().filter(|stack| stack.action != Action::Keep) {
            text.push_str(&stack_text(stack, theme));
        }
        let rest = self.steps.iter().filter(|step| step.action != Action::Keep && !is_stack(&step.work));
        for step in rest {
            text.push_str(&format!("{} {}\n", glyph(step.action, theme), step.work.title()));
        }
        if !self.has_changes() {
            text.push_str(&format!("{} is up to date; nothing to do\n", self.instance));
        } else {
            text.push_str(&format!("\n{}\n", totals(&self.stacks)));
        }
        text.push_str(&cost(&self.cost));
        text
    }
}

fn is_stack(work: &Work) -> bool {
    matches!(work, Work::DeployStack { .. } | Work::DeleteStack { .. })
}

fn stack_text(stack: &StackChange, theme: Theme) -> String {
    let heading = theme.paint(Label::Heading, &stack.stack).into_owned();
    let first = stack.first.as_ref().map(|first| format!(": {first}")).unwrap_or_default();
    let unread = stack.unread.as_ref().map(|why| format!(": its template cannot be read: {why}")).unwrap_or_default();
    let mut text = format!("{} stack {heading}{first}{unread}\n", glyph(stack.action, theme));
    for resource in stack.resources.iter().filter(|resource| resource.action != Action::Keep) {
        let doubt = resource.may_replace.then_some("may be replaced");
        let about = resource.properties.iter().map(String::as_str).chain(doubt).collect::<Vec<_>>().join(", ");
        let about = if about.is_empty() { about } else { format!("  ({about})") };
        let kind = theme.paint(Label::Dim, &resource.kind).into_owned();
        text.push_str(&format!("    {} {}  {kind}{about}\n", glyph(resource.action, theme), resource.resource));
    }
    text
}

fn glyph(action: Action, theme: Theme) -> String {
    let label = match action {
        Action::Add => Label::Added,
        Action::Change => Label::Changed,
        Action::Replace => Label::Replaced,
        Action::Remove => Label::Removed,
        Action::Keep => Label::Dim,
    };
    theme.paint(label, &action.glyph().to_string()).into_owned()
}

fn totals(stacks: &[StackChange]) -> String {
    let count = |action| stacks.iter().map(|stack| stack.count(action)).sum::<usize>();
    let parts = [
        (Action::Add, "added"),
        (Action::Change, "changed"),
        (Action::Replace, "replaced"),
        (Action::Remove, "removed"),
    ];
    let told = parts.iter().map(|(action, verb)| (count(*action), verb)).filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, verb)| format!("{} {verb}", words::count(count, "resource"))).collect();
    if told.is_empty() { "no resource changes".to_owned() } else { told.join(", ") }
}

fn cost(cost: &Cost) -> String {
    let (idle, busy) = (words::dollars(cost.idle_per_hour), words::dollars(cost.busy_per_hour));
    let mut text =
        format!("on AWS: {idle} per hour idle, up to {busy} busy, plus requests and storage ({})\n", cost.priced);
    if !cost.unpriced.is_empty() {
        text.push_str(&format!("not in it, having no known price: {}\n", cost.unpriced.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Instance, ResourceChange, Step};
    use std::collections::BTreeSet;

    #[test]
    fn a_plan_lists_what_changes_and_what_it_costs() {
        let resource = |resource: &str, action, properties: &[&str]| ResourceChange {
            resource: resource.into(),
            kind: "AWS::S3::Bucket".into(),
            action,
            may_replace: false,
            properties: properties.iter().map(|name| (*name).to_owned()).collect(),
        };
        let work = Work::RunChecks { checks: 2 };
        let plan = Plan {
            instance: Instance::new("superheroes", "dev"),
            stacks: vec![StackChange {
                stack: "storage".into(),
                name: "superheroes-dev-storage".into(),
                action: Action::Change,
                first: None,
                unread: None,
                resources: vec![
                    resource("Bucket", Action::Replace, &["BucketName"]),
                    resource("Other", Action::Keep, &[]),
                    resource("Logs", Action::Add, &[]),
                ],
            }],
            steps: vec![Step { id: work.id(), work, after: BTreeSet::new(), action: Action::Change }],
            cost: Cost { idle_per_hour: 0.0133, busy_per_hour: 0.49, priced: "here, now", ..Cost::default() },
            partial: false,
        };
        insta::assert_snapshot!(plan.text(Theme::PLAIN), @r"
        ~ stack storage
            ± Bucket  AWS::S3::Bucket  (BucketName)
            + Logs  AWS::S3::Bucket
        ~ checks

        1 resource added, 1 resource replaced
        on AWS: $0.0133 per hour idle, up to $0.49 busy, plus requests and storage (here, now)
        ");
    }
}
