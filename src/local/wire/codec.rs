//! The way in and out: an HTTP request to an operation with typed input, its reply to an HTTP response.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::form::{Form, shortened};
use super::model::{Model, Operation, Protocol};
use super::{json, query, rest, validate, xml};
use crate::call::Reply;
use crate::fault::Fault;
use crate::http::full;
use crate::service::Body;

/// A request whose operation is known and whose input is not read yet.
pub struct Asked<'r> {
    pub operation: &'static Operation,
    model: &'static Model,
    head: &'r Parts,
    body: &'r Bytes,
    form: Form<'r>,
    labels: rest::Labels,
}

/// Finds out which operation of `model` a request asks for.
///
/// # Errors
/// The request names none, or one that the service has not.
pub fn asked<'r>(model: &'static Model, head: &'r Parts, body: &'r Bytes) -> Result<Asked<'r>, Fault> {
    let (operation, form, labels) = match model.protocol {
        Protocol::Query | Protocol::Ec2 => {
            let form = Form::parse(head.uri.query(), body)?;
            let operation = action(model, &form)?;
            (operation, form, Vec::new())
        }
        Protocol::Json => (target(model, &head.headers)?, Form::parse(None, b"")?, Vec::new()),
        Protocol::RestJson | Protocol::RestXml => {
            let form = Form::parse(head.uri.query(), b"")?;
            let (operation, labels) = rest::find(model, head.method.as_str(), head.uri.path(), &form)?;
            (operation, form, labels)
        }
    };
    Ok(Asked { operation, model, head, body, form, labels })
}

impl Asked<'_> {
    /// Reads and checks the input; a payload that is a blob comes beside it.
    ///
    /// # Errors
    /// The input is not what the model says.
    pub fn input(self) -> Result<(Value, Bytes), Fault> {
        let Asked { operation, model, head, body, form, labels } = self;
        if !operation.kept {
            return Err(Fault::unsupported_operation(model.service, operation.name));
        }
        let (input, payload) = match model.protocol {
            Protocol::Query | Protocol::Ec2 => (query::input(model, operation, &form)?, Bytes::new()),
            Protocol::Json => {
                let value = json::parse(model, body)?;
                let typed = match model.structure(operation.input) {
                    Some(structure) => json::input(model, structure, value, operation.name)?,
                    None => Map::new(),
                };
                (Value::Object(typed), Bytes::new())
            }
            Protocol::RestJson | Protocol::RestXml => {
                rest::input(model, operation, rest::Sources { head, labels, query: form, body })?
            }
        };
        validate::check(model, operation, &input)?;
        Ok((input, payload))
    }
}

fn action(model: &'static Model, form: &Form<'_>) -> Result<&'static Operation, Fault> {
    let Some(action) = form.get("Action") else {
        return Err(Fault::new("MissingAction", "The request must contain the parameter Action").status(400));
    };
    model.operation(action).ok_or_else(|| {
        let version = form.get("Version").unwrap_or(model.version);
        let message = format!("Could not find operation {} for version {}", shortened(action), shortened(version));
        Fault::new("InvalidAction", message).status(400)
    })
}

fn target(model: &'static Model, headers: &HeaderMap) -> Result<&'static Operation, Fault> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let named = target.rsplit_once('.').filter(|(prefix, _)| Some(*prefix) == model.target_prefix);
    named.and_then(|(_, name)| model.operation(name)).ok_or_else(|| {
        let message = format!("{} has no operation for the target '{}'", model.service, shortened(target));
        Fault::new("UnknownOperationException", message).status(400)
    })
}

/// The response for `reply`.
///
/// # Errors
/// The service answered what its model has no place for.
pub fn answer(model: &Model, operation: &Operation, reply: Reply, request_id: &str) -> Result<Response<Body>, Fault> {
    let (status, mut headers, body) = match model.protocol {
        Protocol::Query | Protocol::Ec2 => {
            let document = xml::answer(model, operation, &reply.output, request_id)?;
            (reply.status.unwrap_or(200), HeaderMap::new(), Bytes::from(document))
        }
        Protocol::Json => {
            let mut out = Vec::with_capacity(256);
            if let Some(shape) = operation.output.filter(|_| !reply.output.is_null()) {
                json::write(model, shape, &reply.output, &mut out)?;
            } else if operation.output.is_some() {
                out.extend_from_slice(b"{}");
            }
            (reply.status.unwrap_or(200), HeaderMap::new(), Bytes::from(out))
        }
        Protocol::RestJson | Protocol::RestXml => rest::answer(model, operation, reply)?,
    };
    let content_type = match model.protocol {
        Protocol::Query => "text/xml",
        Protocol::Ec2 => "text/xml;charset=UTF-8",
        Protocol::Json if model.json_version == "1.0" => "application/x-amz-json-1.0",
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::RestJson => "application/json",
        Protocol::RestXml => "application/xml",
    };
    headers.entry("content-type").or_insert(HeaderValue::from_static(content_type));
    let mut response = Response::new(full(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    Ok(response)
}

#[cfg(test)]
mod tests {

    use proptest::prelude::{Strategy, any, prop, prop_oneof};
    use proptest::{prop_assert, proptest};

    use super::super::fault::status;
    use super::super::model::model;
    use super::*;

    /// Reads a request as the endpoint does; a refusal must be the client's fault, or an honest 501.
    fn read(service: &str, method: &str, path: &str, target: &str, body: &[u8]) -> Result<(), u16> {
        let model = model(service).unwrap();
        let Ok(request) = http::Request::builder().method(method).uri(path).header("x-amz-target", target).body(())
        else {
            return Ok(());
        };
        let (head, ()) = request.into_parts();
        let body = Bytes::copy_from_slice(body);
        match asked(model, &head, &body).and_then(Asked::input) {
            Ok(_) => Ok(()),
            Err(fault) => match status(Some(model), &fault).as_u16() {
                400..=499 | 501 => Ok(()),
                other => Err(other),
            },
        }
    }

    proptest! {
        #[test]
        fn no_form_breaks_the_query_protocols(body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "Action=(CreateRole|ListRoles|CreateVpc|CreateStack|CreateDBCluster)(&[A-Z][a-zA-Z]{0,9}(\\.(member|[0-9]{1,3}|Key|[A-Z][a-z]{1,5})){0,4}=[ -~]{0,9}){0,6}".prop_map(String::into_bytes),
        ]) {
            for service in ["iam", "ec2", "cloudformation", "rds"] {
                prop_assert!(read(service, "POST", "/", "", &body).is_ok());
            }
        }

        #[test]
        fn no_body_breaks_the_json_protocols(body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[\\[\\]{}:,\"a-zA-Z0-9 .-]{0,80}".prop_map(String::into_bytes),
        ]) {
            for target in ["CreateSecret", "GetSecretValue", "TagResource"] {
                let target = format!("secretsmanager.{target}");
                prop_assert!(read("secretsmanager", "POST", "/", &target, &body).is_ok());
            }
            prop_assert!(read("lambda", "POST", "/2015-03-31/functions", "", &body).is_ok());
            prop_assert!(read("rds-data", "POST", "/Execute", "", &body).is_ok());
        }

        #[test]
        fn no_path_breaks_the_rest_protocols(path in "/[a-zA-Z0-9%/?&=.~_-]{0,60}", method in "(GET|PUT|POST|DELETE|PATCH)") {
            for service in ["lambda", "apigateway", "rds-data"] {
                prop_assert!(read(service, &method, &path, "", b"").is_ok());
            }
        }
    }
}
