//! Errors on the wire: one AWS code, written as each protocol writes it.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::model::{Exception, Model, Protocol};
use super::xml::escape;
use crate::fault::Fault;
use crate::http::full;
use crate::service::Body;

/// The HTTP status of a fault: its own, the model's for its code, or AWS's common one.
pub fn status(model: Option<&Model>, fault: &Fault) -> StatusCode {
    let declared = || model.and_then(|model| model.exception(&fault.code)).map(|exception| exception.status);
    let number = fault.status.or_else(declared).unwrap_or_else(|| common(&fault.code));
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The errors that any service may answer with.
fn common(code: &str) -> u16 {
    match code.strip_suffix("Exception").unwrap_or(code) {
        "AccessDenied"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnauthorizedOperation" => 403,
        "InternalFailure" | "InternalServerError" | "InternalError" => 500,
        "NotImplemented" => 501,
        "ServiceUnavailable" => 503,
        _ => 400,
    }
}

/// The whole answer for `fault`. `None` as model: nobody knows which service was meant; JSON is what most clients read.
pub fn answer(model: Option<&Model>, fault: &Fault, request_id: &str) -> Response<Body> {
    let status = status(model, fault);
    let exception = model.and_then(|model| model.exception(&fault.code));
    let (content_type, body) = match model.map(|model| model.protocol) {
        Some(Protocol::Query) => {
            ("text/xml", query(model.map_or("", |model| model.namespace), fault, exception, status, request_id))
        }
        Some(Protocol::Ec2) => ("text/xml;charset=UTF-8", ec2(fault, request_id)),
        Some(Protocol::RestXml) => ("application/xml", rest_xml(fault, request_id)),
        Some(Protocol::RestJson) => ("application/json", json_body(model, fault, exception)),
        Some(Protocol::Json) if model.is_some_and(|model| model.json_version == "1.0") => {
            ("application/x-amz-json-1.0", json_body(model, fault, exception))
        }
        Some(Protocol::Json) => ("application/x-amz-json-1.1", json_body(model, fault, exception)),
        None => ("application/json", json_body(model, fault, exception)),
    };
    let mut response = Response::new(full(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    if content_type.starts_with("application/") && content_type != "application/xml" {
        let name = exception.map_or(fault.code.as_str(), |exception| exception.name);
        if let Ok(name) = HeaderValue::from_str(name) {
            headers.insert("x-amzn-errortype", name);
        }
    }
    response
}

fn element(name: &str, text: &str, out: &mut String) {
    out.push_str(&format!("<{name}>"));
    escape(text, out);
    out.push_str(&format!("</{name}>"));
}

fn query(namespace: &str, fault: &Fault, exception: Option<Exception>, status: StatusCode, request_id: &str) -> String {
    let mut out = format!("<ErrorResponse xmlns=\"{namespace}\">\n  <Error>");
    let sender = exception.map_or(status.is_client_error(), |exception| exception.sender);
    element("Type", if sender { "Sender" } else { "Receiver" }, &mut out);
    element("Code", exception.map_or(fault.code.as_str(), |exception| exception.code), &mut out);
    element("Message", &fault.message, &mut out);
    for (name, value) in &fault.members {
        element(name, value.as_str().unwrap_or(&value.to_string()), &mut out);
    }
    out.push_str("</Error>\n  ");
    element("RequestId", request_id, &mut out);
    out.push_str("\n</ErrorResponse>\n");
    out
}

fn ec2(fault: &Fault, request_id: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>");
    element("Code", &fault.code, &mut out);
    element("Message", &fault.message, &mut out);
    out.push_str("</Error></Errors>");
    element("RequestID", request_id, &mut out);
    out.push_str("</Response>");
    out
}

fn rest_xml(fault: &Fault, request_id: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element("Code", &fault.code, &mut out);
    element("Message", &fault.message, &mut out);
    for (name, value) in &fault.members {
        element(name, value.as_str().unwrap_or(&value.to_string()), &mut out);
    }
    element("RequestId", request_id, &mut out);
    out.push_str("</Error>");
    out
}

/// `{"__type": …, "message": …}`, the message under the name that the error's shape gives it.
fn json_body(model: Option<&Model>, fault: &Fault, exception: Option<Exception>) -> String {
    let structure = model.zip(exception).and_then(|(model, exception)| model.structure(Some(exception.shape)));
    let mut object = Map::new();
    object.insert("__type".into(), Value::from(exception.map_or(fault.code.as_str(), |exception| exception.name)));
    let named =
        structure.and_then(|structure| structure.members.keys().find(|name| name.eq_ignore_ascii_case("message")));
    object.insert((*named.unwrap_or(&"message")).into(), Value::from(fault.message.as_str()));
    if structure.is_some_and(|structure| structure.members.contains_key("Type")) {
        let sender = exception.is_none_or(|exception| exception.status < 500);
        object.insert("Type".into(), Value::from(if sender { "User" } else { "Service" }));
    }
    for (name, value) in &fault.members {
        object.insert(name.clone(), value.clone());
    }
    let mut out = Vec::new();
    // Writing JSON that we just made to memory does not fail.
    let _ = serde_json::to_writer(&mut out, &object);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::wire::model::model;

    #[test]
    fn the_status_is_the_faults_own_or_the_models_or_the_common_one() {
        let of = |service, fault| status(model(service), &fault).as_u16();
        assert_eq!(of("iam", Fault::new("NoSuchEntity", "")), 404);
        assert_eq!(of("iam", Fault::new("NoSuchEntity", "").status(418)), 418);
        assert_eq!(of("rds", Fault::new("DBClusterNotFoundFault", "")), 404);
        assert_eq!(of("lambda", Fault::new("ResourceConflictException", "")), 409);
        assert_eq!(of("secretsmanager", Fault::new("AccessDeniedException", "")), 403);
        assert_eq!(of("ec2", Fault::new("InvalidVpcID.NotFound", "")), 400);
        assert_eq!(of("sts", Fault::unsupported("x")), 501);
    }

    #[test]
    fn a_query_error_carries_its_code_and_a_json_error_its_shape() {
        let xml = query(
            "ns",
            &Fault::new("NoSuchEntityException", "a<b"),
            model("iam").unwrap().exception("NoSuchEntityException"),
            StatusCode::NOT_FOUND,
            "r",
        );
        assert!(xml.contains("<Type>Sender</Type><Code>NoSuchEntity</Code><Message>a&lt;b</Message>"), "{xml}");
        let lambda = model("lambda");
        let json = json_body(
            lambda,
            &Fault::new("ResourceNotFoundException", "no"),
            lambda.unwrap().exception("ResourceNotFoundException"),
        );
        assert_eq!(json, r#"{"__type":"ResourceNotFoundException","Message":"no","Type":"User"}"#);
    }
}
