//! What is wrong with a mapping template, as the control plane says it.

use super::vtl::TemplateError;
use crate::execute_api::fault::GatewayFault;

impl From<TemplateError> for GatewayFault {
    fn from(error: TemplateError) -> Self {
        match error {
            TemplateError::Invalid(why) => GatewayFault::Invalid(format!("Invalid mapping template: {why}")),
            TemplateError::Unsupported(what) => GatewayFault::Unsupported(what),
        }
    }
}
