//! IAM database authentication: a token is a presigned URL without its scheme, checked once, at login.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html>

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::macros::format_description;
use time::{Duration, PrimitiveDateTime};

use crate::clock::Timestamp;
use crate::credentials::{Identity, Rejected};

/// What a token must be for.
#[derive(Clone, Debug)]
pub(super) struct Expected<'a> {
    /// `127.0.0.1:40001`: the cluster's endpoint. A token for another name of the same server is not good on AWS either.
    pub(super) endpoint: &'a str,
    pub(super) user: &'a str,
    pub(super) region: &'a str,
    pub(super) now: Timestamp,
}

/// Why a token is not accepted; the client only sees that access is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("not a presigned URL")]
    Malformed,
    #[error("for another endpoint")]
    OtherEndpoint,
    #[error("for another database user")]
    OtherUser,
    #[error("for another region or service")]
    OtherScope,
    #[error("not yet good")]
    Early,
    #[error("older than 15 minutes")]
    Expired,
    #[error("signed with a key that is not good: {0}")]
    Key(#[from] Rejected),
    #[error("the signature does not match")]
    Signature,
}

/// RFC 3986: what SigV4 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Tokens are good for 15 minutes, whatever they ask for.
const LIFE: i64 = 900;
/// How far a client's clock may be ahead.
const SKEW: i64 = 300;

/// Checks `token`, looking its key up with `identify` (access key id and session token in, who it is out).
pub(super) fn verify(
    token: &str,
    expected: &Expected<'_>,
    identify: impl FnOnce(&str, Option<&str>) -> Result<Identity, Rejected>,
) -> Result<Identity, TokenError> {
    let (host, query) = token.split_once("/?").ok_or(TokenError::Malformed)?;
    let mut fields = BTreeMap::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or(TokenError::Malformed)?;
        let value = percent_decode_str(value).decode_utf8().map_err(|_| TokenError::Malformed)?.into_owned();
        if fields.insert(name, value).is_some() {
            return Err(TokenError::Malformed);
        }
    }
    let field = |name| fields.get(name).map(String::as_str).ok_or(TokenError::Malformed);
    if field("Action")? != "connect"
        || field("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256"
        || field("X-Amz-SignedHeaders")? != "host"
    {
        return Err(TokenError::Malformed);
    }
    if host != expected.endpoint {
        return Err(TokenError::OtherEndpoint);
    }
    if field("DBUser")? != expected.user {
        return Err(TokenError::OtherUser);
    }
    let (key, scope) = field("X-Amz-Credential")?.split_once('/').ok_or(TokenError::Malformed)?;
    let date = field("X-Amz-Date")?;
    let day = date.get(..8).ok_or(TokenError::Malformed)?;
    if scope != format!("{day}/{}/rds-db/aws4_request", expected.region) {
        return Err(TokenError::OtherScope);
    }
    in_time(date, field("X-Amz-Expires")?, expected.now)?;
    let identity = identify(key, fields.get("X-Amz-Security-Token").map(String::as_str))?;

    let signature = hex::decode(field("X-Amz-Signature")?).map_err(|_| TokenError::Malformed)?;
    let canonical = canonical_request(host, &fields);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
    let mut signing = format!("AWS4{}", identity.secret.expose()).into_bytes();
    for part in [day, expected.region, "rds-db", "aws4_request"] {
        signing = keyed(&signing, part).finalize().into_bytes().to_vec();
    }
    keyed(&signing, &to_sign).verify_slice(&signature).map_err(|_| TokenError::Signature)?;
    Ok(identity)
}

fn in_time(date: &str, expires: &str, now: Timestamp) -> Result<(), TokenError> {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let signed = PrimitiveDateTime::parse(date, form).map_err(|_| TokenError::Malformed)?.assume_utc();
    let expires: i64 = expires.parse().map_err(|_| TokenError::Malformed)?;
    let now = now.date_time();
    if signed > now + Duration::seconds(SKEW) {
        return Err(TokenError::Early);
    }
    if now >= signed + Duration::seconds(expires.clamp(0, LIFE)) {
        return Err(TokenError::Expired);
    }
    Ok(())
}

fn canonical_request(host: &str, fields: &BTreeMap<&str, String>) -> String {
    let query: Vec<String> = fields
        .iter()
        .filter(|(name, _)| **name != "X-Amz-Signature")
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED)))
        .collect();
    let empty = hex::encode(Sha256::digest(b""));
    format!("GET\n/\n{}\nhost:{host}\n\nhost\n{empty}", query.join("&"))
}

fn keyed(key: &[u8], text: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::credentials::Secret;
    use crate::scope::Caller;

    /// Made with botocore 1.44: `generate_db_auth_token('127.0.0.1', 40001, 'app', 'us-east-1')`, key `test`.
    const TOKEN: &str = "127.0.0.1:40001/?Action=connect&DBUser=app&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20261122%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Date=20261122T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=60d5da69fe258eb1faa85b85f3d67f11c696c5658d29810bf349d3088cbd03f5";

    fn expected(seconds: i64) -> Expected<'static> {
        let signed = 1795305600;
        Expected {
            endpoint: "127.0.0.1:40001",
            user: "app",
            region: "us-east-1",
            now: Timestamp::from_millis((signed + seconds) * 1000),
        }
    }

    fn root(key: &str, _token: Option<&str>) -> Result<Identity, Rejected> {
        let known = Identity { caller: Caller::Root, secret: Secret::new("test") };
        if key == "test" { Ok(known) } else { Err(Rejected::Unknown) }
    }

    #[test]
    fn a_token_that_botocore_signed_is_good_for_15_minutes() {
        assert!(verify(TOKEN, &expected(0), root).is_ok());
        assert!(verify(TOKEN, &expected(899), root).is_ok());
        assert_eq!(verify(TOKEN, &expected(900), root).unwrap_err(), TokenError::Expired);
        assert_eq!(verify(TOKEN, &expected(-301), root).unwrap_err(), TokenError::Early);
    }

    #[test]
    fn a_token_for_something_else_or_changed_is_refused() {
        let other = |change: fn(&mut Expected<'static>)| {
            let mut expected = expected(0);
            change(&mut expected);
            verify(TOKEN, &expected, root).unwrap_err()
        };
        assert_eq!(other(|expected| expected.endpoint = "localhost:40001"), TokenError::OtherEndpoint);
        assert_eq!(other(|expected| expected.user = "root"), TokenError::OtherUser);
        assert_eq!(other(|expected| expected.region = "eu-west-1"), TokenError::OtherScope);
        let cases = [
            (TOKEN.replace("X-Amz-Expires=900", "X-Amz-Expires=901"), TokenError::Signature),
            (TOKEN.replace("Credential=test", "Credential=best"), TokenError::Key(Rejected::Unknown)),
            (TOKEN.replace("Action=connect", "Action=drop"), TokenError::Malformed),
            (format!("{TOKEN}&DBUser=app"), TokenError::Malformed),
            (String::new(), TokenError::Malformed),
            ("password".into(), TokenError::Malformed),
        ];
        for (token, error) in cases {
            assert_eq!(verify(&token, &expected(0), root).unwrap_err(), error, "{token}");
        }
        let identify = |_: &str, _: Option<&str>| Ok(Identity { caller: Caller::Root, secret: Secret::new("best") });
        assert_eq!(verify(TOKEN, &expected(0), identify).unwrap_err(), TokenError::Signature);
    }
}
