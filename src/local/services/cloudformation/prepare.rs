//! From a request to a deployment: template, parameters, checks. Nothing is made here.

use serde::Deserialize;

use crate::scope::Scope;
use crate::template::intrinsics::Evaluator;
use crate::template::model::ParameterType;
use crate::template::{Problem, Template, parameters};

use super::CloudFormation;
use super::blueprint::Blueprint;
use super::faults::CfnFault;
use super::state::{Deployment, OnFailure, Stack, Tag};
use super::templates::{Parsed, Source, listed};
use super::{source, validate};

/// What `CreateStack`, `UpdateStack` and `CreateChangeSet` take; the wire has checked which member belongs to which.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct DeployRequest {
    pub(super) stack_name: String,
    pub(super) template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    pub(super) template_url: Option<String>,
    pub(super) use_previous_template: bool,
    pub(super) parameters: Vec<GivenParameter>,
    pub(super) capabilities: Vec<String>,
    pub(super) resource_types: Vec<String>,
    #[serde(rename = "RoleARN")]
    pub(super) role_arn: Option<String>,
    pub(super) rollback_configuration: RollbackConfiguration,
    #[serde(rename = "NotificationARNs")]
    pub(super) notification_arns: Vec<String>,
    pub(super) tags: Option<Vec<Tag>>,
    pub(super) client_request_token: Option<String>,
    pub(super) deployment_config: DeploymentConfig,
    pub(super) disable_validation: bool,
    pub(super) disable_rollback: Option<bool>,
    pub(super) retain_except_on_create: bool,
    // CreateStack and UpdateStack
    pub(super) on_failure: Option<OnFailure>,
    pub(super) timeout_in_minutes: Option<u32>,
    pub(super) enable_termination_protection: bool,
    pub(super) stack_policy_body: Option<String>,
    #[serde(rename = "StackPolicyURL")]
    pub(super) stack_policy_url: Option<String>,
    pub(super) stack_policy_during_update_body: Option<String>,
    #[serde(rename = "StackPolicyDuringUpdateURL")]
    pub(super) stack_policy_during_update_url: Option<String>,
    // CreateChangeSet
    pub(super) change_set_name: String,
    pub(super) change_set_type: Option<String>,
    pub(super) client_token: Option<String>,
    pub(super) description: Option<String>,
    pub(super) on_stack_failure: Option<OnFailure>,
    pub(super) resources_to_import: Vec<serde_json::Value>,
    pub(super) include_nested_stacks: bool,
    pub(super) import_existing_resources: bool,
    pub(super) deployment_mode: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct GivenParameter {
    pub(super) parameter_key: String,
    pub(super) parameter_value: Option<String>,
    pub(super) use_previous_value: bool,
    pub(super) resolved_value: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct DeploymentConfig {
    pub(super) mode: DeploymentMode,
    pub(super) disable_rollback: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum DeploymentMode {
    #[default]
    Standard,
    Express,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct RollbackConfiguration {
    pub(super) rollback_triggers: Vec<serde_json::Value>,
    pub(super) monitoring_time_in_minutes: u32,
}

impl DeployRequest {
    /// Whether and how to go back after a failure.
    ///
    /// # Errors
    /// Two contradicting members are given.
    pub(super) fn on_failure(&self) -> Result<OnFailure, CfnFault> {
        let disabled = self.disable_rollback.or(self.deployment_config.disable_rollback);
        match (disabled, self.on_failure.or(self.on_stack_failure)) {
            (Some(_), Some(_)) => {
                Err(CfnFault::validation("You can specify either DisableRollback or OnFailure, but not both."))
            }
            (Some(true), None) => Ok(OnFailure::DoNothing),
            (_, on_failure) => Ok(on_failure.unwrap_or_default()),
        }
    }

    pub(super) fn express(&self) -> bool {
        self.deployment_config.mode == DeploymentMode::Express
    }

    fn refuse_unsupported(&self) -> Result<(), CfnFault> {
        let unsupported = [
            (!self.notification_arns.is_empty(), "NotificationARNs (there is no SNS)"),
            (!self.rollback_configuration.rollback_triggers.is_empty(), "RollbackConfiguration.RollbackTriggers"),
            (
                self.rollback_configuration.monitoring_time_in_minutes > 0,
                "RollbackConfiguration.MonitoringTimeInMinutes",
            ),
            (self.stack_policy_body.is_some(), "StackPolicyBody"),
            (self.stack_policy_url.is_some(), "StackPolicyURL"),
            (self.stack_policy_during_update_body.is_some(), "StackPolicyDuringUpdateBody"),
            (self.stack_policy_during_update_url.is_some(), "StackPolicyDuringUpdateURL"),
            (!self.resources_to_import.is_empty(), "ResourcesToImport"),
            (self.import_existing_resources, "ImportExistingResources"),
            (self.include_nested_stacks, "IncludeNestedStacks"),
            (self.deployment_mode.is_some(), "DeploymentMode"),
        ];
        match unsupported.iter().find(|(given, _)| *given) {
            Some((_, name)) => Err(CfnFault::unsupported(format_args!("the parameter {name} of CloudFormation"))),
            None => Ok(()),
        }
    }
}

/// A deployment that may be begun.
pub(super) struct Prepared {
    pub(super) parsed: Parsed,
    pub(super) deployment: Deployment,
    /// What property validation found; nothing if it was turned off.
    pub(super) problems: Vec<Problem>,
}

impl CloudFormation {
    /// Reads the template, gives every parameter its value and checks what can be checked without the stack.
    ///
    /// # Errors
    /// As AWS refuses the request at once.
    pub(super) async fn prepare(
        &self,
        scope: &Scope,
        request: &DeployRequest,
        stack: Option<&Stack>,
    ) -> Result<Prepared, CfnFault> {
        request.refuse_unsupported()?;
        let previous = stack.and_then(|stack| stack.deployed.as_ref().or(stack.goal.as_ref()));
        let text = if request.use_previous_template {
            let previous = previous.ok_or_else(|| {
                CfnFault::validation("UsePreviousTemplate is not valid for a stack that has no template")
            })?;
            self.library.get(&previous.template)?.text.clone()
        } else {
            source::text(&self.cloud, scope, request.template_body.as_deref(), request.template_url.as_deref()).await?
        };
        let source = Source::read(&text)?;
        // A change set shows what transforms make of the template; without one they have to be acknowledged.
        let unseen = source.is_transformed() && request.change_set_name.is_empty();
        let given = values(&source.outline, &request.parameters, previous);
        // A template without transforms can be read whatever its parameters are: what is wrong with it is told first.
        let given = match given {
            Err(fault) if source.is_transformed() => return Err(fault),
            given => given,
        };
        let nothing = parameters::Values::new();
        let parsed = source.process(scope, &request.stack_name, given.as_ref().unwrap_or(&nothing))?;
        validate::types(&self.cloud, &parsed)?;
        allowed_types(&parsed, &request.resource_types)?;
        let values = given?;
        validate::acknowledged(&parsed, unseen, &request.capabilities)?;
        let problems = if request.disable_validation { Vec::new() } else { validate::properties(&parsed) };
        let deployment = Deployment {
            template: parsed.digest.clone(),
            parameters: values.into_iter().collect(),
            tags: tags(request.tags.as_deref(), previous)?,
            capabilities: request.capabilities.clone(),
            role_arn: request.role_arn.clone().or_else(|| previous.and_then(|previous| previous.role_arn.clone())),
            disable_rollback: request.on_failure()? == OnFailure::DoNothing,
            express: request.express(),
            timeout_minutes: request.timeout_in_minutes,
            description: parsed.template.description.clone(),
        };
        Ok(Prepared { parsed, deployment, problems })
    }

    /// Keeps the template and decides conditions and rules in the stack's own world.
    ///
    /// # Errors
    /// A condition has no value, or an assertion of a rule does not hold.
    pub(super) async fn blueprint(&self, prepared: Prepared, stack: &Stack) -> Result<Blueprint, CfnFault> {
        let parsed = self.library.keep(prepared.parsed)?;
        let opened = Blueprint::open(&self.cloud, parsed, prepared.deployment, stack).await;
        let blueprint = opened.map_err(|sentence| CfnFault::validation(format_args!("Template error: {sentence}")))?;
        let broken = {
            let (exports, unknown) = (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
            let world = blueprint.world(stack, &exports, &unknown, false);
            let evaluator = Evaluator::new(&blueprint.parsed.template, &world);
            evaluator.and_then(|evaluator| evaluator.broken_rules())
        };
        match broken {
            Ok(broken) if broken.is_empty() => {
                blueprint.without_a_value(stack).map(|()| blueprint).map_err(CfnFault::validation)
            }
            Ok(broken) => Err(CfnFault::validation(broken.join("; "))),
            Err(problems) => Err(CfnFault::validation(format_args!("Template error: {}", listed(&problems)))),
        }
    }
}

/// All problems as the one message of a synchronous refusal.
pub(super) fn refuse(problems: &[Problem]) -> Result<(), CfnFault> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(CfnFault::validation(format_args!("Template property validation failed: {}", listed(problems))))
}

fn allowed_types(parsed: &Parsed, allowed: &[String]) -> Result<(), CfnFault> {
    let fits = |kind: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => kind == pattern,
    };
    let mut refused: Vec<&str> = parsed.template.resources.values().map(|resource| resource.kind.as_str()).collect();
    refused.retain(|kind| !allowed.is_empty() && !allowed.iter().any(|pattern| fits(kind, pattern)));
    refused.sort_unstable();
    refused.dedup();
    if refused.is_empty() {
        return Ok(());
    }
    Err(CfnFault::validation(format_args!(
        "Resource type(s) [{}] are not permitted by ResourceTypes",
        refused.join(", ")
    )))
}

fn values(
    outline: &Template,
    given: &[GivenParameter],
    previous: Option<&Deployment>,
) -> Result<parameters::Values, CfnFault> {
    for (name, parameter) in &outline.parameters {
        if let ParameterType::Ssm(kind) = &parameter.kind {
            return Err(CfnFault::unsupported(format_args!(
                "the parameter type {kind} (of {name}): there is no Systems Manager"
            )));
        }
    }
    let mut values = parameters::Values::new();
    for parameter in given {
        let key = &parameter.parameter_key;
        let value = match (&parameter.parameter_value, parameter.use_previous_value) {
            (Some(_), true) => {
                return Err(CfnFault::validation(format_args!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter"
                )));
            }
            (Some(value), false) => value.clone(),
            (None, true) => match previous.and_then(|previous| previous.parameters.get(key)) {
                Some(value) => value.clone(),
                None => {
                    return Err(CfnFault::validation(format_args!(
                        "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                    )));
                }
            },
            (None, false) => String::new(),
        };
        if values.insert(key.clone(), value).is_some() {
            return Err(CfnFault::validation(format_args!("Duplicate parameter key {key}")));
        }
    }
    parameters::resolve(outline, &values).map_err(|problems| CfnFault::validation(problems.join("; ")))
}

fn tags(given: Option<&[Tag]>, previous: Option<&Deployment>) -> Result<Vec<Tag>, CfnFault> {
    let Some(tags) = given else { return Ok(previous.map(|previous| previous.tags.clone()).unwrap_or_default()) };
    if tags.len() > 50 {
        return Err(CfnFault::validation("Too many tags: at most 50 are allowed"));
    }
    for (at, tag) in tags.iter().enumerate() {
        if tag.key.starts_with("aws:") {
            return Err(CfnFault::validation("aws: prefixed tag key names are not allowed for external use."));
        }
        if tags[..at].iter().any(|other| other.key == tag.key) {
            return Err(CfnFault::validation(format_args!(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive: {}",
                tag.key
            )));
        }
    }
    Ok(tags.to_vec())
}
