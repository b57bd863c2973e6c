//! The types of CloudFormation itself: nested stacks, wait condition handles, the CDK's note.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished,
};

use super::CloudFormation;
use super::begin::Parent;
use super::cell::Cell;
use super::events::STACK_TYPE;
use super::faults::CfnFault;
use super::prepare::{DeployRequest, GivenParameter};
use super::state::{Stack, Tag};
use super::status::Status;

/// The types that CloudFormation provides.
pub(super) fn types(cfn: &Weak<CloudFormation>) -> Vec<ResourceType> {
    let stack = ["NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"];
    vec![
        ResourceType::new(STACK_TYPE, &stack, NestedStack { cfn: cfn.clone() }),
        ResourceType::new("AWS::CloudFormation::WaitConditionHandle", &[], Nothing { is_handle: true }),
        ResourceType::new("AWS::CDK::Metadata", &["Analytics", "Modules"], Nothing { is_handle: false }),
    ]
}

/// Types behind which there is nothing, on AWS either: handles, which templates use as resources that do nothing, and
/// what the CDK says of itself.
struct Nothing {
    /// Its physical id is a URL, as on AWS.
    is_handle: bool,
}

#[async_trait]
impl Provider for Nothing {
    async fn create(&self, cx: &ResourceContext, _properties: &Value) -> Made {
        let base = cx.cloud.endpoint_url().unwrap_or_else(|| "http://127.0.0.1".to_owned());
        let url = format!("{base}/_aws/cloudformation/wait/{}", cx.token);
        Ok(match self.is_handle {
            true => Provisioned::with(&url, json!({"Id": url})),
            false => Provisioned::named(&cx.token),
        })
    }

    async fn update(&self, _: &ResourceContext, id: &str, _: &Value, _: &Value) -> Made {
        Ok(Provisioned::named(id))
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
impl Provider for NestedStack {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
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

    async fn update(&self, cx: &ResourceContext, physical_id: &str, _: &Value, new: &Value) -> Made {
        let cfn = self.cfn()?;
        let mut request = request(cx, new)?;
        physical_id.clone_into(&mut request.stack_name);
        let cell = cfn.stack(&cx.scope, physical_id).map_err(refused)?;
        cell.until(|stack| !stack.status.in_progress()).await;
        match cfn.update_stack(&cx.scope, request).await {
            Ok(_) => settled(&cell, &[Status::UpdateComplete]).await,
            Err(CfnFault::NoUpdates) => Ok(provisioned(&cell.get())),
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
    if !properties.list("NotificationARNs").is_empty() {
        return Err(Fault::unsupported("NotificationARNs of AWS::CloudFormation::Stack").into());
    }
    let tags: Vec<Tag> = serde_json::from_value(cx.tags(properties)).unwrap_or_default();
    Ok(DeployRequest {
        template_url: properties.get("TemplateURL").and_then(Value::as_str).map(str::to_owned),
        parameters: properties
            .members("Parameters")
            .map(|(key, value)| GivenParameter {
                parameter_key: key.clone(),
                parameter_value: Some(value.to_text()),
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

async fn settled(cell: &Cell, good: &[Status]) -> Made {
    cell.until(|stack| !stack.status.in_progress()).await;
    let stack = cell.get();
    if good.contains(&stack.status) { Ok(provisioned(&stack)) } else { Err(unstable(&stack)) }
}

fn provisioned(stack: &Stack) -> Provisioned {
    let outputs =
        stack.outputs.iter().map(|output| (format!("Outputs.{}", output.key), Value::from(output.value.as_str())));
    Provisioned { attributes: outputs.collect(), ..Provisioned::named(&stack.id) }
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
