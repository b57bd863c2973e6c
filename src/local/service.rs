//! What a service of the local cloud is: a name, a table of operations, and resource types for CloudFormation.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::arriving::Arriving;
use super::call::{Call, Reply};
use super::fault::Fault;
use super::resource::ResourceType;

/// How much stands behind an operation; `docs/reference/local.md` is made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Does what AWS does, on a real engine or as the protocol itself.
    Real,
    /// Kept as a record, with AWS's rules; nothing stands behind it.
    Modelled,
}

/// One row of a service's operation table.
pub struct Operation<S: ?Sized> {
    pub name: &'static str,
    pub grade: Grade,
    pub run: fn(Arc<S>, Call) -> BoxFuture<'static, Result<Reply, Fault>>,
}

/// Name and grade of an operation, for the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Support {
    pub operation: &'static str,
    pub grade: Grade,
}

/// The body of an HTTP answer.
pub type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// One AWS service of the local cloud.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// botocore's name of the service: `cloudformation`, `rds-data`, `logs`, …
    fn name(&self) -> &'static str;

    /// The operations that work here; the service model knows the rest, which are refused by name.
    fn support(&self) -> Vec<Support>;

    /// Runs one operation.
    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault>;

    /// The CloudFormation types this service provides (`cfn.rs`).
    fn resource_types(&self) -> Vec<ResourceType> {
        Vec::new()
    }

    /// Whether a request is for this service's [`Service::http`], where several have one at the same address.
    fn answers(&self, head: &Parts) -> bool {
        let _ = head;
        true
    }

    /// HTTP that is not an AWS API call: S3's own protocol, API Gateway's data plane. `None`: the service has none.
    async fn http(self: Arc<Self>, request: Request<Arriving>) -> Option<Response<Body>> {
        let _ = request;
        None
    }

    /// What it holds and runs now, for `labctl local status`: small, and free of secrets.
    fn status(&self) -> Value {
        Value::Null
    }

    /// Brings back what ran before a restart; called once, after every service is registered.
    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        Ok(())
    }

    /// Stops children and flushes; called once on shutdown.
    async fn stop(self: Arc<Self>) {}
}

/// Finds the operation in `table` and runs it; an operation that is not there is refused by name.
pub async fn run<S: Service>(service: Arc<S>, table: &[Operation<S>], call: Call) -> Result<Reply, Fault> {
    match table.iter().find(|operation| operation.name == call.operation) {
        Some(operation) => (operation.run)(service, call).await,
        None => Err(Fault::unsupported_operation(call.service, &call.operation)),
    }
}

/// The rows of `table` for the reference page.
pub fn support<S: ?Sized>(table: &[Operation<S>]) -> Vec<Support> {
    table.iter().map(|operation| Support { operation: operation.name, grade: operation.grade }).collect()
}

/// Reads the operation's input. An unknown member is refused by name (input structs say `deny_unknown_fields`), unless it asks for
/// nothing: some clients, Terraform among them, also send what nobody set.
///
/// # Errors
/// `ValidationException` with what is wrong. (The codec has checked names and types against the model before.)
pub fn input<T: DeserializeOwned>(call: &Call) -> Result<T, Fault> {
    let mut read = T::deserialize(&call.input);
    let mut asked = Value::Null;
    loop {
        let message = match read {
            Ok(input) => return Ok(input),
            Err(error) => error.to_string(),
        };
        let Some(member) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) else {
            return Err(Fault::new("ValidationException", format!("{}: {message}", call.operation)));
        };
        if asked.is_null() {
            asked = call.input.clone();
        }
        let value = asked.as_object_mut().and_then(|members| members.remove(member));
        if !value.is_some_and(|value| asks_for_nothing(&value)) {
            return Err(Fault::unsupported(format!("the parameter {member} of {}", call.operation)));
        }
        read = T::deserialize(&asked);
    }
}

/// Whether a parameter's value says that nothing is wanted of it.
pub fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// Turns an operation's output struct into a [`Reply`].
///
/// # Errors
/// The output does not serialise: a defect of ours, answered as an internal failure.
pub fn output<T: Serialize>(output: &T) -> Result<Reply, Fault> {
    serde_json::to_value(output).map(Reply::from).map_err(Fault::internal)
}

/// Fills an operation table: `operations!(Secrets; Real CreateSecret => ops::create, Modelled TagResource => ops::tag)`.
///
/// Each handler is `async fn(Arc<S>, &Call, Input) -> Result<Output, impl Into<Fault>>` with serde's input and output.
#[macro_export]
macro_rules! operations {
    ($service:ty; $($grade:ident $name:ident => $handler:path),* $(,)?) => {
        &[$($crate::service::Operation {
            name: stringify!($name),
            grade: $crate::service::Grade::$grade,
            run: |service: std::sync::Arc<$service>, call: $crate::call::Call| {
                Box::pin(async move {
                    let input = $crate::service::input(&call)?;
                    let output = $handler(service, &call, input).await.map_err($crate::fault::Fault::from)?;
                    $crate::service::output(&output)
                })
            },
        }),*]
    };
}
