//! What a lab costs on AWS while it stands: by the hour, idle and at full load. Requests and storage are not in it.

use super::diff::{Side, World};
use crate::template::intrinsics::Evaluator;
use serde::Serialize;
use serde_json::Value as Json;

/// Where and when the prices hold (USD, on demand; AWS's public price pages).
pub const PRICED: &str = "us-east-1, on demand, October 2026";

const HOURS_PER_MONTH: f64 = 730.0;
const AURORA_CAPACITY_UNIT: f64 = 0.12;
const SECRET: f64 = 0.40 / HOURS_PER_MONTH;
const KEY: f64 = 1.0 / HOURS_PER_MONTH;
const SERVERLESS_CACHE: f64 = 0.0084;
const NAT_GATEWAY: f64 = 0.045;
const PUBLIC_ADDRESS: f64 = 0.005;
const INTERFACE_ENDPOINT_PER_ZONE: f64 = 0.01;
const CACHE_NODES: &[(&str, f64)] = &[("cache.t4g.micro", 0.0128)];

/// Dollars per hour of one lab.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Nobody uses the lab.
    pub idle_per_hour: f64,
    /// Everything that scales has scaled.
    pub busy_per_hour: f64,
    pub items: Vec<Item>,
    /// What costs money by the hour but has no price here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<String>,
    pub priced: &'static str,
}

/// One resource that costs money by the hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    pub stack: String,
    pub resource: String,
    pub idle_per_hour: f64,
    pub busy_per_hour: f64,
}

impl Cost {
    pub(super) fn new() -> Self {
        Cost { priced: PRICED, ..Cost::default() }
    }

    /// Adds what a stack's resources cost.
    pub(super) fn add(&mut self, stack: &str, side: &Side<'_>) {
        let world = World { side };
        let evaluator = Evaluator::new(side.template, &world);
        for (name, resource) in &side.template.resources {
            if evaluator.as_ref().is_ok_and(|evaluator| !evaluator.includes(name)) {
                continue;
            }
            let evaluated = evaluator.as_ref().ok().and_then(|evaluator| evaluator.properties(name).ok());
            let priced = match evaluated {
                Some(evaluated) => price(&resource.kind, &evaluated.value.unwrap_or(Json::Null)),
                None if may_cost(&resource.kind) => Price::Unknown,
                None => Price::Free,
            };
            match priced {
                Price::Free => {}
                Price::Unknown => self.unpriced.push(format!("{stack}/{name}")),
                Price::Hourly { idle, busy } => {
                    self.idle_per_hour += idle;
                    self.busy_per_hour += busy;
                    let (stack, resource) = (stack.to_owned(), name.clone());
                    self.items.push(Item { stack, resource, idle_per_hour: idle, busy_per_hour: busy });
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Price {
    Free,
    Unknown,
    Hourly { idle: f64, busy: f64 },
}

impl Price {
    fn flat(price: f64) -> Self {
        Price::Hourly { idle: price, busy: price }
    }
}

/// Whether there are properties with which a resource of this type costs money by the hour.
fn may_cost(kind: &str) -> bool {
    kind == "AWS::EC2::VPCEndpoint" || price(kind, &Json::Null) != Price::Free
}

fn price(kind: &str, properties: &Json) -> Price {
    match kind {
        "AWS::RDS::DBCluster" => cluster(properties),
        "AWS::RDS::DBInstance" => match properties["DBInstanceClass"].as_str() {
            // Its capacity units are billed with the cluster.
            Some("db.serverless") if is_true(&properties["PubliclyAccessible"]) => Price::flat(PUBLIC_ADDRESS),
            Some("db.serverless") => Price::Free,
            _ => Price::Unknown,
        },
        "AWS::ElastiCache::ReplicationGroup" => {
            let nodes = number(&properties["NumCacheClusters"]).unwrap_or(1.0);
            let node = properties["CacheNodeType"].as_str().unwrap_or_default();
            let known = CACHE_NODES.iter().find(|(name, _)| *name == node);
            known.map_or(Price::Unknown, |(_, price)| Price::flat(price * nodes))
        }
        "AWS::ElastiCache::ServerlessCache" => Price::flat(SERVERLESS_CACHE),
        "AWS::EC2::NatGateway" => Price::flat(NAT_GATEWAY),
        "AWS::EC2::EIP" => Price::flat(PUBLIC_ADDRESS),
        "AWS::EC2::VPCEndpoint" if properties["VpcEndpointType"] == "Interface" => {
            let zones = properties["SubnetIds"].as_array().map_or(1, Vec::len);
            Price::flat(INTERFACE_ENDPOINT_PER_ZONE * zones as f64)
        }
        "AWS::SecretsManager::Secret" => Price::flat(SECRET),
        "AWS::KMS::Key" => Price::flat(KEY),
        _ => Price::Free,
    }
}

fn cluster(properties: &Json) -> Price {
    let scaling = &properties["ServerlessV2ScalingConfiguration"];
    let (Some(least), Some(most)) = (number(&scaling["MinCapacity"]), number(&scaling["MaxCapacity"])) else {
        return Price::Unknown;
    };
    let managed = properties["ManageMasterUserPassword"].as_bool() == Some(true);
    let secret = if managed { SECRET } else { 0.0 };
    Price::Hourly { idle: least * AURORA_CAPACITY_UNIT + secret, busy: most * AURORA_CAPACITY_UNIT + secret }
}

fn is_true(value: &Json) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

/// Parameters are text: a number may come as `"0.5"`.
fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn aurora_costs_its_capacity_units_and_its_secret() {
        let properties = json!({
            "ManageMasterUserPassword": true,
            "ServerlessV2ScalingConfiguration": { "MinCapacity": "0", "MaxCapacity": 4 },
        });
        let Price::Hourly { idle, busy } = price("AWS::RDS::DBCluster", &properties) else { panic!("no price") };
        assert!((idle - 0.40 / 730.0).abs() < 1e-9 && (busy - (0.48 + 0.40 / 730.0)).abs() < 1e-9);
    }

    #[test]
    fn a_serverless_instance_costs_its_public_address_and_nothing_else() {
        let instance = |public: bool| json!({ "DBInstanceClass": "db.serverless", "PubliclyAccessible": public });
        assert_eq!(price("AWS::RDS::DBInstance", &instance(true)), Price::flat(PUBLIC_ADDRESS));
        assert_eq!(price("AWS::RDS::DBInstance", &instance(false)), Price::Free);
    }

    #[test]
    fn a_cache_costs_its_nodes_and_an_unknown_node_type_is_said_to_be_unpriced() {
        let group = |node: &str| json!({ "NumCacheClusters": 2, "CacheNodeType": node });
        let kind = "AWS::ElastiCache::ReplicationGroup";
        assert_eq!(price(kind, &group("cache.t4g.micro")), Price::flat(0.0256));
        assert_eq!(price(kind, &group("cache.r7g.large")), Price::Unknown);
    }

    #[test]
    fn an_endpoint_costs_by_the_zone_and_a_gateway_endpoint_nothing() {
        let endpoint = |kind: &str| json!({ "VpcEndpointType": kind, "SubnetIds": ["a", "b"] });
        assert_eq!(price("AWS::EC2::VPCEndpoint", &endpoint("Interface")), Price::flat(0.02));
        assert_eq!(price("AWS::EC2::VPCEndpoint", &endpoint("Gateway")), Price::Free);
    }
}
