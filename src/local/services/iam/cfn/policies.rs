//! `AWS::IAM::Policy`, `AWS::IAM::RolePolicy` and its kin, `AWS::IAM::ManagedPolicy`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{KINDS, Kind, Made, document, is_ours, made, name, retag, send, send_gone, text, texts};
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};
use crate::local::scope::ACCOUNT;

/// One inline policy in several owners.
pub(super) struct Inline {
    pub(super) type_name: &'static str,
}

async fn put(cx: &ResourceContext, kind: Kind, owner: &str, policy: &Value) -> Result<(), Fault> {
    let input = json!({
        kind.member(): owner, "PolicyName": policy["PolicyName"], "PolicyDocument": document(&policy["PolicyDocument"]),
    });
    send(cx, &format!("Put{}Policy", kind.0), input).await.map(drop)
}

async fn remove(cx: &ResourceContext, kind: Kind, owner: &str, policy: &Value) -> Result<(), Fault> {
    let input = json!({kind.member(): owner, "PolicyName": policy["PolicyName"]});
    send_gone(cx, &format!("Delete{}Policy", kind.0), input).await
}

#[async_trait]
impl ResourceType for Inline {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        if KINDS.iter().all(|kind| texts(&properties[kind.plural()]).is_empty()) {
            let message = "At least one of [Groups,Roles,Users] must be non-empty.";
            return Err(Fault::new("ValidationError", message).into());
        }
        let id = cx.generated_name(25);
        for kind in KINDS {
            for owner in texts(&properties[kind.plural()]) {
                put(cx, kind, owner, properties).await.unfinished(&id)?;
            }
        }
        Ok(made(&id, &[("Id", &json!(id))]))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        for kind in KINDS {
            let after = texts(&new[kind.plural()]);
            for owner in &after {
                put(cx, kind, owner, new).await?;
            }
            let renamed = old["PolicyName"] != new["PolicyName"];
            for owner in texts(&old[kind.plural()]).into_iter().filter(|owner| renamed || !after.contains(owner)) {
                remove(cx, kind, owner, old).await?;
            }
        }
        Ok(made(id, &[("Id", &json!(id))]))
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        for kind in KINDS {
            for owner in texts(&properties[kind.plural()]) {
                remove(cx, kind, owner, properties).await?;
            }
        }
        Ok(())
    }
}

/// One inline policy in one owner.
pub(super) struct Single {
    pub(super) type_name: &'static str,
    pub(super) kind: Kind,
}

impl Single {
    fn made(&self, properties: &Value) -> Provisioned {
        let (policy, owner) = (text(&properties["PolicyName"]), text(&properties[self.kind.member()]));
        made(&format!("{policy}|{owner}"), &[])
    }
}

#[async_trait]
impl ResourceType for Single {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        put(cx, self.kind, text(&properties[self.kind.member()]), properties).await?;
        Ok(self.made(properties))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        Ok(remove(cx, self.kind, text(&properties[self.kind.member()]), properties).await?)
    }
}

pub(super) struct Managed;

async fn managed(cx: &ResourceContext, arn: &str) -> Made {
    let policy = send(cx, "GetPolicy", json!({"PolicyArn": arn})).await?;
    let policy = &policy["Policy"];
    Ok(made(
        arn,
        &[
            ("PolicyArn", &policy["Arn"]),
            ("PolicyId", &policy["PolicyId"]),
            ("AttachmentCount", &policy["AttachmentCount"]),
            ("DefaultVersionId", &policy["DefaultVersionId"]),
            ("IsAttachable", &policy["IsAttachable"]),
            ("PermissionsBoundaryUsageCount", &policy["PermissionsBoundaryUsageCount"]),
        ],
    ))
}

/// Brings who the policy is attached to from what `old` says to what `new` says.
async fn attach(cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    for kind in KINDS {
        let (before, after) = (texts(&old[kind.plural()]), texts(&new[kind.plural()]));
        for owner in after.iter().filter(|owner| !before.contains(owner)) {
            send(cx, &format!("Attach{}Policy", kind.0), json!({kind.member(): owner, "PolicyArn": arn})).await?;
        }
        for owner in before.iter().filter(|owner| !after.contains(owner)) {
            send_gone(cx, &format!("Detach{}Policy", kind.0), json!({kind.member(): owner, "PolicyArn": arn})).await?;
        }
    }
    Ok(())
}

/// Takes out every version but the default one, oldest first, as many as `keep` leaves.
async fn prune(cx: &ResourceContext, arn: &str, keep: usize) -> Result<(), Fault> {
    let versions = send(cx, "ListPolicyVersions", json!({"PolicyArn": arn})).await?;
    let versions = versions["Versions"].as_array().cloned().unwrap_or_default();
    let spare = versions.len().saturating_sub(keep);
    for version in versions.iter().rev().filter(|version| version["IsDefaultVersion"] != json!(true)).take(spare) {
        send_gone(cx, "DeletePolicyVersion", json!({"PolicyArn": arn, "VersionId": version["VersionId"]})).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for Managed {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::ManagedPolicy"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let name = name(cx, &properties["ManagedPolicyName"], 128);
        let input = json!({
            "PolicyName": name, "Path": properties["Path"], "Description": properties["Description"],
            "PolicyDocument": document(&properties["PolicyDocument"]), "Tags": cx.tags(properties.get("Tags")),
        });
        let arn = match send(cx, "CreatePolicy", input).await {
            Err(fault) if fault.code == "EntityAlreadyExists" => {
                let arn = format!("arn:aws:iam::{ACCOUNT}:policy{}{name}", properties["Path"].as_str().unwrap_or("/"));
                let tags = send(cx, "ListPolicyTags", json!({"PolicyArn": arn})).await.map_err(|_| fault.clone())?;
                if !is_ours(cx, &tags["Tags"]) {
                    return Err(fault.into());
                }
                arn
            }
            made => text(&made?["Policy"]["Arn"]).to_owned(),
        };
        attach(cx, &arn, &Value::Null, properties).await.unfinished(&arn)?;
        managed(cx, &arn).await.unfinished(&arn)
    }

    async fn update(&self, cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Made {
        if old["PolicyDocument"] != new["PolicyDocument"] {
            // Room for one more: a policy has five versions at most.
            prune(cx, arn, 4).await?;
            let input =
                json!({"PolicyArn": arn, "PolicyDocument": document(&new["PolicyDocument"]), "SetAsDefault": true});
            send(cx, "CreatePolicyVersion", input).await?;
        }
        attach(cx, arn, old, new).await?;
        retag(cx, ("Policy", "PolicyArn", arn), old, new).await?;
        managed(cx, arn).await
    }

    async fn delete(&self, cx: &ResourceContext, arn: &str, properties: &Value) -> Result<(), ResourceFault> {
        attach(cx, arn, properties, &Value::Null).await?;
        match prune(cx, arn, 1).await {
            Err(fault) if fault.code != "NoSuchEntity" => return Err(fault.into()),
            _ => {}
        }
        Ok(send_gone(cx, "DeletePolicy", json!({"PolicyArn": arn})).await?)
    }
}
