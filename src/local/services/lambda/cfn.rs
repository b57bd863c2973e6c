//! `AWS::Lambda::Function`, `Permission`, `Version` and `Alias`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::resource::{
    Look, Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm, Unfinished,
    until,
};

pub(super) fn types() -> Vec<ResourceType> {
    let alias = ["FunctionName", "FunctionVersion", "Name", "Description", "RoutingConfig"];
    let permission = ["FunctionName", "Action", "Principal", "SourceArn", "SourceAccount", "PrincipalOrgID"];
    let version = ["FunctionName", "Description", "CodeSha256"];
    let elsewhere = ["FunctionName", "Code", "Tags", "ReservedConcurrentExecutions", "KmsKeyArn"];
    vec![
        ResourceType::new("AWS::Lambda::Function", CONFIGURATION, Function)
            .and(PACKAGE)
            .and(&elsewhere)
            .fixed(&["KmsKeyArn"])
            .kept(&[&["Runtime"], &["Handler"]])
            .defaults(|_| json!({"Architectures": ["x86_64"]})),
        ResourceType::new("AWS::Lambda::Permission", &permission, Permission),
        ResourceType::new("AWS::Lambda::Version", &version, Version),
        ResourceType::new("AWS::Lambda::Alias", &alias, Alias),
    ]
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
/// Those that go with the code.
const PACKAGE: &[&str] = &["Architectures", "PackageType"];

impl Function {
    fn provisioned(configuration: &Value) -> Provisioned {
        Provisioned::with(configuration.text("FunctionName"), json!({"Arn": configuration["FunctionArn"]}))
    }

    /// `Code` with `ZipFile` as inline text is for languages that are run from source, which are refused anyway.
    fn code(properties: &Value) -> Result<Value, Fault> {
        match properties["Code"].get("ZipFile") {
            Some(_) => Err(Fault::unsupported(
                "the property Code.ZipFile of AWS::Lambda::Function: it holds source text, and functions here run their own bootstrap",
            )),
            None => Ok(properties["Code"].clone()),
        }
    }

    /// The parameters of the same names as properties; variables, which a template may write as numbers, are text.
    fn parameters(properties: &Value, names: &[&str]) -> Value {
        let mut input = properties.pick(names);
        let variables = input.pointer_mut("/Environment/Variables").and_then(Value::as_object_mut);
        for (_, value) in variables.into_iter().flatten() {
            *value = json!(value.to_text());
        }
        input
    }

    /// Waits for the end of an update: until then the service refuses the next one.
    async fn settled(cx: &ResourceContext, name: &str) -> Result<Value, ResourceFault> {
        until(name, || async {
            let now = cx.ask("GetFunctionConfiguration", json!({"FunctionName": name})).await?;
            Ok(match now.text("LastUpdateStatus") {
                "InProgress" => Look::Still("being updated".to_owned()),
                _ => Look::Settled(now),
            })
        })
        .await
    }

    async fn reserve(cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), Fault> {
        let mut input = properties.pick(&["ReservedConcurrentExecutions"]);
        input["FunctionName"] = json!(name);
        let reserved = properties.get("ReservedConcurrentExecutions").is_some();
        let operation = if reserved { "PutFunctionConcurrency" } else { "DeleteFunctionConcurrency" };
        cx.ask(operation, input).await.map(drop)
    }

    async fn configure(cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Result<(), ResourceFault> {
        if new.changed(old, CONFIGURATION).is_empty() {
            return Ok(());
        }
        let mut input = Function::parameters(new, CONFIGURATION);
        // A property that the template no longer has goes back to its default.
        let defaults = json!({
            "Description": "", "Timeout": 3, "MemorySize": 128, "Environment": {"Variables": {}}, "EphemeralStorage": {"Size": 512},
            "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "TracingConfig": {"Mode": "PassThrough"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}")},
            "Layers": [], "SnapStart": {"ApplyOn": "None"}, "DeadLetterConfig": {"TargetArn": ""},
        });
        for (key, value) in defaults.as_object().into_iter().flatten() {
            if old.get(key).is_some() && new.get(key).is_none() {
                input[key] = value.clone();
            }
        }
        input["FunctionName"] = json!(name);
        cx.ask("UpdateFunctionConfiguration", input).await?;
        Function::settled(cx, name).await.map(drop)
    }
}

#[async_trait]
impl Provider for Function {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let name = cx.name(properties, "FunctionName", 64);
        let mut input = Function::parameters(properties, &[CONFIGURATION, PACKAGE].concat());
        input["FunctionName"] = json!(name);
        input["Code"] = Function::code(properties)?;
        input["Tags"] = json!(cx.tag_map(properties));
        input["KMSKeyArn"] = properties["KmsKeyArn"].clone();
        let made = cx.ask("CreateFunction", input).await?;
        if properties.get("ReservedConcurrentExecutions").is_some() {
            Function::reserve(cx, &name, properties).await.unfinished(&name)?;
        }
        Ok(Function::provisioned(&made))
    }

    async fn update(&self, cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Made {
        // A try before this one may have begun an update.
        Function::settled(cx, name).await?;
        Function::configure(cx, name, old, new).await?;
        if !new.changed(old, &["Code", "Architectures"]).is_empty() {
            let mut code = Function::code(new)?;
            code["FunctionName"] = json!(name);
            code["Architectures"] = new["Architectures"].clone();
            cx.ask("UpdateFunctionCode", code).await?;
        }
        if old["ReservedConcurrentExecutions"] != new["ReservedConcurrentExecutions"] {
            Function::reserve(cx, name, new).await?;
        }
        let place = json!({"Resource": cx.scope.arn("lambda", format!("function:{name}"))});
        cx.retag(("UntagResource", "TagResource"), place, TagForm::Map, (old, new)).await?;
        Ok(Function::provisioned(&Function::settled(cx, name).await?))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteFunction", json!({"FunctionName": name})).await
    }
}

struct Permission;

#[async_trait]
impl Provider for Permission {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.generated_name(100);
        let mut input = properties.clone();
        input["StatementId"] = json!(id);
        match cx.ask("AddPermission", input).await {
            // The id holds the token: whatever has it was made by an earlier try.
            Err(fault) if fault.code == "ResourceConflictException" => {}
            answer => drop(answer?),
        }
        Ok(Provisioned::with(&id, json!({"Id": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"FunctionName": properties["FunctionName"], "StatementId": id});
        cx.remove("RemovePermission", input).await
    }
}

struct Version;

#[async_trait]
impl Provider for Version {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let made = cx.ask("PublishVersion", properties.clone()).await?;
        Ok(Provisioned::with(made.text("FunctionArn"), made.pick(&["Version", "FunctionArn"])))
    }

    async fn delete(&self, cx: &ResourceContext, arn: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteFunction", json!({"FunctionName": arn})).await
    }
}

struct Alias;

impl Alias {
    async fn put(cx: &ResourceContext, operation: &str, properties: &Value) -> Made {
        let mut input = properties.clone();
        if let Some(routing) = properties.get("RoutingConfig") {
            // CloudFormation lists what the API maps.
            let weights = routing.list("AdditionalVersionWeights").iter();
            let weights: Map<String, Value> = weights
                .map(|entry| (entry.text("FunctionVersion").to_owned(), entry["FunctionWeight"].clone()))
                .collect();
            input["RoutingConfig"] = json!({"AdditionalVersionWeights": weights});
        }
        let made = cx.ask(operation, input).await?;
        Ok(Provisioned::with(made.text("AliasArn"), made.pick(&["AliasArn"])))
    }
}

#[async_trait]
impl Provider for Alias {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        Alias::put(cx, "CreateAlias", properties).await
    }

    async fn update(&self, cx: &ResourceContext, _: &str, old: &Value, new: &Value) -> Made {
        let mut wanted = new.clone();
        // What UpdateAlias is not told of stays as it is.
        for (name, none) in [("Description", json!("")), ("RoutingConfig", json!({}))] {
            if old.get(name).is_some() && new.get(name).is_none() {
                wanted[name] = none;
            }
        }
        Alias::put(cx, "UpdateAlias", &wanted).await
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteAlias", properties.pick(&["FunctionName", "Name"])).await
    }
}
