//! The master user's password: in a secret that RDS manages, changed, rotated.

use serde_json::{Value, json};

use super::cluster_rules::check_password;
use super::modify_cluster::Modify;
use crate::call::Call;
use crate::fault::Fault;
use crate::scope::Scope;
use crate::services::rds::cluster::Cluster;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::state::{DbCluster, MasterSecret, Rds};
use crate::services::rds::views;

/// Makes the secret that holds the master password; gives the password.
pub(super) async fn manage_password(rds: &Rds, scope: &Scope, cluster: &mut DbCluster) -> Result<String, RdsFault> {
    let password = format!("{}{}", rds.cloud.ids.lower(16), rds.cloud.ids.upper(16));
    let name = format!("rds!cluster-{}", rds.cloud.ids.uuid());
    let mut input = json!({
        "Name": name,
        "Description": format!("The secret associated with the primary RDS DB cluster: {}", views::cluster_arn(scope, &cluster.identifier)),
        "SecretString": json!({"username": cluster.master, "password": password}).to_string(),
    });
    let kms_key = cluster.secret.as_ref().and_then(|secret| secret.kms_key.clone());
    if let Some(kms_key) = &kms_key {
        input["KmsKeyId"] = kms_key.clone().into();
    }
    // A restart looks for secrets without a cluster in the regions that are on record.
    rds.put_on_record(scope).await?;
    let service = scope.as_service("rds.amazonaws.com");
    let made = rds.cloud.call(&service, "secretsmanager", "CreateSecret", input).await?;
    let arn = made.get("ARN").and_then(Value::as_str).ok_or_else(|| Fault::internal("the secret has no ARN"))?;
    cluster.secret = Some(MasterSecret { arn: arn.to_owned(), kms_key });
    Ok(password)
}

/// Gives the master user the password of the request, or another one of RDS's own.
pub(super) async fn change_password(
    rds: &Rds,
    call: &Call,
    cluster: &DbCluster,
    input: &Modify,
) -> Result<(), RdsFault> {
    let running = rds.running(&cluster.resource_id);
    let running =
        || running.clone().ok_or_else(|| RdsFault::ClusterState("The engine of the cluster is not running.".into()));
    if input.manage_master_user_password.is_some_and(|managed| managed != cluster.secret.is_some()) {
        return Err(Fault::unsupported("a change of ManageMasterUserPassword").into());
    }
    if let Some(password) = &input.master_user_password {
        if cluster.secret.is_some() {
            return Err(RdsFault::InvalidCombination(
                "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.".into(),
            ));
        }
        let password = check_password(password.clone())?;
        running()?.set_master_password(&cluster.master, &password).await?;
    }
    if input.rotate_master_user_password == Some(true) {
        let secret = cluster.secret.as_ref().ok_or_else(|| {
            RdsFault::InvalidCombination("You can't rotate a master user password that RDS doesn't manage.".into())
        })?;
        rotate(rds, call, (&*running()?, &cluster.master), &secret.arn).await?;
    }
    Ok(())
}

/// Gives the master user another password. It is in the secret, as pending, before the engine has it: whatever fails in
/// between, the password in force is in the secret.
async fn rotate(rds: &Rds, call: &Call, (running, master): (&Cluster, &str), secret: &str) -> Result<(), RdsFault> {
    let service = call.scope.as_service("rds.amazonaws.com");
    let send = async |operation: &str, input: Value| rds.cloud.call(&service, "secretsmanager", operation, input).await;
    let password = format!("{}{}", rds.cloud.ids.lower(16), rds.cloud.ids.upper(16));
    let text = json!({"username": master, "password": password}).to_string();
    let before = send("GetSecretValue", json!({"SecretId": secret})).await?["VersionId"].clone();
    let version = rds.cloud.ids.uuid();
    let pending = json!({
        "SecretId": secret, "SecretString": text, "ClientRequestToken": version, "VersionStages": ["AWSPENDING"],
    });
    send("PutSecretValue", pending).await?;
    running.set_master_password(master, &password).await?;
    let current = json!({
        "SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": before,
    });
    send("UpdateSecretVersionStage", current).await?;
    let settled = json!({"SecretId": secret, "VersionStage": "AWSPENDING", "RemoveFromVersionId": version});
    send("UpdateSecretVersionStage", settled).await?;
    Ok(())
}
