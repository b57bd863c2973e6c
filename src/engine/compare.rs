//! Answers against what a check expects. Pure; each difference is a sentence with its place.

use crate::lab::model::{HttpExpectation, SqlCheck};
use serde_json::Value as Json;

/// What of an HTTP answer is not as expected; empty when all is.
pub fn http(expect: &HttpExpectation, status: u16, headers: &http::HeaderMap, body: &[u8]) -> Vec<String> {
    let mut differences = Vec::new();
    if let Some(wanted) = expect.status.filter(|wanted| *wanted != status) {
        differences.push(format!("status is {status}, not {wanted}: {}", excerpt(&String::from_utf8_lossy(body))));
    }
    for (name, wanted) in &expect.headers {
        match headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes())) {
            Some(value) if value == wanted.as_str() => {}
            Some(value) => differences.push(format!("header `{name}` is `{value}`, not `{wanted}`")),
            None => differences.push(format!("header `{name}` is missing")),
        }
    }
    if let Some(wanted) = expect.text.as_ref().filter(|wanted| !String::from_utf8_lossy(body).contains(wanted.as_str()))
    {
        differences.push(format!("`{wanted}` is not in the body: {}", excerpt(&String::from_utf8_lossy(body))));
    }
    if expect.json.is_some() || expect.contains.is_some() {
        match serde_json::from_slice::<Json>(body) {
            Ok(answer) => {
                differences.extend(expect.json.iter().filter_map(|wanted| difference(wanted, &answer, true, "body")));
                differences
                    .extend(expect.contains.iter().filter_map(|wanted| difference(wanted, &answer, false, "body")));
            }
            Err(_) => differences.push(format!("the body is not JSON: {}", excerpt(&String::from_utf8_lossy(body)))),
        }
    }
    differences
}

/// What of a query's rows is not as expected.
pub fn rows(expect: &SqlCheck, rows: &[Json]) -> Vec<String> {
    let mut differences = Vec::new();
    let count = rows.len() as u64;
    if let Some(wanted) = expect.row_count.filter(|wanted| *wanted != count) {
        differences.push(format!("{count} rows, not {wanted}"));
    }
    if let Some(wanted) = &expect.rows {
        let (wanted, rows) = (Json::Array(wanted.clone()), Json::Array(rows.to_vec()));
        differences.extend(difference(&wanted, &rows, true, "rows"));
    }
    differences
}

/// The first place where an answer differs. `whole`: objects have no further members.
fn difference(wanted: &Json, answer: &Json, whole: bool, at: &str) -> Option<String> {
    match (wanted, answer) {
        (Json::Object(wanted), Json::Object(answer)) => {
            let inside = wanted.iter().find_map(|(name, value)| match answer.get(name) {
                Some(found) => difference(value, found, whole, &format!("{at}.{name}")),
                None => Some(format!("{at}.{name} is missing")),
            });
            let more = || answer.keys().find(|name| whole && !wanted.contains_key(*name));
            inside.or_else(|| more().map(|name| format!("{at}.{name} is not expected")))
        }
        (Json::Array(wanted), Json::Array(answer)) if wanted.len() == answer.len() => wanted
            .iter()
            .zip(answer)
            .enumerate()
            .find_map(|(index, (wanted, found))| difference(wanted, found, whole, &format!("{at}[{index}]"))),
        (Json::Array(wanted), Json::Array(answer)) => {
            Some(format!("{at} has {} elements, not {}", answer.len(), wanted.len()))
        }
        (Json::Number(wanted), Json::Number(found)) if wanted.as_f64() == found.as_f64() => None,
        (wanted, found) if wanted == found => None,
        (wanted, found) => Some(format!("{at} is {}, not {wanted}", excerpt(&found.to_string()))),
    }
}

/// Enough of a text to see what it is.
fn excerpt(text: &str) -> String {
    const ENOUGH: usize = 200;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use serde_json::json;

    #[test]
    fn an_answer_as_expected_has_no_differences() {
        let expect = HttpExpectation { status: Some(200), json: Some(json!({"a": [1]})), ..HttpExpectation::default() };
        assert!(http(&expect, 200, &HeaderMap::new(), br#"{"a":[1.0]}"#).is_empty());
    }

    #[test]
    fn each_difference_is_told_with_its_place() {
        let cases = [
            (json!({"a": 1}), json!({"a": 1, "b": 2}), "body.b is not expected"),
            (json!({"a": {"b": [1, 2]}}), json!({"a": {"b": [1, 3]}}), "body.a.b[1] is 3, not 2"),
            (json!([1]), json!([]), "body has 0 elements, not 1"),
            (json!({"a": 1}), json!({}), "body.a is missing"),
        ];
        for (wanted, answer, told) in cases {
            assert_eq!(difference(&wanted, &answer, true, "body").as_deref(), Some(told));
        }
    }

    #[test]
    fn contains_lets_objects_have_more_members() {
        let expect = HttpExpectation { contains: Some(json!({"statusCode": 400})), ..HttpExpectation::default() };
        assert!(http(&expect, 200, &HeaderMap::new(), br#"{"statusCode":400,"body":"id"}"#).is_empty());
        assert_eq!(
            http(&expect, 200, &HeaderMap::new(), br#"{"statusCode":200}"#),
            ["body.statusCode is 200, not 400"]
        );
    }
}
