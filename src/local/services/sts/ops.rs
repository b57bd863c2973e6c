//! The operations of STS.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Sts;
use super::trust::{self, Asker};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::credentials::Session;
use crate::fault::Fault;
use crate::scope::{ACCOUNT, Caller, Scope};

const HOUR: i64 = 3600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CallerIdentity {
    user_id: String,
    account: String,
    arn: String,
}

/// `GetCallerIdentity`.
pub(super) async fn get_caller_identity(sts: Arc<Sts>, call: &Call, _: Nothing) -> Result<CallerIdentity, Fault> {
    let scope = &call.scope;
    let account = scope.account.clone();
    let (user_id, arn) = match &scope.caller {
        Caller::Root => (account.clone(), root_arn(scope)),
        Caller::User { name, arn } => (id_of_user(&sts, scope, name).await?, arn.clone()),
        Caller::Role { arn, .. } => {
            let mut parts = arn.rsplit('/');
            let (session, role) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            (format!("{}:{session}", id_of_role(&sts, scope, role).await?), arn.clone())
        }
        Caller::Service { .. } | Caller::Anonymous => {
            return Err(Fault::new("AccessDenied", "Only users and roles have an identity").status(403));
        }
    };
    Ok(CallerIdentity { user_id, account, arn })
}

fn root_arn(scope: &Scope) -> String {
    scope.global_arn("iam", "root")
}

async fn id_of_user(sts: &Sts, scope: &Scope, name: &str) -> Result<String, Fault> {
    let found = sts.cloud.call(&Scope::root(&scope.region), "iam", "GetUser", json!({"UserName": name})).await;
    found.map(|user| text(&user["User"]["UserId"])).map_err(|_| gone())
}

async fn id_of_role(sts: &Sts, scope: &Scope, name: &str) -> Result<String, Fault> {
    role(sts, scope, name).await.map(|role| text(&role["RoleId"])).map_err(|_| gone())
}

/// The user or role of valid credentials has been deleted since.
fn gone() -> Fault {
    Fault::new("InvalidClientTokenId", "The security token included in the request is invalid.").status(403)
}

async fn role(sts: &Sts, scope: &Scope, name: &str) -> Result<Value, Fault> {
    let found = sts.cloud.call(&Scope::root(&scope.region), "iam", "GetRole", json!({"RoleName": name})).await?;
    Ok(found["Role"].clone())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Session policies and their like are refused: what they would narrow is not enforced here, so taking them would be a promise.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<i64>,
    external_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: Timestamp,
}

impl From<Session> for Credentials {
    fn from(session: Session) -> Self {
        Credentials {
            access_key_id: session.access_key_id,
            secret_access_key: session.secret.expose().to_owned(),
            session_token: session.token.expose().to_owned(),
            expiration: session.expires,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedRole {
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
}

/// `AssumeRole`: the role's trust policy decides. A role that is not there is refused in the same words, as on AWS.
pub(super) async fn assume_role(sts: Arc<Sts>, call: &Call, input: AssumeRole) -> Result<AssumedRole, Fault> {
    let scope = &call.scope;
    let denied = || not_authorized(scope, &input.role_arn);
    let prefix = format!("arn:aws:iam::{ACCOUNT}:role/");
    let name = input.role_arn.strip_prefix(&prefix).and_then(|path| path.rsplit('/').next()).ok_or_else(denied)?;
    let role = role(&sts, scope, name).await.map_err(|_| denied())?;
    if role["Arn"].as_str() != Some(&input.role_arn) {
        return Err(denied());
    }
    let document = text(&role["AssumeRolePolicyDocument"]);
    let document = percent_decode_str(&document).decode_utf8_lossy().into_owned();
    let policy: Value = serde_json::from_str(&document).map_err(|_| denied())?;
    let asker = Asker { caller: &scope.caller, external_id: input.external_id.as_deref() };
    if !trust::allows(&policy, &asker) {
        return Err(denied());
    }
    let seconds = input.duration_seconds.unwrap_or(HOUR);
    let longest = role["MaxSessionDuration"].as_i64().unwrap_or(HOUR);
    if seconds > longest {
        return Err(Fault::new(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    if seconds > HOUR && matches!(scope.caller, Caller::Role { .. }) {
        return Err(Fault::new(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    let arn = scope.global_arn("sts", format!("assumed-role/{name}/{}", input.role_session_name));
    let caller = Caller::Role { role_arn: input.role_arn.clone(), arn: arn.clone() };
    let assumed_role_id = format!("{}:{}", text(&role["RoleId"]), input.role_session_name);
    Ok(AssumedRole {
        credentials: issue(&sts, caller, seconds)?,
        assumed_role_user: AssumedRoleUser { assumed_role_id, arn },
    })
}

fn issue(sts: &Sts, caller: Caller, seconds: i64) -> Result<Credentials, Fault> {
    // AWS tells whole seconds.
    let expires = Timestamp::from_millis((sts.cloud.clock.now().seconds() + seconds) * 1000);
    sts.cloud.credentials.issue(caller, expires, &sts.cloud.ids).map(Credentials::from).map_err(Fault::internal)
}

fn not_authorized(scope: &Scope, role_arn: &str) -> Fault {
    let who = match &scope.caller {
        Caller::Root => root_arn(scope),
        Caller::User { arn, .. } | Caller::Role { arn, .. } => arn.clone(),
        Caller::Service { principal } => principal.clone(),
        Caller::Anonymous => "anonymous".to_owned(),
    };
    let message = format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {role_arn}");
    Fault::new("AccessDenied", message).status(403)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetSessionToken {
    duration_seconds: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SessionToken {
    credentials: Credentials,
}

/// `GetSessionToken`: for users, not for those who hold temporary credentials already.
pub(super) async fn get_session_token(
    sts: Arc<Sts>,
    call: &Call,
    input: GetSessionToken,
) -> Result<SessionToken, Fault> {
    let seconds = match &call.scope.caller {
        // The root user's are good for an hour at most.
        Caller::Root => input.duration_seconds.unwrap_or(HOUR).min(HOUR),
        Caller::User { .. } => input.duration_seconds.unwrap_or(12 * HOUR),
        Caller::Role { .. } | Caller::Service { .. } | Caller::Anonymous => {
            return Err(Fault::new("AccessDenied", "Cannot call GetSessionToken with session credentials").status(403));
        }
    };
    Ok(SessionToken { credentials: issue(&sts, call.scope.caller.clone(), seconds)? })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetAccessKeyInfo {
    #[expect(dead_code, reason = "every key is of the one account; the model has checked its form")]
    access_key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccessKeyInfo {
    account: String,
}

/// `GetAccessKeyInfo`.
pub(super) async fn get_access_key_info(_: Arc<Sts>, call: &Call, _: GetAccessKeyInfo) -> Result<AccessKeyInfo, Fault> {
    Ok(AccessKeyInfo { account: call.scope.account.clone() })
}
