//! The CloudFormation types of S3.

use std::sync::Arc;

use crate::local::resource::ResourceType;

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    Vec::new()
}
