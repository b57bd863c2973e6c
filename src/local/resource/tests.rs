//! What holds of every resource type of every service, asked of a cloud in which each operation answers with a value for
//! each member of its output.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Made, NOT_UPDATABLE, ResourceContext, ResourceFault, ResourceType};
use crate::call::{Call, Reply};
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::Scope;
use crate::service::{Service, Support};
use crate::services;
use crate::template::schema::{self, Replacement};
use crate::wire::model::{self, Kind, Model, ShapeId};

/// A type that asks no service for anything.
const WITHIN_CLOUDFORMATION: &str = "AWS::CloudFormation::Stack";

/// Attributes behind which there is nothing here, or that only what is refused would have. One that ends in a dot stands
/// for all that begin so.
const NOTHING_BEHIND: &[(&str, &[&str])] = &[
    ("AWS::EC2::Subnet", &["BlockPublicAccessStates."]),
    ("AWS::EC2::VPC", &["VpcEncryptionControl."]),
    ("AWS::ElastiCache::ReplicationGroup", &["ConfigurationEndPoint.", "EffectiveDurability"]),
    ("AWS::Lambda::Function", &["SnapStartResponse", "SnapStartResponse."]),
    ("AWS::RDS::DBCluster", &["StorageEncryptionType", "StorageThroughput"]),
    (
        "AWS::RDS::DBInstance",
        &[
            "AutomaticRestartTime",
            "CertificateDetails.",
            "IsStorageConfigUpgradeAvailable",
            "LatestRestorableTime",
            "ListenerEndpoint.",
            "MasterUserSecret.",
            "PercentProgress",
            "ReadReplicaDB",
            "ResumeFullAutomationModeTime",
            "SecondaryAvailabilityZone",
            "StatusInfos",
            "StorageOperation",
        ],
    ),
    ("AWS::S3::Bucket", &["MetadataConfiguration.", "MetadataTableConfiguration."]),
];

/// A value that the schema leaves open and the provider does not.
const MEANT: (&str, &str, &str) = ("AWS::SecretsManager::SecretTargetAttachment", "TargetType", "AWS::RDS::DBCluster");

/// What a template says of the deletion: a change of it is in the record, and nowhere else.
const ABOUT_DELETION: (&str, &str) = ("AWS::RDS::DBInstance", "DeleteAutomatedBackups");

/// Operations that put a thing as a whole, or before which it is taken away: what is not said is gone.
const WHOLE: &[&str] = &[
    "CreateModel",
    "PutGatewayResponse",
    "PutMethod",
    "PutResourcePolicy",
    "ReplaceRoute",
    "UpdateSecurityGroupRuleDescriptionsEgress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
];

/// Answers everything, and writes down what it was asked.
struct Oracle {
    model: &'static Model,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

#[async_trait]
impl Service for Oracle {
    fn name(&self) -> &'static str {
        self.model.service
    }

    fn support(&self) -> Vec<Support> {
        Vec::new()
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        let known = self.model.operation(&call.operation);
        let operation = known.unwrap_or_else(|| panic!("{} has no operation {}", call.service, call.operation));
        self.asked.lock().unwrap().push((call.operation.clone(), call.input));
        // What a create looks at first is not there yet.
        if ["HeadBucket", "GetBucketPolicy"].contains(&operation.name) {
            return Err(Fault::new("NoSuchBucket", "It is not there."));
        }
        let output = operation.output.map_or(Value::Null, |shape| self.sample(shape, 8));
        Ok(output.into())
    }
}

impl Oracle {
    /// A value of the shape. Whatever is text is `available`, as is every status.
    fn sample(&self, shape: ShapeId, depth: usize) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        match &self.model.shape(shape).kind {
            Kind::Structure(structure) => {
                let members = structure.members.iter();
                members.map(|(name, member)| ((*name).to_owned(), self.member(name, member.shape, depth))).collect()
            }
            Kind::List(item) => json!([self.sample(item.shape, depth - 1)]),
            Kind::Map { value, .. } => json!({"a": self.sample(value.shape, depth - 1)}),
            Kind::Text | Kind::Blob => json!("available"),
            Kind::Integer => json!(1),
            Kind::Float | Kind::Timestamp(_) => json!(1.0),
            Kind::Boolean => json!(true),
            Kind::Document => json!({}),
        }
    }

    fn member(&self, name: &str, shape: ShapeId, depth: usize) -> Value {
        match name {
            "SecretString" => json!("{}"),
            // As many as can be too many or too few.
            "MemberClusters" => json!(["a", "b"]),
            _ => self.sample(shape, depth - 1),
        }
    }
}

struct World {
    /// The types that have a schema.
    types: Vec<ResourceType>,
    cloud: Arc<Cloud>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    _directories: [tempfile::TempDir; 2],
}

impl World {
    fn new() -> Self {
        let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [real, cloud] = directories.each_ref().map(|directory| Cloud::new(Parts::of_test(directory.path())));
        real.register(services::all(&real).unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let oracle = |name| Oracle { model: model::model(name).unwrap(), asked: asked.clone() };
        cloud.register(model::services().map(|name| Arc::new(oracle(name)) as Arc<dyn Service>).collect());
        let named = real.resource_type_names().filter(|name| schema::attributes(name).is_some());
        let types = named.filter(|name| *name != WITHIN_CLOUDFORMATION);
        let types = types.map(|name| real.resource_type(name).unwrap().clone()).collect();
        World { types, cloud, asked, _directories: directories }
    }

    fn context(&self, of: &ResourceType) -> ResourceContext {
        ResourceContext {
            cloud: self.cloud.clone(),
            scope: Scope::root("us-east-1"),
            service: of.service(),
            stack_id: "s".into(),
            stack_name: "s".into(),
            logical_id: "A".into(),
            token: "t".into(),
            stack_tags: Vec::new(),
            old_stack_tags: Vec::new(),
            express: false,
        }
    }

    async fn update(&self, of: &ResourceType, old: &Value, new: &Value) -> (Made, Vec<(String, Value)>) {
        self.asked.lock().unwrap().clear();
        let made = of.update(&self.context(of), "a|b", old, new).await;
        (made, std::mem::take(&mut *self.asked.lock().unwrap()))
    }

    /// Whether the provider asks for something else, or refuses by name, when the property changes.
    async fn notices(&self, of: &ResourceType, name: &str, old: &Value, new: &Value) -> bool {
        let (_, asked) = self.update(of, old, old).await;
        let (changed, then) = self.update(of, old, new).await;
        changed.map_or_else(|error| is_said(&error, name), |_| then != asked)
    }

    /// Whether a property that is taken out of the template is changed back, or refused by name.
    async fn gives_back(&self, of: &ResourceType, name: &str, old: &Value, new: &Value) -> bool {
        if let Err(refused) = of.may_become(old, new) {
            return is_said(&refused, name);
        }
        let (_, asked) = self.update(of, old, old).await;
        let (changed, then) = self.update(of, old, new).await;
        let is_new = |(operation, input): &(String, Value)| {
            !asked.iter().any(|(other, before)| other == operation && is_within(input, before))
        };
        let is_whole = |(operation, _): &(String, Value)| WHOLE.contains(&operation.as_str());
        let says_it = then.iter().any(is_new) || then != asked && then.iter().any(is_whole);
        changed.map_or_else(|error| is_said(&error, name), |_| says_it)
    }

    /// As many properties as may be given together.
    async fn properties(&self, of: &ResourceType) -> Value {
        let mut all = if of.name == MEANT.0 { json!({(MEANT.1): MEANT.2}) } else { json!({}) };
        // Twice: one may be refused for want of another.
        for name in of.known.iter().chain(&of.known).filter(|name| **name != MEANT.1) {
            let Some(value) = schema::sample(of.name, name, 0) else { continue };
            let mut more = all.clone();
            more[name] = value;
            let created = of.create(&self.context(of), &more).await;
            if created.is_ok() && self.update(of, &more, &more).await.0.is_ok() {
                all = more;
            }
        }
        all
    }
}

/// Whether an error is of the property, or has the resource replaced.
fn is_said(error: &ResourceFault, name: &str) -> bool {
    error.handler_code == NOT_UPDATABLE || error.fault.message.contains(name)
}

/// Whether all that a request says was said in the other one: what is null or left out says nothing.
fn is_within(request: &Value, other: &Value) -> bool {
    match request {
        Value::Null => true,
        Value::Object(members) if !members.is_empty() => {
            members.iter().all(|(name, value)| is_within(value, &other[name]))
        }
        value => value == other,
    }
}

/// Whether a change of the property is the provider's to make: the schema has it, and does not answer with a replacement.
fn changes_in_place(of: &ResourceType, name: &str) -> bool {
    let value = |variant| json!({name: schema::sample(of.name, name, variant)});
    let known = schema::sample(of.name, name, 0).is_some();
    known && !matches!(schema::replacement(of.name, &value(0), &value(1)), Replacement::Always(_))
}

#[tokio::test]
async fn no_type_drops_a_change_of_a_property_that_it_reads() {
    let world = World::new();
    assert!(world.types.len() > 45, "{}", world.types.len());
    let mut dropped = Vec::new();
    for of in &world.types {
        let all = world.properties(of).await;
        for name in of.known.iter().filter(|name| !of.fixed.contains(name) && changes_in_place(of, name)) {
            let value = |variant| json!({(*name): schema::sample(of.name, name, variant)});
            let mut with_all = all.clone();
            with_all[name] = value(1)[name].clone();
            let noticed =
                world.notices(of, name, &all, &with_all).await || world.notices(of, name, &value(0), &value(1)).await;
            if !noticed && (of.name, *name) != ABOUT_DELETION {
                dropped.push(format!("{} {name}", of.name));
            }
        }
    }
    assert_eq!(dropped, [""; 0]);
}

#[tokio::test]
async fn no_type_drops_a_property_that_is_taken_out_of_the_template() {
    let world = World::new();
    let mut dropped = Vec::new();
    for of in &world.types {
        let all = world.properties(of).await;
        for name in of.known.iter().filter(|name| changes_in_place(of, name)) {
            // One of two values may be the default. What only one value is taken of is not changed by taking it out.
            let (mut taken, mut noticed) = (BTreeSet::new(), false);
            for (others, variant) in [(&all, 0), (&all, 1), (&json!({}), 0), (&json!({}), 1)] {
                let mut with = others.clone();
                with[name] = schema::sample(of.name, name, variant).unwrap();
                let mut without = with.clone();
                without.as_object_mut().unwrap().remove(*name);
                let problems = |properties| schema::check_values(of.name, properties, "").len();
                if problems(&without) <= problems(&with) && world.update(of, &with, &with).await.0.is_ok() {
                    taken.insert(variant);
                    noticed |= world.gives_back(of, name, &with, &without).await;
                }
            }
            if taken.len() == 2 && !noticed && (of.name, *name) != ABOUT_DELETION {
                dropped.push(format!("{} {name}", of.name));
            }
        }
    }
    assert_eq!(dropped, [""; 0]);
}

#[tokio::test]
async fn a_default_that_is_written_out_is_no_change() {
    let world = World::new();
    let written = [
        (
            "AWS::ApiGateway::RestApi",
            json!({"ApiKeySourceType": "HEADER", "EndpointConfiguration": {"Types": ["EDGE"]}}),
        ),
        ("AWS::EC2::VPC", json!({"InstanceTenancy": "default"})),
        (
            "AWS::ElastiCache::ReplicationGroup",
            json!({
                "ClusterMode": "disabled", "IpDiscovery": "ipv4", "NumNodeGroups": "1", "TransitEncryptionEnabled": "false",
            }),
        ),
        ("AWS::Logs::LogGroup", json!({"LogGroupClass": "STANDARD"})),
        (
            "AWS::RDS::DBCluster",
            json!({
                "EnableCloudwatchLogsExports": [], "EngineLifecycleSupport": "open-source-rds-extended-support",
                "NetworkType": "IPV4", "Port": "3306", "StorageType": "aurora",
            }),
        ),
        ("AWS::RDS::DBInstance", json!({"MonitoringInterval": "0"})),
    ];
    for (name, all) in written {
        let of = world.types.iter().find(|of| of.name == name).unwrap();
        for (property, value) in all.as_object().unwrap() {
            assert!(of.fixed.contains(&property.as_str()), "{name} {property}");
            let said = json!({property: value});
            assert_eq!(of.may_become(&json!({}), &said), Ok(()), "{name} {property}");
            assert_eq!(of.may_become(&said, &json!({})), Ok(()), "{name} {property}");
            let other = (0..2).filter_map(|variant| schema::sample(name, property, variant));
            let refused = |other| of.may_become(&json!({property: other}), &json!({})).is_err();
            assert!(other.into_iter().any(refused), "{name} {property}: whatever it was, it can be taken out");
        }
    }
    let of = world.types.iter().find(|of| of.name == "AWS::ElastiCache::ReplicationGroup").unwrap();
    let (encrypted, required) =
        (json!({"TransitEncryptionEnabled": true}), json!({"TransitEncryptionMode": "required"}));
    let both = json!({"TransitEncryptionEnabled": true, "TransitEncryptionMode": "required"});
    assert_eq!(of.may_become(&encrypted, &both), Ok(()));
    assert!(of.may_become(&json!({}), &required).is_err());
}

#[tokio::test]
async fn what_has_no_default_is_refused_by_name_when_it_is_taken_out() {
    let world = World::new();
    for of in &world.types {
        for set in &of.kept {
            for name in *set {
                assert!(of.known.contains(name), "{} {name}", of.name);
                let value = json!({(*name): schema::sample(of.name, name, 0)});
                let refused = of.may_become(&value, &json!({})).unwrap_err();
                assert_eq!(refused.fault.code, "NotImplemented");
                assert!(refused.fault.message.contains(name) && refused.fault.message.contains(of.name), "{refused:?}");
                for other in *set {
                    assert_eq!(of.may_become(&value, &json!({(*other): schema::sample(of.name, other, 0)})), Ok(()));
                }
            }
        }
    }
}

#[tokio::test]
async fn what_a_type_cannot_change_is_refused_by_name_before_anything_is_asked() {
    let world = World::new();
    for of in &world.types {
        for name in &of.fixed {
            assert!(
                of.known.contains(name) && changes_in_place(of, name),
                "{} {name}: it never comes to that",
                of.name
            );
            let value = |variant| json!({(*name): schema::sample(of.name, name, variant)});
            let refused = of.may_become(&value(0), &value(1)).unwrap_err();
            assert_eq!(refused.fault.code, "NotImplemented");
            assert!(refused.fault.message.contains(name) && refused.fault.message.contains(of.name), "{refused:?}");
            assert_eq!(of.may_become(&value(0), &value(0)), Ok(()));
        }
    }
}

#[tokio::test]
async fn every_attribute_that_aws_sets_has_a_value() {
    let world = World::new();
    let excused: BTreeMap<&str, &[&str]> = NOTHING_BEHIND.iter().copied().collect();
    let mut missing = Vec::new();
    for of in &world.types {
        let properties = world.properties(of).await;
        let made = of.create(&world.context(of), &properties).await;
        let made = made.unwrap_or_else(|error| panic!("{}: {error:?}", of.name));
        let has = |name: &String| made.attributes.get(name).is_some_and(|value| !value.is_null());
        let excused = |name: &String| excused.get(of.name).is_some_and(|all| all.iter().any(|of| name.starts_with(of)));
        let attributes = schema::read_only(of.name).into_iter();
        missing
            .extend(attributes.filter(|name| !has(name) && !excused(name)).map(|name| format!("{} {name}", of.name)));
    }
    assert_eq!(missing, [""; 0]);
}

#[tokio::test]
async fn a_made_name_has_no_two_hyphens_in_a_row_and_a_given_one_is_the_givers() {
    let world = World::new();
    let cx = ResourceContext { stack_name: "Lab---one-".into(), token: "0f".into(), ..world.context(&world.types[0]) };
    assert_eq!(cx.hyphenated_name(&json!({}), "Name", 63), "lab-one-a-0f");
    assert_eq!(cx.hyphenated_name(&json!({"Name": "My_group--1"}), "Name", 63), "my_group--1");
}
