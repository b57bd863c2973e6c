//! Sends one variant of the lab's load, and counts in the database what it caused there.

use super::check::{CheckError, Endpoint};
use crate::engine::compare;
use crate::engine::entry::Entry;
use crate::engine::load::{Body, Judge, Late, Mix, Moment, Report, Request, Run, Shape, Signer, Tally, Watch, drive};
use crate::lab::model::{Counter, HttpCheck, Variant, WeightedRequest};
use crate::sql::ResultSet;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// What came of one variant.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub name: String,
    #[serde(flatten)]
    pub report: Report,
    /// While users were still beginning; it is not part of the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_up: Option<Report>,
    /// Of a constant rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// What the database counted meanwhile: the counter's name and by how much it grew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<(String, i64)>,
    pub over_time: Vec<Moment>,
    /// What the report was made of, so that variants can be put together.
    #[serde(skip)]
    pub tally: Tally,
    #[serde(skip)]
    pub took: Duration,
    /// It was ended before its time.
    #[serde(skip)]
    pub stopped: bool,
}

impl Measured {
    fn of(name: &str, run: Run, counter: Option<(String, i64)>) -> Self {
        let report = run.report();
        let Run { tally, took, ramp_up, late, over_time, stopped } = run;
        Measured { name: name.to_owned(), report, ramp_up, late, counter, over_time, tally, took, stopped }
    }

    /// Failed requests, of the ramp-up too.
    pub fn failed(&self) -> u64 {
        self.report.failed() + self.ramp_up.as_ref().map_or(0, Report::failed)
    }
}

/// Sends the variant's requests.
///
/// # Errors
/// The load could not begin, or the database does not count.
pub async fn measure(
    endpoint: &Endpoint<'_>,
    variant: &Variant,
    counter: Option<&Counter>,
    shape: &Shape,
    watch: Watch<impl FnMut(&Moment), impl Future<Output = ()>>,
) -> Result<Measured, CheckError> {
    let requests: Result<Vec<Request>, CheckError> =
        variant.requests.iter().map(|request| of_endpoint(endpoint, request)).collect();
    let mix = Mix::new(requests?)?;
    let before = count(endpoint, counter).await?;
    let run = tokio::select! {
        run = drive(mix, shape, watch) => run?,
        // A load may last longer than the credentials of a session.
        never = endpoint.entry().stay_valid() => match never {},
    };
    let after = count(endpoint, counter).await?;
    let counter =
        counter.zip(before.zip(after)).map(|(counter, (before, after))| (counter.name.clone(), after - before));
    Ok(Measured::of(&variant.name, run, counter))
}

fn of_endpoint(endpoint: &Endpoint<'_>, request: &WeightedRequest) -> Result<Request, CheckError> {
    let WeightedRequest { weight, http, path, body } = request;
    let (parts, _) = endpoint.request(http).map_err(CheckError::NoRequest)?.into_parts();
    Ok(Request {
        weight: *weight,
        method: parts.method,
        uri: parts.uri,
        path: path.as_ref().map(Body::plain),
        headers: parts.headers,
        body: body.as_ref().map(Body::of),
        judge: judge(http),
        signer: signer(endpoint.entry()),
    })
}

/// What signs each request anew, if the API asks for signatures.
fn signer(entry: &Entry) -> Option<Signer> {
    match entry {
        Entry::Signature(_) => {
            let entry = entry.clone();
            Some(Arc::new(move |request| entry.sign(request)))
        }
        Entry::Open | Entry::Key(_) => None,
    }
}

/// An answer that is not as the variant expects is an error: of the kind of its status, if that is what is wrong, and
/// otherwise of what of its body is.
fn judge(check: &HttpCheck) -> Judge {
    let expect = check.expect.clone();
    Arc::new(move |status, body| {
        let differences = compare::http(&expect, status, &http::HeaderMap::new(), body);
        match differences.first() {
            None => Ok(()),
            Some(difference) if expect.status.map_or(status < 400, |wanted| wanted == status) => Err(kind(difference)),
            Some(_) => Err(status.to_string()),
        }
    })
}

/// A difference without what differs from answer to answer.
fn kind(difference: &str) -> String {
    const ENOUGH: usize = 100;
    // The text of the body follows.
    let end = difference.find("the body is not JSON:").map(|at| at + "the body is not JSON".len());
    let end = end.or_else(|| difference.find(" is not in the body:").map(|at| at + " is not in the body".len()));
    difference[..end.unwrap_or(difference.len())].chars().take(ENOUGH).collect()
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
    use crate::lab::model::{HttpExpectation, RequestBody};
    use bytes::Bytes;
    use indexmap::IndexMap;
    use serde_json::json;

    fn told(expect: HttpExpectation, status: u16, body: &str) -> Result<(), String> {
        let check = HttpCheck {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: IndexMap::new(),
            body: RequestBody::Empty,
            repeat: 1,
            expect,
        };
        judge(&check)(status, &Bytes::from(body.to_owned()))
    }

    #[test]
    fn an_error_is_of_the_kind_of_its_status_or_else_of_what_is_wrong_in_its_body() {
        let text = || HttpExpectation { status: Some(200), text: Some("ok".to_owned()), ..HttpExpectation::default() };
        assert_eq!(told(text(), 200, "ok"), Ok(()));
        assert_eq!(told(text(), 200, "no, number 17"), Err("`ok` is not in the body".to_owned()));
        assert_eq!(told(text(), 503, "ok"), Err("503".to_owned()));
        let json = || HttpExpectation { contains: Some(json!({"statusCode": 200})), ..HttpExpectation::default() };
        assert_eq!(told(json(), 200, "{\"statusCode\":400}"), Err("body.statusCode is 400, not 200".to_owned()));
        assert_eq!(told(json(), 200, "<html>17"), Err("the body is not JSON".to_owned()));
        assert_eq!(told(json(), 502, "{}"), Err("502".to_owned()));
    }
}
