//! The token that stands for a password: a presigned URL without its scheme, good for 15 minutes
//! (AWS: UsingWithRDS.IAMDBAuth.Connecting).

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::settings::Settings;

/// A token for the function's own role.
pub fn of(settings: &Settings) -> Result<String, Box<dyn Error + Send + Sync>> {
    signed(settings, environment::credentials()?)
}

fn signed(settings: &Settings, credentials: Credentials) -> Result<String, Box<dyn Error + Send + Sync>> {
    let Settings { host, port, user, region, .. } = settings;
    let url = format!("https://{host}:{port}/?Action=connect&DBUser={user}");
    let mut query = SigningSettings::default();
    query.expires_in = Some(Duration::from_secs(900));
    query.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(SystemTime::now())
        .settings(query)
        .build()?;
    let mut request = http::Request::get(&url).body(())?;
    let signable = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    let uri = request.uri().to_string();
    Ok(uri.strip_prefix("https://").unwrap_or(&uri).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Settings, signed};

    #[test]
    fn a_token_is_a_presigned_url_without_scheme() {
        let credentials = Credentials::new("AKID", "secret", Some("session/+=".to_owned()), None, "test");
        let [host, name, user, region] = ["db.example", "lab", "webhook", "us-east-1"].map(str::to_owned);
        let token = signed(&Settings { host, port: 3306, name, user, region }, credentials).unwrap();
        assert!(token.starts_with("db.example:3306/?Action=connect&DBUser=webhook&X-Amz-"), "{token}");
        for part in
            ["X-Amz-Expires=900", "rds-db%2Faws4_request", "X-Amz-Security-Token=session%2F%2B%3D", "X-Amz-Signature="]
        {
            assert!(token.contains(part), "{part} in {token}");
        }
        assert!(!token.contains("secret"));
    }
}
