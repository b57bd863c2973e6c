//! Groups and sampling rules as they are kept on disk; traces are in [`super::store`].

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::daemon::Daemon;
use super::faults::XRayFault;
use super::intake::{Intake, USUAL};
use super::sampling::{DEFAULT, Rule, Sampler};
use super::store::Store;
use crate::cloud::Cloud;
use crate::scope::Scope;
use crate::store::{Shelf, StoreError};
use crate::tracer::{Recorder, Request};

const LAYOUT: u32 = 1;

/// A group: a filter expression with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub arn: String,
    pub filter: String,
    pub tags: BTreeMap<String, String>,
    /// The request that made it: the same request again finds what it made.
    pub made_by: String,
}

/// A sampling rule and when it came to be, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RuleRecord {
    pub rule: Rule,
    pub created: i64,
    pub modified: i64,
    pub tags: BTreeMap<String, String>,
    pub made_by: String,
}

/// What one region holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    pub groups: BTreeMap<String, Group>,
    /// Without the default rule until somebody changes it.
    pub rules: BTreeMap<String, RuleRecord>,
    /// When a rule was last made, changed or deleted, in milliseconds.
    pub rules_modified: i64,
}

impl Settings {
    /// Every rule, the default one last.
    pub(super) fn all_rules(&self, scope: &Scope) -> Vec<RuleRecord> {
        let mut all: Vec<RuleRecord> = self.rules.values().cloned().collect();
        if !self.rules.contains_key(DEFAULT) {
            all.push(default_rule(scope));
        }
        all.sort_by_key(|record| record.rule.priority);
        all
    }
}

pub(super) fn rule_arn(scope: &Scope, name: &str) -> String {
    scope.arn("xray", format!("sampling-rule/{name}"))
}

/// The rule that is there before anybody makes one.
pub(super) fn default_rule(scope: &Scope) -> RuleRecord {
    let rule = Rule::default_of(rule_arn(scope, DEFAULT));
    RuleRecord { rule, created: 0, modified: 0, tags: BTreeMap::new(), made_by: String::new() }
}

/// Settings by region.
pub(super) type Regions = BTreeMap<String, Settings>;

/// The service's state and what it needs of the cloud.
pub struct XRay {
    pub(super) cloud: Arc<Cloud>,
    pub(super) settings: Shelf<Regions>,
    pub(super) store: Arc<Store>,
    pub(super) intake: Intake,
    samplers: Mutex<HashMap<String, Sampler>>,
    /// By region; made when somebody first asks for the address.
    daemons: Mutex<HashMap<String, Daemon>>,
}

const DAEMON: &str = "daemon-";

impl XRay {
    /// Where the port of a region's daemon is kept. Clients name regions: what is no plain word names no file.
    pub(super) fn daemon_note(&self, region: &str) -> Option<PathBuf> {
        let is_plain = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_plain.then(|| self.cloud.home.state("xray").join(format!("{DAEMON}{region}")))
    }

    /// Lets the daemons listen again whose addresses somebody was told by an earlier run.
    pub(super) fn start_daemons(self: &Arc<Self>) {
        let notes = std::fs::read_dir(self.cloud.home.state("xray")).into_iter().flatten().flatten();
        let names = notes.filter_map(|note| note.file_name().into_string().ok());
        for region in names.filter_map(|name| name.strip_prefix(DAEMON).map(str::to_owned)) {
            self.daemon(&region);
        }
    }

    pub(super) fn open(cloud: Arc<Cloud>) -> Result<Arc<Self>, StoreError> {
        let home = cloud.home.state("xray");
        let settings = Shelf::open(home.join("settings.json"), LAYOUT)?;
        let segments = home.join("segments");
        let store = Store::open(segments.clone()).map_err(|source| StoreError::new(segments, "read", source))?;
        let xray = Arc::new(XRay {
            settings,
            store: Arc::new(store),
            intake: Intake::default(),
            samplers: Mutex::default(),
            daemons: Mutex::default(),
            cloud,
        });
        xray.cloud.traced_by(Arc::new(xray.clone()));
        Ok(xray)
    }

    pub(super) fn now(&self) -> i64 {
        self.cloud.clock.now().millis()
    }

    /// Changes one region's settings; sampling goes by the new rules at once.
    pub(super) async fn change<R>(
        &self,
        scope: &Scope,
        change: impl FnOnce(&mut Settings) -> Result<R, XRayFault>,
    ) -> Result<R, XRayFault> {
        let result = self.settings.change_region(scope, change).await?;
        let rules = self.rules(&scope.region);
        if let Some(sampler) = self.samplers().get_mut(&scope.region) {
            sampler.replace(rules);
        }
        Ok(result)
    }

    fn rules(&self, region: &str) -> Vec<Rule> {
        let scope = Scope::root(region);
        self.settings.region(&scope).all_rules(&scope).into_iter().map(|record| record.rule).collect()
    }

    fn samplers(&self) -> MutexGuard<'_, HashMap<String, Sampler>> {
        self.samplers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the sampler of a region.
    pub(super) fn sampler<R>(&self, region: &str, work: impl FnOnce(&mut Sampler) -> R) -> R {
        let mut samplers = self.samplers();
        if let Some(sampler) = samplers.get_mut(region) {
            return work(sampler);
        }
        work(samplers.entry(region.to_owned()).or_insert_with(|| Sampler::of(self.rules(region))))
    }

    fn daemons(&self) -> MutexGuard<'_, HashMap<String, Daemon>> {
        self.daemons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The daemons that listen, by region.
    pub(super) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let mut all: Vec<_> = self.daemons().iter().map(|(region, daemon)| (region.clone(), daemon.address)).collect();
        all.sort();
        all
    }

    /// Ends every daemon; what they took is written.
    pub(super) async fn close(&self) {
        self.daemons().clear();
        self.intake.flush().await;
    }
}

/// [`XRay`] by its shared pointer, which a daemon keeps.
impl Recorder for Arc<XRay> {
    fn samples(&self, region: &str, request: &Request<'_>) -> bool {
        let (now, draw) = (self.now(), rand::random::<f64>());
        self.sampler(region, |sampler| sampler.decide(request, now, draw))
    }

    fn record(&self, region: &str, document: Value) {
        self.intake.offer(region, document, USUAL);
    }

    fn daemon(&self, region: &str) -> Option<SocketAddr> {
        let mut daemons = self.daemons();
        if let Some(daemon) = daemons.get(region) {
            return Some(daemon.address);
        }
        match Daemon::start(self, region) {
            Ok(daemon) => {
                let address = daemon.address;
                daemons.insert(region.to_owned(), daemon);
                Some(address)
            }
            Err(error) => {
                tracing::error!(%error, region, "the X-Ray daemon cannot listen");
                None
            }
        }
    }
}
