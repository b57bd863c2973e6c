//! The CloudFormation types of QuickSight. All four have an id that the template may leave to CloudFormation.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::kind::Kind;
use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm, Unfinished,
};

pub(super) fn types() -> Vec<ResourceType> {
    let of = |type_name: &'static str, kind: Kind| {
        let known = ["AwsAccountId", kind.id(), "Name"];
        ResourceType::new(type_name, &known, Asset(kind)).and(kind.settings()).and(kind.given_once())
    };
    vec![
        of("AWS::QuickSight::VPCConnection", Kind::VpcConnection),
        of("AWS::QuickSight::DataSource", Kind::DataSource),
        of("AWS::QuickSight::DataSet", Kind::DataSet),
        of("AWS::QuickSight::Dashboard", Kind::Dashboard),
    ]
}

struct Asset(Kind);

impl Asset {
    fn operation(&self, verb: &str) -> String {
        format!("{verb}{}", self.0.name())
    }

    fn account(cx: &ResourceContext, properties: &Value) -> Value {
        properties.get("AwsAccountId").cloned().unwrap_or_else(|| json!(cx.scope.account))
    }

    fn arn(&self, cx: &ResourceContext, id: &str) -> String {
        super::state::arn(&cx.scope, self.0, id)
    }

    /// What names the asset in a request.
    fn place(&self, cx: &ResourceContext, id: &str) -> Value {
        json!({"AwsAccountId": cx.scope.account, self.0.id(): id})
    }

    fn settings(&self, properties: &Value) -> Value {
        let mut settings = properties.pick(self.0.settings());
        settings["Name"] = properties["Name"].clone();
        settings
    }

    async fn provisioned(&self, cx: &ResourceContext, id: &str) -> Made {
        let answer = cx.ask(&self.operation("Describe"), self.place(cx, id)).await?;
        let asset = &answer[self.0.name()];
        if self.0 == Kind::Dashboard && asset["Version"]["Status"] == "CREATION_FAILED" {
            return Err(ResourceFault::not_stabilized(asset["Version"]["Errors"].to_string()));
        }
        let names =
            ["Arn", "Status", "VPCId", "NetworkInterfaces", "OutputColumns", "ConsumedSpiceCapacityInBytes", "Version"];
        let mut attributes = asset.pick(&names);
        for time in ["CreatedTime", "LastUpdatedTime", "LastPublishedTime"] {
            if let Some(at) = asset.time(time) {
                attributes[time] = json!(at);
            }
        }
        // The physical id has the account in it, as the type's identifier has.
        Ok(Provisioned::with(format!("{}|{id}", cx.scope.account), attributes))
    }

    /// Brings the permissions from what the template said to what it says.
    async fn permit(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Result<(), Fault> {
        if old["Permissions"] == new["Permissions"] {
            return Ok(());
        }
        let mut input = self.place(cx, id);
        input["RevokePermissions"] = json!(old.list("Permissions"));
        input["GrantPermissions"] = json!(new.list("Permissions"));
        cx.ask(&format!("Update{}Permissions", self.0.name()), input).await.map(drop)
    }
}

/// The asset's own id of a physical id.
fn own(id: &str) -> &str {
    id.split_once('|').map_or(id, |(_, id)| id)
}

#[async_trait]
impl Provider for Asset {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.name(properties, self.0.id(), 512);
        let mut input = self.settings(properties);
        for name in self.0.given_once() {
            input[*name] = properties[*name].clone();
        }
        input["AwsAccountId"] = Asset::account(cx, properties);
        input[self.0.id()] = json!(id);
        input["Tags"] = cx.tags(properties);
        let tags = async {
            let answer = cx.ask("ListTagsForResource", json!({"ResourceArn": self.arn(cx, &id)})).await?;
            Ok(answer["Tags"].clone())
        };
        cx.make(&self.operation("Create"), input, tags).await?;
        self.provisioned(cx, &id).await.unfinished(&format!("{}|{id}", cx.scope.account))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let id = own(id);
        if self.settings(old) != self.settings(new) {
            let mut input = self.settings(new);
            input["AwsAccountId"] = Asset::account(cx, new);
            input[self.0.id()] = json!(id);
            let answer = cx.ask(&self.operation("Update"), input).await?;
            if self.0 == Kind::Dashboard {
                let version =
                    answer.text("VersionArn").rsplit('/').next().and_then(|number| number.parse::<i64>().ok());
                let mut input = self.place(cx, id);
                input["VersionNumber"] = json!(version);
                cx.ask("UpdateDashboardPublishedVersion", input).await?;
            }
        }
        if self.0 != Kind::VpcConnection {
            self.permit(cx, id, old, new).await?;
        }
        let place = json!({"ResourceArn": self.arn(cx, id)});
        cx.retag(("UntagResource", "TagResource"), place, TagForm::List, (old, new)).await?;
        self.provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove(&self.operation("Delete"), self.place(cx, own(id))).await
    }
}
