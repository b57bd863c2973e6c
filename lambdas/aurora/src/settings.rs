//! Where the cluster is, and who connects: what the template puts into the environment.

use std::error::Error;

use environment::required;

pub struct Settings {
    pub host: String,
    pub port: u16,
    pub name: String,
    pub user: String,
    pub region: String,
}

impl Settings {
    pub fn from_env() -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Settings {
            host: required("DB_HOST")?,
            port: required("DB_PORT")?.parse()?,
            name: required("DB_NAME")?,
            user: required("DB_USER")?,
            region: required("AWS_REGION")?,
        })
    }
}
