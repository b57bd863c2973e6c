//! The one route: its requests as an HTTP API sends them (payload 2.0), and every answer.

use std::borrow::Cow;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::database::{Database, DatabaseError};
use crate::message::{self, Message, Problem};

const PATH: &str = "/telemetry";
/// When a client may try again: about what a restart takes. A paused Aurora was waited for already.
const RETRY_AFTER_SECONDS: &str = "2";

/// What the function reads of an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    raw_path: String,
    request_context: RequestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
struct RequestContext {
    http: Http,
    #[serde(default)]
    stage: String,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    headers: Value,
    body: String,
}

impl Answer {
    fn new(status_code: u16, body: &Value) -> Self {
        Answer { status_code, headers: json!({"content-type": "application/json"}), body: body.to_string() }
    }

    fn with(mut self, header: &str, value: &str) -> Self {
        self.headers[header] = value.into();
        self
    }

    fn refusing(problems: &[Problem]) -> Self {
        Answer::new(422, &json!({"detail": problems}))
    }
}

/// Answers by `until`, whatever the database does.
pub async fn handle(event: &Event, database: &mut Database, until: Instant) -> Answer {
    let message = match accept(event) {
        Ok(message) => message,
        Err(answer) => return answer,
    };
    // Strings and finite numbers always have a JSON form.
    let data = serde_json::to_string(&message).unwrap_or_default();
    match database.insert(&data, until).await {
        Ok(()) => Answer::new(200, &json!({"success": true, "error": null})),
        Err(error) => failed(&error),
    }
}

/// The message of a request, or the answer to what is none.
fn accept(event: &Event) -> Result<Message, Answer> {
    if path(event) != PATH {
        return Err(Answer::new(404, &json!({"detail": "Not Found"})));
    }
    if event.request_context.http.method != "POST" {
        return Err(Answer::new(405, &json!({"detail": "Method Not Allowed"})).with("allow", "POST"));
    }
    let body = body(event).map_err(|problem| Answer::refusing(&[problem]))?;
    message::parse(&body).map_err(|problems| Answer::refusing(&problems))
}

/// The path without the stage, which stands before it unless the stage is `$default`.
fn path(event: &Event) -> &str {
    let stage = &event.request_context.stage;
    let without = event.raw_path.strip_prefix('/').and_then(|path| path.strip_prefix(stage.as_str()));
    match without {
        Some(path) if !stage.is_empty() && path.starts_with('/') => path,
        _ => &event.raw_path,
    }
}

/// The body as text. The gateway encodes what its content type does not call text, and `curl -d` calls it a form.
fn body(event: &Event) -> Result<Cow<'_, str>, Problem> {
    let body = event.body.as_deref().unwrap_or_default();
    if !event.is_base64_encoded {
        return Ok(Cow::Borrowed(body));
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
    let text = String::from_utf8(bytes);
    text.map(Cow::Owned).map_err(|_| Problem::of_body("is not UTF-8 text", "value_error.jsondecode"))
}

fn failed(error: &DatabaseError) -> Answer {
    log(&format!("database: {error}"));
    match error {
        DatabaseError::Refused(_) => {
            Answer::refusing(&[Problem::of_body("is not what the database takes", "value_error")])
        }
        _ => {
            let error = if error.may_have_stored() {
                "the database did not answer; the message may be stored or not"
            } else {
                "the database is not available; nothing was stored, try again"
            };
            Answer::new(503, &json!({"success": false, "error": error})).with("retry-after", RETRY_AFTER_SECONDS)
        }
    }
}

/// One line in the function's log.
pub fn log(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {

    use super::{Answer, Event, accept};

    fn event(text: &str) -> Event {
        serde_json::from_str(text).unwrap()
    }

    fn refused(method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut event = event(include_str!("../events/post.json"));
        event.request_context.http.method = method.to_owned();
        event.raw_path = path.to_owned();
        event.body = body.map(str::to_owned);
        accept(&event).unwrap_err()
    }

    #[test]
    fn the_gateway_s_own_events_are_understood() {
        for text in [include_str!("../events/post.json"), include_str!("../events/form.json")] {
            let message = accept(&event(text)).unwrap();
            assert_eq!((message.device_id.as_str(), message.cpu_usage), ("abc41", 0.5));
        }
    }

    #[test]
    fn a_stage_with_a_name_is_no_part_of_the_path() {
        let mut event = event(include_str!("../events/post.json"));
        event.request_context.stage = "lab".to_owned();
        for (path, good) in [("/lab/telemetry", true), ("/telemetry", true), ("/labtelemetry", false), ("/lab", false)]
        {
            event.raw_path = path.to_owned();
            assert_eq!(accept(&event).is_ok(), good, "{path}");
        }
    }

    #[test]
    fn other_methods_and_paths_have_their_own_answers() {
        for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "post"] {
            let answer = refused(method, "/telemetry", Some("{}"));
            assert_eq!((answer.status_code, &answer.headers["allow"]), (405, &"POST".into()), "{method}");
        }
        for path in ["/", "", "/telemetry/", "/Telemetry", "/telemetry/1", "//telemetry", "/telemetr"] {
            assert_eq!(refused("POST", path, Some("{}")).status_code, 404, "{path}");
        }
    }

    #[test]
    fn a_bad_body_is_a_422_that_names_the_fields() {
        for (body, named) in [(None, "body"), (Some(""), "body"), (Some("{}"), "cpu_usage"), (Some("x"), "body")] {
            let answer = refused("POST", "/telemetry", body);
            assert_eq!(answer.status_code, 422, "{body:?}");
            assert!(
                answer.body.starts_with("{\"detail\":[{\"loc\":[\"body\"") && answer.body.contains(named),
                "{}",
                answer.body
            );
        }
        let mut event = event(include_str!("../events/form.json"));
        event.body = Some("//79".to_owned());
        assert!(accept(&event).unwrap_err().body.contains("UTF-8"));
    }
}
