//! Signatures on requests that no SDK client sends: those to a lab's own API.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;

use super::clients::Aws;
use super::fault::AwsError;

/// The credentials of a target, ready to sign requests to one service. Its debug form shows nothing of them.
pub struct Signer {
    identity: Identity,
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
        let given = provider.provide_credentials().await;
        let credentials =
            given.map_err(|error| AwsError::NoAnswer { operation: "credentials", source: Box::new(error) })?;
        Ok(Signer { identity: credentials.into(), region: target.region.clone(), service })
    }
}

impl Signer {
    /// Signs a request with its whole address, its headers and its body as they are.
    ///
    /// # Errors
    /// The address or a header is not text.
    pub fn sign(&self, request: &mut http::Request<Bytes>, now: SystemTime) -> Result<(), Unsignable> {
        let params = SigningParams::builder()
            .identity(&self.identity)
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
    use std::time::Duration;

    fn signer(token: Option<&str>) -> Signer {
        let credentials = Credentials::new("AKID", "secret", token.map(str::to_owned), None, "test");
        Signer { identity: credentials.into(), region: "eu-west-1".into(), service: "execute-api" }
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

    #[test]
    fn a_signer_shows_no_credentials() {
        let shown = format!("{:?}", signer(Some("token")));
        assert!(!shown.contains("secret") && !shown.contains("token") && !shown.contains("AKID"), "{shown}");
    }
}
