//! `AWS::Lambda::Function`, `Permission`, `Version` and `Alias`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::local::call::Call;
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(Function), Arc::new(Permission), Arc::new(Version), Arc::new(Alias)]
}

/// Sends the service a request that carries the resource's token as its id, so that a second try finds what the first made.
async fn send(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    let call = Call {
        service: "lambda",
        operation: operation.to_owned(),
        input,
        body: Bytes::new(),
        file: None,
        scope: cx.scope.clone(),
        request_id: cx.token.clone(),
    };
    cx.cloud.dispatch(call).await.map(|reply| reply.output)
}

fn gone_is_success(result: Result<Value, Fault>) -> Result<(), ResourceFault> {
    match result {
        Err(fault) if fault.code != "ResourceNotFoundException" => Err(fault.into()),
        _ => Ok(()),
    }
}

/// The properties named in `same` pass on as the parameters of the same name; any other but `handled` is refused.
fn parameters(
    type_name: &str,
    properties: &Value,
    same: &[&str],
    handled: &[&str],
) -> Result<Map<String, Value>, Fault> {
    let mut input = Map::new();
    for (key, value) in properties.as_object().into_iter().flatten() {
        if same.contains(&key.as_str()) {
            input.insert(key.clone(), value.clone());
        } else if !handled.contains(&key.as_str()) {
            return Err(Fault::unsupported(format!("the property {key} of {type_name}")));
        }
    }
    Ok(input)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn tag_map(tags: &Value) -> Map<String, Value> {
    let pairs = tags.as_array().into_iter().flatten();
    pairs.filter_map(|tag| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.clone()))).collect()
}

/// What a template may write as text (a parameter is) in the types that the API wants.
fn typed(mut input: Map<String, Value>) -> Map<String, Value> {
    let number = |value: &mut Value| {
        if let Some(number) = value.as_str().and_then(|text| text.parse::<u32>().ok()) {
            *value = number.into();
        }
    };
    for key in ["Timeout", "MemorySize"] {
        input.get_mut(key).into_iter().for_each(number);
    }
    input.get_mut("EphemeralStorage").and_then(|storage| storage.get_mut("Size")).into_iter().for_each(number);
    let variables = input.get_mut("Environment").and_then(|environment| environment.get_mut("Variables"));
    for (_, value) in variables.and_then(Value::as_object_mut).into_iter().flatten() {
        if !value.is_string() {
            *value = value.to_string().into();
        }
    }
    input
}

struct Function;

/// Properties that CreateFunction and UpdateFunctionConfiguration take as they are.
const CONFIGURATION: &[&str] = &[
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "VpcConfig",
    "TracingConfig",
    "EphemeralStorage",
    "LoggingConfig",
    "Layers",
    "SnapStart",
    "DeadLetterConfig",
];
const OTHERS: &[&str] =
    &["FunctionName", "Code", "Architectures", "PackageType", "Tags", "ReservedConcurrentExecutions", "KmsKeyArn"];

impl Function {
    fn provisioned(configuration: &Value) -> Provisioned {
        let name = text(configuration, "FunctionName");
        let arn = configuration.get("FunctionArn").cloned().unwrap_or_default();
        Provisioned { physical_id: name, reference: None, attributes: Map::from_iter([("Arn".to_owned(), arn)]) }
    }

    /// `Code` with `ZipFile` as inline text is for languages that are run from source, which are refused anyway.
    fn code(properties: &Value) -> Result<Value, Fault> {
        let code = properties.get("Code").cloned().unwrap_or_default();
        match code.get("ZipFile") {
            Some(_) => Err(Fault::unsupported(
                "the property Code.ZipFile of AWS::Lambda::Function: it holds source text, and functions here run their own bootstrap",
            )),
            None => Ok(code),
        }
    }

    async fn reserve(cx: &ResourceContext, name: &str, reserved: Option<&Value>) -> Result<(), Fault> {
        match reserved {
            Some(count) => {
                let count =
                    count.as_str().and_then(|text| text.parse::<u32>().ok()).map_or_else(|| count.clone(), Value::from);
                send(cx, "PutFunctionConcurrency", json!({"FunctionName": name, "ReservedConcurrentExecutions": count}))
                    .await?
            }
            None => send(cx, "DeleteFunctionConcurrency", json!({"FunctionName": name})).await?,
        };
        Ok(())
    }
}

#[async_trait]
impl ResourceType for Function {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Function"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let mut input = parameters(self.type_name(), properties, CONFIGURATION, OTHERS)?;
        let given = properties.get("FunctionName").and_then(Value::as_str);
        let name = given.map_or_else(|| cx.generated_name(64), str::to_owned);
        input.insert("FunctionName".into(), name.clone().into());
        input.insert("Code".into(), Self::code(properties)?);
        input.insert("Tags".into(), tag_map(&cx.tags(properties.get("Tags"))).into());
        for (property, parameter) in
            [("Architectures", "Architectures"), ("PackageType", "PackageType"), ("KmsKeyArn", "KMSKeyArn")]
        {
            if let Some(value) = properties.get(property) {
                input.insert(parameter.into(), value.clone());
            }
        }
        let made = send(cx, "CreateFunction", Value::Object(typed(input))).await?;
        if let Some(reserved) = properties.get("ReservedConcurrentExecutions") {
            Self::reserve(cx, &name, Some(reserved)).await.unfinished(&name)?;
        }
        Ok(Self::provisioned(&made))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        name: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        let mut input = parameters(self.type_name(), new, CONFIGURATION, OTHERS)?;
        let differs = |key: &str| old.get(key) != new.get(key);
        if CONFIGURATION.iter().any(|key| differs(key)) {
            // A property that the template no longer has goes back to its default.
            let defaults = json!({
                "Description": "", "Timeout": 3, "MemorySize": 128, "Environment": {"Variables": {}}, "EphemeralStorage": {"Size": 512},
                "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "TracingConfig": {"Mode": "PassThrough"},
                "LoggingConfig": {"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}")},
            });
            for (key, value) in defaults.as_object().into_iter().flatten() {
                if old.get(key).is_some() && new.get(key).is_none() {
                    input.insert(key.clone(), value.clone());
                }
            }
            input.insert("FunctionName".into(), name.into());
            send(cx, "UpdateFunctionConfiguration", Value::Object(typed(input))).await?;
        }
        if differs("Code") || differs("Architectures") {
            let mut code = Self::code(new)?;
            code["FunctionName"] = name.into();
            if let Some(architectures) = new.get("Architectures") {
                code["Architectures"] = architectures.clone();
            }
            send(cx, "UpdateFunctionCode", code).await?;
        }
        if differs("ReservedConcurrentExecutions") {
            Self::reserve(cx, name, new.get("ReservedConcurrentExecutions")).await?;
        }
        let arn = cx.scope.arn("lambda", format!("function:{name}"));
        let tags = tag_map(&cx.tags(new.get("Tags")));
        let before = tag_map(old.get("Tags").unwrap_or(&Value::Null));
        let removed: Vec<&String> = before.keys().filter(|key| !tags.contains_key(*key)).collect();
        if !removed.is_empty() {
            send(cx, "UntagResource", json!({"Resource": arn, "TagKeys": removed})).await?;
        }
        if !tags.is_empty() {
            send(cx, "TagResource", json!({"Resource": arn, "Tags": tags})).await?;
        }
        let now = send(cx, "GetFunctionConfiguration", json!({"FunctionName": name})).await?;
        Ok(Self::provisioned(&now))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(send(cx, "DeleteFunction", json!({"FunctionName": name})).await)
    }
}

struct Permission;

impl Permission {
    fn provisioned(id: &str) -> Provisioned {
        let attributes = Map::from_iter([("Id".to_owned(), Value::from(id))]);
        Provisioned { physical_id: id.to_owned(), reference: None, attributes }
    }
}

#[async_trait]
impl ResourceType for Permission {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Permission"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let same = ["FunctionName", "Action", "Principal", "SourceArn", "SourceAccount", "PrincipalOrgID"];
        let mut input = parameters(self.type_name(), properties, &same, &[])?;
        let id = cx.generated_name(100);
        input.insert("StatementId".into(), id.clone().into());
        match send(cx, "AddPermission", Value::Object(input)).await {
            // The id holds the token: whatever has it was made by an earlier try.
            Err(fault) if fault.code == "ResourceConflictException" => {}
            other => {
                other?;
            }
        }
        Ok(Self::provisioned(&id))
    }

    async fn update(
        &self,
        _cx: &ResourceContext,
        id: &str,
        _old: &Value,
        _new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        Ok(Self::provisioned(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"FunctionName": properties.get("FunctionName"), "StatementId": id});
        gone_is_success(send(cx, "RemovePermission", input).await)
    }
}

struct Version;

#[async_trait]
impl ResourceType for Version {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Version"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let input = parameters(self.type_name(), properties, &["FunctionName", "Description", "CodeSha256"], &[])?;
        let made = send(cx, "PublishVersion", Value::Object(input)).await?;
        let arn = text(&made, "FunctionArn");
        let version = made.get("Version").cloned().unwrap_or_default();
        let attributes =
            Map::from_iter([("Version".to_owned(), version), ("FunctionArn".to_owned(), arn.clone().into())]);
        Ok(Provisioned { physical_id: arn, reference: None, attributes })
    }

    async fn update(
        &self,
        _cx: &ResourceContext,
        arn: &str,
        _old: &Value,
        _new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        let version = arn.rsplit(':').next().unwrap_or_default();
        let attributes =
            Map::from_iter([("Version".to_owned(), Value::from(version)), ("FunctionArn".to_owned(), arn.into())]);
        Ok(Provisioned { physical_id: arn.to_owned(), reference: None, attributes })
    }

    async fn delete(&self, cx: &ResourceContext, arn: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(send(cx, "DeleteFunction", json!({"FunctionName": arn})).await)
    }
}

struct Alias;

impl Alias {
    fn input(&self, properties: &Value) -> Result<Map<String, Value>, Fault> {
        let same = ["FunctionName", "FunctionVersion", "Name", "Description"];
        let mut input = parameters(self.type_name(), properties, &same, &["RoutingConfig"])?;
        if let Some(routing) = properties.get("RoutingConfig") {
            // CloudFormation lists what the API maps.
            let weights = routing.get("AdditionalVersionWeights").and_then(Value::as_array).into_iter().flatten();
            let weights: Map<String, Value> = weights
                .map(|entry| (text(entry, "FunctionVersion"), entry.get("FunctionWeight").cloned().unwrap_or_default()))
                .collect();
            input.insert("RoutingConfig".into(), json!({"AdditionalVersionWeights": weights}));
        }
        Ok(input)
    }

    fn provisioned(made: &Value) -> Provisioned {
        let arn = text(made, "AliasArn");
        let attributes = Map::from_iter([("AliasArn".to_owned(), Value::from(arn.clone()))]);
        Provisioned { physical_id: arn, reference: None, attributes }
    }
}

#[async_trait]
impl ResourceType for Alias {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Alias"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let made = send(cx, "CreateAlias", Value::Object(self.input(properties)?)).await?;
        Ok(Self::provisioned(&made))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        _arn: &str,
        _old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        let made = send(cx, "UpdateAlias", Value::Object(self.input(new)?)).await?;
        Ok(Self::provisioned(&made))
    }

    async fn delete(&self, cx: &ResourceContext, _arn: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"FunctionName": properties.get("FunctionName"), "Name": properties.get("Name")});
        gone_is_success(send(cx, "DeleteAlias", input).await)
    }
}
