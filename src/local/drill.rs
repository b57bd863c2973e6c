//! Faults on purpose (`labctl local fault`): what is refused and what is slow, until somebody takes it away. They are in memory
//! alone: a restart and a reset end them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::fault::Fault;
use super::resource::ResourceFault;
use super::wire::model::{Model, Protocol, model, services};

/// The longest delay, in seconds.
const LONGEST: f64 = 300.0;
/// What may be added to one local cloud.
const MOST: usize = 100;

/// A fault that can be added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Drill {
    /// Requests from outside to a service are refused with its own throttling error.
    Throttle {
        service: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        operation: Option<String>,
        /// The share of the requests: 0.25 is every fourth.
        #[serde(default = "all")]
        rate: f64,
        /// How many are refused before it ends by itself.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        times: Option<u32>,
    },
    /// A paused cluster takes so much longer to come back.
    ResumeDelay { seconds: f64 },
    /// A cluster whose minimum capacity is 0 pauses when it was idle for so long, whatever it says itself.
    PauseAfter { seconds: f64 },
    /// CloudFormation fails to make a resource of this type.
    Create {
        #[serde(rename = "type")]
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        times: Option<u32>,
    },
    /// CloudFormation fails to delete a resource of this type.
    Delete {
        #[serde(rename = "type")]
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        times: Option<u32>,
    },
}

const fn all() -> f64 {
    1.0
}

impl Drill {
    /// Why it cannot be.
    fn check(&self) -> Result<(), String> {
        if self.times() == Some(0) {
            return Err("0 times is never".to_owned());
        }
        match self {
            Drill::Throttle { rate, .. } if !(*rate > 0.0 && *rate <= 1.0) => {
                Err(format!("the rate {rate} is not above 0 and at most 1"))
            }
            Drill::Throttle { service, operation, .. } => {
                let Some(model) = model(service) else {
                    let known: Vec<&str> = services().collect();
                    return Err(format!("there is no service {service}; there are: {}", known.join(", ")));
                };
                match operation {
                    Some(name) if model.operation(name).is_none() => Err(format!("{service} has no operation {name}")),
                    _ => Ok(()),
                }
            }
            Drill::ResumeDelay { seconds } | Drill::PauseAfter { seconds } if !(0.0..=LONGEST).contains(seconds) => {
                Err(format!("{seconds} s is not between 0 and {LONGEST}"))
            }
            _ => Ok(()),
        }
    }

    const fn times(&self) -> Option<u32> {
        match self {
            Drill::Throttle { times, .. } | Drill::Create { times, .. } | Drill::Delete { times, .. } => *times,
            Drill::ResumeDelay { .. } | Drill::PauseAfter { .. } => None,
        }
    }
}

/// One that was added.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    pub id: String,
    #[serde(flatten)]
    pub drill: Drill,
    /// How often it was asked, and how often it struck.
    pub asked: u64,
    pub struck: u64,
}

impl Added {
    /// Whether it strikes now: evenly, so that a rate of a half is every second request and no game of chance.
    fn strikes(&mut self) -> bool {
        if self.drill.times().is_some_and(|times| self.struck >= u64::from(times)) {
            return false;
        }
        let rate = if let Drill::Throttle { rate, .. } = self.drill { rate } else { 1.0 };
        self.asked += 1;
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let due = (self.asked as f64 * rate).floor() > ((self.asked - 1) as f64 * rate).floor();
        self.struck += u64::from(due);
        due
    }
}

/// All that were added to one local cloud.
#[derive(Default)]
pub struct Drills {
    added: Mutex<Vec<Added>>,
    /// How many there are: nearly always none, which costs a request no lock.
    count: AtomicUsize,
    next: AtomicUsize,
    changed: watch::Sender<()>,
}

impl Drills {
    /// Adds one; gives its id.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn add(&self, drill: Drill) -> Result<String, String> {
        drill.check()?;
        let mut added = self.lock();
        if added.len() >= MOST {
            return Err(format!("there are {MOST} already; take some away first"));
        }
        let id = format!("fault-{}", self.next.fetch_add(1, Ordering::Relaxed) + 1);
        tracing::warn!(id, fault = ?drill, "a fault was added on purpose");
        added.push(Added { id: id.clone(), drill, asked: 0, struck: 0 });
        self.count.store(added.len(), Ordering::Release);
        self.changed.send_replace(());
        Ok(id)
    }

    pub fn list(&self) -> Vec<Added> {
        self.lock().clone()
    }

    /// Takes one away, or all; gives how many that were.
    pub fn clear(&self, id: Option<&str>) -> usize {
        let mut added = self.lock();
        let before = added.len();
        added.retain(|added| id.is_some_and(|id| added.id != id));
        self.count.store(added.len(), Ordering::Release);
        self.changed.send_replace(());
        before - added.len()
    }

    /// Resolves with the next change.
    pub(crate) async fn changed(&self) {
        let mut changed = self.changed.subscribe();
        // An error means that the sender is gone, which we hold.
        let _ = changed.changed().await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Added>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn struck(&self, meant: impl Fn(&Drill) -> bool) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.lock().iter_mut().any(|added| meant(&added.drill) && added.strikes())
    }

    /// Whether a request from outside is refused, and how.
    pub(crate) fn throttled(&self, service: &str, operation: &str) -> Option<Fault> {
        let meant = |drill: &Drill| match drill {
            Drill::Throttle { service: of, operation: only, .. } => {
                of == service && only.as_ref().is_none_or(|only| only == operation)
            }
            _ => false,
        };
        self.struck(meant).then(|| throttling(model(service)))
    }

    /// Whether CloudFormation fails with a resource of this type.
    pub(crate) fn create_fails(&self, kind: &str) -> Option<ResourceFault> {
        let struck = self.struck(|drill| matches!(drill, Drill::Create { kind: of, .. } if of == kind));
        struck.then(|| on_purpose("create", kind))
    }

    pub(crate) fn delete_fails(&self, kind: &str) -> Option<ResourceFault> {
        let struck = self.struck(|drill| matches!(drill, Drill::Delete { kind: of, .. } if of == kind));
        struck.then(|| on_purpose("delete", kind))
    }

    fn seconds(&self, of: impl Fn(&Drill) -> Option<f64>) -> Option<Duration> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let seconds = self.lock().iter().rev().find_map(|added| of(&added.drill))?;
        Some(Duration::from_secs_f64(seconds))
    }

    /// How much longer a paused cluster takes to come back.
    pub(crate) fn resume_delay(&self) -> Duration {
        let of = |drill: &Drill| if let Drill::ResumeDelay { seconds } = drill { Some(*seconds) } else { None };
        self.seconds(of).unwrap_or_default()
    }

    /// After how long a cluster pauses, in place of what it says itself.
    pub(crate) fn pause_after(&self) -> Option<Duration> {
        self.seconds(|drill| if let Drill::PauseAfter { seconds } = drill { Some(*seconds) } else { None })
    }
}

fn on_purpose(doing: &str, kind: &str) -> ResourceFault {
    ResourceFault::new("InternalFailure", format!("cannot {doing} this {kind}: a fault was added on purpose"))
}

/// How a service says that requests come too fast.
fn throttling(model: Option<&Model>) -> Fault {
    let service = model.map_or("", |model| model.service);
    match (service, model.map(|model| model.protocol)) {
        ("lambda", _) => Fault::new("TooManyRequestsException", "Rate Exceeded.").status(429),
        ("apigateway" | "apigatewayv2", _) => Fault::new("TooManyRequestsException", "Too Many Requests").status(429),
        ("s3", _) => Fault::new("SlowDown", "Please reduce your request rate.").status(503),
        (_, Some(Protocol::Ec2)) => Fault::new("RequestLimitExceeded", "Request limit exceeded.").status(503),
        (_, Some(Protocol::Query)) => Fault::new("Throttling", "Rate exceeded").status(400),
        _ => Fault::new("ThrottlingException", "Rate exceeded").status(400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(rate: f64, times: Option<u32>) -> Drill {
        Drill::Throttle { service: "rds-data".into(), operation: None, rate, times }
    }

    #[test]
    fn a_share_is_struck_evenly_and_a_count_ends_by_itself() {
        let struck = |drill: Drill| {
            let drills = Drills::default();
            drills.add(drill).unwrap();
            (0..8).filter(|_| drills.throttled("rds-data", "ExecuteStatement").is_some()).count()
        };
        assert_eq!(struck(throttle(0.25, None)), 2);
        assert_eq!(struck(throttle(1.0, None)), 8);
        assert_eq!(struck(throttle(0.5, Some(3))), 3);
        let drills = Drills::default();
        drills.add(throttle(1.0, None)).unwrap();
        assert!(drills.throttled("s3", "http").is_none(), "another service");
        assert_eq!(drills.clear(None), 1);
        assert!(drills.throttled("rds-data", "ExecuteStatement").is_none());
    }

    #[test]
    fn each_service_says_it_in_its_own_words() {
        let of = |service| {
            let fault = throttling(model(service));
            (fault.code, fault.status)
        };
        assert_eq!(of("rds-data"), ("ThrottlingException".into(), Some(400)));
        assert_eq!(of("rds"), ("Throttling".into(), Some(400)));
        assert_eq!(of("ec2"), ("RequestLimitExceeded".into(), Some(503)));
        assert_eq!(of("s3"), ("SlowDown".into(), Some(503)));
        assert_eq!(of("lambda"), ("TooManyRequestsException".into(), Some(429)));
        assert_eq!(of("secretsmanager"), ("ThrottlingException".into(), Some(400)));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |drill: Drill| Drills::default().add(drill).unwrap_err();
        let of = |service: &str, operation: &str| Drill::Throttle {
            service: service.into(),
            operation: Some(operation.into()),
            rate: 1.0,
            times: None,
        };
        assert!(refused(of("rdsdata", "X")).contains("no service rdsdata"));
        assert_eq!(refused(of("rds-data", "Execute")), "rds-data has no operation Execute");
        assert_eq!(refused(throttle(1.5, None)), "the rate 1.5 is not above 0 and at most 1");
        assert_eq!(refused(Drill::ResumeDelay { seconds: 301.0 }), "301 s is not between 0 and 300");
        let unknown = serde_json::from_str::<Drill>(r#"{"fault": "pause-after", "seconds": 1, "minutes": 2}"#);
        assert!(unknown.unwrap_err().to_string().contains("minutes"));
    }

    #[test]
    fn the_last_one_added_of_a_kind_counts() {
        let drills = Drills::default();
        assert_eq!(drills.resume_delay(), Duration::ZERO);
        drills.add(Drill::ResumeDelay { seconds: 30.0 }).unwrap();
        let second = drills.add(Drill::ResumeDelay { seconds: 0.5 }).unwrap();
        assert_eq!(drills.resume_delay(), Duration::from_millis(500));
        assert_eq!(drills.clear(Some(&second)), 1);
        assert_eq!(drills.resume_delay(), Duration::from_secs(30));
    }
}
