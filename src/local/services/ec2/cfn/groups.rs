//! Security groups and their rules as resources.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{retag, tagged};
use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished,
};

pub(super) fn security_group() -> ResourceType {
    let known = ["GroupName", "GroupDescription", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags"];
    ResourceType::new("AWS::EC2::SecurityGroup", &known, SecurityGroup)
}

pub(super) fn rule(type_name: &'static str, way: Way) -> ResourceType {
    ResourceType::new(type_name, RULE, Rule(way))
}

/// The direction of a rule, and the names that go with it.
#[derive(Clone, Copy)]
pub(super) enum Way {
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
fn permission(rule: &Value) -> Value {
    let description = &rule["Description"];
    let one_of = |names: &[&str]| {
        names.iter().map(|name| rule[*name].clone()).find(|value| !value.is_null()).unwrap_or_default()
    };
    let mut permission = rule.pick(&["IpProtocol", "FromPort", "ToPort"]);
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
    permission
}

struct SecurityGroup;

impl SecurityGroup {
    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let output = cx.ask("DescribeSecurityGroups", json!({"GroupIds": [id]})).await?;
        let vpc = &output["SecurityGroups"][0]["VpcId"];
        Ok(Provisioned::with(id, json!({"Id": id, "GroupId": id, "VpcId": vpc})))
    }

    /// The rules a group should have in one direction. No egress rules mean AWS's default: everything out.
    fn wanted(properties: &Value, way: Way) -> Result<Vec<Value>, Fault> {
        let name = match way {
            Way::In => "SecurityGroupIngress",
            Way::Out => "SecurityGroupEgress",
        };
        let rules = properties.list(name);
        if rules.is_empty() && matches!(way, Way::Out) {
            return Ok(vec![json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})]);
        }
        let known = |rule: &Value| rule.only("AWS::EC2::SecurityGroup", RULE).map(|()| permission(rule));
        rules.iter().map(known).collect()
    }

    /// Goes from one set of rules to another; run again after an interruption it ends at the same place.
    async fn change(
        cx: &ResourceContext,
        id: &str,
        way: Way,
        (old, new): (&[Value], &[Value]),
    ) -> Result<(), ResourceFault> {
        let input = |rule: &Value| json!({"GroupId": id, "IpPermissions": [rule]});
        for rule in old.iter().filter(|rule| !new.contains(rule)) {
            cx.remove(way.revoke(), input(rule)).await?;
        }
        for rule in new {
            match cx.ask(way.authorize(), input(rule)).await {
                Err(fault) if fault.code == "InvalidPermission.Duplicate" => {
                    cx.ask(way.describe(), input(rule)).await?
                }
                answer => answer?,
            };
        }
        Ok(())
    }
}

#[async_trait]
impl Provider for SecurityGroup {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let input = json!({
            "GroupName": cx.name(properties, "GroupName", 255), "Description": properties["GroupDescription"],
            "VpcId": properties["VpcId"], "ClientToken": cx.token,
            "TagSpecifications": tagged(cx, "security-group", properties),
        });
        let output = cx.ask("CreateSecurityGroup", input).await?;
        let id = output.text("GroupId");
        let default = SecurityGroup::wanted(&Value::Null, Way::Out)?;
        for (way, old) in [(Way::In, Vec::new()), (Way::Out, default)] {
            let new = SecurityGroup::wanted(properties, way).unfinished(id)?;
            SecurityGroup::change(cx, id, way, (&old, &new)).await.unfinished(id)?;
        }
        SecurityGroup::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        for way in [Way::In, Way::Out] {
            let (before, after) = (SecurityGroup::wanted(old, way)?, SecurityGroup::wanted(new, way)?);
            SecurityGroup::change(cx, id, way, (&before, &after)).await?;
        }
        retag(cx, id, old, new).await?;
        SecurityGroup::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteSecurityGroup", json!({"GroupId": id})).await
    }
}

/// A rule as a resource of its own.
struct Rule(Way);

#[async_trait]
impl Provider for Rule {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = properties.pick(&["GroupId", "GroupName"]);
        input["IpPermissions"] = json!([permission(properties)]);
        input["ClientToken"] = json!(cx.token);
        let output = cx.ask(self.0.authorize(), input).await?;
        let id = output["SecurityGroupRules"][0].text("SecurityGroupRuleId");
        Ok(Provisioned::with(id, json!({"Id": id})))
    }

    /// Only the description changes in place; the rest of a rule is replaced.
    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        let change = json!({"SecurityGroupRuleId": id, "Description": new["Description"]});
        let input = json!({"GroupId": new["GroupId"], "SecurityGroupRuleDescriptions": [change]});
        cx.ask(self.0.describe(), input).await?;
        Ok(Provisioned::with(id, json!({"Id": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let mut input = properties.pick(&["GroupId", "GroupName"]);
        input["SecurityGroupRuleIds"] = json!([id]);
        cx.remove(self.0.revoke(), input).await
    }
}
