//! A shop that makes things: it outlives the cloud, as real resources outlive a kill -9 of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::call::{Call, Reply};
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::resource::{Made, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};
use crate::scope::Scope;
use crate::service::{Service, Support};

use super::super::{CloudFormation, open_concrete};

const DEADLINE: Duration = Duration::from_secs(20);

/// What exists at the provider, what it was asked, and how it should behave.
#[derive(Default)]
pub(super) struct Shop {
    state: Mutex<State>,
    news: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct State {
    /// `create A`, `update A`, `delete A`, in order.
    pub(super) calls: Vec<String>,
    /// Physical id → properties.
    pub(super) things: BTreeMap<String, Value>,
    /// `create A`: fails. `update A`, `delete A` alike.
    pub(super) fails: BTreeSet<String>,
    /// Logical ids whose failed creation leaves the thing behind, and says so.
    pub(super) leaves: BTreeSet<String>,
    /// The old and the new properties of each update, and its token.
    pub(super) updates: Vec<(Value, Value, String)>,
    /// `create A`: does not answer until it is taken out.
    pub(super) holds: BTreeSet<String>,
    pub(super) objects: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, Vec<(String, String)>>,
}

impl Shop {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn fail(&self, call: &str) {
        self.state().fails.insert(call.to_owned());
    }

    pub(super) fn hold(&self, call: &str) {
        self.state().holds.insert(call.to_owned());
    }

    pub(super) fn mend(&self) {
        let mut state = self.state();
        state.fails.clear();
        state.holds.clear();
        drop(state);
        self.news.send_modify(|n| *n += 1);
    }

    /// Lets everything that is held look again.
    pub(super) fn release(&self) {
        self.news.send_modify(|n| *n += 1);
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    pub(super) fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Physical ids of what exists, without the part that comes from the token.
    pub(super) fn things(&self) -> Vec<String> {
        self.state().things.keys().map(|id| id.split('.').next().unwrap().to_owned()).collect()
    }

    /// Waits until the provider was asked for `call`.
    pub(super) async fn asked(&self, call: &str) {
        self.until(|state| state.calls.iter().any(|seen| seen == call)).await;
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        let mut news = self.news.subscribe();
        let wait = async {
            while !done(&self.state()) {
                news.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("the provider was never asked");
    }

    async fn answer(&self, call: String) -> Result<(), ResourceFault> {
        self.state().calls.push(call.clone());
        self.news.send_modify(|n| *n += 1);
        let mut news = self.news.subscribe();
        while self.state().holds.contains(&call) {
            news.changed().await.unwrap();
        }
        if self.state().fails.contains(&call) {
            Err(Fault::new("InvalidRequest", format!("no {call}")).into())
        } else {
            Ok(())
        }
    }
}

struct Thing {
    shop: Arc<Shop>,
}

#[async_trait]
impl Provider for Thing {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = format!("{}.{}", cx.logical_id.to_lowercase(), cx.token);
        // Made before the answer: a kill in between must not make a second one.
        self.shop.state().things.insert(id.clone(), properties.clone());
        self.shop.state().tags.insert(cx.logical_id.clone(), cx.stack_tags.clone());
        if let Err(fault) = self.shop.answer(format!("create {}", cx.logical_id)).await {
            if self.shop.state().leaves.contains(&cx.logical_id) {
                return Err(fault).unfinished(&id);
            }
            self.shop.state().things.remove(&id);
            return Err(fault);
        }
        Ok(provisioned(&id, properties))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        if old.get("Fixed") != new.get("Fixed") {
            return Err(ResourceFault::new("NotUpdatable", "Fixed is fixed"));
        }
        self.shop.state().updates.push((old.clone(), new.clone(), cx.token.clone()));
        self.shop.answer(format!("update {}", cx.logical_id)).await?;
        self.shop.state().things.insert(id.to_owned(), new.clone());
        Ok(provisioned(id, new))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        self.shop.answer(format!("delete {}", cx.logical_id)).await?;
        self.shop.state().things.remove(id);
        Ok(())
    }
}

fn provisioned(id: &str, properties: &Value) -> Provisioned {
    let short = id.split('.').next().unwrap();
    let attributes = json!({"Name": properties.get("Name").cloned().unwrap_or(Value::from(short)), "Deep.Name": short});
    Provisioned::with(id, attributes)
}

/// Stands in for S3 and Secrets Manager, and provides the things.
struct Fake {
    name: &'static str,
    shop: Arc<Shop>,
}

#[async_trait]
impl Service for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn support(&self) -> Vec<Support> {
        Vec::new()
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        match call.operation.as_str() {
            "GetSecretValue" => Ok(json!({"SecretString": "{\"password\":\"hunter2\"}"}).into()),
            "GetObject" => {
                let key = call.input["Key"].as_str().unwrap();
                let text = self.shop.state().objects.get(key).cloned();
                let text = text.ok_or_else(|| Fault::new("NoSuchKey", "The specified key does not exist."))?;
                Ok(Reply { body: Bytes::from(text), ..Reply::default() })
            }
            other => Err(Fault::unsupported_operation(self.name, other)),
        }
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        if self.name != "s3" {
            return Vec::new();
        }
        let known = ["Name", "Of", "Fixed", "Firm", "Password", "Pin", "Kept", "Level"];
        let thing = |kind| {
            let thing = ResourceType::new(kind, &known, Thing { shop: self.shop.clone() }).fixed(&["Firm"]);
            thing.kept(&[&["Kept"]]).defaults(|_| json!({"Level": 1}))
        };
        vec![thing("Test::Fake::Thing"), thing("Test::Fake::Other")]
    }
}

/// One running cloud with CloudFormation, the shop behind it.
pub(super) struct World {
    pub(super) shop: Arc<Shop>,
    pub(super) cloud: Arc<Cloud>,
    cfn: Arc<CloudFormation>,
    directory: Arc<tempfile::TempDir>,
}

impl World {
    pub(super) async fn new() -> Self {
        World::open(Arc::new(tempfile::tempdir().unwrap()), Arc::default()).await
    }

    async fn open(directory: Arc<tempfile::TempDir>, shop: Arc<Shop>) -> Self {
        let cloud = Cloud::new(Parts::of_test(directory.path()));
        let cfn = open_concrete(&cloud).unwrap();
        let fake = |name| Arc::new(Fake { name, shop: shop.clone() }) as Arc<dyn Service>;
        cloud.register(vec![cfn.clone(), fake("s3"), fake("secretsmanager")]);
        cfn.clone().start().await.unwrap();
        World { shop, cloud, cfn, directory }
    }

    /// Ends the engine wherever it is, and opens it again on the same directory.
    pub(super) async fn restart(self) -> Self {
        self.cfn.clone().stop().await;
        World::open(self.directory.clone(), self.shop.clone()).await
    }

    /// Takes every file of this name away, as if it had not been written yet.
    pub(super) fn lose(&self, name: &str) {
        let mut folders = vec![self.directory.path().to_owned()];
        let mut lost = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.ends_with(name) {
                    std::fs::remove_file(path).unwrap();
                    lost += 1;
                }
            }
        }
        assert_eq!(lost, 1, "{name}");
    }

    pub(super) async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call(&Scope::root("us-east-1"), "cloudformation", operation, input).await
    }

    pub(super) async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap_or_else(|fault| panic!("{operation}: {fault}"))
    }

    pub(super) async fn refused(&self, operation: &str, input: Value) -> String {
        match self.call(operation, input).await {
            Ok(output) => panic!("{operation} succeeded: {output}"),
            Err(fault) => fault.to_string(),
        }
    }

    pub(super) async fn create(&self, template: &str) -> Value {
        self.ok("CreateStack", json!({"StackName": "s", "TemplateBody": template})).await
    }

    pub(super) async fn update(&self, template: &str) -> Value {
        self.ok("UpdateStack", json!({"StackName": "s", "TemplateBody": template})).await
    }

    /// Waits until the stack rests and gives its status.
    pub(super) async fn rest(&self, name: &str) -> String {
        let cell = self.cfn.registry.find(&Scope::root("us-east-1"), name).unwrap();
        let rested = cell.until(|stack| !stack.status.in_progress() && stack.operation.is_none());
        tokio::time::timeout(DEADLINE, rested).await.expect("the stack never came to rest");
        cell.get().status.name().to_owned()
    }

    pub(super) async fn stack(&self, name: &str) -> Value {
        self.ok("DescribeStacks", json!({"StackName": name})).await["Stacks"][0].clone()
    }

    /// Oldest first: `Thing STATUS reason`.
    pub(super) async fn events(&self, name: &str) -> Vec<String> {
        let events = self.ok("DescribeStackEvents", json!({"StackName": name})).await;
        let line = |event: &Value| {
            let reason = event["ResourceStatusReason"].as_str().unwrap_or_default();
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            format!("{} {} {reason}", text("LogicalResourceId"), text("ResourceStatus")).trim_end().to_owned()
        };
        events["StackEvents"].as_array().unwrap().iter().rev().map(line).collect()
    }

    /// The events after the `nth` one.
    pub(super) async fn events_since(&self, name: &str, nth: usize) -> Vec<String> {
        self.events(name).await.split_off(nth)
    }
}

/// Whether one call comes before another.
pub(super) fn before(calls: &[String], first: &str, second: &str) -> bool {
    let at = |wanted: &str| {
        calls.iter().position(|call| call == wanted).unwrap_or_else(|| panic!("{wanted} not in {calls:?}"))
    };
    at(first) < at(second)
}
