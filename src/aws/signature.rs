//! Signatures on requests that no SDK client sends: those to a lab's own API.

use std::convert::Infallible;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;

use super::clients::Aws;
use super::fault::AwsError;

/// Credentials are renewed so long before they expire; where they come from gives new ones five minutes before.
const EARLY: Duration = Duration::from_secs(120);
/// Between two attempts to renew them.
const AGAIN: Duration = Duration::from_secs(5);

/// The credentials of a target, ready to sign requests to one service. Its debug form shows nothing of them.
pub struct Signer {
    provider: SharedCredentialsProvider,
    identity: RwLock<Identity>,
    region: String,
    service: &'static str,
}

/// A request that cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct Unsignable(String);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} in {})", self.service, self.region)
    }
}

impl Aws {
    /// What signs requests to `service`, with the credentials as they are now.
    pub async fn signer(&self, service: &'static str) -> Result<Signer, AwsError> {
        let target = self.target();
        let none = || AwsError::Incomplete { operation: "credentials", missing: "a provider" };
        let provider = target.config.credentials_provider().ok_or_else(none)?;
        let signer = Signer::of(provider, target.region.clone(), service).await;
        signer.map_err(|error| AwsError::NoAnswer { operation: "credentials", source: Box::new(error) })
    }
}

impl Signer {
    async fn of(
        provider: SharedCredentialsProvider,
        region: String,
        service: &'static str,
    ) -> Result<Self, CredentialsError> {
        let identity = RwLock::new(provider.provide_credentials().await?.into());
        Ok(Signer { provider, identity, region, service })
    }

    /// The credentials as they are now; a copy costs a count.
    fn identity(&self) -> Identity {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Renews the credentials shortly before they expire, for as long as it is waited for. What cannot be renewed stays, and is
    /// asked for again.
    pub async fn stay_valid(&self) -> Infallible {
        while let Some(left) = self.good_for(SystemTime::now()) {
            if left.is_zero() {
                self.renew().await;
            }
            tokio::time::sleep(left.max(AGAIN)).await;
        }
        std::future::pending().await
    }

    /// How long the credentials need not be renewed; `None` of those that never expire.
    fn good_for(&self, now: SystemTime) -> Option<Duration> {
        let expiry = self.identity().expiration()?;
        Some(expiry.duration_since(now).unwrap_or_default().saturating_sub(EARLY))
    }

    async fn renew(&self) {
        if let Ok(renewed) = self.provider.provide_credentials().await {
            *self.identity.write().unwrap_or_else(PoisonError::into_inner) = renewed.into();
        }
    }

    /// Signs a request with its whole address, its headers and its body as they are.
    ///
    /// # Errors
    /// The address or a header is not text.
    pub fn sign(&self, request: &mut http::Request<Bytes>, now: SystemTime) -> Result<(), Unsignable> {
        let identity = self.identity();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| Unsignable(error.to_string()))?;
        let headers = request.headers().iter().map(|(name, value)| Ok((name.as_str(), value.to_str()?)));
        let headers: Result<Vec<(&str, &str)>, http::header::ToStrError> = headers.collect();
        let headers = headers.map_err(|error| Unsignable(error.to_string()))?;
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers.into_iter(),
            SignableBody::Bytes(request.body()),
        );
        let signable = signable.map_err(|error| Unsignable(error.to_string()))?;
        let signed = sign(signable, &params.into()).map_err(|error| Unsignable(error.to_string()))?;
        signed.into_parts().0.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;
    use aws_credential_types::credential_fn::provide_credentials_fn;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn signer(token: Option<&str>) -> Signer {
        let credentials = Credentials::new("AKID", "secret", token.map(str::to_owned), None, "test");
        let (identity, provider) = (credentials.clone().into(), SharedCredentialsProvider::new(credentials));
        Signer { provider, identity: RwLock::new(identity), region: "eu-west-1".into(), service: "execute-api" }
    }

    fn signed(token: Option<&str>, body: &'static str) -> http::Request<Bytes> {
        let request = http::Request::post("https://abc.execute-api.eu-west-1.amazonaws.com/telemetry?a=b");
        let mut request = request.header("content-type", "application/json").body(Bytes::from(body)).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        signer(token).sign(&mut request, now).unwrap();
        request
    }

    #[test]
    fn a_signature_covers_address_headers_and_body_and_names_the_service() {
        let one = signed(None, "{}");
        let header = |request: &http::Request<Bytes>, name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let authorization = header(&one, "authorization");
        assert!(
            authorization.contains("Credential=AKID/") && authorization.contains("/eu-west-1/execute-api/aws4_request")
        );
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date"), "{authorization}");
        assert_eq!(authorization, header(&signed(None, "{}"), "authorization"));
        assert_ne!(authorization, header(&signed(None, "[]"), "authorization"));
        let temporary = signed(Some("token"), "{}");
        assert_eq!(header(&temporary, "x-amz-security-token"), "token");
        assert!(header(&temporary, "authorization").contains(";x-amz-security-token"));
    }

    #[tokio::test]
    async fn credentials_of_a_session_are_renewed_before_they_expire_and_kept_when_they_cannot_be() {
        let now = SystemTime::now();
        let asked = AtomicU32::new(0);
        // The first live two minutes, the second time there are none, the third live an hour.
        let provider = provide_credentials_fn(move || {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let lives = Duration::from_secs(if number == 0 { 120 } else { 3600 });
            let given = Credentials::new(format!("AKID{number}"), "s", None, Some(now + lives), "test");
            async move { if number == 1 { Err(CredentialsError::not_loaded("away")) } else { Ok(given) } }
        });
        let signer = Signer::of(SharedCredentialsProvider::new(provider), "r".into(), "execute-api").await.unwrap();
        let signed_by = || {
            let mut request = http::Request::get("https://host/").body(Bytes::new()).unwrap();
            signer.sign(&mut request, now).unwrap();
            let header = request.headers()["authorization"].to_str().unwrap().to_owned();
            header.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned()
        };
        assert_eq!((signed_by(), signer.good_for(now)), ("AKID0".to_owned(), Some(Duration::ZERO)));
        signer.renew().await;
        assert_eq!(signed_by(), "AKID0", "there are no others");
        // Its first attempt is at once.
        let soon = tokio::time::timeout(Duration::from_millis(100), signer.stay_valid()).await;
        assert!(soon.is_err() && signed_by() == "AKID2");
        assert_eq!(signer.good_for(now), Some(Duration::from_secs(3480)));
        assert_eq!(self::signer(None).good_for(now), None, "these never expire");
    }

    #[test]
    fn a_signer_shows_no_credentials() {
        let shown = format!("{:?}", signer(Some("token")));
        assert!(!shown.contains("secret") && !shown.contains("token") && !shown.contains("AKID"), "{shown}");
    }
}
