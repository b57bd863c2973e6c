//! Security groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Specification};
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::state::{Cx, Network, Peer, found};
use crate::services::ec2::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateGroup {
    group_name: String,
    description: String,
    #[serde(default)]
    vpc_id: Option<String>,
    #[serde(default)]
    tag_specifications: Vec<Specification>,
    /// CloudFormation's, not in the public model.
    #[serde(default)]
    client_token: Option<String>,
}

pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: CreateGroup) -> Result<Value, NetFault> {
    let id = match network.made_for(input.client_token.as_ref()) {
        Some(id) => id,
        None => {
            let vpc = input.vpc_id.map_or_else(|| network.default_vpc(), Ok)?;
            found(&network.vpcs, Kind::Vpc, &vpc)?;
            check_text("groupName", &input.group_name)?;
            check_text("GroupDescription", &input.description)?;
            if input.group_name.starts_with("sg-") {
                let message = format!(
                    "Value ({}) for parameter groupName is invalid. Group names may not be in the format sg-*",
                    input.group_name
                );
                return Err(NetFault::InvalidValue(message));
            }
            if network.groups.values().any(|group| group.vpc == vpc && group.name == input.group_name) {
                return Err(NetFault::DuplicateGroup { name: input.group_name, vpc });
            }
            let id = network.add_group(cx, &input.group_name, &input.description, &vpc);
            tags::apply(network, cx, &id, input.tag_specifications)?;
            network.remember(input.client_token, &id);
            id
        }
    };
    let arn = cx.scope.arn("ec2", format!("security-group/{id}"));
    Ok(json!({"GroupId": id, "SecurityGroupArn": arn, "Tags": views::tags(network, &id)}))
}

/// AWS's rule for names and descriptions of groups and rules.
pub(super) fn check_text(parameter: &str, text: &str) -> Result<(), NetFault> {
    let good = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(good) {
        let message = format!(
            "Value ({text}) for parameter {parameter} is invalid. Character sets beyond ASCII are not supported."
        );
        return Err(NetFault::InvalidValue(message));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteGroup {
    #[serde(default)]
    group_id: Option<String>,
    #[serde(default)]
    group_name: Option<String>,
}

pub(in super::super) fn delete(network: &mut Network, _: &Cx<'_>, input: DeleteGroup) -> Result<Value, NetFault> {
    let id = named(network, input.group_id, input.group_name)?;
    let group = found(&network.groups, Kind::SecurityGroup, &id)?;
    if group.name == "default" {
        let message = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(NetFault::Refused("CannotDelete", message));
    }
    let referenced = network.rules.values().any(|rule| rule.group != id && rule.peer == Peer::Group(id.clone()));
    let used = network.interfaces.values().any(|interface| interface.groups.contains(&id))
        || network.endpoints.values().any(|endpoint| endpoint.groups.contains(&id));
    if referenced || used {
        return Err(NetFault::InUse(format!("resource {id} has a dependent object")));
    }
    let rules: Vec<String> =
        network.rules.iter().filter(|(_, rule)| rule.group == id).map(|(rule, _)| rule.clone()).collect();
    for rule in rules {
        network.rules.remove(&rule);
        network.forget(&rule);
    }
    network.groups.remove(&id);
    network.forget(&id);
    Ok(json!({"Return": true, "GroupId": id}))
}

/// The group by its id, or by its name in the default VPC.
pub(super) fn named(network: &Network, id: Option<String>, name: Option<String>) -> Result<String, NetFault> {
    match (id, name) {
        (Some(id), _) => found(&network.groups, Kind::SecurityGroup, &id).map(|_| id),
        (None, Some(name)) => {
            let vpc = network.default_vpc()?;
            let group = network.groups.iter().find(|(_, group)| group.vpc == vpc && group.name == name);
            group.map(|(id, _)| id.clone()).ok_or(NetFault::NotFound(Kind::SecurityGroup, name))
        }
        (None, None) => Err(NetFault::MissingParameter("groupName or groupId")),
    }
}
