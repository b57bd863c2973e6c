//! Profile, region, endpoint and credentials: the only place that knows where they come from.

use super::target::{Architecture, Finding, Glibc, Target};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// What the command line says about AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub profile: Option<String>,
    pub region: Option<String>,
    pub endpoint: Option<String>,
}

/// Why there is no target.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("no AWS region is set")]
    NoRegion,
    #[error("no AWS credentials were found")]
    NoCredentials(#[source] aws_credential_types::provider::error::CredentialsError),
    #[error("`{0}` is not an endpoint URL")]
    Endpoint(String),
}

/// The HTTP client under every SDK client: rustls on ring, the system's certificate authorities.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Throttled and failed requests are sent again, with growing and randomised pauses.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(6)
}

/// A configuration with known credentials and endpoint; reads no profile and no environment.
pub fn fixed(region: &str, endpoint: &str, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .http_client(http_client())
        .retry_config(retries())
        .build()
}

/// The target that an AWS profile, the environment and the flags describe.
pub async fn load(settings: &Settings) -> Result<Target, ConfigError> {
    let config = sdk(settings).await;
    let region = config.region().map(ToString::to_string).ok_or(ConfigError::NoRegion)?;
    let provider = config.credentials_provider().ok_or_else(|| {
        ConfigError::NoCredentials(aws_credential_types::provider::error::CredentialsError::not_loaded("no provider"))
    })?;
    provider.provide_credentials().await.map_err(ConfigError::NoCredentials)?;
    let endpoint = config.endpoint_url().map(str::to_owned);
    if let Some(url) = &endpoint {
        url.parse::<http::Uri>().ok().filter(|uri| uri.host().is_some()).ok_or(ConfigError::Endpoint(url.clone()))?;
    }
    Ok(Target {
        name: if endpoint.is_some() { "endpoint".into() } else { "aws".into() },
        title: title(settings, &region, endpoint.as_deref()),
        api_url: match &endpoint {
            Some(url) => format!("{}/_aws/execute-api/{{api}}/{{stage}}", url.trim_end_matches('/')),
            None => "https://{api}.execute-api.{region}.amazonaws.com/{stage}".into(),
        },
        console: endpoint.is_none().then(|| {
            "https://{region}.console.aws.amazon.com/cloudformation/home?region={region}#/stacks/events?stackId={stack}"
                .into()
        }),
        architecture: Architecture::HOST,
        glibc: Glibc::PROVIDED_AL2023,
        findings: vec![Finding::fine("credentials", "found"), Finding::fine("region", region.clone())],
        answers: true,
        flags: flags(settings),
        region,
        config,
    })
}

async fn sdk(settings: &Settings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client()).retry_config(retries());
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

fn title(settings: &Settings, region: &str, endpoint: Option<&str>) -> String {
    match (endpoint, &settings.profile) {
        (Some(url), _) => format!("{url} ({region})"),
        (None, Some(profile)) => format!("AWS {region} (profile {profile})"),
        (None, None) => format!("AWS {region}"),
    }
}

fn flags(settings: &Settings) -> String {
    let named = [("profile", &settings.profile), ("region", &settings.region), ("endpoint-url", &settings.endpoint)];
    named.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!(" --{name} {value}"))).collect()
}
