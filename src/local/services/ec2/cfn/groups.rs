//! Security groups and their rules as resources.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Made, made, number, only, retag, send, send_gone, tagged, text};
use crate::local::fault::Fault;
use crate::local::resource::{ResourceContext, ResourceFault, ResourceType, Unfinished};

/// The direction of a rule, and the names that go with it.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Way {
    const fn authorize(self) -> &'static str {
        match self {
            Way::In => "AuthorizeSecurityGroupIngress",
            Way::Out => "AuthorizeSecurityGroupEgress",
        }
    }

    const fn revoke(self) -> &'static str {
        match self {
            Way::In => "RevokeSecurityGroupIngress",
            Way::Out => "RevokeSecurityGroupEgress",
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Way::In => "UpdateSecurityGroupRuleDescriptionsIngress",
            Way::Out => "UpdateSecurityGroupRuleDescriptionsEgress",
        }
    }
}

/// What a rule may say, inline or as a resource of its own.
const RULE: &[&str] = &[
    "GroupId",
    "GroupName",
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
    "CidrIpv6",
    "Description",
    "SourceSecurityGroupId",
    "SourceSecurityGroupName",
    "SourceSecurityGroupOwnerId",
    "SourcePrefixListId",
    "DestinationSecurityGroupId",
    "DestinationPrefixListId",
];

/// A template's rule as one of `IpPermissions`.
fn permission(type_name: &str, rule: &Value) -> Result<Value, Fault> {
    only(type_name, rule, RULE)?;
    let description = &rule["Description"];
    let one_of = |names: &[&str]| {
        names.iter().map(|name| rule[*name].clone()).find(|value| !value.is_null()).unwrap_or_default()
    };
    let mut permission = json!({"IpProtocol": rule["IpProtocol"], "FromPort": number(&rule["FromPort"]), "ToPort": number(&rule["ToPort"])});
    // An unquoted -1 in YAML is a number.
    if let Some(protocol) = rule["IpProtocol"].as_i64() {
        permission["IpProtocol"] = json!(protocol.to_string());
    }
    let group = one_of(&["SourceSecurityGroupId", "DestinationSecurityGroupId"]);
    let list = one_of(&["SourcePrefixListId", "DestinationPrefixListId"]);
    if !rule["CidrIp"].is_null() {
        permission["IpRanges"] = json!([{"CidrIp": rule["CidrIp"], "Description": description}]);
    }
    if !rule["CidrIpv6"].is_null() {
        permission["Ipv6Ranges"] = json!([{"CidrIpv6": rule["CidrIpv6"], "Description": description}]);
    }
    if !list.is_null() {
        permission["PrefixListIds"] = json!([{"PrefixListId": list, "Description": description}]);
    }
    if !group.is_null() || !rule["SourceSecurityGroupName"].is_null() {
        permission["UserIdGroupPairs"] = json!([{
            "GroupId": group, "GroupName": rule["SourceSecurityGroupName"], "UserId": rule["SourceSecurityGroupOwnerId"],
            "Description": description,
        }]);
    }
    Ok(permission)
}

pub(super) struct SecurityGroup;

impl SecurityGroup {
    const KNOWN: &'static [&'static str] =
        &["GroupName", "GroupDescription", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags"];

    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let output = send(cx, "DescribeSecurityGroups", json!({"GroupIds": [id]})).await?;
        let vpc = &output["SecurityGroups"][0]["VpcId"];
        Ok(made(id, json!({"Id": id, "GroupId": id, "VpcId": vpc})))
    }

    /// The rules a group should have in one direction. No egress rules mean AWS's default: everything out.
    fn wanted(type_name: &str, properties: &Value, way: Way) -> Result<Vec<Value>, Fault> {
        let name = match way {
            Way::In => "SecurityGroupIngress",
            Way::Out => "SecurityGroupEgress",
        };
        let rules = properties[name].as_array().cloned().unwrap_or_default();
        if rules.is_empty() && matches!(way, Way::Out) {
            return Ok(vec![json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})]);
        }
        rules.iter().map(|rule| permission(type_name, rule)).collect()
    }

    /// Goes from one set of rules to another; run again after an interruption it ends at the same place.
    async fn change(cx: &ResourceContext, id: &str, way: Way, (old, new): (&[Value], &[Value])) -> Result<(), Fault> {
        for rule in old.iter().filter(|rule| !new.contains(rule)) {
            match send(cx, way.revoke(), json!({"GroupId": id, "IpPermissions": [rule]})).await {
                Err(fault) if fault.code != "InvalidPermission.NotFound" => return Err(fault),
                _ => {}
            }
        }
        for rule in new {
            match send(cx, way.authorize(), json!({"GroupId": id, "IpPermissions": [rule]})).await {
                Err(fault) if fault.code == "InvalidPermission.Duplicate" => {
                    send(cx, way.describe(), json!({"GroupId": id, "IpPermissions": [rule]})).await?;
                }
                Err(fault) => return Err(fault),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ResourceType for SecurityGroup {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SecurityGroup"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, SecurityGroup::KNOWN)?;
        let name = properties["GroupName"].as_str().map_or_else(|| cx.generated_name(255), str::to_owned);
        let input = json!({
            "GroupName": name, "Description": properties["GroupDescription"], "VpcId": properties["VpcId"], "ClientToken": cx.token,
            "TagSpecifications": tagged(cx, "security-group", properties),
        });
        let output = send(cx, "CreateSecurityGroup", input).await?;
        let id = text(&output["GroupId"]);
        let default = SecurityGroup::wanted(self.type_name(), &Value::Null, Way::Out)?;
        for (way, old) in [(Way::In, Vec::new()), (Way::Out, default)] {
            let new = SecurityGroup::wanted(self.type_name(), properties, way).unfinished(id)?;
            SecurityGroup::change(cx, id, way, (&old, &new)).await.unfinished(id)?;
        }
        SecurityGroup::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        only(self.type_name(), new, SecurityGroup::KNOWN)?;
        for way in [Way::In, Way::Out] {
            let before = SecurityGroup::wanted(self.type_name(), old, way)?;
            let after = SecurityGroup::wanted(self.type_name(), new, way)?;
            SecurityGroup::change(cx, id, way, (&before, &after)).await?;
        }
        retag(cx, id, old, new).await?;
        SecurityGroup::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        send_gone(cx, "DeleteSecurityGroup", json!({"GroupId": id})).await
    }
}

async fn create_rule(cx: &ResourceContext, type_name: &str, way: Way, properties: &Value) -> Made {
    let input = json!({
        "GroupId": properties["GroupId"], "GroupName": properties["GroupName"], "IpPermissions": [permission(type_name, properties)?],
        "ClientToken": cx.token,
    });
    let output = send(cx, way.authorize(), input).await?;
    let id = text(&output["SecurityGroupRules"][0]["SecurityGroupRuleId"]);
    Ok(made(id, json!({"Id": id})))
}

/// Only the description changes in place; the rest of a rule is replaced.
async fn update_rule(cx: &ResourceContext, way: Way, id: &str, new: &Value) -> Made {
    let change = json!({"SecurityGroupRuleId": id, "Description": new["Description"]});
    send(cx, way.describe(), json!({"GroupId": new["GroupId"], "SecurityGroupRuleDescriptions": [change]})).await?;
    Ok(made(id, json!({"Id": id})))
}

async fn delete_rule(cx: &ResourceContext, way: Way, id: &str, properties: &Value) -> Result<(), ResourceFault> {
    let input =
        json!({"GroupId": properties["GroupId"], "GroupName": properties["GroupName"], "SecurityGroupRuleIds": [id]});
    send_gone(cx, way.revoke(), input).await
}

pub(super) struct Ingress;

#[async_trait]
impl ResourceType for Ingress {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SecurityGroupIngress"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        create_rule(cx, self.type_name(), Way::In, properties).await
    }

    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        update_rule(cx, Way::In, id, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        delete_rule(cx, Way::In, id, properties).await
    }
}

pub(super) struct Egress;

#[async_trait]
impl ResourceType for Egress {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SecurityGroupEgress"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        create_rule(cx, self.type_name(), Way::Out, properties).await
    }

    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        update_rule(cx, Way::Out, id, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        delete_rule(cx, Way::Out, id, properties).await
    }
}
