//! Dynamic references: resolved for the provider at the moment it is asked, and never kept or shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::scope::Scope;
use crate::template::dynamic::{self, DynamicReference};

/// The properties with every `{{resolve:…}}` in place.
///
/// # Errors
/// The secret cannot be read, or has no such key. The message never holds a value.
pub(super) async fn resolve(cloud: &Cloud, scope: &Scope, properties: &Value) -> Result<Value, Fault> {
    let references = dynamic::find(properties);
    if references.is_empty() {
        return Ok(properties.clone());
    }
    let mut values = BTreeMap::new();
    for reference in references {
        let value = value(cloud, scope, &reference).await?;
        values.insert(reference, value);
    }
    dynamic::replace(properties, &mut |reference| {
        values.get(reference).cloned().ok_or_else(|| Fault::internal("a dynamic reference was not collected"))
    })
}

async fn value(cloud: &Cloud, scope: &Scope, reference: &DynamicReference) -> Result<String, Fault> {
    if reference.service != "secretsmanager" {
        return Err(Fault::unsupported(format_args!("dynamic references to {}", reference.service)));
    }
    let wanted = Wanted::parse(&reference.reference)?;
    let mut input = json!({"SecretId": wanted.secret});
    if let Some(stage) = wanted.stage {
        input["VersionStage"] = json!(stage);
    }
    if let Some(version) = wanted.version {
        input["VersionId"] = json!(version);
    }
    let answer = cloud.call(scope, "secretsmanager", "GetSecretValue", input).await?;
    let text = answer.get("SecretString").and_then(Value::as_str);
    let text = text.ok_or_else(|| invalid(format_args!("the secret {} has no SecretString", wanted.secret)))?;
    let Some(key) = wanted.key else { return Ok(text.to_owned()) };
    let document: Value = serde_json::from_str(text).map_err(|_| invalid("Could not parse SecretString JSON"))?;
    match document.get(key) {
        Some(Value::String(value)) => Ok(value.clone()),
        Some(value) => Ok(value.to_string()),
        None => Err(invalid("Could not find a value associated with JSONKey in SecretString")),
    }
}

fn invalid(message: impl std::fmt::Display) -> Fault {
    Fault::new("InvalidRequest", message.to_string())
}

/// `secret-id:SecretString:json-key:version-stage:version-id`, everything after the id optional.
#[derive(Debug, PartialEq)]
struct Wanted<'a> {
    secret: &'a str,
    key: Option<&'a str>,
    stage: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn parse(reference: &'a str) -> Result<Self, Fault> {
        // A secret may be named by its ARN, which has six colons of its own.
        let colons = if reference.starts_with("arn:") { 6 } else { 0 };
        let end = reference.match_indices(':').nth(colons).map_or(reference.len(), |(at, _)| at);
        let (secret, rest) = reference.split_at(end);
        let mut parts = rest
            .strip_prefix(':')
            .unwrap_or_default()
            .split(':')
            .map(|part| Some(part).filter(|part| !part.is_empty()));
        let kind = parts.next().flatten().unwrap_or("SecretString");
        if secret.is_empty() || kind != "SecretString" {
            return Err(invalid(format_args!(
                "Incorrect format is used in the dynamic reference secretsmanager:{reference}"
            )));
        }
        let mut part = || parts.next().flatten();
        Ok(Wanted { secret, key: part(), stage: part(), version: part() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_by_name_or_arn_with_optional_key_stage_and_version() {
        let plain = Wanted { secret: "db", key: None, stage: None, version: None };
        assert_eq!(Wanted::parse("db").unwrap(), plain);
        let keyed = Wanted { secret: "db", key: Some("password"), stage: None, version: Some("v1") };
        assert_eq!(Wanted::parse("db:SecretString:password::v1").unwrap(), keyed);
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-a1b2c3";
        let parsed = Wanted { secret: arn, key: Some("password"), stage: Some("AWSCURRENT"), version: None };
        assert_eq!(Wanted::parse(&format!("{arn}:SecretString:password:AWSCURRENT")).unwrap(), parsed);
        assert!(Wanted::parse("db:SecretBinary").is_err());
    }
}
