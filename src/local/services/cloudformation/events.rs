//! A stack's events: what happened, in order, appended to one file of lines.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;

use super::state::OperationKind;
use super::status::Status;

/// One line of a stack's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) logical_id: String,
    pub(super) physical_id: String,
    pub(super) kind: String,
    pub(super) reason: Option<String>,
    pub(super) properties: Option<String>,
    pub(super) client_token: Option<String>,
    pub(super) operation: Option<(OperationKind, String)>,
    pub(super) what: What,
}

/// What an event tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum What {
    /// A stack or resource took a status.
    Changed(Status),
    /// Pre-deployment validation found something; seen by `DescribeEvents` alone.
    Invalid { validation: String, path: String, change_set: Option<String> },
}

pub(super) const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

impl Event {
    /// As `DescribeStackEvents` shows it; validation errors are not shown there.
    pub(super) fn stack_event(&self, stack_id: &str, stack_name: &str) -> Option<Value> {
        let What::Changed(status) = self.what else { return None };
        Some(json!({
            "StackId": stack_id,
            "StackName": stack_name,
            "EventId": self.id,
            "OperationId": self.operation.as_ref().map(|(_, id)| id),
            "LogicalResourceId": self.logical_id,
            "PhysicalResourceId": self.physical_id,
            "ResourceType": self.kind,
            "Timestamp": self.at,
            "ResourceStatus": status,
            "ResourceStatusReason": self.reason,
            "ResourceProperties": self.properties,
            "ClientRequestToken": self.client_token,
        }))
    }

    /// As `DescribeEvents` shows it.
    pub(super) fn operation_event(&self, stack_id: &str) -> Value {
        let (kind, id) = self.operation.as_ref().map_or((None, None), |(kind, id)| (Some(kind), Some(id)));
        let mut shown = json!({
            "StackId": stack_id,
            "EventId": self.id,
            "OperationId": id,
            "OperationType": kind,
            "LogicalResourceId": self.logical_id,
            "PhysicalResourceId": self.physical_id,
            "ResourceType": self.kind,
            "Timestamp": self.at,
            "ClientRequestToken": self.client_token,
            "ResourceProperties": self.properties,
        });
        match &self.what {
            What::Changed(status) => {
                shown["EventType"] = json!(self.event_type(*status, stack_id));
                shown["ResourceStatus"] = json!(status);
                shown["ResourceStatusReason"] = json!(self.reason);
                if self.is_of_stack(stack_id) {
                    shown["OperationStatus"] = json!(operation_status(*status));
                }
            }
            What::Invalid { validation, path, .. } => {
                shown["EventType"] = json!("VALIDATION_ERROR");
                shown["ValidationName"] = json!(validation);
                shown["ValidationStatus"] = json!("FAILED");
                shown["ValidationFailureMode"] = json!("FAIL");
                shown["ValidationPath"] = json!(path);
                shown["ValidationStatusReason"] = json!(self.reason);
                shown["DetailedStatus"] = json!("VALIDATION_FAILED");
            }
        }
        shown
    }

    pub(super) fn is_of_stack(&self, stack_id: &str) -> bool {
        self.physical_id == stack_id
    }

    /// What `Filters.FailedEvents` keeps.
    pub(super) fn failed(&self) -> bool {
        match self.what {
            What::Changed(status) => status.failed(),
            What::Invalid { .. } => true,
        }
    }

    fn event_type(&self, status: Status, stack_id: &str) -> &'static str {
        if self.is_of_stack(stack_id) {
            "STACK_EVENT"
        } else if status.failed() {
            "PROVISIONING_ERROR"
        } else {
            "PROGRESS_EVENT"
        }
    }
}

fn operation_status(status: Status) -> &'static str {
    if status.in_progress() {
        "IN_PROGRESS"
    } else if status.failed() || matches!(status, Status::RollbackComplete | Status::UpdateRollbackComplete) {
        "FAILED"
    } else {
        "SUCCEEDED"
    }
}
