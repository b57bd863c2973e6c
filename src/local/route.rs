//! From a request's head to the service that answers it. Pure: no service logic, no state.

use http::HeaderMap;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::execute_api::address::PREFIX;
use super::fault::Fault;
use super::wire::sigv4::Claim;

/// Who answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// An operation of this service, over its AWS protocol.
    Api(&'static str),
    /// S3 reads its own protocol.
    S3,
    /// The zip of a function, by the link that Lambda's `GetFunction` gives.
    FunctionCode,
}

/// A service as it is told from a request: its name (which is also that of a signature's scope), the prefix of
/// `X-Amz-Target`, the `Version` of query requests.
struct Sign {
    service: &'static str,
    target: Option<&'static str>,
    version: Option<&'static str>,
}

const fn sign(service: &'static str, target: Option<&'static str>, version: Option<&'static str>) -> Sign {
    Sign { service, target, version }
}

/// The one table. `rest` services are told by the signature alone.
const SIGNS: &[Sign] = &[
    sign("apigateway", None, None),
    sign("cloudformation", None, Some("2010-05-15")),
    sign("ec2", None, Some("2016-11-15")),
    sign("elasticache", None, Some("2015-02-02")),
    sign("iam", None, Some("2010-05-08")),
    sign("lambda", None, None),
    sign("logs", Some("Logs_20140328"), None),
    sign("quicksight", None, None),
    sign("rds", None, Some("2014-10-31")),
    sign("rds-data", None, None),
    sign("secretsmanager", Some("secretsmanager"), None),
    sign("sts", None, Some("2011-06-15")),
    sign("xray", None, None),
];

/// The service whose signatures are those of two: HTTP APIs are told from REST APIs by the path.
const GATEWAY: &str = "apigateway";
const HTTP_APIS: &str = "apigatewayv2";
/// Where the links to functions' zips lead.
const FUNCTION_CODE: &str = "/_aws/lambda/code/";

/// Finds the service. `claim` is the request's signature, unverified.
///
/// # Errors
/// The request is for a service that is not here, or says two things.
pub(super) fn route(head: &Parts, claim: Option<&Claim>) -> Result<Route, Fault> {
    if head.uri.path().starts_with(FUNCTION_CODE) {
        return Ok(Route::FunctionCode);
    }
    let named = by_target(&head.headers);
    match claim.map(|claim| claim.service.as_str()) {
        Some("s3") if named.is_none() => Ok(Route::S3),
        Some(scope) => match (SIGNS.iter().find(|sign| sign.service == scope), named) {
            (Some(scope), Some(Ok(named))) if scope.service != named => {
                let message = format!("Credential should be scoped to correct service: '{named}'.");
                Err(Fault::new("SignatureDoesNotMatch", message).status(403))
            }
            (Some(sign), _) if sign.service == GATEWAY && head.uri.path().starts_with("/v2/") => {
                Ok(Route::Api(HTTP_APIS))
            }
            (Some(sign), _) => Ok(Route::Api(sign.service)),
            (None, _) => Err(absent(scope)),
        },
        None => match named {
            Some(named) => named.map(Route::Api).map_err(|target| absent(&target)),
            None => Ok(guess(head).map_or(Route::S3, Route::Api)),
        },
    }
}

/// Whether a request is for API Gateway's data plane: `/_aws/execute-api/<api id>/<stage>/<path>`, or
/// `<api id>.execute-api.localhost`. What it carries in place of a signature is the API's business.
pub(super) fn is_data_plane(head: &Parts) -> bool {
    let host = head.headers.get(http::header::HOST).map_or(&b""[..], http::HeaderValue::as_bytes);
    let of_an_api = host.split(|byte| *byte == b'.').nth(1) == Some(b"execute-api");
    head.uri.path().starts_with(PREFIX) || of_an_api
}

fn absent(service: &str) -> Fault {
    let message =
        format!("The local cloud does not have the service {service}. Supported services: docs/reference/local.md");
    Fault::new("NotImplemented", message).status(501)
}

/// The service of `X-Amz-Target`, or the name of one that is not here.
fn by_target(headers: &HeaderMap) -> Option<Result<&'static str, String>> {
    let target = headers.get("x-amz-target")?.to_str().unwrap_or("(not text)");
    let prefix = target.rsplit_once('.').map_or(target, |(prefix, _)| prefix);
    let found = SIGNS.iter().find(|sign| sign.target == Some(prefix)).map(|sign| sign.service);
    Some(found.ok_or_else(|| prefix.chars().take(60).collect()))
}

/// The service of an unsigned request, or of one whose signature cannot be read: by target, or by the version in its query.
pub(super) fn guess(head: &Parts) -> Option<&'static str> {
    if let Some(named) = by_target(&head.headers) {
        return named.ok();
    }
    let query = head.uri.query().unwrap_or_default();
    let version = query.split('&').find_map(|pair| pair.strip_prefix("Version="));
    let version = version.and_then(|text| percent_decode_str(text).decode_utf8().ok());
    if let Some(version) = version {
        return SIGNS.iter().find(|sign| sign.version == Some(version.as_ref())).map(|sign| sign.service);
    }
    // A form is a request of some query service, which its body names; STS is the one that takes unsigned ones.
    let form = |value: &http::HeaderValue| value.as_bytes().starts_with(b"application/x-www-form-urlencoded");
    head.headers.get("content-type").is_some_and(form).then_some("sts")
}

/// The service of a signature that cannot be read as a whole: by its scope, or by S3's oldest form.
pub(super) fn scoped(head: &Parts) -> Option<&'static str> {
    let header = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    if header.is_some_and(|header| header.starts_with("AWS ")) {
        return Some("s3");
    }
    let text = percent_decode_str(header.or(head.uri.query())?).decode_utf8_lossy();
    let mut services = SIGNS.iter().map(|sign| sign.service).chain(["s3"]);
    services.find(|service| text.contains(&format!("/{service}/aws")))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::wire::{model, sigv4};

    fn ask(uri: &str, headers: &[(&str, &str)]) -> Result<Route, Fault> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let claim = sigv4::claim(&head.headers, head.uri.query()).unwrap();
        route(&head, claim.as_ref())
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        )
    }

    fn of(service: &str, more: &[(&str, &str)]) -> Result<Route, Fault> {
        let signature = signed(service);
        let mut headers = vec![("authorization", signature.as_str()), ("x-amz-date", "20261121T000000Z")];
        headers.extend(more);
        ask("/", &headers)
    }

    #[test]
    fn a_signature_names_the_service() {
        assert_eq!(of("sts", &[]), Ok(Route::Api("sts")));
        assert_eq!(of("s3", &[]), Ok(Route::S3));
        assert_eq!(of("logs", &[("x-amz-target", "Logs_20140328.PutLogEvents")]), Ok(Route::Api("logs")));
        assert_eq!(
            of("logs", &[("x-amz-target", "secretsmanager.GetSecretValue")]).unwrap_err().code,
            "SignatureDoesNotMatch"
        );
        let fault = of("athena", &[]).unwrap_err();
        assert!(fault.code == "NotImplemented" && fault.message.contains("athena"));
    }

    #[test]
    fn an_unsigned_request_is_told_by_target_or_version_and_else_is_s3s() {
        assert_eq!(ask("/", &[("x-amz-target", "secretsmanager.GetSecretValue")]), Ok(Route::Api("secretsmanager")));
        assert!(
            ask("/", &[("x-amz-target", "AmazonAthena.StartQueryExecution")])
                .unwrap_err()
                .message
                .contains("AmazonAthena")
        );
        assert_eq!(ask("/?Action=ListUsers&Version=2010-05-08", &[]), Ok(Route::Api("iam")));
        assert_eq!(ask("/bucket/key", &[]), Ok(Route::S3));
    }

    #[test]
    fn presigned_urls_are_told_by_their_credential() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20261121%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20261121T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
        assert_eq!(ask(&format!("/bucket/key?{query}"), &[]), Ok(Route::S3));
        assert_eq!(ask(&format!("/?{}", query.replace("%2Fs3%2F", "%2Fsts%2F")), &[]), Ok(Route::Api("sts")));
    }

    #[test]
    fn the_data_plane_has_its_own_path() {
        let is = |uri: &str, host: &str| {
            let (head, ()) = http::Request::builder().uri(uri).header("host", host).body(()).unwrap().into_parts();
            is_data_plane(&head)
        };
        assert!(is("/_aws/execute-api/abc/dev/x?Version=2010-05-08", "127.0.0.1:4566"));
        assert!(is("/x", "abc.execute-api.localhost:4566"));
        assert!(!is("/bucket/_aws/execute-api/", "127.0.0.1:4566"));
    }

    #[test]
    fn http_apis_are_told_from_rest_apis_by_the_path() {
        let signature = signed("apigateway");
        let headers = [("authorization", signature.as_str()), ("x-amz-date", "20261121T000000Z")];
        assert_eq!(ask("/v2/apis", &headers), Ok(Route::Api("apigatewayv2")));
        assert_eq!(ask("/restapis", &headers), Ok(Route::Api("apigateway")));
        assert_eq!(model::model(HTTP_APIS).unwrap().signing_name, GATEWAY);
    }

    #[test]
    fn the_table_agrees_with_the_models() {
        for sign in SIGNS {
            let model = model::model(sign.service).unwrap();
            assert_eq!(model.signing_name, sign.service);
            assert_eq!(model.target_prefix, sign.target, "{}", sign.service);
            if let Some(version) = sign.version {
                assert_eq!(model.version, version);
            }
        }
    }
}
