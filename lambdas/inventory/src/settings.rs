//! What the template puts into the environment, read once.

use std::env;

use aws_credential_types::Credentials;
use environment::{credentials, required};

/// Which of the two functions this process is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Route {
    /// `POST /ec2/{aws_instance_id}`
    Add,
    /// `GET /ec2/{aws_instance_id}`
    Find,
}

pub struct Settings {
    pub route: Route,
    pub database: DatabaseSettings,
    /// Where the X-Ray daemon listens, which Lambda starts for a traced function.
    pub xray_daemon: Option<String>,
}

pub struct DatabaseSettings {
    pub cluster_arn: String,
    /// The Data API reads the secret itself; the function never sees it.
    pub secret_arn: String,
    pub database: String,
    pub region: String,
    /// Another endpoint than AWS's own.
    pub endpoint: Option<String>,
    pub credentials: Credentials,
}

impl Settings {
    pub fn from_env() -> Result<Self, String> {
        let route = match required("_HANDLER")?.as_str() {
            "add" => Route::Add,
            "find" => Route::Find,
            other => return Err(format!("`{other}` is no handler: it is `add` or `find`")),
        };
        let database = DatabaseSettings {
            cluster_arn: required("CLUSTER_ARN")?,
            secret_arn: required("SECRET_ARN")?,
            database: required("DB_NAME")?,
            region: required("AWS_REGION")?,
            endpoint: env::var("AWS_ENDPOINT_URL").ok(),
            credentials: credentials()?,
        };
        Ok(Settings { route, database, xray_daemon: env::var("AWS_XRAY_DAEMON_ADDRESS").ok() })
    }
}
