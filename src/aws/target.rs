//! The one record of what differs between the places a lab can run in.

use aws_config::SdkConfig;
use serde::Serialize;
use std::fmt;
use std::process::Stdio;

/// Where a lab runs. Filled by an AWS profile (`config.rs`) or by whoever else offers an AWS endpoint; nothing asks which.
#[derive(Clone, Debug)]
pub struct Target {
    /// The word in `"target"` of JSON documents.
    pub name: String,
    /// How people read it: `AWS eu-west-1 (profile teaching)`.
    pub title: String,
    pub region: String,
    /// Region, credentials, endpoint, HTTP client and retries of every SDK client.
    pub config: SdkConfig,
    /// Base URL of a deployed API, with `{api}`, `{region}` and `{stage}` to fill in. No trailing slash.
    pub api_url: String,
    /// Page of a stack in a console, with `{region}` and `{stack}` (the ARN, percent-encoded) to fill in.
    pub console: Option<String>,
    /// What functions are built for.
    pub architecture: Architecture,
    /// The newest glibc that functions may need.
    pub glibc: Glibc,
    /// What was looked at before the first request.
    pub findings: Vec<Finding>,
    /// Somebody answers at the endpoint: requests make sense. Always so, unless only findings were asked for.
    pub answers: bool,
    /// Flags that reach this target again, for hints: ` --profile teaching`. Empty or with a leading space.
    pub flags: String,
}

impl Target {
    /// The base URL of an API's stage. The `$default` stage of an HTTP API has no segment in the path.
    pub fn api_url(&self, api: &str, stage: &str) -> String {
        let pattern = match stage {
            "$default" => self.api_url.trim_end_matches("/{stage}"),
            _ => &self.api_url,
        };
        pattern.replace("{api}", api).replace("{region}", &self.region).replace("{stage}", stage)
    }

    /// The console page of a stack, where there is a console.
    pub fn console_link(&self, stack_arn: &str) -> Option<String> {
        let escaped = percent_encoding::utf8_percent_encode(stack_arn, percent_encoding::NON_ALPHANUMERIC).to_string();
        Some(self.console.as_ref()?.replace("{region}", &self.region).replace("{stack}", &escaped))
    }

    /// The findings that stand in the way of resources of `types`.
    pub fn problems<'a>(&'a self, types: &'a [String]) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(|finding| finding.stands_in_the_way(types))
    }
}

/// What a command is about to do with its target; the filler prepares as much as that takes and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Resources of these CloudFormation types are about to be made: whatever serves them is started.
    Deploy { types: Vec<String> },
    /// What is there is read, changed or removed.
    Visit,
    /// Only the findings are wanted: nothing is started or changed.
    Inspect,
}

/// One thing that was looked at before the work: fine, or a problem with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in lower case: `credentials`, `database engine`.
    pub subject: String,
    /// What was found: a version, a path, an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The command to paste, or what to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// CloudFormation types, or their prefixes, that need it. None: every lab does.
    #[serde(skip)]
    pub types: Vec<String>,
}

impl Finding {
    pub fn fine(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Finding { subject: subject.into(), detail: Some(detail.into()), problem: None, remedy: None, types: Vec::new() }
    }

    pub fn problem(subject: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            subject: subject.into(),
            detail: None,
            problem: Some(problem.into()),
            remedy: Some(remedy.into()),
            types: Vec::new(),
        }
    }

    /// Says which resource types need the thing (`AWS::RDS::` stands for all of RDS).
    #[must_use]
    pub fn needed_by(mut self, types: &[&str]) -> Self {
        self.types = types.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// It is a problem for resources of `types`.
    pub fn stands_in_the_way(&self, types: &[String]) -> bool {
        self.problem.is_some() && self.concerns(types)
    }

    fn concerns(&self, types: &[String]) -> bool {
        self.types.is_empty()
            || self.types.iter().any(|wanted| types.iter().any(|name| name.starts_with(wanted.as_str())))
    }
}

/// A processor as Lambda names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86_64,
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// The processor labctl itself was built for.
    pub const HOST: Architecture =
        if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };

    /// The word in a function's `Architectures`.
    pub const fn lambda_name(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lambda_name())
    }
}

/// A glibc version, compared as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Glibc {
    pub major: u32,
    pub minor: u32,
}

impl Glibc {
    /// Amazon Linux 2023, on which `provided.al2023` runs (<https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html>).
    pub const PROVIDED_AL2023: Glibc = Glibc { major: 2, minor: 34 };

    /// This machine's own, if it has one.
    pub async fn of_host() -> Option<Glibc> {
        let mut command = tokio::process::Command::new("getconf");
        let said = command.arg("GNU_LIBC_VERSION").stdin(Stdio::null()).output().await.ok()?;
        Glibc::parse(std::str::from_utf8(&said.stdout).ok()?)
    }

    /// Reads `glibc 2.36`.
    fn parse(text: &str) -> Option<Glibc> {
        let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
        let minor = minor.split('.').next().unwrap_or(minor);
        Some(Glibc { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            name: "aws".into(),
            title: "AWS eu-west-1".into(),
            region: "eu-west-1".into(),
            config: SdkConfig::builder().build(),
            api_url: "https://{api}.execute-api.{region}.amazonaws.com/{stage}".into(),
            console: Some("https://{region}.example/{stack}".into()),
            architecture: Architecture::Arm64,
            glibc: Glibc::PROVIDED_AL2023,
            findings: vec![
                Finding::fine("credentials", "account 1"),
                Finding::problem("database engine", "not found", "apt install it").needed_by(&["AWS::RDS::"]),
            ],
            answers: true,
            flags: String::new(),
        }
    }

    #[test]
    fn api_urls_follow_the_pattern_and_the_default_stage_has_no_segment() {
        assert_eq!(target().api_url("abc", "live"), "https://abc.execute-api.eu-west-1.amazonaws.com/live");
        assert_eq!(target().api_url("abc", "$default"), "https://abc.execute-api.eu-west-1.amazonaws.com");
    }

    #[test]
    fn console_links_carry_the_escaped_stack_arn() {
        assert_eq!(
            target().console_link("arn:aws:x/y").as_deref(),
            Some("https://eu-west-1.example/arn%3Aaws%3Ax%2Fy")
        );
    }

    #[test]
    fn only_problems_of_the_labs_own_resource_types_stand_in_the_way() {
        let target = target();
        assert_eq!(target.problems(&["AWS::S3::Bucket".into()]).count(), 0);
        assert_eq!(target.problems(&["AWS::RDS::DBCluster".into()]).count(), 1);
    }

    #[test]
    fn glibc_versions_compare_as_numbers() {
        assert!(Glibc { major: 2, minor: 9 } < Glibc::PROVIDED_AL2023);
        assert_eq!(Glibc::PROVIDED_AL2023.to_string(), "2.34");
        assert_eq!(Glibc::parse("glibc 2.36\n"), Some(Glibc { major: 2, minor: 36 }));
        assert_eq!(Glibc::parse("musl 1.2"), None);
    }
}
