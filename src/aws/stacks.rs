//! CloudFormation in labctl's words: stacks, change sets, events.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetType, DeploymentConfig, DeploymentConfigMode, EventFilter, Parameter, Stack, Tag,
    TemplateStage,
};
use std::collections::BTreeMap;

/// A stack as CloudFormation describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackRecord {
    pub name: String,
    pub id: String,
    pub status: String,
    pub reason: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub created: Option<String>,
}

impl StackRecord {
    fn of(stack: &Stack) -> Self {
        let pair =
            |key: Option<&str>, value: Option<&str>| Some((key?.to_owned(), value.unwrap_or_default().to_owned()));
        StackRecord {
            name: stack.stack_name().unwrap_or_default().to_owned(),
            id: stack.stack_id().unwrap_or_default().to_owned(),
            status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: stack.stack_status_reason().map(str::to_owned),
            parameters: stack
                .parameters()
                .iter()
                .filter_map(|parameter| pair(parameter.parameter_key(), parameter.parameter_value()))
                .collect(),
            outputs: stack
                .outputs()
                .iter()
                .filter_map(|output| pair(output.output_key(), output.output_value()))
                .collect(),
            tags: stack.tags().iter().filter_map(|tag| pair(tag.key(), tag.value())).collect(),
            created: stack.creation_time().map(ToString::to_string),
        }
    }
}

/// What a change set is made of.
#[derive(Clone, Debug)]
pub struct ChangeSetRequest<'a> {
    pub stack: &'a str,
    pub name: &'a str,
    /// The stack is new.
    pub create: bool,
    pub template: Template<'a>,
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// Done when the configuration is applied; whoever asks waits for readiness himself.
    pub express: bool,
    /// Retried with the same token it is the same change set.
    pub token: &'a str,
}

/// A template's text, or where CloudFormation reads a bigger one.
#[derive(Clone, Debug)]
pub enum Template<'a> {
    Body(&'a str),
    Url(String),
}

/// Where a change set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSetState {
    Pending,
    Ready,
    /// It failed and has no changes, in CloudFormation's words: there was nothing to change, or something else stopped it.
    NoChanges {
        reason: String,
    },
    Failed {
        reason: String,
    },
}

/// One line of a stack's history.
#[derive(Clone, Debug, PartialEq)]
pub struct StackEvent {
    pub id: String,
    /// The operation's `ClientRequestToken`.
    pub token: Option<String>,
    pub resource: String,
    pub kind: String,
    pub physical_id: String,
    pub status: String,
    pub reason: Option<String>,
    /// Seconds since 1970, with their fraction.
    pub at: f64,
}

/// A resource of a stack as it is now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StackResource {
    pub resource: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Aws {
    /// Every stack of the account and region that is not deleted.
    pub async fn stacks(&self) -> Result<Vec<StackRecord>, AwsError> {
        let mut pages = self.cloudformation().describe_stacks().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("cloudformation:DescribeStacks"))?;
            found.extend(page.stacks().iter().map(StackRecord::of));
        }
        for record in &mut found {
            self.tag_in_review(record).await?;
        }
        Ok(found)
    }

    /// A stack that a change set made and nobody executed has no tags yet: they are in the change set.
    async fn tag_in_review(&self, record: &mut StackRecord) -> Result<(), AwsError> {
        if record.status != "REVIEW_IN_PROGRESS" || !record.tags.is_empty() {
            return Ok(());
        }
        let gone = |error: &AwsError| error.is("ValidationError") || error.is("ChangeSetNotFound");
        let listed = self.cloudformation().list_change_sets().stack_name(&record.id).send().await;
        let listed = match listed.map_err(AwsError::of("cloudformation:ListChangeSets")) {
            Err(error) if gone(&error) => return Ok(()),
            listed => listed?,
        };
        for set in listed.summaries().iter().filter_map(|set| set.change_set_id()) {
            let described = self.cloudformation().describe_change_set().change_set_name(set).send().await;
            match described.map_err(AwsError::of("cloudformation:DescribeChangeSet")) {
                Err(error) if gone(&error) => {}
                described => {
                    let tags = described?
                        .tags()
                        .iter()
                        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
                        .collect();
                    record.tags = tags;
                }
            }
        }
        Ok(())
    }

    /// A stack by its name (then a deleted one is not found) or its ARN.
    pub async fn stack(&self, name: &str) -> Result<Option<StackRecord>, AwsError> {
        let sent = self.cloudformation().describe_stacks().stack_name(name).send().await;
        match sent.map_err(AwsError::of("cloudformation:DescribeStacks")) {
            Ok(answer) => match answer.stacks().first().map(StackRecord::of) {
                Some(mut record) => {
                    self.tag_in_review(&mut record).await?;
                    Ok(Some(record))
                }
                None => Ok(None),
            },
            // The one thing that can be invalid about a well-formed name is that nothing has it.
            Err(error) if error.is("ValidationError") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The template as it was sent.
    pub async fn stack_template(&self, name: &str) -> Result<String, AwsError> {
        let request = self.cloudformation().get_template().stack_name(name).template_stage(TemplateStage::Original);
        let answer = request.send().await.map_err(AwsError::of("cloudformation:GetTemplate"))?;
        Ok(answer.template_body().unwrap_or_default().to_owned())
    }

    /// Asks for a change set; gives its ARN.
    pub async fn create_change_set(&self, wanted: &ChangeSetRequest<'_>) -> Result<String, AwsError> {
        let parameter =
            |(key, value): (&String, &String)| Parameter::builder().parameter_key(key).parameter_value(value).build();
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        let request = self
            .cloudformation()
            .create_change_set()
            .stack_name(wanted.stack)
            .change_set_name(wanted.name)
            .client_token(wanted.token)
            .change_set_type(if wanted.create { ChangeSetType::Create } else { ChangeSetType::Update })
            .set_parameters(Some(wanted.parameters.iter().map(parameter).collect()))
            .set_tags(Some(wanted.tags.iter().map(tag).collect()))
            .capabilities(Capability::CapabilityNamedIam)
            .deployment_config(deployment(wanted.express));
        let request = match &wanted.template {
            Template::Body(text) => request.template_body(*text),
            Template::Url(url) => request.template_url(url),
        };
        let answer = request.send().await.map_err(AwsError::of("cloudformation:CreateChangeSet"))?;
        let id =
            answer.id().ok_or(AwsError::Incomplete { operation: "cloudformation:CreateChangeSet", missing: "Id" })?;
        Ok(id.to_owned())
    }

    pub async fn change_set(&self, arn: &str) -> Result<ChangeSetState, AwsError> {
        let sent = self.cloudformation().describe_change_set().change_set_name(arn).send().await;
        let answer = sent.map_err(AwsError::of("cloudformation:DescribeChangeSet"))?;
        let reason = answer.status_reason().unwrap_or_default().to_owned();
        Ok(match answer.status().map(|status| status.as_str().to_owned()).as_deref() {
            Some("CREATE_COMPLETE") => ChangeSetState::Ready,
            Some("FAILED") => failed(reason, !answer.changes().is_empty(), &self.change_set_refusals(arn).await?),
            _ => ChangeSetState::Pending,
        })
    }

    /// What pre-deployment validation has against a change set. Only `DescribeEvents` tells.
    async fn change_set_refusals(&self, arn: &str) -> Result<Vec<String>, AwsError> {
        let filter = EventFilter::builder().failed_events(true).build();
        let sent = self.cloudformation().describe_events().change_set_name(arn).filters(filter).send().await;
        let answer = sent.map_err(AwsError::of("cloudformation:DescribeEvents"))?;
        let events = answer.operation_events().iter();
        Ok(events
            .filter_map(|event| {
                let why = event.validation_status_reason().or(event.resource_status_reason())?;
                Some(match (event.logical_resource_id(), event.validation_path()) {
                    (Some(resource), Some(path)) => format!("{resource} ({path}): {why}"),
                    (Some(resource), None) => format!("{resource}: {why}"),
                    (None, _) => why.to_owned(),
                })
            })
            .collect())
    }

    pub async fn execute_change_set(&self, arn: &str, token: &str) -> Result<(), AwsError> {
        let request = self.cloudformation().execute_change_set().change_set_name(arn).client_request_token(token);
        request.send().await.map(drop).map_err(AwsError::of("cloudformation:ExecuteChangeSet"))
    }

    pub async fn delete_change_set(&self, arn: &str) -> Result<(), AwsError> {
        let request = self.cloudformation().delete_change_set().change_set_name(arn);
        request.send().await.map(drop).map_err(AwsError::of("cloudformation:DeleteChangeSet"))
    }

    /// Asks for a stack's deletion. Express mode does not wait for Lambda to give its network interfaces back.
    pub async fn delete_stack(&self, name: &str, token: &str, express: bool) -> Result<(), AwsError> {
        let request = self.cloudformation().delete_stack().stack_name(name).client_request_token(token);
        let request = request.deployment_config(deployment(express));
        request.send().await.map(drop).map_err(AwsError::of("cloudformation:DeleteStack"))
    }

    pub async fn continue_rollback(&self, name: &str, token: &str) -> Result<(), AwsError> {
        let request = self.cloudformation().continue_update_rollback().stack_name(name).client_request_token(token);
        request.send().await.map(drop).map_err(AwsError::of("cloudformation:ContinueUpdateRollback"))
    }

    /// The events after the one called `last` (all of them, if `None`), oldest first.
    pub async fn stack_events(&self, name: &str, last: Option<&str>) -> Result<Vec<StackEvent>, AwsError> {
        let mut pages = self.cloudformation().describe_stack_events().stack_name(name).into_paginator().send();
        let mut found = Vec::new();
        'pages: while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("cloudformation:DescribeStackEvents"))?;
            for event in page.stack_events() {
                let event = event_of(event);
                if last == Some(event.id.as_str()) {
                    break 'pages;
                }
                found.push(event);
            }
        }
        found.reverse();
        Ok(found)
    }

    /// The resources of a stack that are or were there.
    pub async fn stack_resources(&self, name: &str) -> Result<Vec<StackResource>, AwsError> {
        let mut pages = self.cloudformation().list_stack_resources().stack_name(name).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("cloudformation:ListStackResources"))?;
            found.extend(page.stack_resource_summaries().iter().map(|resource| StackResource {
                resource: resource.logical_resource_id().unwrap_or_default().to_owned(),
                kind: resource.resource_type().unwrap_or_default().to_owned(),
                id: resource.physical_resource_id().unwrap_or_default().to_owned(),
                status: resource.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                reason: resource.resource_status_reason().map(str::to_owned),
            }));
        }
        Ok(found)
    }
}

/// A change set without changes is a failed one, and so is one that could not be made; only what CloudFormation says of the
/// resources tells the second, and it does not always say something.
fn failed(reason: String, changes: bool, refusals: &[String]) -> ChangeSetState {
    match (changes, refusals) {
        (false, []) => ChangeSetState::NoChanges { reason },
        (true, []) => ChangeSetState::Failed { reason },
        (_, refusals) => ChangeSetState::Failed { reason: refusals.join("; ") },
    }
}

/// Express mode's own default for rollback is documented both ways: it is always said.
fn deployment(express: bool) -> DeploymentConfig {
    let mode = if express { DeploymentConfigMode::Express } else { DeploymentConfigMode::Standard };
    DeploymentConfig::builder().mode(mode).disable_rollback(false).build()
}

fn event_of(event: &aws_sdk_cloudformation::types::StackEvent) -> StackEvent {
    StackEvent {
        id: event.event_id().unwrap_or_default().to_owned(),
        token: event.client_request_token().map(str::to_owned),
        resource: event.logical_resource_id().unwrap_or_default().to_owned(),
        kind: event.resource_type().unwrap_or_default().to_owned(),
        physical_id: event.physical_resource_id().unwrap_or_default().to_owned(),
        status: event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: event.resource_status_reason().map(str::to_owned),
        at: event.timestamp().map(aws_smithy_types::DateTime::as_secs_f64).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_change_set_has_no_changes_or_a_reason() {
        let refusals = ["Bucket: the name is taken".to_owned()];
        let why = |reason: &str| reason.to_owned();
        assert_eq!(failed(why("no changes"), false, &[]), ChangeSetState::NoChanges { reason: why("no changes") });
        assert_eq!(failed(why("limit"), true, &[]), ChangeSetState::Failed { reason: why("limit") });
        for changes in [true, false] {
            let refused = ChangeSetState::Failed { reason: refusals[0].clone() };
            assert_eq!(failed(why("validation failed"), changes, &refusals), refused);
        }
    }
}
