//! `GetTemplate`, `GetTemplateSummary` and `ValidateTemplate`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::template::Template;
use crate::template::model::Parameter;

use super::super::CloudFormation;
use super::super::faults::CfnFault;
use super::super::templates::{Parsed, Source};
use super::super::{source, validate};
use super::answer::compact;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct GetTemplate {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    template_stage: Option<String>,
}

/// GetTemplate: what the stack was made from, or the text as it was sent.
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
    let original = input.template_stage.as_deref() == Some("Original");
    let body = if original { &parsed.text } else { parsed.final_text() };
    Ok(json!({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}))
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
    let source = Source::read(&text)?;
    let outline = source.outline.clone();
    let parsed = source.by_default(&call.scope)?;
    parsed.as_ref().map_or(Ok(()), |parsed| validate::types(&cfn.cloud, parsed))?;
    let parameters = outline.parameters.iter().map(|(name, parameter)| {
        json!({
            "ParameterKey": name,
            "DefaultValue": parameter.default,
            "NoEcho": parameter.no_echo,
            "Description": parameter.description,
        })
    });
    let mut answer = json!({
        "Parameters": parameters.collect::<Vec<_>>(),
        "Description": outline.description,
    });
    add_capabilities(&mut answer, &outline, parsed.as_ref());
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
    let mut unrecognized = Vec::new();
    let (outline, parsed) = match &input.stack_name {
        Some(name) => {
            let stack = cfn.stack(&call.scope, name)?.get();
            let digest = stack.shown().map(|deployment| deployment.template.clone()).unwrap_or_default();
            let parsed = cfn.library.get(&digest)?;
            (parsed.template.clone(), Some(parsed))
        }
        None => {
            let (body, url) = (input.template_body.as_deref(), input.template_url.as_deref());
            let source = Source::read(&source::text(&cfn.cloud, &call.scope, body, url).await?)?;
            (source.outline.clone(), source.by_default(&call.scope)?.map(Arc::new))
        }
    };
    let mut kinds: Vec<&str> = Vec::new();
    if let Some(parsed) = &parsed {
        kinds = parsed.template.resources.values().map(|resource| resource.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        if let Err(fault) = validate::types(&cfn.cloud, parsed) {
            if !input.template_summary_config.treat_unrecognized_resource_types_as_warnings {
                return Err(fault);
            }
            unrecognized = kinds.iter().copied().filter(|kind| cfn.cloud.resource_type(kind).is_none()).collect();
        }
    }
    let parameters = outline.parameters.iter().map(|(name, parameter)| declaration(name, parameter));
    let mut answer = json!({
        "Parameters": parameters.collect::<Vec<_>>(),
        "Description": outline.description,
        "ResourceTypes": kinds,
        "Version": outline.format_version,
        "Metadata": outline.metadata.as_ref().map(|node| node.to_json().to_string()),
        "Warnings": (!unrecognized.is_empty()).then(|| json!({"UnrecognizedResourceTypes": unrecognized})),
    });
    add_capabilities(&mut answer, &outline, parsed.as_deref());
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

/// What has to be acknowledged, and why; the transforms that the template names.
fn add_capabilities(answer: &mut Value, outline: &Template, parsed: Option<&Parsed>) {
    let transforms: Vec<&str> = outline.transform.iter().map(|named| named.name.as_str()).collect();
    let (iam, kinds) = parsed.map(validate::capabilities).unwrap_or_default();
    let expand = (!transforms.is_empty()).then_some(validate::AUTO_EXPAND);
    let needed: Vec<&str> = iam.into_iter().chain(expand).collect();
    if needed.is_empty() {
        return;
    }
    let (what, why) = match iam {
        Some(_) => ("resource(s)", kinds.join(", ")),
        None => ("transform(s)", transforms.join(", ")),
    };
    answer["Capabilities"] = json!(needed);
    answer["CapabilitiesReason"] = json!(format!("The following {what} require capabilities: [{why}]"));
    if !transforms.is_empty() {
        answer["DeclaredTransforms"] = json!(transforms);
    }
}
