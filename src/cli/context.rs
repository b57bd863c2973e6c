//! What every command is given: the flags, the screen, and the way to a target.

use super::globals::Globals;
use crate::aws::config::{self, ConfigError};
use crate::aws::{Aws, Need, Target};
use crate::error::Failure;
use crate::ui::Printer;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) ui: Printer,
}

impl Context {
    /// The target that the flags name, prepared for what the command is about to do.
    pub(crate) async fn aws(&self, need: Need) -> Result<Aws, Failure> {
        Ok(Aws::new(self.target(need).await?))
    }

    pub(crate) async fn target(&self, need: Need) -> Result<Target, Failure> {
        let settings = self.globals.settings();
        if let Some(target) = self.globals.place.target(&settings, &need, &self.ui).await? {
            return Ok(target);
        }
        config::load(&settings).await.map_err(refuse)
    }
}

/// Without a target nothing was changed: bad input.
fn refuse(error: ConfigError) -> Failure {
    let hint = match &error {
        ConfigError::NoRegion => {
            "run it on this machine with --local; for AWS pass --region eu-west-1, or set AWS_REGION"
        }
        ConfigError::NoCredentials(_) => {
            "run it on this machine with --local; for AWS run `aws configure sso`, or pass --profile NAME"
        }
        ConfigError::Endpoint(_) => "write it like https://aws.example.net:4566",
    };
    let failure = Failure::usage(error.to_string()).hint(hint);
    match error {
        ConfigError::NoCredentials(source) => failure.because(source),
        ConfigError::NoRegion | ConfigError::Endpoint(_) => failure,
    }
}
