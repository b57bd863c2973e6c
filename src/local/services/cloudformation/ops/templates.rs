//! `GetTemplate`, `GetTemplateSummary` and `ValidateTemplate`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::call::Call;
use crate::template::model::Parameter;

use super::super::CloudFormation;
use super::super::faults::CfnFault;
use super::super::templates::{self, Parsed};
use super::super::{source, validate};
use super::answer::compact;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct GetTemplate {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    /// There are no transforms here: the original and the processed template are the same.
    #[serde(rename = "TemplateStage")]
    _stage: Option<String>,
}

/// GetTemplate: the text as it was sent.
pub(in super::super) async fn get(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: GetTemplate,
) -> Result<Value, CfnFault> {
    let digest = match &input.change_set_name {
        Some(set) => cfn.change_set(call, input.stack_name.as_deref(), set)?.1.deployment.template,
        None => {
            let name = input.stack_name.as_deref().unwrap_or_default();
            let stack =
                cfn.registry.find(&call.scope, name).ok_or_else(|| CfnFault::NoSuchStack(name.to_owned()))?.get();
            let deployment = stack.deployed.as_ref().or(stack.goal.as_ref());
            deployment
                .map(|deployment| deployment.template.clone())
                .ok_or_else(|| CfnFault::NoSuchStack(name.to_owned()))?
        }
    };
    let parsed = cfn.library.get(&digest)?;
    Ok(json!({"TemplateBody": parsed.text, "StagesAvailable": ["Original", "Processed"]}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ValidateTemplate {
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
}

/// ValidateTemplate: shape and references, as on AWS; properties are checked when a stack is made.
pub(in super::super) async fn validate(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ValidateTemplate,
) -> Result<Value, CfnFault> {
    let text =
        source::text(&cfn.cloud, &call.scope, input.template_body.as_deref(), input.template_url.as_deref()).await?;
    let parsed = templates::parse(&text)?;
    validate::types(&cfn.cloud, &parsed)?;
    let parameters = parsed.template.parameters.iter().map(|(name, parameter)| {
        json!({
            "ParameterKey": name,
            "DefaultValue": parameter.default,
            "NoEcho": parameter.no_echo,
            "Description": parameter.description,
        })
    });
    let mut answer = json!({
        "Parameters": parameters.collect::<Vec<_>>(),
        "Description": parsed.template.description,
    });
    add_capabilities(&mut answer, &parsed);
    Ok(compact(answer))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct GetTemplateSummary {
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
    stack_name: Option<String>,
    #[serde(default)]
    template_summary_config: SummaryConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct SummaryConfig {
    treat_unrecognized_resource_types_as_warnings: bool,
}

/// GetTemplateSummary, of a text or of a stack.
pub(in super::super) async fn summary(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: GetTemplateSummary,
) -> Result<Value, CfnFault> {
    let parsed = match &input.stack_name {
        Some(name) => {
            let stack = cfn.stack(&call.scope, name)?.get();
            let digest = stack.shown().map(|deployment| deployment.template.clone()).unwrap_or_default();
            cfn.library.get(&digest)?
        }
        None => {
            let (body, url) = (input.template_body.as_deref(), input.template_url.as_deref());
            Arc::new(templates::parse(&source::text(&cfn.cloud, &call.scope, body, url).await?)?)
        }
    };
    let mut unrecognized = Vec::new();
    if let Err(fault) = validate::types(&cfn.cloud, &parsed) {
        if !input.template_summary_config.treat_unrecognized_resource_types_as_warnings {
            return Err(fault);
        }
        let kinds = parsed.template.resources.values().map(|resource| resource.kind.clone());
        unrecognized = kinds.filter(|kind| cfn.cloud.resource_type(kind).is_none()).collect();
    }
    let mut kinds: Vec<&str> = parsed.template.resources.values().map(|resource| resource.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut answer = json!({
        "Parameters": parsed.template.parameters.iter().map(|(name, parameter)| declaration(name, parameter)).collect::<Vec<_>>(),
        "Description": parsed.template.description,
        "ResourceTypes": kinds,
        "Version": parsed.template.format_version,
        "Metadata": parsed.template.metadata.as_ref().map(|node| node.to_json().to_string()),
        "Warnings": (!unrecognized.is_empty()).then(|| json!({"UnrecognizedResourceTypes": unrecognized})),
    });
    add_capabilities(&mut answer, &parsed);
    Ok(compact(answer))
}

fn declaration(name: &str, parameter: &Parameter) -> Value {
    let constraints =
        (!parameter.allowed_values.is_empty()).then(|| json!({"AllowedValues": parameter.allowed_values}));
    json!({
        "ParameterKey": name,
        "DefaultValue": parameter.default,
        "ParameterType": parameter.kind.to_string(),
        "NoEcho": parameter.no_echo,
        "Description": parameter.description,
        "ParameterConstraints": constraints.unwrap_or_else(|| json!({})),
    })
}

fn add_capabilities(answer: &mut Value, parsed: &Parsed) {
    if let (Some(needed), kinds) = validate::capabilities(parsed) {
        answer["Capabilities"] = json!([needed]);
        answer["CapabilitiesReason"] =
            json!(format!("The following resource(s) require capabilities: [{}]", kinds.join(", ")));
    }
}
