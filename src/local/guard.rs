//! Who may speak to the local cloud: clients on this machine, of this user, that know they speak to it.
//!
//! The endpoint knows a key that everybody knows, so three doors are closed before a request is read: another user of the
//! machine (by the owner of the connecting socket), another machine's name (`Host`, against DNS rebinding), and a web page
//! of another site (`Origin`, `Sec-Fetch-Site`).

use std::net::SocketAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode, Uri};

use crate::owner;

/// AWS allows 8 to 16 KB of headers; a session token fits.
const LONGEST_HEAD: usize = 32 * 1024;

/// Why a request is refused before it is looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("The request's headers are longer than {LONGEST_HEAD} bytes.")]
    TooLong,
    #[error("The request has no Host header.")]
    NoHost,
    #[error("The local cloud answers to 127.0.0.1 and localhost only, not to the host {0}.")]
    ForeignHost(String),
    #[error("The local cloud does not answer web pages of other sites.")]
    CrossSite,
    #[error("The local cloud of another user of this machine does not answer you.")]
    ForeignUser,
}

impl Refusal {
    /// What AWS's protocols call the code of an error.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Refusal::TooLong => "RequestHeaderFieldsTooLarge",
            Refusal::NoHost => "BadRequestException",
            Refusal::ForeignHost(_) | Refusal::CrossSite | Refusal::ForeignUser => "AccessDeniedException",
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Refusal::TooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::NoHost => StatusCode::BAD_REQUEST,
            Refusal::ForeignHost(_) | Refusal::CrossSite | Refusal::ForeignUser => StatusCode::FORBIDDEN,
        }
    }
}

/// Checks the address and the headers of one request. An address with a host of its own counts as much as `Host`.
///
/// # Errors
/// The request does not come from a client that means this endpoint.
pub(super) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let length: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length > LONGEST_HEAD {
        return Err(Refusal::TooLong);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().ok_or(Refusal::NoHost)?.to_str().unwrap_or("(not text)");
    if !is_loopback(host) || hosts.next().is_some() {
        return Err(Refusal::ForeignHost(host.chars().take(100).collect()));
    }
    if let Some(authority) = uri.authority().filter(|authority| !is_loopback(authority.as_str())) {
        return Err(Refusal::ForeignHost(authority.as_str().chars().take(100).collect()));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        if !authority.is_some_and(is_loopback) {
            return Err(Refusal::CrossSite);
        }
    }
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        Some(b"cross-site") => Err(Refusal::CrossSite),
        _ => Ok(()),
    }
}

/// Whether `authority` (`host` or `host:port`) names this machine and nothing else.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_is_a_number = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let below = host.strip_suffix(".localhost").is_some_and(|name| !name.is_empty() && name.chars().all(label));
    port_is_a_number && (matches!(host, "127.0.0.1" | "localhost" | "[::1]") || below)
}

/// Whether the connection from `peer` to `local` comes from a process of this user, or of root.
///
/// A connection that its owner has already closed has no owner any more: nobody waits for its answer, and it is refused.
pub(super) async fn same_user(peer: SocketAddr, local: SocketAddr) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    match owner::of(peer, local).await {
        Some(uid) if uid == ours || uid == 0 => true,
        Some(uid) => {
            tracing::warn!(%peer, %local, uid, "refused a connection of another user");
            false
        }
        None => {
            tracing::debug!(%peer, %local, "a connection whose owner has gone is not served");
            false
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn check(headers: &HeaderMap) -> Result<(), Refusal> {
        super::check(&Uri::from_static("/"), headers)
    }

    #[test]
    fn an_address_with_a_foreign_host_is_refused_whatever_host_says() {
        let headers = headers(&[("host", "localhost:4566")]);
        assert_eq!(super::check(&Uri::from_static("http://localhost:4566/x"), &headers), Ok(()));
        let foreign = Uri::from_static("http://example.com/x");
        assert_eq!(super::check(&foreign, &headers), Err(Refusal::ForeignHost("example.com".into())));
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in
            ["127.0.0.1", "127.0.0.1:4566", "localhost", "LOCALHOST:1", "[::1]:80", "[::1]", "abc.localhost:4566"]
        {
            assert_eq!(check(&headers(&[("host", host)])), Ok(()), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "localhost:x",
            "",
            ".localhost",
            "a@localhost",
            "evil/.localhost",
            "10.0.0.1:4566",
            "[::2]",
            "127.0.0.1:99999",
        ] {
            assert!(matches!(check(&headers(&[("host", host)])), Err(Refusal::ForeignHost(_))), "{host}");
        }
        assert_eq!(check(&HeaderMap::new()), Err(Refusal::NoHost));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let with = |name, value| check(&headers(&[("host", "localhost:4566"), (name, value)]));
        assert_eq!(with("origin", "http://localhost:3000"), Ok(()));
        assert_eq!(with("origin", "https://example.com"), Err(Refusal::CrossSite));
        assert_eq!(with("origin", "null"), Err(Refusal::CrossSite));
        assert_eq!(with("origin", "http://localhost.example.com"), Err(Refusal::CrossSite));
        assert_eq!(with("sec-fetch-site", "cross-site"), Err(Refusal::CrossSite));
        assert_eq!(with("sec-fetch-site", "none"), Ok(()));
    }
}
