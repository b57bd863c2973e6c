//! `DescribeAccountLimits`, `ListTypes` and `DescribeType`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::CloudFormation;
use super::super::faults::CfnFault;
use super::answer::{compact, page};

pub(in super::super) const MAX_STACKS: usize = 2_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeAccountLimits {
    next_token: Option<String>,
}

/// DescribeAccountLimits.
pub(in super::super) async fn limits(
    _cfn: Arc<CloudFormation>,
    _call: &Call,
    input: DescribeAccountLimits,
) -> Result<Value, CfnFault> {
    let limits = [("StackLimit", MAX_STACKS), ("StackOutputsLimit", crate::template::model::MAX_OUTPUTS)];
    let limits = limits.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    page("AccountLimits", limits, input.next_token.as_deref(), 100)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ListTypes {
    visibility: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(default)]
    filters: TypeFilters,
    max_results: Option<usize>,
    next_token: Option<String>,
    provisioning_type: Option<String>,
    deprecated_status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct TypeFilters {
    category: Option<String>,
    publisher_id: Option<String>,
    type_name_prefix: Option<String>,
}

/// ListTypes: what the local cloud provides. All of it is AWS's, public and live.
pub(in super::super) async fn list_types(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ListTypes,
) -> Result<Value, CfnFault> {
    let is = |given: &Option<String>, ours: &[&str]| given.as_deref().is_none_or(|given| ours.contains(&given));
    let ours = is(&input.visibility, &["PUBLIC"])
        && is(&input.kind, &["RESOURCE"])
        && is(&input.filters.category, &["AWS_TYPES"])
        && input.filters.publisher_id.is_none()
        && is(&input.provisioning_type, &["FULLY_MUTABLE"])
        && is(&input.deprecated_status, &["LIVE"]);
    let prefix = input.filters.type_name_prefix.as_deref().unwrap_or_default();
    let names = cfn.cloud.resource_type_names().filter(|name| ours && name.starts_with(prefix));
    let types = names.map(|name| json!({"Type": "RESOURCE", "TypeName": name, "TypeArn": arn(call, name)}));
    page("TypeSummaries", types.collect(), input.next_token.as_deref(), input.max_results.unwrap_or(100))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeType {
    #[serde(rename = "Type")]
    kind: Option<String>,
    type_name: Option<String>,
    arn: Option<String>,
}

/// DescribeType.
pub(in super::super) async fn describe_type(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DescribeType,
) -> Result<Value, CfnFault> {
    let named = input.type_name.clone();
    let by_arn = || input.arn.as_ref().and_then(|arn| Some(arn.rsplit('/').next()?.replace('-', "::")));
    let name = named.or_else(by_arn).unwrap_or_default();
    if cfn.cloud.resource_type(&name).is_none() || input.kind.as_deref().is_some_and(|kind| kind != "RESOURCE") {
        return Err(CfnFault::NoSuchType(name));
    }
    Ok(compact(json!({
        "Arn": arn(call, &name),
        "Type": "RESOURCE",
        "TypeName": name,
        "DeprecatedStatus": "LIVE",
        "ProvisioningType": "FULLY_MUTABLE",
        "Visibility": "PUBLIC",
    })))
}

fn arn(call: &Call, name: &str) -> String {
    format!("arn:aws:cloudformation:{}::type/resource/{}", call.scope.region, name.replace("::", "-"))
}
