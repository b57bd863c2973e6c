//! Signature Version 4 by hand, to sign what no client would sign.

use labctl::local::clock::Clock;
use sha2::{Digest, Sha256};

use super::clients::{Clients, hmac};

/// Everything that a signature is made of; each part can be wrong.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) region: String,
    pub(crate) service: String,
    /// `20261121T235959Z`.
    pub(crate) at: String,
}

/// A time as signatures write it.
pub(crate) fn amz_date(from_now_seconds: i64) -> String {
    let at = Clock::System.now().millis() + from_now_seconds * 1000;
    let at = labctl::local::clock::Timestamp::from_millis(at).iso8601();
    at.split('.').next().unwrap().replace(['-', ':'], "") + "Z"
}

/// A request to sign: everything but the signature.
pub(crate) struct Unsigned<'r> {
    pub(crate) method: &'r str,
    pub(crate) path: &'r str,
    /// Signed, after `host` and `x-amz-date`; in the order of their names, which are lower-case.
    pub(crate) headers: &'r [(&'r str, &'r str)],
    /// What stands in the canonical request for the body.
    pub(crate) payload: String,
    pub(crate) body: &'r [u8],
}

impl Signer {
    pub(crate) fn of(service: &str) -> Self {
        let (key, secret) = ("test".to_owned(), "test".to_owned());
        Signer { key, secret, region: "us-east-1".into(), service: service.into(), at: amz_date(0) }
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", &self.at[..8], self.region, self.service)
    }

    /// The seed signature and the request's bytes.
    pub(crate) fn sign(&self, clients: &Clients, request: &Unsigned<'_>) -> (String, Vec<u8>) {
        let mut headers = vec![("host", clients.host()), ("x-amz-date", &self.at)];
        headers.extend(request.headers);
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let (Unsigned { method, path, payload, body, .. }, names) = (request, names.join(";"));
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}");
        let scope = self.scope();
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", self.at, hex::encode(Sha256::digest(canonical)));
        let first = format!("AWS4{}", self.secret).into_bytes();
        let key = scope.split('/').fold(first, |key, step| hmac(&key, step.as_bytes()));
        let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{lines}Content-Length: {}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\r\n",
            body.len(),
            self.key,
        );
        (signature, [head.as_bytes(), body].concat())
    }
}
