//! Sends one variant of the lab's load, and counts in the database what it caused there.

use super::check::{CheckError, Endpoint};
use crate::engine::compare;
use crate::engine::load::{Judge, Report, Request, Shape, drive};
use crate::lab::model::{Counter, HttpCheck, RequestBody, Variant};
use crate::sql::ResultSet;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// What came of one variant.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub name: String,
    #[serde(flatten)]
    pub report: Report,
    /// What the database counted meanwhile: the counter's name and by how much it grew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<(String, i64)>,
}

/// Sends the variant's requests.
///
/// # Errors
/// The load could not begin, or the database does not count.
pub async fn measure(
    endpoint: &Endpoint<'_>,
    variant: &Variant,
    counter: Option<&Counter>,
    shape: Shape,
) -> Result<Measured, CheckError> {
    let request = request(endpoint, &variant.http)?;
    let before = count(endpoint, counter).await?;
    let report = drive(&request, shape, judge(&variant.http)).await?;
    let after = count(endpoint, counter).await?;
    let counter =
        counter.zip(before.zip(after)).map(|(counter, (before, after))| (counter.name.clone(), after - before));
    Ok(Measured { name: variant.name.clone(), report, counter })
}

fn request(endpoint: &Endpoint<'_>, check: &HttpCheck) -> Result<Request, CheckError> {
    let body = match &check.body {
        RequestBody::Json(template) => Some(template.clone()),
        RequestBody::Empty | RequestBody::Text(_) => None,
    };
    if let Some(problem) = body.as_ref().and_then(Request::problem) {
        return Err(CheckError::NoRequest(problem));
    }
    let (parts, _) = endpoint.request(check).map_err(CheckError::NoRequest)?.into_parts();
    Ok(Request { method: parts.method, uri: parts.uri, headers: parts.headers, body })
}

/// An answer that is not as the variant expects is an error of the kind of its status, if that is what is wrong.
fn judge(check: &HttpCheck) -> Judge {
    let expect = check.expect.clone();
    Arc::new(move |status, body| match compare::http(&expect, status, &http::HeaderMap::new(), body).is_empty() {
        true => Ok(()),
        false if expect.status.map_or(status < 400, |wanted| wanted == status) => Err("not as expected".to_owned()),
        false => Err(status.to_string()),
    })
}

async fn count(endpoint: &Endpoint<'_>, counter: Option<&Counter>) -> Result<Option<i64>, CheckError> {
    let Some(counter) = counter else { return Ok(None) };
    let result = endpoint.query(&counter.statement).await?;
    number(&result).map(Some).ok_or_else(|| CheckError::NoCount(counter.name.clone()))
}

/// The last column of the first row; MySQL shows its status counters as text.
fn number(result: &ResultSet) -> Option<i64> {
    match result.rows.first()?.last()? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::HttpExpectation;
    use bytes::Bytes;
    use indexmap::IndexMap;

    #[test]
    fn an_error_is_of_the_kind_of_its_status_only_if_the_status_is_wrong() {
        let expect = HttpExpectation { status: Some(200), text: Some("ok".to_owned()), ..HttpExpectation::default() };
        let check = HttpCheck {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: IndexMap::new(),
            body: RequestBody::Empty,
            repeat: 1,
            expect,
        };
        let judge = judge(&check);
        assert_eq!(judge(200, &Bytes::from("ok")), Ok(()));
        assert_eq!(judge(200, &Bytes::from("no")), Err("not as expected".to_owned()));
        assert_eq!(judge(503, &Bytes::from("ok")), Err("503".to_owned()));
    }
}
