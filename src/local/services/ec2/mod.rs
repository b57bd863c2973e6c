//! EC2's networking as records: VPCs, subnets, routes, gateways, endpoints, security groups, interfaces, tags.
//!
//! Nothing here moves a packet: on the local machine everything is 127.0.0.1. What is kept are AWS's rules about what may
//! be made, what belongs together and what may be removed, so that a template that works here has its network right.

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::resource::ResourceType;
use crate::service::{self, Grade, Operation, Service, Support};
use crate::store::{Shelf, StoreError};

mod cfn;
mod cidr;
mod faults;
mod listing;
mod ops;
mod places;
mod state;
#[cfg(test)]
mod tests;
mod views;

use faults::NetFault;
use listing::{CATALOGUES, Catalogue};
use ops::{endpoint, gateway, group, interface, place, route, rules, subnet, tags, vpc};
use state::{Cx, Network, Networks};

/// Rows of operations that change the network (a dry run changes a copy and throws it away) or read it.
macro_rules! table {
    ($(change $change:ident => $changed:path,)* $(read $read:ident => $seen:path,)* $(list $list:ident,)*) => {
        &[
            $(Operation { name: stringify!($change), grade: Grade::Modelled, run: |ec2: Arc<Ec2>, call| {
                Box::pin(async move { ec2.change(call, $changed).await })
            } },)*
            $(Operation { name: stringify!($read), grade: Grade::Modelled, run: |ec2: Arc<Ec2>, call| {
                Box::pin(async move { ec2.read(call, $seen).await })
            } },)*
            $(Operation { name: stringify!($list), grade: Grade::Modelled, run: |ec2: Arc<Ec2>, call| {
                Box::pin(async move { ec2.list(call).await })
            } },)*
        ]
    };
}

/// The operations that work here.
const OPERATIONS: &[Operation<Ec2>] = table![
    change CreateVpc => vpc::create,
    change DeleteVpc => vpc::delete,
    change ModifyVpcAttribute => vpc::modify_attribute,
    change CreateSubnet => subnet::create,
    change DeleteSubnet => subnet::delete,
    change ModifySubnetAttribute => subnet::modify_attribute,
    change CreateRouteTable => route::create_table,
    change DeleteRouteTable => route::delete_table,
    change AssociateRouteTable => route::associate,
    change DisassociateRouteTable => route::disassociate,
    change ReplaceRouteTableAssociation => route::replace_association,
    change CreateRoute => route::create,
    change ReplaceRoute => route::replace,
    change DeleteRoute => route::delete,
    change CreateInternetGateway => gateway::create,
    change DeleteInternetGateway => gateway::delete,
    change AttachInternetGateway => gateway::attach,
    change DetachInternetGateway => gateway::detach,
    change CreateVpcEndpoint => endpoint::create,
    change ModifyVpcEndpoint => endpoint::modify,
    change DeleteVpcEndpoints => endpoint::delete,
    change CreateSecurityGroup => group::create,
    change DeleteSecurityGroup => group::delete,
    change AuthorizeSecurityGroupIngress => rules::authorize_ingress,
    change AuthorizeSecurityGroupEgress => rules::authorize_egress,
    change RevokeSecurityGroupIngress => rules::revoke_ingress,
    change RevokeSecurityGroupEgress => rules::revoke_egress,
    change ModifySecurityGroupRules => rules::modify,
    change UpdateSecurityGroupRuleDescriptionsIngress => rules::describe_ingress,
    change UpdateSecurityGroupRuleDescriptionsEgress => rules::describe_egress,
    change CreateNetworkInterface => interface::create,
    change DeleteNetworkInterface => interface::delete,
    change CreateTags => tags::create,
    change DeleteTags => tags::delete,
    read DescribeVpcAttribute => vpc::describe_attribute,
    read DescribeAccountAttributes => place::account_attributes,
    read GetManagedPrefixListEntries => place::prefix_list_entries,
    read DescribeVpcEndpointServices => endpoint::services,
    list DescribeVpcs,
    list DescribeSubnets,
    list DescribeRouteTables,
    list DescribeInternetGateways,
    list DescribeVpcEndpoints,
    list DescribeSecurityGroups,
    list DescribeSecurityGroupRules,
    list DescribeNetworkInterfaces,
    list DescribeNetworkAcls,
    list DescribeAvailabilityZones,
    list DescribeRegions,
    list DescribeTags,
    list DescribeManagedPrefixLists,
    list DescribePrefixLists,
    list DescribeInstances,
];

/// The service's state and what it needs of the cloud.
pub struct Ec2 {
    cloud: Arc<Cloud>,
    networks: Shelf<Networks>,
}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    let networks = Shelf::open(cloud.home.state("ec2").join("networks.json"), 1)?;
    Ok(Arc::new(Ec2 { cloud: cloud.clone(), networks }))
}

impl Ec2 {
    fn cx<'a>(&'a self, call: &'a Call) -> Cx<'a> {
        Cx { scope: &call.scope, ids: &self.cloud.ids, now: self.cloud.clock.now() }
    }

    async fn change<I: DeserializeOwned>(
        &self,
        mut call: Call,
        run: fn(&mut Network, &Cx<'_>, I) -> Result<Value, NetFault>,
    ) -> Result<Reply, Fault> {
        let dry = take_dry_run(&mut call.input);
        let input = service::input(&call)?;
        let cx = self.cx(&call);
        let changed = self.networks.change(|networks| {
            let output = run(networks.of(&cx), &cx, input)?;
            if dry { Err(NetFault::DryRun) } else { Ok(output) }
        });
        Ok(Reply::from(changed.await?))
    }

    async fn read<I: DeserializeOwned>(
        &self,
        mut call: Call,
        run: fn(&Network, &Cx<'_>, I) -> Result<Value, NetFault>,
    ) -> Result<Reply, Fault> {
        let dry = take_dry_run(&mut call.input);
        let input = service::input(&call)?;
        let networks = self.networks(&call).await?;
        let output = run(region(&networks, &call)?, &self.cx(&call), input)?;
        if dry { Err(NetFault::DryRun.into()) } else { Ok(Reply::from(output)) }
    }

    async fn list(&self, mut call: Call) -> Result<Reply, Fault> {
        let dry = take_dry_run(&mut call.input);
        let catalogue: &Catalogue = CATALOGUES
            .iter()
            .find(|catalogue| catalogue.operation == call.operation)
            .ok_or_else(|| Fault::unsupported_operation("ec2", &call.operation))?;
        let networks = self.networks(&call).await?;
        let output = listing::list(catalogue, region(&networks, &call)?, &self.cx(&call), &call.input)?;
        if dry { Err(NetFault::DryRun.into()) } else { Ok(Reply::from(output)) }
    }

    /// The networks. The first look at a region makes its default VPC, as a new account has one.
    async fn networks(&self, call: &Call) -> Result<Arc<Networks>, StoreError> {
        if self.networks.get().find(&call.scope.region).is_none() {
            let cx = self.cx(call);
            self.networks
                .change(|networks| {
                    networks.of(&cx);
                    Ok::<_, StoreError>(())
                })
                .await?;
        }
        Ok(self.networks.get())
    }
}

fn region<'a>(networks: &'a Networks, call: &Call) -> Result<&'a Network, Fault> {
    networks.find(&call.scope.region).ok_or_else(|| Fault::internal("the region's network is not there"))
}

fn take_dry_run(input: &mut Value) -> bool {
    input.as_object_mut().and_then(|members| members.remove("DryRun")) == Some(Value::Bool(true))
}

#[async_trait]
impl Service for Ec2 {
    fn name(&self) -> &'static str {
        "ec2"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
