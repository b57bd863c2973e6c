//! Requests that no honest client sends: clean refusals, never a panic, never a 5xx.

use crate::support::LocalCloud;

/// The status of an answer.
fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("not an HTTP answer: {answer:?}"))
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_and_other_sites_are_refused() {
    let cloud = LocalCloud::start().await;
    let host = cloud.endpoint().trim_start_matches("http://").to_owned();
    let health = |headers: String| get("/_labctl/health", &headers);
    assert_eq!(status(&cloud.send_raw(health(format!("Host: {host}\r\n"))).await), 200);
    for headers in [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: {host}\r\nOrigin: https://evil.example\r\n"),
        format!("Host: {host}\r\nOrigin: null\r\n"),
        format!("Host: {host}\r\nSec-Fetch-Site: cross-site\r\n"),
    ] {
        assert_eq!(status(&cloud.send_raw(health(headers.clone())).await), 403, "{headers}");
    }
    assert_eq!(status(&cloud.send_raw(health(String::new())).await), 400);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_refused_in_the_services_own_form() {
    let cloud = LocalCloud::start().await;
    let json = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")];
    for body in [
        "{",
        "[]",
        "\"text\"",
        "{\"SecretId\": 1}",
        "{\"SecretId\": null}",
        "{\"Unknown\": 1}",
        "\u{0}",
        "{\"SecretId\": [[[[[[]]]]]]}",
    ] {
        let answer = cloud.send_raw(cloud.signed("secretsmanager", "/", &json, body.as_bytes())).await;
        assert_eq!(status(&answer), 400, "{body}: {answer}");
        assert!(answer.contains("__type"), "{answer}");
    }
    let nested = format!("{{\"SecretId\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(status(&cloud.send_raw(cloud.signed("secretsmanager", "/", &json, nested.as_bytes())).await), 400);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for body in [
        "",
        "Action=",
        "Action=Nothing",
        "Action=CreateRole",
        "Action=CreateRole&RoleName=%FF",
        "Action=ListRoles&MaxItems=x",
        "Action=ListRoles&A.b.c.d=1",
        "a&b&c=&&&=",
        "Action=CreateRole&Tags.member.99999999999.Key=1",
    ] {
        let answer = cloud.send_raw(cloud.signed("iam", "/", &form, body.as_bytes())).await;
        assert_eq!(status(&answer), 400, "{body}: {answer}");
        assert!(answer.contains("<ErrorResponse"), "{answer}");
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_11_megabytes_is_too_large() {
    let cloud = LocalCloud::start().await;
    let body = vec![b'a'; 11 * 1024 * 1024];
    let answer =
        cloud.send_raw(cloud.signed("iam", "/", &[("content-type", "application/x-www-form-urlencoded")], &body)).await;
    assert_eq!(status(&answer), 413, "{answer}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn path_tricks_reach_nothing() {
    let cloud = LocalCloud::start().await;
    let host = format!("Host: {}\r\n", cloud.endpoint().trim_start_matches("http://"));
    for path in [
        "/_labctl/../../etc/passwd",
        "/_labctl/%2e%2e/health",
        "/_labctl/",
        "/../../../../etc/passwd",
        "/_aws/execute-api/../../x",
        "/_aws/execute-api/",
        "//_labctl/health",
        "/%00",
        "/%ff%fe",
        "/_aws/execute-api/%2e%2e/%2e%2e",
    ] {
        let answer = cloud.send_raw(get(path, &host)).await;
        assert!(matches!(status(&answer), 400..=499), "{path}: {answer}");
        assert!(!answer.contains("root:"), "{path}: {answer}");
    }
    for path in ["/2015-03-31/functions/%FF", "/2015-03-31/functions/../../../x", "/2015-03-31/nothing"] {
        let answer = cloud.send_raw(cloud.signed("lambda", path, &[], b"")).await;
        assert!((400..500).contains(&status(&answer)), "{path}: {answer}");
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_signature_forms_are_refused() {
    let cloud = LocalCloud::start().await;
    let host = cloud.endpoint().trim_start_matches("http://").to_owned();
    let scope = "test/20261121/us-east-1/iam/aws4_request";
    for authorization in [
        "Basic dGVzdDp0ZXN0".to_owned(),
        "AWS4-HMAC-SHA256".to_owned(),
        "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=".to_owned(),
        "AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host, Signature=00".to_owned(),
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"),
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=x-amz-date, Signature={}", "0".repeat(64)),
        format!("AWS4-HMAC-SHA256 Credential={}, SignedHeaders=host, Signature=00", scope.replace("iam", "../iam")),
    ] {
        let head = format!("Host: {host}\r\nX-Amz-Date: 20261121T000000Z\r\nAuthorization: {authorization}\r\n");
        let answer = cloud.send_raw(get("/?Action=ListUsers&Version=2010-05-08", &head)).await;
        assert!(matches!(status(&answer), 400 | 403), "{authorization}: {answer}");
    }
    let unsigned = cloud.send_raw(get("/?Action=ListUsers&Version=2010-05-08", &format!("Host: {host}\r\n"))).await;
    assert!(status(&unsigned) == 403 && unsigned.contains("MissingAuthenticationToken"), "{unsigned}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_gets_an_answer_and_the_cloud_stays_up() {
    let cloud = LocalCloud::start().await;
    for noise in [
        &b"\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = cloud.send_raw([noise, b"\r\n\r\n"].concat()).await;
        assert!(answer.is_empty() || status(&answer) == 400, "{answer}");
    }
    let long = get("/", &format!("Host: localhost\r\nX-Long: {}\r\n", "a".repeat(100_000)));
    assert_eq!(status(&cloud.send_raw(long).await), 431);
    assert_eq!(cloud.aws(&["sts", "get-caller-identity"]).await["Account"], "000000000000");
    cloud.stop().await;
}
