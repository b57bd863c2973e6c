//! API Gateway in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use std::fmt;

/// An API key's value. Its debug form shows nothing of it.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// For the request that carries it; never to be printed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl Aws {
    pub async fn api_key(&self, id: &str) -> Result<ApiKey, AwsError> {
        const OPERATION: &str = "apigateway:GetApiKey";
        let sent = self.apigateway().get_api_key().api_key(id).include_value(true).send().await;
        let answer = sent.map_err(AwsError::of(OPERATION))?;
        let value = answer.value().ok_or(AwsError::Incomplete { operation: OPERATION, missing: "value" })?;
        Ok(ApiKey(value.to_owned()))
    }
}
