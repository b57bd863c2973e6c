//! CORS, where the API has a configuration: preflights are answered here, and answers of integrations get the headers.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::services::apigatewayv2::state::Cors;

/// The answer to a preflight.
pub(super) fn preflight(cors: &Cors, method: &Method, headers: &HeaderMap) -> Option<Response<Bytes>> {
    if method != Method::OPTIONS
        || !headers.contains_key(ORIGIN)
        || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if allow(cors, headers, response.headers_mut()) {
        put(response.headers_mut(), ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods.join(","));
        put(response.headers_mut(), ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers.join(","));
        let age = cors.max_age.map(|age| age.to_string());
        put(response.headers_mut(), ACCESS_CONTROL_MAX_AGE, &age.unwrap_or_default());
    }
    Some(response)
}

/// Puts the API's headers in place of those that the integration gave.
pub(super) fn dress(cors: &Cors, asked: &HeaderMap, answer: &mut HeaderMap) {
    let own: Vec<HeaderName> =
        answer.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in own {
        answer.remove(name);
    }
    allow(cors, asked, answer);
}

/// Whether the origin is one that is allowed; then the headers say so.
fn allow(cors: &Cors, asked: &HeaderMap, answer: &mut HeaderMap) -> bool {
    let Some(origin) = asked.get(ORIGIN).and_then(|origin| origin.to_str().ok()) else { return false };
    let Some(allowed) = cors.allow_origins.iter().find(|allowed| is_origin(allowed, origin)) else { return false };
    put(answer, ACCESS_CONTROL_ALLOW_ORIGIN, if allowed == "*" { "*" } else { origin });
    if cors.allow_credentials == Some(true) {
        put(answer, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    put(answer, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers.join(","));
    true
}

/// `*`, `https://*`, or the origin itself.
fn is_origin(allowed: &str, origin: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(scheme) => origin.starts_with(scheme),
        None => allowed.eq_ignore_ascii_case(origin),
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Some(value) = HeaderValue::from_str(value).ok().filter(|value| !value.is_empty()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Cors {
            allow_credentials: Some(true),
            allow_headers: texts(&["content-type", "x-one"]),
            allow_methods: texts(&["POST"]),
            allow_origins: texts(origins),
            expose_headers: texts(&["x-two"]),
            max_age: Some(300),
        }
    }

    fn asking(origin: &str) -> HeaderMap {
        let method = (ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(origin).unwrap()), method])
    }

    #[test]
    fn a_preflight_of_an_allowed_origin_is_answered_with_all_that_is_allowed() {
        let cors = cors(&["http://localhost:3000", "https://*"]);
        let answer = preflight(&cors, &Method::OPTIONS, &asking("http://localhost:3000")).unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(answer.status(), 204);
        assert_eq!(header("access-control-allow-origin"), "http://localhost:3000");
        assert_eq!(
            (header("access-control-allow-methods"), header("access-control-allow-headers")),
            ("POST".into(), "content-type,x-one".into())
        );
        assert_eq!(
            (header("access-control-max-age"), header("access-control-allow-credentials")),
            ("300".into(), "true".into())
        );
        assert!(
            preflight(&cors, &Method::OPTIONS, &asking("https://any.example"))
                .unwrap()
                .headers()
                .contains_key("access-control-allow-origin")
        );
        let other = preflight(&cors, &Method::OPTIONS, &asking("http://other")).unwrap();
        assert!(other.status() == 204 && other.headers().is_empty());
        assert!(preflight(&cors, &Method::POST, &asking("https://a")).is_none());
        assert!(preflight(&cors, &Method::OPTIONS, &HeaderMap::new()).is_none());
    }

    #[test]
    fn what_an_integration_says_of_cors_is_not_heard() {
        let mut answer = HeaderMap::from_iter([(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("http://evil"))]);
        dress(&cors(&["*"]), &asking("http://a"), &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "*");
        assert_eq!(answer["access-control-expose-headers"], "x-two");
        dress(&cors(&["http://b"]), &asking("http://a"), &mut answer);
        assert!(answer.is_empty());
    }
}
