//! EC2 networking in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_ec2::types::{Filter, NetworkInterfaceStatus};

/// A network interface that keeps a security group or subnet in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInterface {
    pub id: String,
    /// Nobody uses it any more: it can be deleted.
    pub free: bool,
    /// Lambda made it for a function (<https://docs.aws.amazon.com/lambda/latest/dg/foundation-networking.html>).
    pub of_lambda: bool,
}

impl Aws {
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

fn with(tags: &[(&str, &str)]) -> Vec<Filter> {
    tags.iter().map(|(key, value)| Filter::builder().name(format!("tag:{key}")).values(*value).build()).collect()
}
