//! The statuses of stacks and of resources; both draw on the same names.

use serde::{Deserialize, Serialize};

/// A status as clients see it, of a stack or of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    ReviewInProgress,
    CreateInProgress,
    CreateComplete,
    CreateFailed,
    RollbackInProgress,
    RollbackComplete,
    RollbackFailed,
    UpdateInProgress,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateFailed,
    UpdateRollbackInProgress,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
    UpdateRollbackFailed,
    DeleteInProgress,
    DeleteComplete,
    DeleteFailed,
    /// Of resources only: kept by their deletion policy.
    DeleteSkipped,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Status::ReviewInProgress => "REVIEW_IN_PROGRESS",
            Status::CreateInProgress => "CREATE_IN_PROGRESS",
            Status::CreateComplete => "CREATE_COMPLETE",
            Status::CreateFailed => "CREATE_FAILED",
            Status::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Status::RollbackComplete => "ROLLBACK_COMPLETE",
            Status::RollbackFailed => "ROLLBACK_FAILED",
            Status::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Status::UpdateCompleteCleanupInProgress => "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            Status::UpdateComplete => "UPDATE_COMPLETE",
            Status::UpdateFailed => "UPDATE_FAILED",
            Status::UpdateRollbackInProgress => "UPDATE_ROLLBACK_IN_PROGRESS",
            Status::UpdateRollbackCompleteCleanupInProgress => "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            Status::UpdateRollbackComplete => "UPDATE_ROLLBACK_COMPLETE",
            Status::UpdateRollbackFailed => "UPDATE_ROLLBACK_FAILED",
            Status::DeleteInProgress => "DELETE_IN_PROGRESS",
            Status::DeleteComplete => "DELETE_COMPLETE",
            Status::DeleteFailed => "DELETE_FAILED",
            Status::DeleteSkipped => "DELETE_SKIPPED",
        }
    }

    /// An operation is at work. A stack in review has none.
    pub(super) const fn in_progress(self) -> bool {
        matches!(
            self,
            Status::CreateInProgress
                | Status::RollbackInProgress
                | Status::UpdateInProgress
                | Status::UpdateCompleteCleanupInProgress
                | Status::UpdateRollbackInProgress
                | Status::UpdateRollbackCompleteCleanupInProgress
                | Status::DeleteInProgress
        )
    }

    /// What `UpdateStack` and change sets of type UPDATE accept.
    pub(super) const fn can_update(self) -> bool {
        matches!(
            self,
            Status::CreateComplete
                | Status::CreateFailed
                | Status::UpdateComplete
                | Status::UpdateFailed
                | Status::UpdateRollbackComplete
        )
    }

    pub(super) const fn failed(self) -> bool {
        matches!(
            self,
            Status::CreateFailed
                | Status::RollbackFailed
                | Status::UpdateFailed
                | Status::UpdateRollbackFailed
                | Status::DeleteFailed
        )
    }
}
