//! A request, checked before anything is touched. Every refusal names the field.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value};

/// More than this in one request is refused.
pub const MOST_PACKAGES: usize = 1_000;

/// Widths of the columns in `sql/inventory`, in characters.
const LONGEST_ID: usize = 255;
const LONGEST_REGION: usize = 30;
const LONGEST_ACCOUNT: usize = 13;
const LONGEST_NAME: usize = 100;
const LONGEST_VERSION: usize = 50;

/// An instance to store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInstance {
    pub id: String,
    pub region: String,
    pub account: String,
    /// In the order of the request, each once.
    pub packages: Vec<Package>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Package {
    pub package_name: String,
    pub package_version: String,
}

/// Why a request is refused; the text names the field.
#[derive(Debug, PartialEq)]
pub struct Refusal(pub String);

fn refuse<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(text.into()))
}

/// The id of `/ec2/{aws_instance_id}`.
///
/// It is taken from the path as the client wrote it: a REST API hands `pathParameters` on undecoded, other gateways
/// decode them, and a `%25` in an id must not be decoded twice.
pub fn instance_id(event: &Value) -> Result<String, Refusal> {
    let path = event["path"].as_str().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let Ok(id) = percent_decode_str(last).decode_utf8() else {
        return refuse("aws_instance_id is not UTF-8 text");
    };
    text_of("aws_instance_id", &id, LONGEST_ID)?;
    Ok(id.into_owned())
}

/// What `POST` asks to store.
pub fn new_instance(event: &Value) -> Result<NewInstance, Refusal> {
    let id = instance_id(event)?;
    let body = match &event["body"] {
        Value::String(text) if event["isBase64Encoded"] != true => text,
        Value::String(_) => return refuse("the body must be JSON text, it came as binary"),
        _ => return refuse("the body is missing: it must be a JSON object with aws_region, aws_account and packages"),
    };
    let Value::Object(fields) = &strict_json::body(body).map_err(Refusal)? else {
        return refuse("the body must be a JSON object with aws_region, aws_account and packages");
    };
    only(fields, &["aws_region", "aws_account", "packages"], "")?;
    Ok(NewInstance {
        id,
        region: text(fields, "aws_region", "", LONGEST_REGION)?,
        account: text(fields, "aws_account", "", LONGEST_ACCOUNT)?,
        packages: packages(field(fields, "packages", "")?)?,
    })
}

fn packages(given: &Value) -> Result<Vec<Package>, Refusal> {
    let given = match given {
        Value::Array(given) if given.len() <= MOST_PACKAGES => given,
        Value::Array(given) => {
            return refuse(format!("packages has {} entries; the most in one request is {MOST_PACKAGES}", given.len()));
        }
        _ => return refuse("packages must be a list"),
    };
    let mut seen = HashSet::with_capacity(given.len());
    let mut packages = Vec::with_capacity(given.len());
    for (at, entry) in given.iter().enumerate() {
        let package = package(at, entry)?;
        if seen.insert(package.clone()) {
            packages.push(package);
        }
    }
    Ok(packages)
}

fn package(at: usize, entry: &Value) -> Result<Package, Refusal> {
    let Value::Object(fields) = entry else {
        return refuse(format!("packages[{at}] must be an object with package_name and package_version"));
    };
    let place = format!("packages[{at}].");
    only(fields, &["package_name", "package_version"], &place)?;
    Ok(Package {
        package_name: text(fields, "package_name", &place, LONGEST_NAME)?,
        package_version: text(fields, "package_version", &place, LONGEST_VERSION)?,
    })
}

fn text(fields: &Map<String, Value>, name: &str, place: &str, longest: usize) -> Result<String, Refusal> {
    match field(fields, name, place)? {
        Value::String(text) => {
            text_of(&format!("{place}{name}"), text, longest)?;
            Ok(text.clone())
        }
        _ => refuse(format!("{place}{name} must be a string")),
    }
}

fn text_of(name: &str, text: &str, longest: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return refuse(format!("{name} must not be blank"));
    }
    match text.chars().count() {
        count if count > longest => refuse(format!("{name} has {count} characters; the most is {longest}")),
        _ => Ok(()),
    }
}

fn field<'a>(fields: &'a Map<String, Value>, name: &str, place: &str) -> Result<&'a Value, Refusal> {
    fields.get(name).ok_or_else(|| Refusal(format!("{place}{name} is missing")))
}

fn only(fields: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), Refusal> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => refuse(format!("{place}{unknown} is not a field; the fields are {}", known.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;

    fn event(path: &str, body: impl Into<Value>) -> Value {
        json!({"path": path, "body": body.into(), "isBase64Encoded": false})
    }

    fn package(name: &str, version: &str) -> Package {
        Package { package_name: name.into(), package_version: version.into() }
    }

    #[test]
    fn the_guide_s_own_request_is_understood() {
        let guide: Value = serde_json::from_str(include_str!("../events/add.json")).unwrap();
        let instance = new_instance(&guide).unwrap();
        assert_eq!(
            (&*instance.id, &*instance.region, &*instance.account),
            ("i-01aaae43feb712345", "us-east-1", "123456789012")
        );
        let versions: Vec<_> = instance.packages.iter().map(|package| &*package.package_version).collect();
        assert_eq!(versions, ["v1", "v2", "v1", "v1"]);
    }

    #[test]
    fn a_package_named_twice_counts_once_and_near_twins_are_two() {
        let twice = json!([
            {"package_name": "b", "package_version": "1"}, {"package_name": "a", "package_version": "1"},
            {"package_version": "1", "package_name": "b"}, {"package_name": "B", "package_version": "1"},
            {"package_name": "b ", "package_version": "1"}]);
        let body = json!({"aws_region": "r", "aws_account": "1", "packages": twice}).to_string();
        let found = new_instance(&event("/ec2/i", body)).unwrap().packages;
        assert_eq!(found, [package("b", "1"), package("a", "1"), package("B", "1"), package("b ", "1")]);
    }

    #[test]
    fn ids_are_what_the_client_wrote_decoded_once() {
        let cases = [
            ("/ec2/i-1", "i-1"),
            ("/ec2/i-1/", "i-1"),
            ("/ec2/a%2Fb", "a/b"),
            ("/ec2/50%2525", "50%25"),
            ("/ec2/a+b%20", "a+b "),
            ("/ec2/'%20OR%20''='", "' OR ''='"),
            ("/base/ec2/%C3%A9", "é"),
        ];
        for (path, id) in cases {
            assert_eq!(instance_id(&event(path, Value::Null)), Ok(id.to_owned()), "{path}");
        }
        let long = format!("/ec2/{}", "x".repeat(256));
        for path in ["/ec2/%20", "/ec2/%20%09", "/ec2/%E3%80%80", "/ec2/%ff", &long] {
            let Refusal(text) = instance_id(&event(path, Value::Null)).unwrap_err();
            assert!(text.starts_with("aws_instance_id "), "{path}: {text}");
        }
    }

    #[test]
    fn every_bad_request_is_refused_and_names_its_field() {
        let with = |key: &str, value: Value| {
            let mut body = json!({"aws_region": "us-east-1", "aws_account": "123456789012", "packages": []});
            body[key] = value;
            event("/ec2/i", body.to_string())
        };
        let without = |key: &str| {
            let mut body = json!({"aws_region": "us-east-1", "aws_account": "123456789012", "packages": []});
            body.as_object_mut().unwrap().remove(key);
            event("/ec2/i", body.to_string())
        };
        let good = json!({"package_name": "n", "package_version": "v"});
        let many: Vec<Value> =
            (0..10_000).map(|n| json!({"package_name": n.to_string(), "package_version": "v"})).collect();
        let cases = [
            (event("/ec2/i", Value::Null), "body"),
            (event("/ec2/i", ""), "body"),
            (event("/ec2/i", "{oops"), "body"),
            (event("/ec2/i", "[]"), "body"),
            (event("/ec2/i", "null"), "body"),
            (
                event("/ec2/i", r#"{"packages": [], "aws_region": "r", "packages": [{}]}"#),
                "packages is there more than once",
            ),
            (
                event("/ec2/i", r#"{"packages": [{"package_name": "n", "package_name": "n"}]}"#),
                "package_name is there more",
            ),
            (json!({"path": "/ec2/i", "body": "e30=", "isBase64Encoded": true}), "body"),
            (event("/ec2/%20", "{}"), "aws_instance_id"),
            (without("aws_region"), "aws_region"),
            (without("aws_account"), "aws_account"),
            (without("packages"), "packages"),
            (with("invalid_field_name", json!("any-value")), "invalid_field_name"),
            (with("aws_region", json!(1)), "aws_region"),
            (with("aws_region", json!(" ")), "aws_region"),
            (with("aws_region", json!("x".repeat(31))), "aws_region"),
            (with("aws_account", json!(123_456_789_012_u64)), "aws_account"),
            (with("aws_account", json!("1".repeat(14))), "aws_account"),
            (with("packages", json!({})), "packages"),
            (with("packages", json!(null)), "packages"),
            (with("packages", json!(many)), "packages"),
            (with("packages", json!([good, 7])), "packages[1]"),
            (with("packages", json!([good, {"package_name": "n"}])), "packages[1].package_version"),
            (with("packages", json!([{"package_version": "v"}])), "packages[0].package_name"),
            (with("packages", json!([{"package_name": null, "package_version": "v"}])), "packages[0].package_name"),
            (with("packages", json!([{"package_name": "", "package_version": "v"}])), "packages[0].package_name"),
            (
                with("packages", json!([{"package_name": "é".repeat(101), "package_version": "v"}])),
                "packages[0].package_name",
            ),
            (
                with("packages", json!([{"package_name": "n", "package_version": "v".repeat(51)}])),
                "packages[0].package_version",
            ),
            (with("packages", json!([{"package_name": "n", "package_version": "v", "arch": "x"}])), "packages[0].arch"),
        ];
        for (event, named) in cases {
            let Refusal(text) = new_instance(&event).unwrap_err();
            assert!(text.contains(named), "{named}: {text}");
        }
    }

    #[test]
    fn values_as_wide_as_their_columns_are_fine() {
        let package = json!({"package_name": "é".repeat(100), "package_version": "😀".repeat(50)});
        let body = json!({"aws_region": "r".repeat(30), "aws_account": "1".repeat(13), "packages": [package]});
        assert!(new_instance(&event(&format!("/ec2/{}", "x".repeat(255)), body.to_string())).is_ok());
    }
}
