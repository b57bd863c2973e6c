//! What `PUT /webhook` does: check the whole message, then store what it measured, or nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::database::{Database, DatabaseError};
use crate::message::{self, Reading, Refusal};

/// What an answer of 503 asks for: a paused Aurora needs about 15 s to wake.
const RETRY_AFTER: &str = "15";

/// As much of the gateway's event (payload version 1.0) as the function looks at.
#[derive(Deserialize)]
pub struct Event {
    #[serde(default)]
    body: Option<String>,
    #[serde(default, rename = "isBase64Encoded")]
    is_base64_encoded: bool,
}

/// What the gateway makes its response of.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub status_code: u16,
    pub headers: Map<String, Value>,
    pub body: String,
}

impl Answer {
    fn of(status_code: u16, body: &Value) -> Self {
        let headers = Map::from_iter([("Content-Type".to_owned(), json!("application/json"))]);
        Answer { status_code, headers, body: body.to_string() }
    }

    fn with(mut self, header: &str, value: &str) -> Self {
        self.headers.insert(header.to_owned(), json!(value));
        self
    }
}

/// Answers by `until`, whatever the database does.
pub async fn handle(event: Event, database: &mut Database, until: Instant) -> Answer {
    let arrived = OffsetDateTime::now_utc();
    let readings = match readings(&event) {
        Ok(readings) => readings,
        Err(Refusal(text)) => return Answer::of(400, &json!({"message": text})),
    };
    match database.store(arrived, &readings, until).await {
        Ok(()) => Answer::of(200, &json!({"stored": readings.len()})),
        Err(error) => {
            log(&format!("database: {error}"));
            Answer::of(503, &json!({"message": told(&error)})).with("Retry-After", RETRY_AFTER)
        }
    }
}

fn told(error: &DatabaseError) -> &'static str {
    match error.may_have_stored() {
        true => "the database did not answer: the message may be stored or not, and sent again it may be stored twice",
        false => "the database is not available; nothing is stored; try again",
    }
}

fn readings(event: &Event) -> Result<Vec<Reading>, Refusal> {
    let body = event.body.as_deref().unwrap_or_default();
    if !event.is_base64_encoded {
        return message::parse(body);
    }
    let bytes = STANDARD.decode(body).map_err(|_| Refusal("the body is not base64, as its event says".to_owned()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Refusal("the body is not UTF-8 text".to_owned()))?;
    message::parse(text)
}

/// One line in the function's log.
fn log(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: Value, is_base64_encoded: bool) -> Event {
        serde_json::from_value(json!({"httpMethod": "PUT", "body": body, "isBase64Encoded": is_base64_encoded}))
            .unwrap()
    }

    #[test]
    fn a_body_comes_as_text_as_base64_or_not_at_all() {
        let text = include_str!("../events/notification.json");
        for event in [event(json!(text), false), event(json!(STANDARD.encode(text)), true)] {
            assert_eq!(readings(&event).unwrap().len(), 1);
        }
        assert_eq!(readings(&event(Value::Null, false)), Ok(Vec::new()));
        for body in ["*", "/w=="] {
            assert!(readings(&event(json!(body), true)).is_err(), "{body}");
        }
    }

    #[test]
    fn nothing_is_stored_is_only_said_where_it_is_known() {
        assert!(told(&DatabaseError::NoAnswer(std::time::Duration::from_secs(7))).contains("may be stored"));
        let refused = aurora::NoConnection::Token("no key".to_owned());
        assert!(told(&DatabaseError::NoConnection(refused)).contains("nothing is stored"));
    }

    #[test]
    fn an_answer_is_what_the_gateway_takes() {
        let answer = Answer::of(503, &json!({"message": "m"})).with("Retry-After", RETRY_AFTER);
        let expected = json!({
            "statusCode": 503, "body": "{\"message\":\"m\"}",
            "headers": {"Content-Type": "application/json", "Retry-After": "15"},
        });
        assert_eq!(serde_json::to_value(answer).unwrap(), expected);
    }
}
