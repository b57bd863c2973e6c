//! EC2 networking in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, NetworkInterfaceStatus, ResourceType, SecurityGroupRule, Tag,
    TagSpecification,
};
use std::collections::BTreeMap;

/// A network interface that keeps a security group or subnet in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInterface {
    pub id: String,
    /// Nobody uses it any more: it can be deleted.
    pub free: bool,
    /// Lambda made it for a function (<https://docs.aws.amazon.com/lambda/latest/dg/foundation-networking.html>).
    pub of_lambda: bool,
}

/// A rule of a security group that lets a range of addresses in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    /// The addresses, IPv4 or IPv6.
    pub cidr: String,
    pub tags: BTreeMap<String, String>,
}

/// A rule to be made: who is let in, to which port, and how the rule is known later.
#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    pub group: &'a str,
    pub port: u16,
    pub cidr: &'a str,
    pub description: &'a str,
    pub tags: &'a [(&'a str, &'a str)],
}

impl Aws {
    /// Who is let in to a TCP port of a security group, by address.
    pub async fn entries(&self, group: &str, port: u16) -> Result<Vec<Entry>, AwsError> {
        let filter = Filter::builder().name("group-id").values(group).build();
        let mut pages = self.ec2().describe_security_group_rules().filters(filter).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("ec2:DescribeSecurityGroupRules"))?;
            found.extend(page.security_group_rules().iter().filter_map(|rule| entry(rule, port)));
        }
        Ok(found)
    }

    /// Lets a range of addresses in; `None` if a rule does so already.
    pub async fn add_entry(&self, new: &NewEntry<'_>) -> Result<Option<Entry>, AwsError> {
        const OPERATION: &str = "ec2:AuthorizeSecurityGroupIngress";
        let permission = IpPermission::builder().ip_protocol("tcp").from_port(new.port.into()).to_port(new.port.into());
        let permission = if new.cidr.contains(':') {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(new.cidr).description(new.description).build())
        } else {
            permission.ip_ranges(IpRange::builder().cidr_ip(new.cidr).description(new.description).build())
        };
        let tags = new.tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::SecurityGroupRule)
            .set_tags(Some(tags.collect()))
            .build();
        let request = self.ec2().authorize_security_group_ingress().group_id(new.group);
        let sent = request.ip_permissions(permission.build()).tag_specifications(tags).send().await;
        match sent.map_err(AwsError::of(OPERATION)) {
            Ok(answer) => {
                let made = answer.security_group_rules().iter().find_map(|rule| entry(rule, new.port));
                made.map(Some).ok_or(AwsError::Incomplete { operation: OPERATION, missing: "SecurityGroupRules" })
            }
            Err(error) if error.is("InvalidPermission.Duplicate") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a rule; that it is gone already is fine.
    pub async fn remove_entry(&self, group: &str, id: &str) -> Result<(), AwsError> {
        let request = self.ec2().revoke_security_group_ingress().group_id(group).security_group_rule_ids(id);
        match request.send().await.map_err(AwsError::of("ec2:RevokeSecurityGroupIngress")) {
            Err(error) if !error.is("InvalidSecurityGroupRuleId.NotFound") => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The network interfaces in a VPC, subnet or security group, by its id.
    pub async fn network_interfaces(&self, holder: &str) -> Result<Vec<NetworkInterface>, AwsError> {
        let name = match holder.split('-').next() {
            Some("sg") => "group-id",
            Some("subnet") => "subnet-id",
            _ => "vpc-id",
        };
        let filter = Filter::builder().name(name).values(holder).build();
        let sent = self.ec2().describe_network_interfaces().filters(filter).send().await;
        let answer = sent.map_err(AwsError::of("ec2:DescribeNetworkInterfaces"))?;
        let interfaces = answer.network_interfaces().iter();
        Ok(interfaces
            .map(|interface| NetworkInterface {
                id: interface.network_interface_id().unwrap_or_default().to_owned(),
                free: matches!(interface.status(), Some(NetworkInterfaceStatus::Available)),
                of_lambda: interface.description().unwrap_or_default().starts_with("AWS Lambda VPC ENI"),
            })
            .collect())
    }

    pub async fn delete_network_interface(&self, id: &str) -> Result<(), AwsError> {
        let sent = self.ec2().delete_network_interface().network_interface_id(id).send().await;
        match sent.map_err(AwsError::of("ec2:DeleteNetworkInterface")) {
            Err(error) if !error.is("InvalidNetworkInterfaceID.NotFound") => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// VPCs that carry all of these tags.
    pub async fn vpcs(&self, tags: &[(&str, &str)]) -> Result<Vec<String>, AwsError> {
        let sent = self.ec2().describe_vpcs().set_filters(Some(with(tags))).send().await;
        let answer = sent.map_err(AwsError::of("ec2:DescribeVpcs"))?;
        Ok(answer.vpcs().iter().filter_map(|vpc| vpc.vpc_id().map(str::to_owned)).collect())
    }

    /// Security groups that carry all of these tags.
    pub async fn security_groups(&self, tags: &[(&str, &str)]) -> Result<Vec<String>, AwsError> {
        let sent = self.ec2().describe_security_groups().set_filters(Some(with(tags))).send().await;
        let answer = sent.map_err(AwsError::of("ec2:DescribeSecurityGroups"))?;
        Ok(answer.security_groups().iter().filter_map(|group| group.group_id().map(str::to_owned)).collect())
    }
}

/// A rule as an entry, if it is one for this port.
fn entry(rule: &SecurityGroupRule, port: u16) -> Option<Entry> {
    let port = Some(i32::from(port));
    let ours = rule.is_egress() == Some(false) && rule.from_port() == port && rule.to_port() == port;
    let cidr = rule.cidr_ipv4().or(rule.cidr_ipv6()).filter(|_| ours)?.to_owned();
    let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    let tags = rule.tags().iter().filter_map(tag).collect();
    Some(Entry { id: rule.security_group_rule_id()?.to_owned(), cidr, tags })
}

fn with(tags: &[(&str, &str)]) -> Vec<Filter> {
    tags.iter().map(|(key, value)| Filter::builder().name(format!("tag:{key}")).values(*value).build()).collect()
}
