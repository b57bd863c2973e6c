//! The rest-json protocol: paths, query strings, headers and payloads.

use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::form::{Form, shortened};
use super::model::{Kind, Location, Member, Model, Operation, ShapeId, Structure, TimestampFormat};
use super::query::scalar;
use super::{json, timestamp, validate};
use crate::call::Reply;
use crate::fault::Fault;

/// A path with labels: `/2015-03-31/functions/{FunctionName}/invocations`, with fixed query fields (`?mode=import`).
#[derive(Debug)]
pub struct UriTemplate {
    segments: Vec<Segment>,
    query: Vec<(&'static str, Option<&'static str>)>,
}

#[derive(Debug)]
enum Segment {
    Fixed(&'static str),
    Label(&'static str),
    /// The rest of the path.
    Greedy(&'static str),
}

/// What the labels of a path hold, decoded.
pub(super) type Labels = Vec<(&'static str, String)>;

impl UriTemplate {
    pub(super) fn parse(uri: &'static str) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let segment = |text: &'static str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(label) => match label.strip_suffix('+') {
                Some(label) => Segment::Greedy(label),
                None => Segment::Label(label),
            },
            None => Segment::Fixed(text),
        };
        let fixed = query.split('&').filter(|field| !field.is_empty());
        UriTemplate {
            segments: path.split('/').filter(|text| !text.is_empty()).map(segment).collect(),
            query: fixed.map(|field| field.split_once('=').map_or((field, None), |(k, v)| (k, Some(v)))).collect(),
        }
    }

    /// How closely `segments` and `query` fit; `None`: not at all.
    fn fit(&self, segments: &[&str], query: &Form<'_>) -> Option<usize> {
        let greedy = matches!(self.segments.last(), Some(Segment::Greedy(_)));
        if segments.len() < self.segments.len() || (!greedy && segments.len() != self.segments.len()) {
            return None;
        }
        let has = |(name, value): &(&str, Option<&str>)| match (query.get(name), value) {
            (Some(given), Some(value)) => given == *value,
            (given, _) => given.is_some(),
        };
        let mut closeness = self.query.len();
        for (own, given) in self.segments.iter().zip(segments) {
            match own {
                Segment::Fixed(text) if text == given => closeness += 100,
                Segment::Fixed(_) => return None,
                Segment::Label(_) => closeness += 10,
                Segment::Greedy(_) => {}
            }
        }
        self.query.iter().all(has).then_some(closeness)
    }

    fn labels(&self, segments: &[&str]) -> Result<Labels, Fault> {
        let mut labels = Labels::new();
        for (index, own) in self.segments.iter().enumerate() {
            let (name, raw) = match own {
                Segment::Fixed(_) => continue,
                Segment::Label(name) => (name, Cow::Borrowed(segments[index])),
                Segment::Greedy(name) => (name, Cow::Owned(segments[index..].join("/"))),
            };
            let text = percent_decode_str(&raw).decode_utf8();
            let text = text.map_err(|_| {
                Fault::new("ValidationException", format!("The path's {name} is not UTF-8")).status(400)
            })?;
            labels.push((name, text.into_owned()));
        }
        Ok(labels)
    }
}

/// The operation that `method` and `path` name, and what the path's labels hold.
pub(super) fn find<'m>(
    model: &'m Model,
    method: &str,
    path: &str,
    query: &Form<'_>,
) -> Result<(&'m Operation, Labels), Fault> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let fits = model.operations().filter(|operation| operation.method == method);
    let best = fits
        .filter_map(|operation| Some((operation.uri.fit(&segments, query)?, operation)))
        .max_by_key(|(fit, _)| *fit);
    let Some((_, operation)) = best else {
        let message =
            format!("No operation of {} has the request {} {}", model.service, shortened(method), shortened(path));
        return Err(Fault::new("UnknownOperationException", message).status(404));
    };
    Ok((operation, operation.uri.labels(&segments)?))
}

/// Where a request's members come from.
pub(super) struct Sources<'r> {
    pub(super) head: &'r Parts,
    pub(super) labels: Labels,
    pub(super) query: Form<'r>,
    pub(super) body: &'r Bytes,
}

/// The operation's input, and its payload if that is a blob.
pub(super) fn input(model: &Model, operation: &Operation, sources: Sources<'_>) -> Result<(Value, Bytes), Fault> {
    let Some(structure) = model.structure(operation.input) else {
        return Ok((Value::Object(Map::new()), Bytes::new()));
    };
    let mut payload = Bytes::new();
    let mut object = match structure.payload.and_then(|name| Some((name, structure.members.get(name)?))) {
        Some((_, member)) if matches!(model.shape(member.shape).kind, Kind::Blob | Kind::Text) => {
            payload = sources.body.clone();
            Map::new()
        }
        Some((_, _)) if sources.body.is_empty() => Map::new(),
        Some((name, member)) => {
            let typed = json::typed_value(model, member.shape, json::parse(model, sources.body)?, name)?;
            Map::from_iter([(name.to_owned(), typed)])
        }
        None if structure.members.values().any(|member| member.location == Location::Body) => {
            json::input(model, structure, json::parse(model, sources.body)?, operation.name)?
        }
        None => Map::new(),
    };
    let reader = Reader { model, structure };
    reader.labels(sources.labels, &mut object)?;
    reader.query(operation, &sources.query, &mut object)?;
    reader.headers(&sources.head.headers, &mut object)?;
    Ok((Value::Object(object), payload))
}

struct Reader<'m> {
    model: &'m Model,
    structure: &'m Structure,
}

impl Reader<'_> {
    fn at(&self, location: Location) -> impl Iterator<Item = (&'static str, &Member)> {
        let members = self.structure.members.iter().map(|(name, member)| (*name, member));
        members.filter(move |(_, member)| member.location == location)
    }

    fn scalar(&self, name: &str, shape: ShapeId, text: &str) -> Result<Value, Fault> {
        scalar(&self.model.shape(shape).kind, text).map_err(|what| {
            Fault::new("ValidationException", format!("Value '{}' for {name} is {what}", shortened(text))).status(400)
        })
    }

    fn labels(&self, labels: Labels, object: &mut Map<String, Value>) -> Result<(), Fault> {
        for (label, text) in labels {
            if let Some((name, member)) = self.at(Location::Uri).find(|(_, member)| member.wire_in == label) {
                object.insert(name.to_owned(), self.scalar(name, member.shape, &text)?);
            }
        }
        Ok(())
    }

    fn query(&self, operation: &Operation, query: &Form<'_>, object: &mut Map<String, Value>) -> Result<(), Fault> {
        let fixed = |name: &str| operation.uri.query.iter().any(|(fixed, _)| *fixed == name);
        for (field, text) in query.fields().filter(|(name, _)| !fixed(name) && !name.starts_with("X-Amz-")) {
            let found = self.at(Location::Query).find(|(_, member)| member.wire_in == field);
            let open = || {
                self.at(Location::Query)
                    .find(|(_, member)| matches!(self.model.shape(member.shape).kind, Kind::Map { .. }))
            };
            let Some((name, member)) = found.or_else(open) else {
                let known = self.at(Location::Query).map(|(_, member)| member.wire_in.as_ref());
                return Err(validate::unknown(self.model, operation.name, field, known));
            };
            match &self.model.shape(member.shape).kind {
                Kind::List(element) => {
                    let item = self.scalar(name, element.shape, text)?;
                    let list = object.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                    list.as_array_mut().into_iter().for_each(|list| list.push(item.clone()));
                }
                Kind::Map { .. } => {
                    let map = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
                    map.as_object_mut().and_then(|map| map.insert(field.to_owned(), Value::from(text)));
                }
                _ => {
                    object.insert(name.to_owned(), self.scalar(name, member.shape, text)?);
                }
            }
        }
        Ok(())
    }

    fn headers(&self, headers: &HeaderMap, object: &mut Map<String, Value>) -> Result<(), Fault> {
        for (name, member) in self.at(Location::Header) {
            let Some(value) = headers.get(member.wire_in.as_ref()) else { continue };
            let text = value.to_str().map_err(|_| {
                Fault::new("ValidationException", format!("The header {} is not text", member.wire_in)).status(400)
            })?;
            object.insert(name.to_owned(), self.scalar(name, member.shape, text)?);
        }
        Ok(())
    }
}

/// An answer's status, headers and body.
pub(super) fn answer(model: &Model, operation: &Operation, reply: Reply) -> Result<(u16, HeaderMap, Bytes), Fault> {
    let mut headers = HeaderMap::new();
    let mut status = reply.status.unwrap_or(operation.status);
    let Some((shape, structure)) = operation.output.and_then(|id| Some((id, model.structure(Some(id))?))) else {
        return Ok((status, headers, Bytes::new()));
    };
    for (name, member) in &structure.members {
        let value = reply.output.get(*name).filter(|value| !value.is_null());
        match (member.location, value) {
            (Location::Header, Some(value)) => {
                let text = match (&model.shape(member.shape).kind, value) {
                    (Kind::Timestamp(own), value) => timestamp::text(value, own.unwrap_or(TimestampFormat::Rfc822)),
                    (_, Value::String(text)) => text.clone(),
                    (_, value) => value.to_string(),
                };
                let name = HeaderName::from_bytes(member.wire_out.as_bytes()).map_err(Fault::internal)?;
                headers.insert(name, HeaderValue::from_str(&text).map_err(Fault::internal)?);
            }
            (Location::Status, Some(value)) if reply.status.is_none() => {
                status = value.as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(status);
            }
            _ => {}
        }
    }
    let payload = structure.payload.and_then(|name| Some((name, structure.members.get(name)?)));
    let body = match payload {
        Some((_, member)) if matches!(model.shape(member.shape).kind, Kind::Blob | Kind::Text) => reply.body,
        Some((name, member)) => written(model, member.shape, reply.output.get(name).unwrap_or(&Value::Null))?,
        None if structure.members.values().any(|member| member.location == Location::Body) => {
            written(model, shape, if reply.output.is_null() { &EMPTY } else { &reply.output })?
        }
        None => Bytes::new(),
    };
    Ok((status, headers, body))
}

static EMPTY: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::Object(Map::new()));

fn written(model: &Model, shape: ShapeId, value: &Value) -> Result<Bytes, Fault> {
    let mut out = Vec::with_capacity(256);
    json::write(model, shape, value, &mut out)?;
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;
    use crate::wire::model::model;

    fn read(
        service: &str,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<(&'static str, Value, Bytes), Fault> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let model = model(service).unwrap();
        let query = Form::parse(head.uri.query(), b"").unwrap();
        let (operation, labels) = find(model, method, head.uri.path(), &query)?;
        let (value, payload) = input(model, operation, Sources { head: &head, labels, query, body: &body })?;
        Ok((operation.name, value, payload))
    }

    #[test]
    fn an_invocation_has_its_members_everywhere() {
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations?Qualifier=1";
        let (operation, input, payload) =
            read("lambda", "POST", path, &[("x-amz-invocation-type", "Event")], "{\"a\":1}").unwrap();
        assert_eq!(operation, "Invoke");
        let name = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert_eq!(input, json!({"FunctionName": name, "Qualifier": "1", "InvocationType": "Event"}));
        assert_eq!(payload, "{\"a\":1}");
    }

    #[test]
    fn the_closest_path_wins() {
        let ask =
            |method, uri| read("apigateway", method, uri, &[], "").map(|(operation, input, _)| (operation, input));
        assert_eq!(ask("POST", "/restapis").unwrap().0, "CreateRestApi");
        assert_eq!(ask("POST", "/restapis?mode=import").unwrap().0, "ImportRestApi");
        assert_eq!(
            ask("GET", "/restapis/abc/resources?embed=methods&limit=5").unwrap(),
            ("GetResources", json!({"restApiId": "abc", "embed": ["methods"], "limit": 5}))
        );
        assert_eq!(ask("GET", "/restapis/abc/nothing").unwrap_err().code, "UnknownOperationException");
        assert_eq!(ask("GET", "/restapis/%FF").unwrap_err().status, Some(400));
        assert_eq!(
            ask("GET", "/tags/arn%3Aaws%3Aapigateway%3A%3A%3A%2Frestapis%2Fabc").unwrap().1,
            json!({"resourceArn": "arn:aws:apigateway:::/restapis/abc"})
        );
    }

    #[test]
    fn every_path_of_every_service_finds_its_own_operation() {
        for service in ["lambda", "apigateway", "rds-data"] {
            let model = model(service).unwrap();
            for operation in model.operations() {
                let path: Vec<_> = operation
                    .uri
                    .segments
                    .iter()
                    .map(|segment| match segment {
                        Segment::Fixed(text) => text,
                        Segment::Label(_) | Segment::Greedy(_) => "x1",
                    })
                    .collect();
                let query: Vec<_> =
                    operation.uri.query.iter().map(|(k, v)| format!("{k}={}", v.unwrap_or(""))).collect();
                let query = query.join("&");
                let form = Form::parse(Some(&query), b"").unwrap();
                let (found, _) = find(model, operation.method, &format!("/{}", path.join("/")), &form).unwrap();
                assert_eq!(found.name, operation.name);
            }
        }
    }

    #[test]
    fn unknown_fields_of_body_and_query_are_named() {
        for (method, uri, body) in [
            ("POST", "/2015-03-31/functions", "{\"FunktionName\": \"x\"}"),
            ("GET", "/2015-03-31/functions/f?Qualifer=1", ""),
            ("POST", "/2015-03-31/functions", "[]"),
            ("POST", "/2015-03-31/functions", "{\"FunctionName\": 1}"),
        ] {
            let fault = read("lambda", method, uri, &[], body).unwrap_err();
            assert_eq!(fault.status, Some(400), "{fault}");
        }
        assert_eq!(
            read("lambda", "POST", "/2015-03-31/functions", &[], "{").unwrap_err().code,
            "InvalidRequestContentException"
        );
    }

    #[test]
    fn an_answer_has_its_members_everywhere() {
        let model = model("lambda").unwrap();
        let reply = Reply {
            output: json!({"StatusCode": 200, "FunctionError": "Unhandled", "ExecutedVersion": "$LATEST"}),
            body: Bytes::from_static(b"{}"),
            ..Reply::default()
        };
        let (status, headers, body) = answer(model, model.operation("Invoke").unwrap(), reply).unwrap();
        assert_eq!(
            (status, &headers["x-amz-function-error"], &*body),
            (200, &HeaderValue::from_static("Unhandled"), &b"{}"[..])
        );
        let api = super::super::model::model("apigateway").unwrap();
        let reply = Reply::from(json!({"items": [{"id": "a", "createdDate": 5}]}));
        let (_, _, body) = answer(api, api.operation("GetRestApis").unwrap(), reply).unwrap();
        assert_eq!(&*body, b"{\"item\":[{\"id\":\"a\",\"createdDate\":5}]}");
    }
}
