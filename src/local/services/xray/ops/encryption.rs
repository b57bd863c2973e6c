//! GetEncryptionConfig: nothing is encrypted with a key of one's own here, so PutEncryptionConfig is refused by name.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::state::XRay;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetEncryptionConfig {}

pub(crate) async fn get(_: Arc<XRay>, _: &Call, _: GetEncryptionConfig) -> Result<Value, XRayFault> {
    Ok(json!({"EncryptionConfig": {"Status": "ACTIVE", "Type": "NONE"}}))
}
