//! Segment documents: what is taken, and what is read of one.
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>

use serde_json::{Map, Value};

use crate::tracer::{is_segment_id, is_trace_id};

/// "A segment document can be up to 64 kB."
pub(super) const LONGEST: usize = 64 * 1024;
/// Traces are kept for 30 days; what began earlier is refused.
pub(super) const RETENTION_SECONDS: i64 = 30 * 86_400;
const LONGEST_NAME: usize = 200;
/// The end of the year 9999, in seconds: clients' calendars go no further, and one such time would hide all other traces from
/// them.
const LAST_MOMENT: f64 = 253_402_300_800.0;
/// How far ahead of this clock a document's may be.
const AHEAD_SECONDS: i64 = 5 * 60;

/// A document that was taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub trace_id: String,
    pub id: String,
    /// When it began, in seconds since the epoch.
    pub began: i64,
    /// It has begun and not ended.
    pub open: bool,
    /// On one line.
    pub text: String,
}

/// Why a document was not taken. Of AWS's codes `MissingId` is on record; the others are made like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Parse,
    TooLarge,
    Missing(&'static str),
    Invalid(&'static str),
}

impl Refused {
    /// `MissingId`.
    pub(super) fn code(self) -> String {
        match self {
            Refused::Parse => "ParseError".to_owned(),
            Refused::TooLarge => "SegmentTooLarge".to_owned(),
            Refused::Missing(what) => format!("Missing{what}"),
            Refused::Invalid(what) => format!("Invalid{what}"),
        }
    }

    pub(super) fn message(self) -> String {
        format!("Invalid segment. ErrorCode: {}", self.code())
    }
}

/// What is not taken: its id, if it has one, and why.
pub(super) type Rejected = (Option<String>, Refused);

impl Document {
    /// Reads and checks a document: "a completed segment, an in-progress segment, or an array of subsegments".
    pub(super) fn read(text: &str, now_seconds: i64) -> Vec<Result<Self, Rejected>> {
        match serde_json::from_str(text) {
            _ if text.len() > LONGEST => vec![Err((None, Refused::TooLarge))],
            Ok(Value::Array(items)) if !items.is_empty() => {
                items.into_iter().map(|item| Document::of(item, now_seconds)).collect()
            }
            Ok(value) => vec![Document::of(value, now_seconds)],
            Err(_) => vec![Err((None, Refused::Parse))],
        }
    }

    /// Checks one segment or subsegment that has been parsed already.
    pub(super) fn of(value: Value, now_seconds: i64) -> Result<Self, Rejected> {
        let Value::Object(mut members) = value else { return Err((None, Refused::Parse)) };
        let id = members.get("id").and_then(Value::as_str).map(str::to_owned);
        let began = check(&members, now_seconds).map_err(|why| (id, why))?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (trace_id, id) = (text("trace_id"), text("id"));
        let open = is_open(&members);
        if !open {
            // A complete segment that says `in_progress: false`: X-Ray keeps no such member.
            members.shift_remove("in_progress");
        }
        let text = Value::Object(members).to_string();
        match text.len() > LONGEST {
            true => Err((Some(id), Refused::TooLarge)),
            false => Ok(Document { trace_id, id, began, open, text }),
        }
    }
}

/// A time in a document: seconds since the epoch.
pub(super) fn moment(value: &Value) -> Option<f64> {
    value.as_f64().filter(|time| *time > 0.0 && *time < LAST_MOMENT)
}

fn is_open(members: &Map<String, Value>) -> bool {
    members.get("in_progress") == Some(&Value::Bool(true)) || members.get("end_time").is_none()
}

/// Gives the second in which it began.
fn check(members: &Map<String, Value>, now_seconds: i64) -> Result<i64, Refused> {
    let text = |name: &str, what: &'static str| match members.get(name) {
        None | Some(Value::Null) => Err(Refused::Missing(what)),
        Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
        Some(_) => Err(Refused::Invalid(what)),
    };
    let id = text("id", "Id")?;
    if !is_segment_id(id) {
        return Err(Refused::Invalid("Id"));
    }
    // The time in it is "not required or validated": an id of W3C's has none.
    if !is_trace_id(text("trace_id", "TraceId")?) {
        return Err(Refused::Invalid("TraceId"));
    }
    if text("name", "Name")?.chars().count() > LONGEST_NAME {
        return Err(Refused::Invalid("Name"));
    }
    let time = |name: &str, what: &'static str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => moment(value).map(Some).ok_or(Refused::Invalid(what)),
    };
    let start = time("start_time", "StartTime")?.ok_or(Refused::Missing("StartTime"))?;
    #[expect(clippy::cast_possible_truncation, reason = "a time in a document, to the second")]
    let began = start as i64;
    if began <= now_seconds - RETENTION_SECONDS || began >= now_seconds + AHEAD_SECONDS {
        return Err(Refused::Invalid("StartTime"));
    }
    let end = time("end_time", "EndTime")?;
    if end.is_some_and(|end| end < start) {
        return Err(Refused::Invalid("EndTime"));
    }
    if end.is_none() && members.get("in_progress") != Some(&Value::Bool(true)) {
        return Err(Refused::Missing("EndTime"));
    }
    let parent = match members.get("parent_id") {
        None | Some(Value::Null) => None,
        Some(_) => Some(text("parent_id", "ParentId")?),
    };
    match (members.get("type").and_then(Value::as_str), parent) {
        (_, Some(parent)) if !is_segment_id(parent) => Err(Refused::Invalid("ParentId")),
        (Some("subsegment"), None) => Err(Refused::Missing("ParentId")),
        (None | Some("subsegment"), _) => Ok(began),
        (Some(_), _) => Err(Refused::Invalid("Type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_478_293_400;

    fn read(value: &Value) -> Result<Document, Rejected> {
        Document::read(&value.to_string(), NOW).remove(0)
    }

    fn good() -> Value {
        json!({"name": "example.com", "id": "70de5b6f19ff9a0a", "start_time": 1.478_293_361_271e9,
            "trace_id": "1-581cf771-a006649127e371903a2de979", "end_time": 1.478_293_361_449e9})
    }

    #[test]
    fn the_guides_own_documents_are_taken_on_one_line() {
        let document = Document::read(&serde_json::to_string_pretty(&good()).unwrap(), NOW).remove(0).unwrap();
        assert!(!document.open && !document.text.contains('\n'), "{document:?}");
        assert_eq!(document.id, "70de5b6f19ff9a0a");
        let open = json!({"name": "example.com", "id": "70de5b6f19ff9a0b", "start_time": 1.478_293_361_271e9,
            "trace_id": "1-581cf771-a006649127e371903a2de979", "in_progress": true});
        assert!(read(&open).unwrap().open);
        assert_eq!(read(&json!([good(), open, 7])), read(&good()));
        assert_eq!(Document::read(&json!([good(), open, 7]).to_string(), NOW).len(), 3);
        // An id of W3C's holds no time.
        let mut other = good();
        other["trace_id"] = json!("1-4efaaf4d-1e8720b39541901950019ee5");
        assert_eq!(read(&other).unwrap().began, 1_478_293_361);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let cases = [
            ("id", json!(null), "MissingId"),
            ("id", json!("xyz"), "InvalidId"),
            ("trace_id", json!(null), "MissingTraceId"),
            ("trace_id", json!("1-581cf771-a0066"), "InvalidTraceId"),
            ("name", json!(null), "MissingName"),
            ("name", json!("x".repeat(201)), "InvalidName"),
            ("start_time", json!(null), "MissingStartTime"),
            ("start_time", json!("now"), "InvalidStartTime"),
            ("start_time", json!(-1), "InvalidStartTime"),
            ("start_time", json!(NOW - 31 * 86_400), "InvalidStartTime"),
            ("start_time", json!(NOW + 3600), "InvalidStartTime"),
            ("start_time", json!(1e308), "InvalidStartTime"),
            ("end_time", json!(1e308), "InvalidEndTime"),
            ("end_time", json!(null), "MissingEndTime"),
            ("end_time", json!(1), "InvalidEndTime"),
            ("parent_id", json!(7), "InvalidParentId"),
            ("type", json!("subsegment"), "MissingParentId"),
            ("type", json!("other"), "InvalidType"),
            ("metadata", json!("x".repeat(LONGEST)), "SegmentTooLarge"),
        ];
        for (name, value, code) in cases {
            let mut document = good();
            document[name] = value;
            let (_, refused) = read(&document).unwrap_err();
            assert_eq!(refused.code(), code, "{name}");
        }
        for text in ["", "[]", "{", "7"] {
            assert_eq!(Document::read(text, NOW), [Err((None, Refused::Parse))], "{text}");
        }
        assert_eq!(Refused::Missing("Id").message(), "Invalid segment. ErrorCode: MissingId");
    }
}
