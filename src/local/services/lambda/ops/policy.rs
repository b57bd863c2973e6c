//! Resource policies: who else may invoke a function.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Nothing, Qualified};
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::Target;
use crate::services::lambda::state::{Lambda, Statement};

const MOST_POLICY: usize = 20_480;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AddPermission {
    function_name: String,
    statement_id: String,
    action: String,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
    qualifier: Option<String>,
    revision_id: Option<String>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Added {
    statement: String,
}

fn principal(text: &str) -> Result<Value, LambdaFault> {
    match text {
        "*" => Ok(json!("*")),
        text if text.ends_with(".amazonaws.com") => Ok(json!({"Service": text})),
        text if text.len() == 12 && text.chars().all(|c| c.is_ascii_digit()) => {
            Ok(json!({"AWS": format!("arn:aws:iam::{text}:root")}))
        }
        text if text.starts_with("arn:aws:iam::") || text.starts_with("arn:aws:sts::") => Ok(json!({"AWS": text})),
        _ => Err(LambdaFault::invalid("The provided principal was invalid. Please check the principal and try again.")),
    }
}

fn condition(input: &AddPermission) -> Option<Value> {
    let mut all = Map::new();
    if let Some(account) = &input.source_account {
        all.insert("StringEquals".into(), json!({"AWS:SourceAccount": account}));
    }
    if let Some(org) = &input.principal_org_id {
        let equals = all.entry("StringEquals").or_insert_with(|| json!({}));
        equals["aws:PrincipalOrgID"] = json!(org);
    }
    if let Some(arn) = &input.source_arn {
        all.insert("ArnLike".into(), json!({"AWS:SourceArn": arn}));
    }
    (!all.is_empty()).then_some(Value::Object(all))
}

/// AddPermission.
pub(crate) async fn add(lambda: Arc<Lambda>, call: &Call, input: AddPermission) -> Result<Added, LambdaFault> {
    let target = Target::parse(&input.function_name, input.qualifier.as_deref())?;
    if target.qualifier.as_deref() == Some("$LATEST") {
        return Err(LambdaFault::invalid("We currently do not support adding policies for $LATEST."));
    }
    if !input.statement_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(LambdaFault::invalid(format!(
            "1 validation error detected: Value '{}' at 'statementId' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)",
            input.statement_id
        )));
    }
    if input.action != "*" && !input.action.starts_with("lambda:") {
        return Err(LambdaFault::invalid(format!(
            "1 validation error detected: Value '{}' at 'action' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])",
            input.action
        )));
    }
    let statement = Statement {
        id: input.statement_id.clone(),
        effect: "Allow".into(),
        principal: principal(&input.principal)?,
        action: input.action.clone(),
        resource: target.arn(&call.scope),
        condition: condition(&input),
    };
    let text = serde_json::to_string(&statement).map_err(|error| LambdaFault::Internal(error.to_string()))?;
    lambda
        .change(&call.scope, &target, |function| {
            if input.revision_id.as_ref().is_some_and(|revision| *revision != function.newest().revision) {
                return Err(LambdaFault::StaleRevision);
            }
            let statements = function.policies.entry(target.qualifier.clone().unwrap_or_default()).or_default();
            match statements.iter().find(|there| there.id == statement.id) {
                // The very same statement once more is a second try of the same request.
                Some(there) if *there == statement && call.request_id == function.made_by => {}
                Some(_) => {
                    let id = &statement.id;
                    let message = format!("The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement.");
                    return Err(LambdaFault::Exists(message));
                }
                None => statements.push(statement),
            }
            if serde_json::to_string(&statements).is_ok_and(|text| text.len() > MOST_POLICY) {
                return Err(LambdaFault::Other(crate::fault::Fault::new(
                    "PolicyLengthExceededException",
                    format!("The final policy size is bigger than the limit ({MOST_POLICY})."),
                )));
            }
            Ok(())
        })
        .await?;
    Ok(Added { statement: text })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RemovePermission {
    function_name: String,
    statement_id: String,
    qualifier: Option<String>,
    revision_id: Option<String>,
}

/// RemovePermission.
pub(crate) async fn remove(lambda: Arc<Lambda>, call: &Call, input: RemovePermission) -> Result<Nothing, LambdaFault> {
    let target = Target::parse(&input.function_name, input.qualifier.as_deref())?;
    lambda
        .change(&call.scope, &target, |function| {
            if input.revision_id.as_ref().is_some_and(|revision| *revision != function.newest().revision) {
                return Err(LambdaFault::StaleRevision);
            }
            let key = target.qualifier.clone().unwrap_or_default();
            let statements = function.policies.get_mut(&key).ok_or(LambdaFault::NoPolicy)?;
            let before = statements.len();
            statements.retain(|statement| statement.id != input.statement_id);
            if statements.len() == before {
                return Err(LambdaFault::NoStatement(input.statement_id));
            }
            if statements.is_empty() {
                function.policies.remove(&key);
            }
            Ok(())
        })
        .await?;
    Ok(Nothing {})
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Policy {
    policy: String,
    revision_id: String,
}

/// GetPolicy.
pub(crate) async fn get(lambda: Arc<Lambda>, call: &Call, input: Qualified) -> Result<Policy, LambdaFault> {
    let target = input.target()?;
    let function = lambda.function(&call.scope, &target)?;
    let statements =
        function.policies.get(target.qualifier.as_deref().unwrap_or_default()).ok_or(LambdaFault::NoPolicy)?;
    let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string();
    Ok(Policy { policy, revision_id: function.newest().revision.clone() })
}
