//! Where a request to the data plane goes.

use http::{HeaderMap, Uri};

/// Where the data plane lies on the endpoint.
pub(crate) const PREFIX: &str = "/_aws/execute-api/";

/// An API, and the rest of the path as it came: `<stage>/<path>`, or the path alone on a `$default` stage.
#[derive(Debug, PartialEq)]
pub(crate) struct Address {
    pub(crate) api: String,
    /// Without its first slash.
    pub(crate) rest: String,
}

impl Address {
    /// `/_aws/execute-api/<api>/<rest>`, or `/<rest>` on `<api>.execute-api.localhost`.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let path = uri.path();
        let (api, rest) = match path.strip_prefix(PREFIX) {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => {
                let host = headers.get(http::header::HOST)?.to_str().ok()?;
                (host.split_once(".execute-api.")?.0, path.trim_start_matches('/'))
            }
        };
        Some(Address { api: api.to_owned(), rest: rest.to_owned() })
    }

    /// The first part of the path, and the path after it with its first slash.
    pub(crate) fn staged(&self) -> (&str, String) {
        let (stage, rest) = self.rest.split_once('/').unwrap_or((&self.rest, ""));
        (stage, format!("/{rest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str, host: &str) -> Option<Address> {
        let headers = HeaderMap::from_iter([(http::header::HOST, host.parse().unwrap())]);
        Address::of(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn an_api_is_found_by_path_and_by_host() {
        let by_path = address("/_aws/execute-api/abc/lab/x%2Fy/?q=1", "127.0.0.1").unwrap();
        assert_eq!((by_path.api.as_str(), by_path.staged()), ("abc", ("lab", "/x%2Fy/".to_owned())));
        let by_host = address("/lab/x%2Fy/", "abc.execute-api.localhost:4566").unwrap();
        assert_eq!(by_host, by_path);
        let bare = address("/_aws/execute-api/abc", "127.0.0.1").unwrap();
        assert_eq!((bare.rest.as_str(), bare.staged()), ("", ("", "/".to_owned())));
        assert_eq!(address("/abc/lab", "127.0.0.1"), None);
    }
}
