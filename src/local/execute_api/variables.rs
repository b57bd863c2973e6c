//! The variables of API Gateway's texts, `$context.path` say: of access log formats, and of the templates of gateway responses.

use serde_json::Value;

/// Puts in what `value` knows for the name behind each `$`; where it knows nothing the text stays as it is.
pub(crate) fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(after.len());
        // A full stop behind a variable ends a sentence.
        let name = after[..end].trim_end_matches('.');
        rest = &after[name.len()..];
        match value(name) {
            Some(value) => out.push_str(&value),
            None => {
                out.push('$');
                out.push_str(name);
            }
        }
    }
    out.push_str(rest);
    out
}

/// What a name with full stops leads to.
pub(crate) fn find<'k>(known: &'k Value, name: &str) -> Option<&'k Value> {
    name.split('.').try_fold(known, |value, part| value.get(part))
}
