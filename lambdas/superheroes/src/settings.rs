//! What the template puts into the environment, read once.

use std::env;
use std::error::Error;
use std::time::Duration;

use environment::required;

pub struct Settings {
    /// `bootstrap` (the API) or `loader`.
    pub handler: String,
    pub database: aurora::Settings,
    /// Absent for the loader.
    pub cache: Option<CacheSettings>,
}

pub struct CacheSettings {
    pub host: String,
    pub port: u16,
    pub time_to_live: Duration,
}

impl Settings {
    pub fn from_env() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let cache = match env::var("CACHE_HOST") {
            Ok(host) => Some(CacheSettings {
                host,
                port: required("CACHE_PORT")?.parse()?,
                time_to_live: Duration::from_secs(required("CACHE_TTL_SECONDS")?.parse()?),
            }),
            Err(_) => None,
        };
        Ok(Settings {
            handler: env::var("_HANDLER").unwrap_or_default(),
            database: aurora::Settings::from_env()?,
            cache,
        })
    }
}
