//! What the account and the region are.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::places;
use crate::services::ec2::state::{Cx, Network};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct AccountAttributes {
    #[serde(default)]
    attribute_names: Vec<String>,
}

pub(in super::super) fn account_attributes(
    network: &Network,
    _: &Cx<'_>,
    input: AccountAttributes,
) -> Result<Value, NetFault> {
    let default_vpc = network.default_vpc().unwrap_or_else(|_| "none".to_owned());
    let all = [("supported-platforms", "VPC"), ("default-vpc", default_vpc.as_str())];
    if let Some(unknown) = input.attribute_names.iter().find(|name| !all.iter().any(|(known, _)| known == name)) {
        return Err(NetFault::InvalidValue(format!("Value ({unknown}) for parameter attributeName is invalid.")));
    }
    let wanted = all.iter().filter(|(name, _)| {
        input.attribute_names.is_empty() || input.attribute_names.iter().any(|wanted| wanted == name)
    });
    let attributes: Vec<Value> = wanted
        .map(|(name, value)| json!({"AttributeName": name, "AttributeValues": [{"AttributeValue": value}]}))
        .collect();
    Ok(json!({"AccountAttributes": attributes}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct PrefixListOnly {
    prefix_list_id: String,
}

pub(in super::super) fn prefix_list_entries(
    _: &Network,
    cx: &Cx<'_>,
    input: PrefixListOnly,
) -> Result<Value, NetFault> {
    let lists = places::prefix_lists(&cx.scope.region);
    let list = lists.iter().find(|list| list.id == input.prefix_list_id);
    let list = list.ok_or(NetFault::NotFound(Kind::PrefixList, input.prefix_list_id))?;
    let entries: Vec<Value> = list.cidrs.iter().map(|cidr| json!({"Cidr": cidr})).collect();
    Ok(json!({"Entries": entries}))
}
