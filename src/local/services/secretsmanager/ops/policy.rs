//! Resource policies: kept and checked for their form. Callers of the one account are not held against them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::SecretsManager;
use super::super::faults::SecretFault;
use super::Named;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Put {
    secret_id: String,
    resource_policy: String,
    block_public_policy: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Validate {
    secret_id: Option<String>,
    resource_policy: String,
}

/// Whether the policy lets everybody in without a condition.
fn check(text: &str) -> Result<bool, SecretFault> {
    let policy: Value = serde_json::from_str(text).map_err(|_| SecretFault::MalformedPolicy)?;
    let statements = match policy.get("Statement") {
        Some(Value::Array(list)) if !list.is_empty() => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return Err(SecretFault::MalformedPolicy),
    };
    let mut public = false;
    for statement in &statements {
        let effect = statement.get("Effect").and_then(Value::as_str);
        let whole = ["Action", "NotAction"].iter().any(|name| statement.get(name).is_some())
            && ["Principal", "NotPrincipal"].iter().any(|name| statement.get(name).is_some());
        if !matches!(effect, Some("Allow" | "Deny")) || !whole {
            return Err(SecretFault::MalformedPolicy);
        }
        let everybody = match statement.get("Principal") {
            Some(Value::String(all)) => all == "*",
            Some(Value::Object(kinds)) => kinds.get("AWS") == Some(&json!("*")),
            _ => false,
        };
        public |= effect == Some("Allow") && everybody && statement.get("Condition").is_none();
    }
    Ok(public)
}

async fn set(service: &SecretsManager, call: &Call, id: &str, policy: Option<String>) -> Result<Value, SecretFault> {
    let now = service.cloud.clock.now();
    service
        .shelf
        .change(|secrets| {
            let secret = secrets.find_mut(&call.scope.region, id, now)?;
            secret.live()?;
            secret.changeable_by(super::service_of(call))?;
            secret.policy = policy;
            Ok(json!({"ARN": secret.arn, "Name": secret.name}))
        })
        .await
}

pub(in super::super) async fn put(service: Arc<SecretsManager>, call: &Call, input: Put) -> Result<Value, SecretFault> {
    if check(&input.resource_policy)? && input.block_public_policy == Some(true) {
        return Err(SecretFault::PublicPolicy);
    }
    set(&service, call, &input.secret_id, Some(input.resource_policy)).await
}

pub(in super::super) async fn delete(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Named,
) -> Result<Value, SecretFault> {
    set(&service, call, &input.secret_id, None).await
}

pub(in super::super) async fn get(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Named,
) -> Result<Value, SecretFault> {
    let secrets = service.shelf.get();
    let secret = secrets.find(&call.scope.region, &input.secret_id, service.cloud.clock.now())?;
    let mut output = json!({"ARN": secret.arn, "Name": secret.name});
    if let Some(policy) = &secret.policy {
        output["ResourcePolicy"] = json!(policy);
    }
    Ok(output)
}

pub(in super::super) async fn validate(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Validate,
) -> Result<Value, SecretFault> {
    if let Some(id) = &input.secret_id {
        service.shelf.get().find(&call.scope.region, id, service.cloud.clock.now())?;
    }
    let errors = match check(&input.resource_policy) {
        Err(fault) => vec![json!({"CheckName": "POLICY_SYNTAX", "ErrorMessage": fault.to_string()})],
        Ok(true) => {
            vec![json!({"CheckName": "PUBLIC_POLICY", "ErrorMessage": "The policy allows broad access to the secret."})]
        }
        Ok(false) => Vec::new(),
    };
    Ok(json!({"PolicyValidationPassed": errors.is_empty(), "ValidationErrors": errors}))
}
