//! Flags that every command takes.

use super::local::Place;
use crate::aws::config::Settings;
use crate::ui::Format;

/// The environment of whoever names none.
pub(crate) const DEFAULT_ENV: &str = "dev";

/// Flags that every command takes.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Name of the instance, dev if not given: the same lab can be there several times
    #[arg(long, global = true, value_name = "NAME", value_parser = env_name)]
    pub(crate) env: Option<String>,
    /// Form of the result on stdout; progress goes to stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Ask no questions
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// Print no progress and no notes
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// AWS profile to use
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// AWS region to work in
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// AWS-compatible endpoint to send every request to
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

impl Globals {
    /// The environment that a command on one instance is about.
    pub(crate) fn env(&self) -> &str {
        self.env.as_deref().unwrap_or(DEFAULT_ENV)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { profile: self.profile.clone(), region: self.region.clone(), endpoint: self.endpoint_url.clone() }
    }
}

/// Part of stack names, and through them of resource names, which are short.
fn env_name(text: &str) -> Result<String, String> {
    let letters = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let start = text.starts_with(|c: char| c.is_ascii_lowercase());
    match letters && start && text.len() <= 15 && !text.ends_with('-') {
        true => Ok(text.to_owned()),
        false => Err("write 1 to 15 lower-case letters, digits and hyphens, a letter first".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::env_name;

    #[test]
    fn instance_names_fit_into_stack_names() {
        for good in ["dev", "ci-42", "a"] {
            assert!(env_name(good).is_ok(), "{good}");
        }
        for bad in ["", "Dev", "1st", "a_b", "ends-", "sixteen-letters-"] {
            assert!(env_name(bad).is_err(), "{bad}");
        }
    }
}
