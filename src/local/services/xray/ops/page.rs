//! `NextToken`: where a list goes on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::services::xray::faults::XRayFault;

/// The token for what comes after `last`.
pub(super) fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// What came last before.
pub(super) fn after(token: Option<&str>) -> Result<Option<String>, XRayFault> {
    let read = |token: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok();
    match token {
        None => Ok(None),
        Some(token) => read(token).map(Some).ok_or_else(|| XRayFault::invalid("The NextToken is not valid.")),
    }
}
