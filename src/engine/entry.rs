//! How a request is let into a lab's API: what the outputs of its stacks say, on every target alike.
//!
//! `ApiKeyId` names an API key, `ApiAccess` of `iam` asks for signed requests; without either everybody is let in.

use crate::aws::gateway::ApiKey;
use crate::aws::signature::Signer;
use crate::aws::{Aws, AwsError};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

/// The service in the signatures of requests to APIs.
const SERVICE: &str = "execute-api";

/// What lets requests in.
#[derive(Clone, Debug)]
pub enum Entry {
    Open,
    Key(ApiKey),
    Signature(Arc<Signer>),
}

/// Whether requests to the API must be signed.
pub fn is_signed(names: &BTreeMap<String, String>) -> bool {
    names.get("ApiAccess").is_some_and(|access| access == "iam")
}

impl Entry {
    /// What an instance's names say: the outputs of its stacks, and the lab's parameters.
    pub async fn of(aws: &Aws, names: &BTreeMap<String, String>) -> Result<Self, AwsError> {
        if is_signed(names) {
            return Ok(Entry::Signature(Arc::new(aws.signer(SERVICE).await?)));
        }
        match names.get("ApiKeyId") {
            Some(id) => Ok(Entry::Key(aws.api_key(id).await?)),
            None => Ok(Entry::Open),
        }
    }

    /// Puts on a request what does not depend on it: a key. One that it has already stays.
    pub fn unlock(&self, request: &mut http::Request<Bytes>) -> Result<(), String> {
        match self {
            Entry::Key(key) if !request.headers().contains_key("x-api-key") => {
                let value = key.reveal().parse().map_err(|_| "the API key is no header value".to_owned())?;
                request.headers_mut().insert("x-api-key", value);
                Ok(())
            }
            Entry::Open | Entry::Key(_) | Entry::Signature(_) => Ok(()),
        }
    }

    /// Renews the credentials of signatures before they expire, for as long as it is waited for.
    pub async fn stay_valid(&self) -> Infallible {
        match self {
            Entry::Signature(signer) => signer.stay_valid().await,
            Entry::Open | Entry::Key(_) => std::future::pending().await,
        }
    }

    /// Signs a request that nobody has signed, if the API asks for it. It is not changed any more afterwards, and soon sent.
    pub fn sign(&self, request: &mut http::Request<Bytes>) -> Result<(), String> {
        match self {
            Entry::Signature(signer) if !request.headers().contains_key("authorization") => {
                signer.sign(request, SystemTime::now()).map_err(|error| error.to_string())
            }
            Entry::Open | Entry::Key(_) | Entry::Signature(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_iam_asks_for_signatures() {
        let of = |access: &str| is_signed(&BTreeMap::from([("ApiAccess".to_owned(), access.to_owned())]));
        assert!(of("iam") && !of("public") && !of("api-key") && !is_signed(&BTreeMap::new()));
    }
}
