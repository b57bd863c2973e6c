//! What identity policies allow: IAM is asked as a client would ask it.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::scope::{Caller, Scope};

/// Whether IAM allows `caller` to do `action` on `resource`. Root always may, a service and nobody never; a statement with a
/// condition does not count as one that allows it. Why it does not is in the log.
pub(crate) async fn is_allowed(cloud: &Cloud, scope: &Scope, caller: &Caller, action: &str, resource: &str) -> bool {
    let principal = match caller {
        Caller::Root => return true,
        Caller::Role { role_arn, .. } => role_arn,
        Caller::User { arn, .. } => arn,
        Caller::Service { .. } | Caller::Anonymous => return false,
    };
    let input = json!({"PolicySourceArn": principal, "ActionNames": [action], "ResourceArns": [resource]});
    match cloud.call(scope, "iam", "SimulatePrincipalPolicy", input).await {
        Ok(answer) => {
            let decision = answer.pointer("/EvaluationResults/0/EvalDecision").and_then(Value::as_str);
            let allowed = decision == Some("allowed");
            if !allowed {
                tracing::info!(principal, action, resource, "refused: the policies do not allow it");
            }
            allowed
        }
        Err(fault) => {
            tracing::info!(principal, action, resource, %fault, "refused: IAM does not say that it is allowed");
            false
        }
    }
}
