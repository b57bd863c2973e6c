//! Secrets Manager in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};

impl Aws {
    /// The names of secrets that carry all of these tags.
    pub async fn secrets_with(&self, tags: &[(&str, &str)]) -> Result<Vec<String>, AwsError> {
        // The service's filters look at keys and values apart, and at their beginnings only.
        let filters =
            tags.iter().map(|(key, _)| Filter::builder().key(FilterNameStringType::TagKey).values(*key).build());
        let mut pages = self.secrets().list_secrets().set_filters(Some(filters.collect())).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("secretsmanager:ListSecrets"))?;
            let ours = page.secret_list().iter().filter(|secret| {
                let has = |key: &str, value: &str| {
                    secret.tags().iter().any(|tag| tag.key() == Some(key) && tag.value() == Some(value))
                };
                tags.iter().all(|(key, value)| has(key, value))
            });
            found.extend(ours.filter_map(|secret| secret.name().map(str::to_owned)));
        }
        Ok(found)
    }
}
