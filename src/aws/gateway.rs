//! API Gateway in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use std::collections::HashMap;
use std::fmt;

/// An API key's value. Its debug form shows nothing of it.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// For the request that carries it, and for whoever asks for it by its name; never to be printed among other things.
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

    /// The identifiers of REST APIs that carry all of these tags.
    pub async fn rest_apis(&self, tags: &[(&str, &str)]) -> Result<Vec<String>, AwsError> {
        let mut pages = self.apigateway().get_rest_apis().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("apigateway:GetRestApis"))?;
            let ours = page.items().iter().filter(|api| has(api.tags(), tags));
            found.extend(ours.filter_map(|api| api.id().map(str::to_owned)));
        }
        Ok(found)
    }

    /// The identifiers of HTTP and WebSocket APIs that carry all of these tags.
    pub async fn http_apis(&self, tags: &[(&str, &str)]) -> Result<Vec<String>, AwsError> {
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let sent = self.apigatewayv2().get_apis().set_next_token(next).send().await;
            let page = sent.map_err(AwsError::of("apigatewayv2:GetApis"))?;
            let ours = page.items().iter().filter(|api| has(api.tags(), tags));
            found.extend(ours.filter_map(|api| api.api_id().map(str::to_owned)));
            next = page.next_token;
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// A REST API's name, and those of its stages that are traced.
    pub async fn traced_stages(&self, api: &str) -> Result<(String, Vec<String>), AwsError> {
        let sent = self.apigateway().get_rest_api().rest_api_id(api).send().await;
        let name = sent.map_err(AwsError::of("apigateway:GetRestApi"))?.name.unwrap_or_default();
        let sent = self.apigateway().get_stages().rest_api_id(api).send().await;
        let stages = sent.map_err(AwsError::of("apigateway:GetStages"))?;
        let traced = stages.item().iter().filter(|stage| stage.tracing_enabled());
        Ok((name, traced.filter_map(|stage| stage.stage_name().map(str::to_owned)).collect()))
    }

    /// The identifiers of API keys that carry all of these tags.
    pub async fn api_keys(&self, tags: &[(&str, &str)]) -> Result<Vec<String>, AwsError> {
        let mut pages = self.apigateway().get_api_keys().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("apigateway:GetApiKeys"))?;
            let ours = page.items().iter().filter(|key| has(key.tags(), tags));
            found.extend(ours.filter_map(|key| key.id().map(str::to_owned)));
        }
        Ok(found)
    }
}

fn has(held: Option<&HashMap<String, String>>, tags: &[(&str, &str)]) -> bool {
    tags.iter().all(|(tag, value)| held.and_then(|held| held.get(*tag)).map(String::as_str) == Some(*value))
}
