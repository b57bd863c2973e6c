//! One line of an access log: `$context` variables in the stage's format.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html>

use serde_json::Value;

use crate::execute_api::variables;

/// Puts the variables in; what is not known is `-`.
pub(super) fn line(format: &str, context: &Value) -> String {
    variables::fill(format, |name| match name.strip_prefix("context.")? {
        // The one variable that brings its own quotes.
        "error.messageString" if context["error"].is_object() => Some(context["error"]["message"].to_string()),
        name => Some(value(context, name)),
    })
}

fn value(context: &Value, name: &str) -> String {
    match variables::find(context, name) {
        None | Some(Value::Null | Value::Object(_)) => "-".to_owned(),
        // A text of a client's must not end the JSON text that it is put in.
        Some(Value::String(text)) => text.chars().flat_map(escaped).collect(),
        Some(other) => other.to_string(),
    }
}

fn escaped(letter: char) -> impl Iterator<Item = char> {
    let escape = matches!(letter, '"' | '\\').then_some('\\');
    escape.into_iter().chain(Some(if letter.is_control() { ' ' } else { letter }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_are_put_in_and_what_is_not_known_is_a_dash() {
        let context =
            json!({"status": 200, "identity": {"sourceIp": "::1", "userAgent": "a\"b\nc"}, "authorizer": null});
        let format = r#"{"ip": "$context.identity.sourceIp", "agent": "$context.identity.userAgent", "s": $context.status, "x": "$context.authorizer.error"} $context.status."#;
        let failed = json!({"error": {"message": "Not Found"}});
        assert_eq!(line("$context.error.messageString", &failed), "\"Not Found\"");
        assert_eq!(line("$context.error.messageString", &context), "-");
        assert_eq!(line(format, &context), r#"{"ip": "::1", "agent": "a\"b c", "s": 200, "x": "-"} 200."#);
    }
}
