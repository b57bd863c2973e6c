//! The types of CloudFormation itself: nested stacks, wait condition handles, the CDK's note.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

use super::CloudFormation;
use super::begin::Parent;
use super::cell::Cell;
use super::events::STACK_TYPE;
use super::faults::CfnFault;
use super::prepare::{DeployRequest, GivenParameter};
use super::state::{Stack, Tag};
use super::status::Status;

/// The types that CloudFormation provides.
pub(super) fn types(cfn: &Weak<CloudFormation>) -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(NestedStack { cfn: cfn.clone() }), Arc::new(Nothing(HANDLE)), Arc::new(Nothing("AWS::CDK::Metadata"))]
}

/// Its physical id is a URL, as on AWS.
const HANDLE: &str = "AWS::CloudFormation::WaitConditionHandle";

/// Types behind which there is nothing, on AWS either: handles, which templates use as resources that do nothing, and
/// what the CDK says of itself.
struct Nothing(&'static str);

#[async_trait]
impl ResourceType for Nothing {
    fn type_name(&self) -> &'static str {
        self.0
    }

    async fn create(&self, cx: &ResourceContext, _properties: &Value) -> Result<Provisioned, ResourceFault> {
        let base = cx.cloud.endpoint_url().unwrap_or_else(|| "http://127.0.0.1".to_owned());
        let physical_id = match self.0 {
            HANDLE => format!("{base}/_aws/cloudformation/wait/{}", cx.token),
            _ => cx.token.clone(),
        };
        Ok(Provisioned { physical_id, reference: None, attributes: Map::new() })
    }

    async fn update(
        &self,
        _: &ResourceContext,
        physical_id: &str,
        _: &Value,
        _: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        Ok(Provisioned { physical_id: physical_id.to_owned(), reference: None, attributes: Map::new() })
    }

    async fn delete(&self, _: &ResourceContext, _: &str, _: &Value) -> Result<(), ResourceFault> {
        Ok(())
    }
}

/// `AWS::CloudFormation::Stack`.
struct NestedStack {
    cfn: Weak<CloudFormation>,
}

impl NestedStack {
    fn cfn(&self) -> Result<Arc<CloudFormation>, ResourceFault> {
        self.cfn.upgrade().ok_or_else(|| Fault::internal("CloudFormation is being closed").into())
    }
}

#[async_trait]
impl ResourceType for NestedStack {
    fn type_name(&self) -> &'static str {
        STACK_TYPE
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let cfn = self.cfn()?;
        let mut request = request(cx, properties)?;
        // The name comes from the token: a create that is tried again finds the stack it began.
        request.stack_name = cx.generated_name(128);
        let name = request.stack_name.clone();
        let cell = match cfn.registry.find(&cx.scope, &name) {
            Some(cell) => cell,
            None => {
                let parent = parent(&cfn, cx);
                let (id, _) = cfn.create_stack(&cx.scope, request, Some(&parent)).await.map_err(refused)?;
                cfn.stack(&cx.scope, &id).map_err(refused)?
            }
        };
        settled(&cell, &[Status::CreateComplete, Status::UpdateComplete]).await.unfinished(&cell.get().id)
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        physical_id: &str,
        _: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        let cfn = self.cfn()?;
        let mut request = request(cx, new)?;
        physical_id.clone_into(&mut request.stack_name);
        let cell = cfn.stack(&cx.scope, physical_id).map_err(refused)?;
        cell.until(|stack| !stack.status.in_progress()).await;
        match cfn.update_stack(&cx.scope, request).await {
            Ok(_) => settled(&cell, &[Status::UpdateComplete]).await,
            Err(CfnFault::Validation(message)) if message == "No updates are to be performed." => {
                Ok(provisioned(&cell.get()))
            }
            Err(fault) => Err(refused(fault)),
        }
    }

    async fn delete(&self, cx: &ResourceContext, physical_id: &str, _: &Value) -> Result<(), ResourceFault> {
        let cfn = self.cfn()?;
        let Some(cell) = cfn.registry.find(&cx.scope, physical_id) else { return Ok(()) };
        cell.until(|stack| !stack.status.in_progress() || stack.status == Status::DeleteInProgress).await;
        cx.cloud.call(&cx.scope, "cloudformation", "DeleteStack", json!({"StackName": physical_id})).await?;
        cell.until(|stack| !stack.status.in_progress()).await;
        let stack = cell.get();
        if stack.is_deleted() { Ok(()) } else { Err(unstable(&stack)) }
    }
}

fn request(cx: &ResourceContext, properties: &Value) -> Result<DeployRequest, ResourceFault> {
    if properties.get("NotificationARNs").and_then(Value::as_array).is_some_and(|arns| !arns.is_empty()) {
        return Err(Fault::unsupported("NotificationARNs of AWS::CloudFormation::Stack").into());
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parameters = properties.get("Parameters").and_then(Value::as_object).into_iter().flatten();
    let tags: Vec<Tag> = serde_json::from_value(cx.tags(properties.get("Tags"))).unwrap_or_default();
    Ok(DeployRequest {
        template_url: properties.get("TemplateURL").and_then(Value::as_str).map(str::to_owned),
        parameters: parameters
            .map(|(key, value)| GivenParameter {
                parameter_key: key.clone(),
                parameter_value: Some(text(value)),
                ..GivenParameter::default()
            })
            .collect(),
        // The caller acknowledged them for the outermost stack.
        capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
        tags: Some(tags.into_iter().filter(|tag| !tag.key.starts_with("aws:")).collect()),
        timeout_in_minutes: properties
            .get("TimeoutInMinutes")
            .and_then(Value::as_u64)
            .and_then(|minutes| u32::try_from(minutes).ok()),
        ..DeployRequest::default()
    })
}

fn parent(cfn: &CloudFormation, cx: &ResourceContext) -> Parent {
    let root = cfn.registry.find(&cx.scope, &cx.stack_id).and_then(|cell| cell.get().root.clone());
    Parent { id: cx.stack_id.clone(), root: root.unwrap_or_else(|| cx.stack_id.clone()) }
}

async fn settled(cell: &Cell, good: &[Status]) -> Result<Provisioned, ResourceFault> {
    cell.until(|stack| !stack.status.in_progress()).await;
    let stack = cell.get();
    if good.contains(&stack.status) { Ok(provisioned(&stack)) } else { Err(unstable(&stack)) }
}

fn provisioned(stack: &Stack) -> Provisioned {
    let outputs =
        stack.outputs.iter().map(|output| (format!("Outputs.{}", output.key), Value::from(output.value.as_str())));
    Provisioned { physical_id: stack.id.clone(), reference: None, attributes: outputs.collect() }
}

fn unstable(stack: &Stack) -> ResourceFault {
    let failed = stack.resources.iter().find_map(|(name, resource)| {
        resource.status.failed().then(|| format!(" {name}: {}", resource.reason.as_deref().unwrap_or_default()))
    });
    let message = format!(
        "Embedded stack {} was not successfully deployed: {}.{}",
        stack.id,
        stack.status.name(),
        failed.unwrap_or_default()
    );
    ResourceFault::new("NotStabilized", message)
}

fn refused(fault: CfnFault) -> ResourceFault {
    Fault::from(fault).into()
}
