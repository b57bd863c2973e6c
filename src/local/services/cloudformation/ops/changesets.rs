//! Change sets: made, read, carried out, thrown away.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::template::{Position, Problem};

use super::super::CloudFormation;
use super::super::begin::{Terms, check_name};
use super::super::cell::Cell;
use super::super::changeset::{changes, without_values};
use super::super::events::{Event, What};
use super::super::faults::CfnFault;
use super::super::prepare::DeployRequest;
use super::super::state::{ChangeSet, ChangeSetStatus, ExecutionStatus, MASK, OnFailure, OperationKind, Stack};
use super::super::status::Status;
use super::super::validate::{PROPERTY_VALIDATION, logical_id};
use super::answer::{compact, page};
use super::deploy::can_update;

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

/// CreateChangeSet. The comparison takes milliseconds: it is done before the answer.
pub(in super::super) async fn create(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DeployRequest,
) -> Result<Value, CfnFault> {
    check_name("changeSetName", &input.change_set_name)?;
    let creates_stack = match input.change_set_type.as_deref() {
        Some("CREATE") => true,
        Some("UPDATE") | None => false,
        Some(other) => return Err(CfnFault::unsupported(format_args!("ChangeSetType {other}"))),
    };
    let cell = if creates_stack {
        cfn.stack_to_review(call, &input).await?
    } else {
        cfn.stack(&call.scope, &input.stack_name)?
    };
    let _admission = cell.admission.lock().await;
    let stack = cell.get();
    if !creates_stack {
        if stack.status == Status::ReviewInProgress {
            return Err(CfnFault::validation(format_args!("Stack [{}] does not exist", stack.name)));
        }
        can_update(&stack)?;
    }
    if let Some(there) = cell.change_sets.get().get(&input.change_set_name) {
        if there.client_token.is_some() && there.client_token == input.client_token {
            return Ok(json!({"Id": there.id, "StackId": stack.id}));
        }
        return Err(CfnFault::ChangeSetExists(input.change_set_name.clone()));
    }
    let set = cfn.build(call, &cell, &stack, &input).await?;
    let id = set.id.clone();
    let kept = cell.change_sets.change(|sets| {
        sets.insert(set.name.clone(), set);
        Ok::<_, CfnFault>(())
    });
    kept.await?;
    Ok(json!({"Id": id, "StackId": stack.id}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ChangeSetNamed {
    change_set_name: String,
    stack_name: Option<String>,
    next_token: Option<String>,
    #[serde(default)]
    include_property_values: bool,
}

/// DescribeChangeSet.
pub(in super::super) async fn describe(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ChangeSetNamed,
) -> Result<Value, CfnFault> {
    let (cell, set) = cfn.change_set(call, input.stack_name.as_deref(), &input.change_set_name)?;
    let changes = set.changes.iter().cloned();
    let changes = if input.include_property_values { changes.collect() } else { changes.map(without_values).collect() };
    let mut answer = page("Changes", changes, input.next_token.as_deref(), 100)?;
    let secret = cfn.secret_parameters(&set.deployment.template);
    let parameters = set.deployment.parameters.iter().map(|(name, value)| {
        json!({"ParameterKey": name, "ParameterValue": if secret(name) { MASK } else { value.as_str() }})
    });
    let mut head = summary(&cell.get(), &set);
    head["Parameters"] = parameters.collect();
    head["Capabilities"] = json!(set.deployment.capabilities);
    head["Tags"] = json!(set.deployment.tags);
    head["NotificationARNs"] = json!([]);
    head["RollbackConfiguration"] = json!({});
    head["OnStackFailure"] = json!(set.on_failure);
    head["DeploymentConfig"] = json!({
        "Mode": if set.deployment.express { "EXPRESS" } else { "STANDARD" },
        "DisableRollback": set.deployment.disable_rollback,
    });
    if let (Some(answer), Value::Object(head)) = (answer.as_object_mut(), compact(head)) {
        answer.extend(head);
    }
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ListChangeSets {
    stack_name: String,
    next_token: Option<String>,
}

/// ListChangeSets. Sets that were executed are no longer listed.
pub(in super::super) async fn list(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ListChangeSets,
) -> Result<Value, CfnFault> {
    let cell = cfn.stack(&call.scope, &input.stack_name)?;
    let stack = cell.get();
    let sets = cell.change_sets.get();
    let open =
        sets.values().filter(|set| matches!(set.execution, ExecutionStatus::Available | ExecutionStatus::Unavailable));
    page("Summaries", open.map(|set| summary(&stack, set)).collect(), input.next_token.as_deref(), 100)
}

/// DeleteChangeSet. Of nothing: success.
pub(in super::super) async fn delete(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ChangeSetNamed,
) -> Result<Value, CfnFault> {
    let (cell, set) = match cfn.change_set(call, input.stack_name.as_deref(), &input.change_set_name) {
        Ok(found) => found,
        Err(CfnFault::NoSuchChangeSet(_)) => return Ok(json!({})),
        Err(fault) => return Err(fault),
    };
    if set.execution == ExecutionStatus::ExecuteInProgress {
        return Err(CfnFault::InvalidChangeSetStatus(format!(
            "ChangeSet [{}] is in EXECUTE_IN_PROGRESS and cannot be deleted",
            set.id
        )));
    }
    cell.change_sets
        .change(|sets| {
            sets.shift_remove(&set.name);
            Ok::<_, CfnFault>(())
        })
        .await?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ExecuteChangeSet {
    change_set_name: String,
    stack_name: Option<String>,
    client_request_token: Option<String>,
    disable_rollback: Option<bool>,
    #[serde(default)]
    retain_except_on_create: bool,
}

/// ExecuteChangeSet. The other sets of the stack were made for what it is now: they go.
pub(in super::super) async fn execute(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ExecuteChangeSet,
) -> Result<Value, CfnFault> {
    let (cell, _) = cfn.change_set(call, input.stack_name.as_deref(), &input.change_set_name)?;
    let admission = cell.admission.lock().await;
    let set = cfn.find_change_set(&cell, &input.change_set_name)?;
    let stack = cell.get();
    if set.execution != ExecutionStatus::Available {
        return Err(CfnFault::InvalidChangeSetStatus(format!(
            "ChangeSet [{}] cannot be executed in its current status of [{}]",
            set.id,
            text_of(&set.status)
        )));
    }
    let begun = if set.creates_stack && stack.status == Status::ReviewInProgress {
        (OperationKind::CreateStack, Status::CreateInProgress)
    } else {
        can_update(&stack)?;
        (OperationKind::UpdateStack, Status::UpdateInProgress)
    };
    let on_failure = match input.disable_rollback {
        Some(true) => OnFailure::DoNothing,
        _ => set.on_failure,
    };
    let terms = Terms {
        client_token: input.client_request_token,
        express: set.deployment.express,
        on_failure,
        retain_except_on_create: input.retain_except_on_create,
        change_set: Some(set.name.clone()),
        ..Terms::default()
    };
    let executed = |sets: &mut indexmap::IndexMap<String, ChangeSet>| {
        sets.retain(|name, _| *name == set.name);
        if let Some(set) = sets.get_mut(&set.name) {
            set.execution = ExecutionStatus::ExecuteInProgress;
        }
        Ok::<_, CfnFault>(())
    };
    cell.change_sets.change(executed).await?;
    let now = cfn.cloud.clock.now();
    cfn.begin(&cell, begun, terms, |stack| {
        stack.goal = Some(set.deployment);
        stack.change_set_id = Some(set.id);
        stack.updated = Some(now);
    })
    .await?;
    drop(admission);
    cfn.moment(&cell).await;
    Ok(json!({}))
}

impl CloudFormation {
    /// The stack that a change set of type CREATE is about: new, or in review already.
    async fn stack_to_review(self: &Arc<Self>, call: &Call, input: &DeployRequest) -> Result<Arc<Cell>, CfnFault> {
        check_name("stackName", &input.stack_name)?;
        let _naming = self.registry.naming.lock().await;
        if let Some(cell) = self.registry.find(&call.scope, &input.stack_name) {
            let stack = cell.get();
            if stack.status == Status::ReviewInProgress {
                return Ok(cell);
            }
            return Err(CfnFault::validation(format_args!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                stack.name, input.change_set_name
            )));
        }
        self.room_for_a_stack(&call.scope)?;
        // A request that is refused must leave no stack behind: it is checked before there is one.
        let stack = self.blank_stack(&call.scope, &input.stack_name, None);
        let prepared = self.prepare(&call.scope, input, None).await?;
        self.blueprint(prepared, &stack).await?;
        let cell = self.registry.prepare(stack)?;
        cell.change(|stack, events| {
            self.set_status(stack, events, Status::ReviewInProgress, Some("User Initiated".to_owned()));
            Ok::<_, CfnFault>(())
        })
        .await?;
        self.registry.add(&cell);
        Ok(cell)
    }

    async fn build(
        &self,
        call: &Call,
        cell: &Cell,
        stack: &Stack,
        input: &DeployRequest,
    ) -> Result<ChangeSet, CfnFault> {
        let name = input.change_set_name.clone();
        let id = call.scope.arn("cloudformation", format!("changeSet/{name}/{}", self.cloud.ids.uuid()));
        let prepared = self.prepare(&call.scope, input, Some(stack)).await?;
        let written = prepared.problems.clone();
        let blueprint = self.blueprint(prepared, stack).await?;
        // What is wrong as written is wrong evaluated as well: only one of the two is told.
        let problems = if written.is_empty() { self.found(input, &blueprint, stack) } else { written };
        let mut set = ChangeSet {
            id,
            name,
            description: input.description.clone(),
            created: self.cloud.clock.now(),
            creates_stack: input.change_set_type.as_deref() == Some("CREATE"),
            status: ChangeSetStatus::CreateComplete,
            reason: None,
            execution: ExecutionStatus::Available,
            deployment: blueprint.deployment.clone(),
            on_failure: input.on_failure()?,
            client_token: input.client_token.clone(),
            changes: Vec::new(),
        };
        if !problems.is_empty() {
            self.record_problems(cell, stack, &set.id, &problems, &blueprint.parsed.template).await?;
            let sentences: Vec<String> = problems.iter().map(Problem::sentence).collect();
            return Ok(failed(set, format!("Template property validation failed: {}", sentences.join("; "))));
        }
        let old = self.deployed_template(stack);
        let found = changes(stack, old.as_deref(), &blueprint, &self.export_values(&stack.scope.region));
        match found {
            Ok(changes) => set.changes = changes.into_iter().map(|change| change.shown).collect(),
            Err(sentence) => {
                // A failed set without changes and without failed events reads like one that found nothing to change.
                let problem = Problem::new(Position::default(), "", sentence.clone());
                self.record_problems(cell, stack, &set.id, &[problem], &blueprint.parsed.template).await?;
                return Ok(failed(set, format!("Template error: {sentence}")));
            }
        }
        if set.changes.is_empty() && !set.creates_stack && !self.differs(stack, &blueprint)? {
            return Ok(failed(set, NO_CHANGES.to_owned()));
        }
        Ok(set)
    }

    /// Each problem as an event that `DescribeEvents` shows.
    async fn record_problems(
        &self,
        cell: &Cell,
        stack: &Stack,
        set: &str,
        problems: &[Problem],
        template: &crate::template::Template,
    ) -> Result<(), CfnFault> {
        let operation = (OperationKind::CreateChangeSet, self.cloud.ids.uuid());
        let event = |problem: &Problem| {
            let logical_id = logical_id(&problem.path).to_owned();
            Event {
                id: self.cloud.ids.uuid(),
                at: self.cloud.clock.now(),
                physical_id: stack
                    .resources
                    .get(&logical_id)
                    .and_then(|there| there.physical_id())
                    .unwrap_or_default()
                    .to_owned(),
                kind: template.resources.get(&logical_id).map(|resource| resource.kind.clone()).unwrap_or_default(),
                reason: Some(placed(problem)),
                properties: None,
                client_token: None,
                operation: Some(operation.clone()),
                what: What::Invalid {
                    validation: PROPERTY_VALIDATION.to_owned(),
                    path: format!("/{}", problem.path.replace('.', "/")),
                    change_set: Some(set.to_owned()),
                },
                logical_id,
            }
        };
        let found: Vec<Event> = problems.iter().map(event).collect();
        cell.change(|_, events| {
            events.extend(found);
            Ok(())
        })
        .await
    }

    /// A change set by its name and stack, or by its id.
    pub(in super::super) fn change_set(
        &self,
        call: &Call,
        stack: Option<&str>,
        name: &str,
    ) -> Result<(Arc<Cell>, ChangeSet), CfnFault> {
        if let Some(stack) = stack {
            let cell = self.stack(&call.scope, stack)?;
            let set = self.find_change_set(&cell, name)?;
            return Ok((cell, set));
        }
        if !name.starts_with("arn:") {
            return Err(CfnFault::validation(
                "StackName must be specified if ChangeSetName is not specified as an ARN.",
            ));
        }
        let found = self.registry.all(&call.scope.region).into_iter().find_map(|cell| {
            let set = cell.change_sets.get().values().find(|set| set.id == name).cloned()?;
            Some((cell, set))
        });
        found.ok_or_else(|| CfnFault::NoSuchChangeSet(name.to_owned()))
    }

    /// A change set of one stack, by name or id.
    pub(in super::super) fn find_change_set(&self, cell: &Cell, name: &str) -> Result<ChangeSet, CfnFault> {
        let sets = cell.change_sets.get();
        let found = sets.values().find(|set| set.name == name || set.id == name).cloned();
        found.ok_or_else(|| CfnFault::NoSuchChangeSet(name.to_owned()))
    }

    /// Tells which parameters of a template are not to be shown.
    fn secret_parameters(&self, digest: &str) -> impl Fn(&str) -> bool + use<> {
        let parsed = self.library.get(digest).ok();
        move |name| {
            parsed
                .as_ref()
                .and_then(|parsed| parsed.template.parameters.get(name))
                .is_none_or(|parameter| parameter.no_echo)
        }
    }
}

fn failed(set: ChangeSet, reason: String) -> ChangeSet {
    ChangeSet { status: ChangeSetStatus::Failed, execution: ExecutionStatus::Unavailable, reason: Some(reason), ..set }
}

/// The problem with its place in the template, if it has one.
fn placed(problem: &Problem) -> String {
    let Position { line, column } = problem.at;
    if line == 0 { problem.sentence() } else { format!("{} (line {line}, column {column})", problem.sentence()) }
}

fn summary(stack: &Stack, set: &ChangeSet) -> Value {
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": set.id,
        "ChangeSetName": set.name,
        "ExecutionStatus": set.execution,
        "Status": set.status,
        "StatusReason": set.reason,
        "CreationTime": set.created,
        "Description": set.description,
        "IncludeNestedStacks": false,
        "ImportExistingResources": false,
    })
}

fn text_of(status: &ChangeSetStatus) -> &'static str {
    match status {
        ChangeSetStatus::CreateComplete => "CREATE_COMPLETE",
        ChangeSetStatus::Failed => "FAILED",
    }
}
