//! Functions, their versions and aliases, as they are kept on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CODE_PATH;
use super::code::CodeStore;
use super::faults::LambdaFault;
use super::names::{LATEST, Target};
use super::queue::Queue;
use super::runtime::Fleet;
use crate::cloud::Cloud;
use crate::scope::Scope;
use crate::store::{Shared, Shelf, StoreError};

const LAYOUT: u32 = 1;

/// Code and configuration: `$LATEST`, or a version that no longer changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    /// `$LATEST`, `1`, `2`, …
    pub version: String,
    pub name: String,
    pub region: String,
    pub account: String,
    pub runtime: String,
    pub role: String,
    pub handler: String,
    pub description: String,
    pub timeout: u32,
    pub memory: u32,
    pub environment: BTreeMap<String, String>,
    pub network: Network,
    pub tracing: String,
    pub ephemeral: u32,
    pub logging: Logging,
    pub architecture: String,
    pub code: Code,
    /// Milliseconds since the epoch.
    pub modified: i64,
    /// Changes with every change; a pool of processes belongs to one revision.
    pub revision: String,
}

/// Where a function's zip is: `code/<hex of the digest>/`, shared by all that have the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Code {
    /// Base64 of the SHA-256 of the zip, as `CodeSha256` shows it.
    pub sha256: String,
    pub size: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Network {
    pub subnets: Vec<String>,
    pub groups: Vec<String>,
    pub vpc: String,
    pub ipv6: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Logging {
    /// `Text` or `JSON`.
    pub format: String,
    pub application_level: Option<String>,
    pub system_level: Option<String>,
    pub group: String,
}

impl Version {
    /// The unqualified ARN for `$LATEST`, the qualified one for a version.
    pub(super) fn arn(&self) -> String {
        let arn = self.scope().arn("lambda", format!("function:{}", self.name));
        if self.version == LATEST { arn } else { format!("{arn}:{}", self.version) }
    }

    /// The scope of the Lambda service itself, where this function lives.
    pub(super) fn scope(&self) -> Scope {
        Scope::root(self.region.clone()).as_service("lambda.amazonaws.com")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Alias {
    pub version: String,
    pub description: String,
    /// Other versions that take a share of the calls, with their share.
    pub weights: BTreeMap<String, f64>,
    pub revision: String,
    pub made_by: String,
}

/// One statement of a function's resource policy, in the words of the policy document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Statement {
    #[serde(rename = "Sid")]
    pub id: String,
    #[serde(rename = "Effect")]
    pub effect: String,
    #[serde(rename = "Principal")]
    pub principal: serde_json::Value,
    #[serde(rename = "Action")]
    pub action: String,
    #[serde(rename = "Resource")]
    pub resource: String,
    #[serde(rename = "Condition", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<serde_json::Value>,
}

/// How asynchronous invocations are retried.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct EventConfig {
    pub retries: Option<u32>,
    pub age: Option<u32>,
    pub modified: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Function {
    /// Where calls of `$LATEST` go.
    pub latest: Shared<Version>,
    /// What `latest` becomes as soon as environments of it are warm: an update in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Shared<Version>>,
    pub versions: BTreeMap<u64, Shared<Version>>,
    pub next_version: u64,
    pub aliases: BTreeMap<String, Alias>,
    /// Resource policies by qualifier; the empty one is the function's own.
    pub policies: BTreeMap<String, Vec<Statement>>,
    pub reserved: Option<u32>,
    pub tags: BTreeMap<String, String>,
    pub event_configs: BTreeMap<String, EventConfig>,
    /// The request that made it: the same request again finds what it made.
    pub made_by: String,
}

impl Function {
    /// The version that a qualifier stands for, an alias's weights drawn with `draw` in `0.0..1.0`.
    pub(super) fn resolve(&self, qualifier: Option<&str>, draw: fn() -> f64) -> Option<&Shared<Version>> {
        match qualifier {
            None | Some(LATEST) => Some(&self.latest),
            Some(qualifier) => match qualifier.parse::<u64>() {
                Ok(number) => self.versions.get(&number),
                Err(_) => {
                    let alias = self.aliases.get(qualifier)?;
                    let mut at = if alias.weights.is_empty() { 1.0 } else { draw() };
                    let extra = alias.weights.iter().find(|(_, weight)| {
                        at -= **weight;
                        at < 0.0
                    });
                    self.resolve(Some(extra.map_or(&alias.version, |(version, _)| version)), || 1.0)
                }
            },
        }
    }

    /// [`Function::resolve`] for a call.
    pub(super) fn version(&self, scope: &Scope, target: &Target) -> Result<Arc<Version>, LambdaFault> {
        let version = self.resolve(target.qualifier.as_deref(), rand::random::<f64>);
        version.map(Shared::pointer).ok_or_else(|| LambdaFault::NoFunction(target.arn(scope)))
    }

    /// Refuses what has to wait for an update in progress.
    pub(super) fn is_settled(&self, arn: impl FnOnce() -> String) -> Result<(), LambdaFault> {
        match &self.next {
            None => Ok(()),
            Some(_) => Err(LambdaFault::in_progress(&arn())),
        }
    }

    /// Is `qualifier` a version or an alias of this function?
    pub(super) fn knows(&self, qualifier: &str) -> bool {
        self.resolve(Some(qualifier), || 1.0).is_some()
    }

    /// `$LATEST` as it was last changed. While that is in progress, calls still go to what it was before.
    pub(super) fn newest(&self) -> &Shared<Version> {
        self.next.as_ref().unwrap_or(&self.latest)
    }

    /// The version that a qualifier stands for as it is shown, and whether a change of it is in progress.
    pub(super) fn shown(&self, qualifier: Option<&str>) -> Option<(&Shared<Version>, bool)> {
        let version = self.resolve(qualifier, || 1.0)?;
        Some(match version.version == LATEST {
            true => (self.newest(), self.next.is_some()),
            false => (version, false),
        })
    }

    /// `$LATEST` and every published version.
    pub(super) fn all_versions(&self) -> impl Iterator<Item = &Shared<Version>> {
        std::iter::once(self.newest()).chain(self.versions.values())
    }
}

/// Functions by region and name.
pub(super) type Functions = BTreeMap<String, BTreeMap<String, Shared<Function>>>;

/// The service's state and what it needs of the cloud.
pub struct Lambda {
    pub(super) cloud: Arc<Cloud>,
    pub(super) functions: Shelf<Functions>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) queue: Queue,
    pub(super) code: CodeStore,
    /// Held for reading from unpacking code to recording its function, for writing while unused code is removed.
    pub(super) code_in_use: tokio::sync::RwLock<()>,
    /// What a link to a function's zip must carry; new with every start.
    pub(super) link_secret: String,
}

impl Lambda {
    /// The zip that a link of GetFunction leads to.
    pub(super) fn linked(&self, path: &str) -> Option<PathBuf> {
        let (secret, file) = path.strip_prefix(CODE_PATH)?.split_once('/')?;
        if secret != self.link_secret || file.is_empty() {
            return None;
        }
        let functions = self.functions.get();
        let all = functions.values().flat_map(|here| here.values()).flat_map(|function| function.all_versions());
        all.map(|version| self.code.zip(&version.code)).find(|zip| zip.ends_with(file))
    }

    pub(super) fn open(cloud: Arc<Cloud>) -> Result<Self, StoreError> {
        let home = cloud.home.state("lambda");
        let functions = Shelf::open(home.join("functions.json"), LAYOUT)?;
        Ok(Lambda {
            functions,
            fleet: Fleet::new(cloud.clone()),
            queue: Queue::new(home.join("events")),
            code: CodeStore::new(home.join("code")),
            code_in_use: tokio::sync::RwLock::new(()),
            link_secret: cloud.ids.lower(40),
            cloud,
        })
    }

    pub(super) fn function(&self, scope: &Scope, target: &Target) -> Result<Shared<Function>, LambdaFault> {
        let functions = self.functions.get();
        let found = functions.get(&scope.region).and_then(|functions| functions.get(&target.name)).cloned();
        let found = found.ok_or_else(|| LambdaFault::NoFunction(target.arn(scope)))?;
        match &target.qualifier {
            Some(qualifier) if !found.knows(qualifier) => Err(LambdaFault::NoFunction(target.arn(scope))),
            _ => Ok(found),
        }
    }

    /// The function's version that the target stands for.
    pub(super) fn version(&self, scope: &Scope, target: &Target) -> Result<Arc<Version>, LambdaFault> {
        self.function(scope, target)?.version(scope, target)
    }

    /// Changes one function's record.
    pub(super) async fn change<R>(
        &self,
        scope: &Scope,
        target: &Target,
        change: impl FnOnce(&mut Function) -> Result<R, LambdaFault>,
    ) -> Result<R, LambdaFault> {
        self.functions
            .change(|functions| {
                let found = functions.get_mut(&scope.region).and_then(|functions| functions.get_mut(&target.name));
                let function = found.ok_or_else(|| LambdaFault::NoFunction(target.arn(scope)))?;
                if target.qualifier.as_deref().is_some_and(|qualifier| !function.knows(qualifier)) {
                    return Err(LambdaFault::NoFunction(target.arn(scope)));
                }
                change(function.own())
            })
            .await
    }

    pub(super) fn now(&self) -> i64 {
        self.cloud.clock.now().millis()
    }
}
