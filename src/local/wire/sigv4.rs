//! AWS Signature Version 4, the server's side: whose signature a request carries, and whether it is right.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::borrow::Cow;
use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use time::{Date, Month, PrimitiveDateTime, Time};

use crate::clock::Timestamp;
use crate::credentials::{Keyring, Rejected, Secret};
use crate::scope::Caller;

/// How far a signature's date may be from now.
const SKEW_MILLIS: i64 = 15 * 60 * 1000;
/// A presigned request is good for a week at most.
const LONGEST_EXPIRES: i64 = 7 * 24 * 3600;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// SHA-256 of nothing.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Why a signature is refused. `wire::fault` knows what each service calls it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("Request is missing Authentication Token")]
    Missing,
    #[error("{0}")]
    Incomplete(String),
    #[error(transparent)]
    Key(#[from] Rejected),
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and \
         signing method. Consult the service documentation for details."
    )]
    Mismatch,
    #[error("{0}")]
    Scope(String),
    #[error("{0}")]
    Expired(String),
}

/// What a request says about its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub access_key_id: String,
    pub token: Option<Secret>,
    /// `20261121`.
    pub date: String,
    pub region: String,
    pub service: String,
    signed_headers: Vec<String>,
    signature: String,
    /// `20261121T235959Z`.
    at: String,
    /// Seconds, on presigned requests.
    expires: Option<i64>,
}

/// Who signed, and for where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub caller: Caller,
    pub region: String,
}

/// The parts of a request that a signature covers.
pub struct Message<'r> {
    pub method: &'r str,
    /// As sent.
    pub path: &'r str,
    pub query: &'r str,
    pub headers: &'r HeaderMap,
    pub body: &'r [u8],
}

impl<'r> Message<'r> {
    pub fn of(head: &'r Parts, body: &'r [u8]) -> Self {
        Message {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
        }
    }
}

/// Reads the signature of a request's head: the `Authorization` header, or the query of a presigned URL. `None`: unsigned.
///
/// # Errors
/// There is something that is no complete signature.
pub fn claim(headers: &HeaderMap, query: Option<&str>) -> Result<Option<Claim>, Refused> {
    if let Some(header) = headers.get("authorization") {
        let text = header.to_str().map_err(|_| Refused::Incomplete("The Authorization header is not text".into()))?;
        return header_claim(text, headers).map(Some);
    }
    match query {
        Some(query) if query.contains("X-Amz-Signature=") || query.contains("X-Amz-Credential=") => {
            query_claim(query).map(Some)
        }
        _ => Ok(None),
    }
}

fn header_claim(text: &str, headers: &HeaderMap) -> Result<Claim, Refused> {
    let incomplete = |what: &str| Refused::Incomplete(format!("Authorization header requires {what}."));
    let Some(fields) = text.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix([' ', '\t'])) else {
        let algorithm: String = text.split(' ').next().unwrap_or_default().chars().take(40).collect();
        return Err(Refused::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
    };
    let field = |name: &str| {
        let value = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        value.filter(|value| !value.is_empty()).ok_or_else(|| incomplete(&format!("'{name}' parameter")))
    };
    let text_of = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let at = match text_of("x-amz-date").or_else(|| text_of("date")) {
        Some(at) => at.to_owned(),
        None => return Err(incomplete("existence of either a 'X-Amz-Date' or a 'Date' header")),
    };
    let claim = Claim {
        token: text_of("x-amz-security-token").map(Secret::new),
        signed_headers: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
        signature: field("Signature")?.to_owned(),
        at,
        expires: None,
        ..scope(field("Credential")?)?
    };
    Ok(claim)
}

/// Reads `KEY/20261121/us-east-1/sts/aws4_request`.
fn scope(credential: &str) -> Result<Claim, Refused> {
    let shown: String = credential.chars().take(100).collect();
    let broken = || {
        Refused::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{shown}'"
        ))
    };
    // A key id may hold slashes; the scope may not.
    let mut parts = credential.rsplitn(5, '/');
    let (Some(end), Some(service), Some(region), Some(date), Some(key)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(broken());
    };
    if end != "aws4_request" {
        return Err(Refused::Scope(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{end}'."
        )));
    }
    if key.is_empty() || !service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') || service.is_empty()
    {
        return Err(broken());
    }
    if !is_region(region) {
        return Err(Refused::Scope(format!("Credential should be scoped to a valid region, not '{region}'.")));
    }
    Ok(Claim {
        access_key_id: key.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        token: None,
        signed_headers: Vec::new(),
        signature: String::new(),
        at: String::new(),
        expires: None,
    })
}

/// `us-east-1`, `ap-southeast-2`, `us-gov-west-1`, …
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplitn(2, '-');
    let number = parts.next().unwrap_or_default();
    let words = parts.next().unwrap_or_default();
    let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    matches!(number.len(), 1 | 2)
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.contains('-')
        && words.split('-').all(word)
}

fn query_claim(query: &str) -> Result<Claim, Refused> {
    let field = |name: &str| {
        let raw = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        percent_decode_str(raw).decode_utf8().ok().map(Cow::into_owned)
    };
    let needed = |name: &str| {
        let missing = || {
            Refused::Incomplete(format!(
                "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
            ))
        };
        field(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    let algorithm = needed("X-Amz-Algorithm")?;
    if algorithm != ALGORITHM {
        return Err(Refused::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
    }
    let expires = needed("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=LONGEST_EXPIRES).contains(seconds));
    let expires = expires
        .ok_or_else(|| Refused::Incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800".into()))?;
    Ok(Claim {
        token: field("X-Amz-Security-Token").map(Secret::new),
        signed_headers: needed("X-Amz-SignedHeaders")?.split(';').map(str::to_owned).collect(),
        signature: needed("X-Amz-Signature")?,
        at: needed("X-Amz-Date")?,
        expires: Some(expires),
        ..scope(&needed("X-Amz-Credential")?)?
    })
}

impl Claim {
    /// Checks the signature over `message`.
    ///
    /// # Errors
    /// The date, the key, or the signature is not good.
    pub fn verify(&self, keyring: &Keyring, message: &Message<'_>, now: Timestamp) -> Result<Verified, Refused> {
        self.check_date(now)?;
        let identity = keyring.identify(&self.access_key_id, self.token.as_ref().map(Secret::expose), now)?;
        let payload = self.payload_hash(message)?;
        let request = self.canonical_request(message, &payload)?;
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{}", self.amz_date(), hex::encode(Sha256::digest(request)));
        let key = self.signing_key(identity.secret.expose());
        let given = hex::decode(&self.signature).map_err(|_| Refused::Mismatch)?;
        hmac(&key, to_sign.as_bytes()).verify_slice(&given).map_err(|_| Refused::Mismatch)?;
        Ok(Verified { caller: identity.caller, region: self.region.clone() })
    }

    /// Whether every header that the signature names is in the request.
    ///
    /// # Errors
    /// One is not.
    pub fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refused> {
        match self.signed_headers.iter().find(|name| !headers.contains_key(name.as_str())) {
            Some(name) => {
                let shown: String = name.chars().take(60).collect();
                Err(Refused::Incomplete(format!("'{shown}' is named in 'SignedHeaders' but not in the request")))
            }
            None => Ok(()),
        }
    }

    fn amz_date(&self) -> String {
        match parse_amz_date(&self.at) {
            Some(_) => self.at.clone(),
            None => super::timestamp::parse(&self.at).map(basic).unwrap_or_default(),
        }
    }

    fn check_date(&self, now: Timestamp) -> Result<(), Refused> {
        #[expect(clippy::cast_possible_truncation, reason = "a date of the years 0 to 9999")]
        let other = || super::timestamp::parse(&self.at).map(|seconds| (seconds * 1000.0) as i64);
        let Some(at) = parse_amz_date(&self.at).or_else(other) else {
            return Err(Refused::Incomplete("Date must be in ISO-8601 'basic format'".to_owned()));
        };
        if basic_millis(at).get(..8) != Some(self.date.as_str()) {
            let shown: String = self.date.chars().take(20).collect();
            return Err(Refused::Scope(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{shown}' != '{}'.",
                &basic_millis(at)[..8]
            )));
        }
        let (now, millis) = (basic_millis(now.millis()), now.millis());
        if at > millis + SKEW_MILLIS {
            return Err(Refused::Expired(format!(
                "Signature not yet current: {} is still later than {now} (15 min.)",
                basic_millis(at)
            )));
        }
        let good_for = self.expires.map_or(SKEW_MILLIS, |seconds| seconds * 1000);
        if at + good_for < millis {
            return Err(Refused::Expired(format!("Signature expired: {} is now earlier than {now}", basic_millis(at))));
        }
        Ok(())
    }

    /// The hash of the body. A header that gives it must tell the truth.
    fn payload_hash(&self, message: &Message<'_>) -> Result<String, Refused> {
        let actual =
            || if message.body.is_empty() { EMPTY_HASH.to_owned() } else { hex::encode(Sha256::digest(message.body)) };
        match message.headers.get("x-amz-content-sha256").map(|value| value.to_str()) {
            None => Ok(actual()),
            Some(Ok(given)) if given == actual() => Ok(given.to_owned()),
            Some(_) => Err(Refused::Mismatch),
        }
    }

    fn canonical_request(&self, message: &Message<'_>, payload: &str) -> Result<String, Refused> {
        let mut out = String::with_capacity(512);
        let _ = writeln!(out, "{}", message.method);
        let _ = writeln!(out, "{}", canonical_path(message.path));
        let _ = writeln!(out, "{}", canonical_query(message.query));
        if !self.signed_headers.iter().any(|name| name == "host") {
            return Err(Refused::Incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.".to_owned()));
        }
        for name in &self.signed_headers {
            let mut values =
                message.headers.get_all(name.as_str()).iter().map(|value| value.to_str().unwrap_or_default());
            let Some(first) = values.next() else {
                let shown: String = name.chars().take(60).collect();
                return Err(Refused::Incomplete(format!(
                    "'{shown}' is named in 'SignedHeaders' but not in the request"
                )));
            };
            let _ = write!(out, "{name}:");
            for (index, value) in std::iter::once(first).chain(values).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let mut words = value.split_ascii_whitespace();
                out.push_str(words.next().unwrap_or_default());
                words.for_each(|word| {
                    out.push(' ');
                    out.push_str(word);
                });
            }
            out.push('\n');
        }
        let _ = write!(out, "\n{}\n{payload}", self.signed_headers.join(";"));
        Ok(out)
    }

    fn signing_key(&self, secret: &str) -> [u8; 32] {
        let steps = [self.date.as_str(), &self.region, &self.service, "aws4_request"];
        let mut key = format!("AWS4{secret}").into_bytes();
        for step in steps {
            key = hmac(&key, step.as_bytes()).finalize().into_bytes().to_vec();
        }
        key.try_into().unwrap_or([0; 32])
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn encode(bytes: &[u8], keep_slashes: bool, out: &mut String) {
    for &byte in bytes {
        if is_unreserved(byte) || (keep_slashes && byte == b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The path as sent (encoded once), without empty and dot segments, encoded once more: every service but S3 does it so.
fn canonical_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    if path.contains("//") || path.contains("/.") {
        let mut kept: Vec<&str> = Vec::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
            if segment == ".." {
                kept.pop().unwrap_or_default()
            } else {
                kept.push(segment);
                ""
            };
        }
        let trailing = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
        encode(format!("/{}{trailing}", kept.join("/")).as_bytes(), true, &mut out);
    } else {
        encode(if path.is_empty() { b"/" } else { path.as_bytes() }, true, &mut out);
    }
    out
}

/// The query's fields, encoded in one way, sorted, without the signature itself.
fn canonical_query(query: &str) -> String {
    let one_way = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        let mut out = String::with_capacity(text.len());
        encode(&decoded, false, &mut out);
        out
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs =
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).filter(|(name, _)| *name != "X-Amz-Signature");
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (one_way(name), one_way(value))).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// `20261121T235959Z` as milliseconds since the epoch.
fn parse_amz_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || !text.is_ascii() || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<u16>().ok()
    };
    let small = |range| u8::try_from(digits(range)?).ok();
    let date =
        Date::from_calendar_date(i32::from(digits(0..4)?), Month::try_from(small(4..6)?).ok()?, small(6..8)?).ok()?;
    let time = Time::from_hms(small(9..11)?, small(11..13)?, small(13..15)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp() * 1000)
}

fn basic_millis(millis: i64) -> String {
    Timestamp::from_millis(millis).iso8601().split('.').next().unwrap_or_default().replace(['-', ':'], "") + "Z"
}

#[expect(clippy::cast_possible_truncation, reason = "a date of the years 0 to 9999")]
fn basic(seconds: f64) -> String {
    basic_millis((seconds * 1000.0) as i64)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::credentials::{Secret, UserKey};
    use crate::home::Home;

    // The key, and the request `get-vanilla`, of AWS's published SigV4 test suite.
    const KEY: &str = "AKIDEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const VANILLA: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
        SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    fn keyring() -> (tempfile::TempDir, Keyring) {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::new(&Home::open(dir.path()).unwrap());
        keyring.put_user_key(KEY, UserKey { user: "u".into(), arn: "arn".into(), secret: Secret::new(SECRET) });
        (dir, keyring)
    }

    fn headers(authorization: &str) -> HeaderMap {
        let pairs =
            [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", authorization)];
        pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(parse_amz_date("20150830T123600Z").unwrap())
    }

    fn check(authorization: &str, body: &[u8], now: Timestamp) -> Result<Verified, Refused> {
        let (_dir, keyring) = keyring();
        let headers = headers(authorization);
        let message = Message { method: "GET", path: "/", query: "", headers: &headers, body };
        claim(&headers, None)?.ok_or(Refused::Missing)?.verify(&keyring, &message, now)
    }

    #[test]
    fn the_published_example_verifies() {
        let verified = check(VANILLA, b"", now()).unwrap();
        assert_eq!(verified.caller, Caller::User { name: "u".into(), arn: "arn".into() });
        assert_eq!(verified.region, "us-east-1");
    }

    #[test]
    fn a_changed_body_key_or_signature_does_not_match() {
        assert_eq!(check(VANILLA, b"x", now()), Err(Refused::Mismatch));
        assert_eq!(check(&VANILLA.replace("5fa0", "5fa1"), b"", now()), Err(Refused::Mismatch));
        assert_eq!(check(&VANILLA.replace("5fa0", "zz"), b"", now()), Err(Refused::Mismatch));
        assert_eq!(check(&VANILLA.replace(KEY, "AKIDOTHER"), b"", now()), Err(Refused::Key(Rejected::Unknown)));
        assert_eq!(check(&VANILLA.replace("/service/", "/other/"), b"", now()), Err(Refused::Mismatch));
    }

    #[test]
    fn a_signature_is_good_for_a_quarter_of_an_hour() {
        let minutes = |minutes: i64| now().plus_millis(minutes * 60_000);
        assert!(check(VANILLA, b"", minutes(14)).is_ok() && check(VANILLA, b"", minutes(-14)).is_ok());
        assert!(matches!(check(VANILLA, b"", minutes(16)), Err(Refused::Expired(_))));
        assert!(matches!(check(VANILLA, b"", minutes(-16)), Err(Refused::Expired(_))));
    }

    #[test]
    fn broken_forms_are_incomplete_and_never_panic() {
        for text in [
            "",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 ",
            "Basic dGVzdDp0ZXN0",
            "AWS4-ECDSA-P256-SHA256 Credential=a",
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;;, Signature=é",
            &VANILLA.replace("SignedHeaders=host;", "SignedHeaders="),
            &VANILLA.replace("x-amz-date,", "x-amz-date;not-there,"),
            &VANILLA.replace("Signature", "Sig"),
        ] {
            let Ok(header) = http::HeaderValue::from_bytes(text.as_bytes()) else { continue };
            let mut headers = headers("x");
            headers.insert("authorization", header);
            let (_dir, keyring) = keyring();
            let message = Message { method: "GET", path: "/", query: "", headers: &headers, body: b"" };
            let result = claim(&headers, None).and_then(|claim| claim.unwrap().verify(&keyring, &message, now()));
            assert!(matches!(result, Err(Refused::Incomplete(_) | Refused::Scope(_))), "{text}: {result:?}");
        }
        for (from, to) in [("aws4_request", "aws5"), ("us-east-1", "moon"), ("/20150830/", "/20150831/")] {
            assert!(matches!(check(&VANILLA.replace(from, to), b"", now()), Err(Refused::Scope(_))), "{to}");
        }
    }

    #[test]
    fn paths_and_queries_have_one_form() {
        assert_eq!(canonical_path("/a%3Ab/c d"), "/a%253Ab/c%20d");
        assert_eq!(canonical_path("//a/./b/../c/"), "/a/c/");
        assert_eq!(canonical_path(""), "/");
        assert_eq!(canonical_query("b=2&a=1%2f&X-Amz-Signature=x&a=0&c"), "a=0&a=1%2F&b=2&c=");
    }
}
