//! `AWS::IAM::Policy`, `AWS::IAM::RolePolicy` and its kin, `AWS::IAM::ManagedPolicy`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{KINDS, Kind, retag};
use crate::fault::Fault;
use crate::resource::{Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, Unfinished, compared};

/// One inline policy in several owners.
pub(super) struct Inline;

async fn put(cx: &ResourceContext, kind: Kind, owner: &Value, policy: &Value) -> Result<(), ResourceFault> {
    let document = policy["PolicyDocument"].to_text();
    let input = json!({kind.member(): owner, "PolicyName": policy["PolicyName"], "PolicyDocument": document});
    cx.ask(&format!("Put{}Policy", kind.0), input).await?;
    Ok(())
}

async fn remove(cx: &ResourceContext, kind: Kind, owner: &Value, policy: &Value) -> Result<(), ResourceFault> {
    let input = json!({kind.member(): owner, "PolicyName": policy["PolicyName"]});
    cx.remove(&format!("Delete{}Policy", kind.0), input).await
}

#[async_trait]
impl Provider for Inline {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        if KINDS.iter().all(|kind| properties.list(kind.plural()).is_empty()) {
            let message = "At least one of [Groups,Roles,Users] must be non-empty.";
            return Err(Fault::new("ValidationError", message).into());
        }
        let id = cx.generated_name(25);
        for kind in KINDS {
            for owner in properties.list(kind.plural()) {
                put(cx, kind, owner, properties).await.unfinished(&id)?;
            }
        }
        Ok(Provisioned::with(&id, json!({"Id": id})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let renamed = old["PolicyName"] != new["PolicyName"];
        for kind in KINDS {
            let (before, after) = (old.list(kind.plural()), new.list(kind.plural()));
            for owner in after {
                put(cx, kind, owner, new).await?;
            }
            for owner in before.iter().filter(|owner| renamed || !after.contains(owner)) {
                remove(cx, kind, owner, old).await?;
            }
        }
        Ok(Provisioned::with(id, json!({"Id": id})))
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        for kind in KINDS {
            for owner in properties.list(kind.plural()) {
                remove(cx, kind, owner, properties).await?;
            }
        }
        Ok(())
    }
}

/// One inline policy in one owner.
pub(super) struct Single(pub(super) Kind);

#[async_trait]
impl Provider for Single {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let owner = self.0.member();
        put(cx, self.0, &properties[&owner], properties).await?;
        Ok(Provisioned::named(format!("{}|{}", properties.text("PolicyName"), properties.text(&owner))))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        remove(cx, self.0, &properties[self.0.member()], properties).await
    }
}

pub(super) struct Managed;

async fn managed(cx: &ResourceContext, arn: &str) -> Made {
    let policy = cx.ask("GetPolicy", json!({"PolicyArn": arn})).await?;
    let policy = &policy["Policy"];
    let mut attributes = policy.pick(&[
        "PolicyId",
        "AttachmentCount",
        "DefaultVersionId",
        "IsAttachable",
        "PermissionsBoundaryUsageCount",
    ]);
    attributes["PolicyArn"] = policy["Arn"].clone();
    for date in ["CreateDate", "UpdateDate"] {
        attributes[date] = json!(policy.time(date));
    }
    Ok(Provisioned::with(arn, attributes))
}

/// Brings who the policy is attached to from what `old` says to what `new` says.
async fn attach(cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Result<(), ResourceFault> {
    for kind in KINDS {
        let (gone, added) = compared(old.list(kind.plural()), new.list(kind.plural()));
        for owner in added {
            cx.ask(&format!("Attach{}Policy", kind.0), json!({kind.member(): owner, "PolicyArn": arn})).await?;
        }
        for owner in gone {
            cx.remove(&format!("Detach{}Policy", kind.0), json!({kind.member(): owner, "PolicyArn": arn})).await?;
        }
    }
    Ok(())
}

/// Takes out the oldest versions until `keep` are left, sparing the default one.
async fn prune(cx: &ResourceContext, arn: &str, keep: usize) -> Result<(), ResourceFault> {
    let versions = cx.ask("ListPolicyVersions", json!({"PolicyArn": arn})).await?;
    let versions = versions.list("Versions");
    let spare = versions.len().saturating_sub(keep);
    for version in versions.iter().rev().filter(|version| version["IsDefaultVersion"] != json!(true)).take(spare) {
        cx.remove("DeletePolicyVersion", json!({"PolicyArn": arn, "VersionId": version["VersionId"]})).await?;
    }
    Ok(())
}

#[async_trait]
impl Provider for Managed {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let name = cx.name(properties, "ManagedPolicyName", 128);
        let mut input = properties.pick(&["Path", "Description"]);
        input["PolicyName"] = json!(name);
        input["PolicyDocument"] = json!(properties["PolicyDocument"].to_text());
        input["Tags"] = cx.tags(properties);
        let path = properties["Path"].as_str().unwrap_or("/");
        let arn = cx.scope.global_arn("iam", format!("policy{path}{name}"));
        let tags = async { Ok(cx.ask("ListPolicyTags", json!({"PolicyArn": arn})).await?["Tags"].clone()) };
        cx.make("CreatePolicy", input, tags).await?;
        attach(cx, &arn, &Value::Null, properties).await.unfinished(&arn)?;
        managed(cx, &arn).await.unfinished(&arn)
    }

    async fn update(&self, cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Made {
        if old["PolicyDocument"] != new["PolicyDocument"] {
            // Room for one more: a policy has five versions at most.
            prune(cx, arn, 4).await?;
            let document = new["PolicyDocument"].to_text();
            let input = json!({"PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": true});
            cx.ask("CreatePolicyVersion", input).await?;
        }
        attach(cx, arn, old, new).await?;
        retag(cx, ("Policy", "PolicyArn", arn), old, new).await?;
        managed(cx, arn).await
    }

    async fn delete(&self, cx: &ResourceContext, arn: &str, properties: &Value) -> Result<(), ResourceFault> {
        attach(cx, arn, properties, &Value::Null).await?;
        match prune(cx, arn, 1).await {
            Err(failed) if !failed.is_not_found() => return Err(failed),
            _ => {}
        }
        cx.remove("DeletePolicy", json!({"PolicyArn": arn})).await
    }
}
