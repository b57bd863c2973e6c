//! Rules of security groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::group::{check_text, named};
use super::tags::{self, Specification};
use crate::services::ec2::cidr::{self, Cidr};
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::places;
use crate::services::ec2::state::{Cx, Network, Peer, Rule, found, found_mut};
use crate::services::ec2::views;

/// Rules per direction and group.
const MOST: usize = 60;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Permission {
    ip_protocol: Option<String>,
    #[serde(default)]
    from_port: Option<i64>,
    #[serde(default)]
    to_port: Option<i64>,
    #[serde(default)]
    ip_ranges: Vec<Source>,
    #[serde(default)]
    ipv6_ranges: Vec<Source>,
    #[serde(default)]
    prefix_list_ids: Vec<Source>,
    #[serde(default)]
    user_id_group_pairs: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Source {
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    cidr_ip: Option<String>,
    #[serde(default)]
    cidr_ipv6: Option<String>,
    #[serde(default)]
    prefix_list_id: Option<String>,
    #[serde(default)]
    group_id: Option<String>,
    #[serde(default)]
    group_name: Option<String>,
    /// The account that owns the group; there is one here.
    #[serde(default)]
    user_id: Option<String>,
    /// Part of what `DescribeSecurityGroups` shows, so that its output can be sent back.
    #[serde(default, rename = "VpcId")]
    _vpc_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Rules {
    #[serde(default)]
    group_id: Option<String>,
    #[serde(default)]
    group_name: Option<String>,
    #[serde(default)]
    ip_permissions: Vec<Permission>,
    #[serde(default)]
    security_group_rule_ids: Vec<String>,
    #[serde(default)]
    ip_protocol: Option<String>,
    #[serde(default)]
    from_port: Option<i64>,
    #[serde(default)]
    to_port: Option<i64>,
    #[serde(default)]
    cidr_ip: Option<String>,
    #[serde(default)]
    source_security_group_name: Option<String>,
    #[serde(default)]
    source_security_group_owner_id: Option<String>,
    #[serde(default)]
    tag_specifications: Vec<Specification>,
    /// CloudFormation's, not in the public model; for one rule.
    #[serde(default)]
    client_token: Option<String>,
}

impl Rules {
    /// One rule per source, and the group they belong to.
    fn read(&mut self, network: &Network, cx: &Cx<'_>, egress: bool) -> Result<(String, Vec<Rule>), NetFault> {
        let group = named(network, self.group_id.take(), self.group_name.take())?;
        if let Some(protocol) = self.ip_protocol.take() {
            let permission = self.short_form(protocol);
            self.ip_permissions.push(permission);
        }
        let mut rules = Vec::new();
        for permission in self.ip_permissions.drain(..) {
            permission.read(network, cx, (&group, egress), &mut rules)?;
        }
        Ok((group, rules))
    }

    fn short_form(&mut self, protocol: String) -> Permission {
        let source = |cidr_ip, group_name, user_id| Source {
            description: None,
            cidr_ip,
            cidr_ipv6: None,
            prefix_list_id: None,
            group_id: None,
            group_name,
            user_id,
            _vpc_id: None,
        };
        let name = self.source_security_group_name.take();
        let owner = self.source_security_group_owner_id.take();
        Permission {
            ip_protocol: Some(protocol),
            from_port: self.from_port,
            to_port: self.to_port,
            ip_ranges: self.cidr_ip.take().map(|cidr| source(Some(cidr), None, None)).into_iter().collect(),
            ipv6_ranges: Vec::new(),
            prefix_list_ids: Vec::new(),
            user_id_group_pairs: name.map(|name| source(None, Some(name), owner)).into_iter().collect(),
        }
    }
}

impl Permission {
    fn read(
        self,
        network: &Network,
        cx: &Cx<'_>,
        (group, egress): (&str, bool),
        rules: &mut Vec<Rule>,
    ) -> Result<(), NetFault> {
        let protocol = self.ip_protocol.as_deref().ok_or(NetFault::MissingParameter("IpProtocol"))?;
        let protocol = known_protocol(protocol)?;
        let (from, to) = ports(&protocol, self.from_port, self.to_port)?;
        let vpc = found(&network.groups, Kind::SecurityGroup, group)?.vpc.clone();
        let sources = self
            .ip_ranges
            .into_iter()
            .chain(self.ipv6_ranges)
            .chain(self.prefix_list_ids)
            .chain(self.user_id_group_pairs);
        let before = rules.len();
        for source in sources {
            let description = source.description.clone();
            if let Some(text) = description.as_deref().filter(|text| !text.is_empty()) {
                check_text("Description", text)?;
            }
            let peer = source.peer(network, cx, &vpc)?;
            rules.push(Rule {
                group: group.to_owned(),
                egress,
                protocol: protocol.clone(),
                from,
                to,
                peer,
                description,
            });
        }
        if rules.len() == before {
            return Err(NetFault::MissingParameter("cidrIp, prefixListId or groupId of the rule"));
        }
        Ok(())
    }
}

impl Source {
    fn peer(self, network: &Network, cx: &Cx<'_>, vpc: &str) -> Result<Peer, NetFault> {
        if self.user_id.as_ref().is_some_and(|user| *user != cx.scope.account) {
            return Err(NetFault::Unsupported("security groups of other accounts".to_owned()));
        }
        match (self.cidr_ip, self.cidr_ipv6, self.prefix_list_id, self.group_id, self.group_name) {
            (Some(cidr), None, None, None, None) => {
                let known = Cidr::exact(&cidr)
                    .ok_or_else(|| NetFault::InvalidValue(format!("CIDR block {cidr} is malformed")))?;
                Ok(Peer::Ipv4(known.to_string()))
            }
            (None, Some(cidr), None, None, None) if cidr::is_ipv6(&cidr) => Ok(Peer::Ipv6(cidr)),
            (None, Some(cidr), None, None, None) => {
                Err(NetFault::InvalidValue(format!("CIDR block {cidr} is malformed")))
            }
            (None, None, Some(id), None, None) => {
                match places::prefix_lists(&cx.scope.region).iter().any(|list| list.id == id) {
                    true => Ok(Peer::PrefixList(id)),
                    false => Err(NetFault::NotFound(Kind::PrefixList, id)),
                }
            }
            (None, None, None, Some(id), _) => {
                network.check_groups(std::slice::from_ref(&id), vpc)?;
                Ok(Peer::Group(id))
            }
            (None, None, None, None, Some(name)) => {
                let group = network.groups.iter().find(|(_, group)| group.vpc == vpc && group.name == name);
                group.map(|(id, _)| Peer::Group(id.clone())).ok_or(NetFault::NotFound(Kind::SecurityGroup, name))
            }
            _ => Err(NetFault::Combination("A rule has exactly one source or destination".to_owned())),
        }
    }
}

fn known_protocol(text: &str) -> Result<String, NetFault> {
    let lower = text.to_ascii_lowercase();
    Ok(match lower.as_str() {
        "6" => "tcp".into(),
        "17" => "udp".into(),
        "1" => "icmp".into(),
        "58" => "icmpv6".into(),
        "all" | "-1" => "-1".into(),
        "tcp" | "udp" | "icmp" | "icmpv6" => lower,
        number if number.parse::<u8>().is_ok() => lower,
        _ => return Err(NetFault::InvalidValue(format!("Invalid value '{text}' for IP protocol. Unknown protocol."))),
    })
}

fn ports(protocol: &str, from: Option<i64>, to: Option<i64>) -> Result<(i64, i64), NetFault> {
    match protocol {
        "tcp" | "udp" => match (from, to) {
            (Some(from), Some(to)) if (0..=65535).contains(&from) && (from..=65535).contains(&to) => Ok((from, to)),
            (Some(from), Some(to)) => {
                Err(NetFault::InvalidValue(format!("Invalid {} port range ({from}:{to})", protocol.to_uppercase())))
            }
            _ => Err(NetFault::InvalidValue(format!(
                "Invalid value 'Must specify both from and to ports with {}.' for portRange.",
                protocol.to_uppercase()
            ))),
        },
        "icmp" | "icmpv6" => Ok((from.unwrap_or(-1), to.unwrap_or(-1))),
        // All protocols, or one by number: all ports, whatever the request says.
        _ => Ok((-1, -1)),
    }
}

fn words(rule: &Rule) -> String {
    let peer = match &rule.peer {
        Peer::Ipv4(text) | Peer::Ipv6(text) | Peer::PrefixList(text) | Peer::Group(text) => text,
    };
    match rule.protocol.as_str() {
        "-1" => format!("peer: {peer}, ALL, ALLOW"),
        protocol => {
            format!("peer: {peer}, {}, from port: {}, to port: {}, ALLOW", protocol.to_uppercase(), rule.from, rule.to)
        }
    }
}

fn authorize(network: &mut Network, cx: &Cx<'_>, mut input: Rules, egress: bool) -> Result<Value, NetFault> {
    if !input.security_group_rule_ids.is_empty() {
        return Err(NetFault::Unsupported(
            "the parameter SecurityGroupRuleIds of AuthorizeSecurityGroupIngress".to_owned(),
        ));
    }
    if let Some(id) = network.made_for(input.client_token.as_ref()) {
        return Ok(json!({"Return": true, "SecurityGroupRules": [views::security_group_rule(network, cx, &id)]}));
    }
    let (group, rules) = input.read(network, cx, egress)?;
    if rules.is_empty() {
        return Err(NetFault::MissingParameter("ipPermissions"));
    }
    let mut made = Vec::new();
    for rule in rules {
        if network.rules.values().any(|known| known.same(&rule)) {
            return Err(NetFault::DuplicateRule(words(&rule)));
        }
        let id = cx.ids.ec2("sgr");
        network.rules.insert(id.clone(), rule);
        made.push(id);
    }
    if network.rules.values().filter(|rule| rule.group == group && rule.egress == egress).count() > MOST {
        let message = format!("The maximum number of rules per security group has been reached: {group}");
        return Err(NetFault::Refused("RulesPerSecurityGroupLimitExceeded", message));
    }
    let specifications: Vec<Specification> = input.tag_specifications;
    if let [only] = made.as_slice() {
        network.remember(input.client_token, only);
        tags::apply(network, cx, only, specifications)?;
    } else if !specifications.is_empty() {
        return Err(NetFault::Unsupported("TagSpecifications with several rules in one request".to_owned()));
    }
    let views: Vec<Value> = made.iter().map(|id| views::security_group_rule(network, cx, id)).collect();
    Ok(json!({"Return": true, "SecurityGroupRules": views}))
}

pub(in super::super) fn authorize_ingress(network: &mut Network, cx: &Cx<'_>, input: Rules) -> Result<Value, NetFault> {
    authorize(network, cx, input, false)
}

pub(in super::super) fn authorize_egress(network: &mut Network, cx: &Cx<'_>, input: Rules) -> Result<Value, NetFault> {
    authorize(network, cx, input, true)
}

fn revoke(network: &mut Network, cx: &Cx<'_>, mut input: Rules, egress: bool) -> Result<Value, NetFault> {
    let ids = std::mem::take(&mut input.security_group_rule_ids);
    let (group, rules) = input.read(network, cx, egress)?;
    let mut gone = Vec::new();
    for id in ids {
        let rule = found(&network.rules, Kind::SecurityGroupRule, &id)?;
        if rule.group != group || rule.egress != egress {
            return Err(NetFault::NotFound(Kind::SecurityGroupRule, id));
        }
        gone.push(id);
    }
    for rule in rules {
        let known = network.rules.iter().find(|(_, known)| known.same(&rule)).map(|(id, _)| id.clone());
        gone.push(known.ok_or(NetFault::RuleNotFound)?);
    }
    if gone.is_empty() {
        return Err(NetFault::MissingParameter("ipPermissions"));
    }
    let mut views = Vec::new();
    for id in gone {
        let mut view = views::security_group_rule(network, cx, &id);
        if let Some(members) = view.as_object_mut() {
            let referenced = members.remove("ReferencedGroupInfo");
            if let Some(referenced) = referenced {
                members.insert("ReferencedGroupId".into(), referenced["GroupId"].clone());
            }
            for more in ["GroupOwnerId", "Tags", "SecurityGroupRuleArn"] {
                members.remove(more);
            }
        }
        views.push(view);
        network.rules.remove(&id);
        network.forget(&id);
    }
    Ok(json!({"Return": true, "RevokedSecurityGroupRules": views}))
}

pub(in super::super) fn revoke_ingress(network: &mut Network, cx: &Cx<'_>, input: Rules) -> Result<Value, NetFault> {
    revoke(network, cx, input, false)
}

pub(in super::super) fn revoke_egress(network: &mut Network, cx: &Cx<'_>, input: Rules) -> Result<Value, NetFault> {
    revoke(network, cx, input, true)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ModifyRules {
    group_id: String,
    security_group_rules: Vec<ModifyRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ModifyRule {
    security_group_rule_id: String,
    security_group_rule: Option<NewRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NewRule {
    ip_protocol: Option<String>,
    #[serde(default)]
    from_port: Option<i64>,
    #[serde(default)]
    to_port: Option<i64>,
    #[serde(default)]
    cidr_ipv4: Option<String>,
    #[serde(default)]
    cidr_ipv6: Option<String>,
    #[serde(default)]
    prefix_list_id: Option<String>,
    #[serde(default)]
    referenced_group_id: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

/// ModifySecurityGroupRules: each rule is replaced as a whole and keeps its id.
pub(in super::super) fn modify(network: &mut Network, cx: &Cx<'_>, input: ModifyRules) -> Result<Value, NetFault> {
    for change in input.security_group_rules {
        let id = change.security_group_rule_id;
        let old = found(&network.rules, Kind::SecurityGroupRule, &id)?.clone();
        if old.group != input.group_id {
            return Err(NetFault::NotFound(Kind::SecurityGroupRule, id));
        }
        let new = change.security_group_rule.ok_or(NetFault::MissingParameter("SecurityGroupRule"))?;
        let source = Source {
            description: new.description,
            cidr_ip: new.cidr_ipv4,
            cidr_ipv6: new.cidr_ipv6,
            prefix_list_id: new.prefix_list_id,
            group_id: new.referenced_group_id,
            group_name: None,
            user_id: None,
            _vpc_id: None,
        };
        let permission = Permission {
            ip_protocol: new.ip_protocol,
            from_port: new.from_port,
            to_port: new.to_port,
            ip_ranges: vec![source],
            ipv6_ranges: Vec::new(),
            prefix_list_ids: Vec::new(),
            user_id_group_pairs: Vec::new(),
        };
        let mut rules = Vec::new();
        permission.read(network, cx, (&old.group, old.egress), &mut rules)?;
        for rule in rules {
            if network.rules.iter().any(|(other, known)| *other != id && known.same(&rule)) {
                return Err(NetFault::DuplicateRule(words(&rule)));
            }
            network.rules.insert(id.clone(), rule);
        }
    }
    Ok(json!({"Return": true}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeRules {
    #[serde(default)]
    group_id: Option<String>,
    #[serde(default)]
    group_name: Option<String>,
    #[serde(default)]
    ip_permissions: Vec<Permission>,
    #[serde(default)]
    security_group_rule_descriptions: Vec<RuleDescription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RuleDescription {
    security_group_rule_id: String,
    #[serde(default)]
    description: Option<String>,
}

fn describe(network: &mut Network, cx: &Cx<'_>, input: DescribeRules, egress: bool) -> Result<Value, NetFault> {
    for RuleDescription { security_group_rule_id, description } in input.security_group_rule_descriptions {
        found_mut(&mut network.rules, Kind::SecurityGroupRule, &security_group_rule_id)?.description = description;
    }
    if !input.ip_permissions.is_empty() {
        let group = named(network, input.group_id, input.group_name)?;
        let mut rules = Vec::new();
        for permission in input.ip_permissions {
            permission.read(network, cx, (&group, egress), &mut rules)?;
        }
        for rule in rules {
            let known = network.rules.values_mut().find(|known| known.same(&rule)).ok_or(NetFault::RuleNotFound)?;
            known.description = rule.description;
        }
    }
    Ok(json!({"Return": true}))
}

/// UpdateSecurityGroupRuleDescriptionsIngress.
pub(in super::super) fn describe_ingress(
    network: &mut Network,
    cx: &Cx<'_>,
    input: DescribeRules,
) -> Result<Value, NetFault> {
    describe(network, cx, input, false)
}

/// UpdateSecurityGroupRuleDescriptionsEgress.
pub(in super::super) fn describe_egress(
    network: &mut Network,
    cx: &Cx<'_>,
    input: DescribeRules,
) -> Result<Value, NetFault> {
    describe(network, cx, input, true)
}
