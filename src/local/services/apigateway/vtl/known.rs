//! The functions that templates can call: any other is refused, by name, when a template is put.

use serde_json::Value;

use super::json_path::JsonPath;
use super::parse::TemplateError;
use super::pattern::Pattern;
use super::tree::{Expression, Read, Reference, Step};

/// What `$util` and `$input` offer.
const UTIL: &[&str] = &["escapeJavaScript", "parseJson", "urlEncode", "urlDecode", "base64Encode", "base64Decode"];
const INPUT: &[&str] = &["json", "params", "path"];
/// What `$foreach` offers beside its properties.
const LOOP: &[&str] = &["getCount", "getIndex", "hasNext", "isFirst", "isLast"];
/// The methods of values: Java's, of texts, numbers, lists and maps.
const METHODS: &[&str] = &[
    "add",
    "addAll",
    "charAt",
    "clear",
    "compareTo",
    "compareToIgnoreCase",
    "concat",
    "contains",
    "containsAll",
    "containsKey",
    "containsValue",
    "doubleValue",
    "endsWith",
    "entrySet",
    "equals",
    "equalsIgnoreCase",
    "get",
    "getKey",
    "getOrDefault",
    "getValue",
    "indexOf",
    "intValue",
    "isBlank",
    "isEmpty",
    "keySet",
    "lastIndexOf",
    "length",
    "longValue",
    "matches",
    "parseDouble",
    "parseInt",
    "put",
    "putAll",
    "putIfAbsent",
    "remove",
    "repeat",
    "replace",
    "replaceAll",
    "replaceFirst",
    "set",
    "size",
    "split",
    "startsWith",
    "strip",
    "subList",
    "substring",
    "toLowerCase",
    "toString",
    "toUpperCase",
    "trim",
    "values",
];
/// Those whose first argument is a regular expression.
pub(super) const BY_PATTERN: &[&str] = &["matches", "replaceAll", "replaceFirst", "split"];

pub(super) fn unsupported<T>(what: impl std::fmt::Display) -> Result<T, TemplateError> {
    Err(TemplateError::Unsupported(format!("{what} in mapping templates")))
}

/// Reads paths and regular expressions; refuses those that are not known, and unknown functions.
pub(super) fn read(reference: &mut Reference) -> Result<(), TemplateError> {
    for (index, step) in reference.steps.iter_mut().enumerate() {
        match (step, reference.name.as_str(), index) {
            (Step::Property(name), "input", 0) if name != "body" => return unsupported(format!("$input.{name}")),
            (Step::Property(name), "util", 0) => return unsupported(format!("$util.{name}")),
            (Step::Method(name, arguments, read), root, _) => {
                let known = match (root, index) {
                    ("util", 0) => UTIL.contains(&name.as_str()),
                    ("input", 0) => INPUT.contains(&name.as_str()),
                    ("foreach", _) => LOOP.contains(&name.as_str()) || METHODS.contains(&name.as_str()),
                    _ => METHODS.contains(&name.as_str()),
                };
                if !known {
                    let object = if index == 0 { format!("${root}") } else { String::new() };
                    return unsupported(format!("the function {object}.{name}()"));
                }
                *read = read_text(root == "input" && index == 0 && name != "params", name, arguments)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A first argument that is written out.
fn read_text(path: bool, method: &str, arguments: &[Expression]) -> Result<Option<Read>, TemplateError> {
    let Some(Expression::Literal(Value::String(text))) = arguments.first() else { return Ok(None) };
    if path {
        return JsonPath::parse(text).map(|path| Some(Read::Path(path))).or_else(unsupported);
    }
    if BY_PATTERN.contains(&method) {
        let pattern = Pattern::parse(method, text).map(|pattern| Some(Read::Pattern(pattern)));
        return pattern.or_else(|_| unsupported(format!("the regular expression {text}")));
    }
    Ok(None)
}

/// Refuses to make `$input` or `$util` anything else.
pub(super) fn check_variable(directive: &str, name: &str) -> Result<(), TemplateError> {
    match name {
        "input" | "util" => unsupported(format!("{directive} of ${name}")),
        _ => Ok(()),
    }
}
