//! Routes that ask for AWS_IAM: whose signature a request carries, and whether they may invoke the route.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::request::{Incoming, Staged};
use crate::allowed::is_allowed;
use crate::cloud::Cloud;
use crate::scope::Scope;
use crate::wire::sigv4::{self, Message, Refused, Verified};

const SERVICE: &str = "execute-api";
const ACTION: &str = "execute-api:Invoke";

/// Who signed, as `authorizer.iam` of events says it.
pub(super) async fn signer(
    cloud: &Cloud,
    scope: &Scope,
    (api, staged): (&str, &Staged<'_>),
    request: &Incoming,
) -> Result<Value, Refusal> {
    let (access_key, verified) = verified(cloud, scope, request).map_err(|refused| {
        // AWS says no more to the client, whatever is wrong with the signature.
        tracing::info!(%refused, api, "a request to a route with AWS_IAM was refused");
        Refusal::Forbidden
    })?;
    let stage = &staged.stage.stage_name;
    let resource = scope.arn(SERVICE, format!("{api}/{stage}/{}{}", request.verb(), staged.path));
    if !is_allowed(cloud, scope, &verified.caller, ACTION, &resource).await {
        return Err(Refusal::Forbidden);
    }
    let caller = Scope { caller: verified.caller, ..scope.clone() };
    let identity = cloud.call(&caller, "sts", "GetCallerIdentity", json!({})).await.map_err(|fault| {
        tracing::warn!(%fault, "STS does not say who signed a request");
        Refusal::Failed
    })?;
    Ok(json!({
        "accessKey": access_key, "accountId": identity["Account"], "callerId": identity["UserId"], "cognitoIdentity": null,
        "principalOrgId": null, "userArn": identity["Arn"], "userId": identity["UserId"],
    }))
}

fn verified(cloud: &Cloud, scope: &Scope, request: &Incoming) -> Result<(String, Verified), Refused> {
    let claim = sigv4::claim(&request.head.headers, request.head.uri.query())?.ok_or(Refused::Missing)?;
    claim.check_headers(&request.head.headers)?;
    if claim.service != SERVICE {
        return Err(Refused::Scope(format!("Credential should be scoped to correct service: '{SERVICE}'.")));
    }
    if claim.region != scope.region {
        return Err(Refused::Scope(format!("Credential should be scoped to a valid region, not '{}'.", claim.region)));
    }
    let message = Message::of(&request.head, &request.body);
    let verified = claim.verify(&cloud.credentials, &message, cloud.clock.now())?;
    Ok((claim.access_key_id, verified))
}
