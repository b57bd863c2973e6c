//! `ListExports` and `ListImports`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::CloudFormation;
use super::super::faults::CfnFault;
use super::answer::page;

const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ListExports {
    next_token: Option<String>,
}

/// ListExports.
pub(in super::super) async fn list(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ListExports,
) -> Result<Value, CfnFault> {
    let exports = cfn
        .exports(&call.scope.region)
        .into_iter()
        .map(|export| json!({"ExportingStackId": export.stack_id, "Name": export.name, "Value": export.value}));
    page("Exports", exports.collect(), input.next_token.as_deref(), PAGE)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ListImports {
    export_name: String,
    next_token: Option<String>,
}

/// ListImports. AWS refuses an export that nobody imports.
pub(in super::super) async fn imports(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ListImports,
) -> Result<Value, CfnFault> {
    let users = cfn.importers(&call.scope.region, &input.export_name);
    if users.is_empty() {
        return Err(CfnFault::validation(format_args!("Export '{}' is not imported by any stack.", input.export_name)));
    }
    page("Imports", users.into_iter().map(Value::from).collect(), input.next_token.as_deref(), PAGE)
}
