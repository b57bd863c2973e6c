//! What identity policies allow: IAM is asked as a client would ask it.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::scope::{Caller, Scope};

/// What the policies of a user or role say of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    /// A statement denies it.
    Denied,
    /// No statement allows it. One with a condition does not count.
    NotAllowed,
}

/// Asks IAM for the decision.
///
/// # Errors
/// There is no such user or role.
pub(crate) async fn decision(
    cloud: &Cloud,
    scope: &Scope,
    principal: &str,
    (action, resource): (&str, &str),
) -> Result<Decision, Fault> {
    let input = json!({"PolicySourceArn": principal, "ActionNames": [action], "ResourceArns": [resource]});
    let answer = cloud.call(scope, "iam", "SimulatePrincipalPolicy", input).await?;
    Ok(match answer.pointer("/EvaluationResults/0/EvalDecision").and_then(Value::as_str) {
        Some("allowed") => Decision::Allowed,
        Some("explicitDeny") => Decision::Denied,
        _ => Decision::NotAllowed,
    })
}

/// Whether IAM allows `caller` to do `action` on `resource`. Root always may, a service and nobody never. Why it does not is in
/// the log.
pub(crate) async fn is_allowed(cloud: &Cloud, scope: &Scope, caller: &Caller, action: &str, resource: &str) -> bool {
    let principal = match caller {
        Caller::Root => return true,
        Caller::Role { role_arn, .. } => role_arn,
        Caller::User { arn, .. } => arn,
        Caller::Service { .. } | Caller::Anonymous => return false,
    };
    match decision(cloud, scope, principal, (action, resource)).await {
        Ok(Decision::Allowed) => true,
        Ok(_) => {
            tracing::info!(principal, action, resource, "refused: the policies do not allow it");
            false
        }
        Err(fault) => {
            tracing::info!(principal, action, resource, %fault, "refused: IAM does not say that it is allowed");
            false
        }
    }
}
