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

/// The parts of a reference to a secret, `id[:SecretString[:key[:stage[:version]]]]`, where `id` may be an ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference<'a> {
    pub id: &'a str,
    pub key: Option<&'a str>,
    pub stage: Option<&'a str>,
    pub version: Option<&'a str>,
}

impl DynamicReference {
    /// Takes a `secretsmanager` reference apart; `None` if it does not have that form.
    pub fn secret(&self) -> Option<SecretReference<'_>> {
        let (id, rest) = match self.reference.find(":SecretString") {
            Some(end) => (&self.reference[..end], self.reference[end + ":SecretString".len()..].strip_prefix(':')),
            None => (self.reference.as_str(), None),
        };
        let mut parts = rest.into_iter().flat_map(|rest| rest.split(':'));
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let secret = SecretReference { id, key: part(), stage: part(), version: part() };
        (self.service == "secretsmanager" && !id.is_empty() && parts.next().is_none()).then_some(secret)
    }
}

const OPEN: &str = "{{resolve:";

/// All references in a value, each once, in order of appearance.
pub fn find(value: &Json) -> Vec<DynamicReference> {
    let mut found = Vec::new();
    let collected: Result<Json, std::convert::Infallible> = replace(value, &mut |reference| {
        if !found.contains(reference) {
            found.push(reference.clone());
        }
        Ok(String::new())
    });
    drop(collected);
    found
}

/// The value with each reference replaced by what `resolve` gives for it. The first error ends it. What is put in is not searched again.
pub fn replace<E>(value: &Json, resolve: &mut dyn FnMut(&DynamicReference) -> Result<String, E>) -> Result<Json, E> {
    Ok(match value {
        Json::String(text) if text.contains(OPEN) => Json::String(replace_text(text, resolve)?),
        Json::Array(items) => Json::Array(items.iter().map(|item| replace(item, resolve)).collect::<Result<_, E>>()?),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| Ok((key.clone(), replace(value, resolve)?)));
            Json::Object(entries.collect::<Result<_, E>>()?)
        }
        other => other.clone(),
    })
}

fn replace_text<E>(text: &str, resolve: &mut dyn FnMut(&DynamicReference) -> Result<String, E>) -> Result<String, E> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let after = &rest[start + OPEN.len()..];
        let Some(end) = after.find("}}") else { break };
        result.push_str(&rest[..start]);
        if let Some(inner) = after[..end].find("{{") {
            // The first opening has no end of its own.
            result.push_str(&rest[start..start + OPEN.len() + inner]);
            rest = &after[inner..];
            continue;
        }
        match after[..end].split_once(':') {
            Some((service, reference)) => {
                let reference = DynamicReference { service: service.to_owned(), reference: reference.to_owned() };
                result.push_str(&resolve(&reference)?);
            }
            None => result.push_str(&rest[start..start + OPEN.len() + end + 2]),
        }
        rest = &after[end + 2..];
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::{find, replace};

    #[test]
    fn references_are_found_and_replaced_where_they_stand() {
        let value = json!({"a": ["x{{resolve:ssm:/p:1}}y{{resolve:secretsmanager:arn:aws:secretsmanager:r:1:secret:s:SecretString:password::v}}"], "b": 1});
        let found = find(&value);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].service.as_str(), found[0].reference.as_str()), ("ssm", "/p:1"));
        let secret = found[1].secret().unwrap();
        assert_eq!(secret.id, "arn:aws:secretsmanager:r:1:secret:s");
        assert_eq!((secret.key, secret.stage, secret.version), (Some("password"), None, Some("v")));
        let replaced = replace(&value, &mut |reference| Ok::<_, ()>(format!("<{}>", reference.service))).unwrap();
        assert_eq!(replaced, json!({"a": ["x<ssm>y<secretsmanager>"], "b": 1}));
    }

    #[test]
    fn text_that_only_looks_like_a_reference_stays() {
        let value = json!("{{resolve:ssm} {{resolve:nothing}} {{other}}");
        assert!(find(&value).is_empty());
    }
}
