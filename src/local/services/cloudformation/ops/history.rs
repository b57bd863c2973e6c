//! `DescribeStackEvents` and `DescribeEvents`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::CloudFormation;
use super::super::cell::Cell;
use super::super::events::{Event, What};
use super::super::faults::CfnFault;
use super::answer::{Named, compact};

/// AWS fills pages up to about 1 MB; this many events with their properties stay below it.
const PAGE: usize = 100;

/// DescribeStackEvents: the newest first.
pub(in super::super) async fn stack_events(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: Named,
) -> Result<Value, CfnFault> {
    let cell = cfn.stack(&call.scope, &input.stack_name)?;
    let stack = cell.get();
    let events = cell.events();
    let shown = events.iter().filter_map(|event| event.stack_event(&stack.id, &stack.name)).collect();
    newest_first("StackEvents", shown, input.next_token.as_deref())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeEvents {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    operation_id: Option<String>,
    #[serde(default)]
    filters: EventFilter,
    next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct EventFilter {
    failed_events: bool,
}

/// DescribeEvents: operations of a stack, of a change set, or one by its id; validation errors are found here alone.
pub(in super::super) async fn events(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DescribeEvents,
) -> Result<Value, CfnFault> {
    let cell = cfn.cell_of_events(call, &input)?;
    let stack_id = cell.get().id.clone();
    let change_set = match &input.change_set_name {
        Some(name) => Some(cfn.find_change_set(&cell, name)?),
        None => None,
    };
    let wanted = |event: &Event| {
        let of_operation = |id: &String| event.operation.as_ref().is_some_and(|(_, operation)| operation == id);
        let of_set = |set: &super::super::state::ChangeSet| match &event.what {
            What::Invalid { change_set, .. } => change_set.as_ref() == Some(&set.id),
            What::Changed(_) => false,
        };
        input.operation_id.as_ref().is_none_or(of_operation)
            && change_set.as_ref().is_none_or(of_set)
            && (!input.filters.failed_events || event.failed())
    };
    let events = cell.events();
    let shown = events.iter().filter(|event| wanted(event)).map(|event| event.operation_event(&stack_id)).collect();
    newest_first("OperationEvents", shown, input.next_token.as_deref())
}

impl CloudFormation {
    fn cell_of_events(&self, call: &Call, input: &DescribeEvents) -> Result<Arc<Cell>, CfnFault> {
        if let Some(name) = &input.stack_name {
            return self.stack(&call.scope, name);
        }
        let all = self.registry.all(&call.scope.region);
        if let Some(id) = &input.operation_id {
            let has = |cell: &&Arc<Cell>| {
                cell.events().iter().any(|event| event.operation.as_ref().is_some_and(|(_, operation)| operation == id))
            };
            let missing = || CfnFault::validation(format_args!("Operation with id {id} does not exist"));
            return all.iter().find(has).cloned().ok_or_else(missing);
        }
        let Some(id) = &input.change_set_name else {
            return Err(CfnFault::validation("One of StackName, ChangeSetName or OperationId must be specified."));
        };
        if !id.starts_with("arn:") {
            return Err(CfnFault::validation(
                "StackName must be specified if ChangeSetName is not specified as an ARN.",
            ));
        }
        let has = |cell: &&Arc<Cell>| cell.change_sets.get().values().any(|set| set.id == *id);
        all.iter().find(has).cloned().ok_or_else(|| CfnFault::NoSuchChangeSet(id.clone()))
    }
}

/// One page from the end. The token counts from the beginning, so that events that come meanwhile shift nothing.
fn newest_first(name: &str, events: Vec<Value>, token: Option<&str>) -> Result<Value, CfnFault> {
    let end: usize = match token {
        None => events.len(),
        Some(token) => token.parse().map_err(|_| CfnFault::validation("Provided NextToken is invalid"))?,
    };
    let start = end.saturating_sub(PAGE);
    let page: Vec<Value> = events.into_iter().take(end).skip(start).rev().collect();
    Ok(compact(json!({name: page, "NextToken": (start > 0).then(|| start.to_string())})))
}
