//! A bad day of a lab, from its morning to the count in the evening.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::load::{Load, Report};
use crate::support::Answer;
use crate::support::lab::Lab;
use crate::support::processes::{DATABASES, kill, send};

/// What a lab takes and says.
pub(super) struct Contract {
    pub(super) lab: &'static str,
    /// Method, path and body of a request that stores something under a name of its own.
    pub(super) request: fn(&str) -> (&'static str, String, Value),
    /// What an answer means; panics at one that is not documented.
    pub(super) means: fn(&Answer) -> Meaning,
    /// Statuses that `labctl load` may see beside good ones.
    pub(super) documented: &'static [&'static str],
    /// A query for `name` and `n`: how many rows there are of each name that begins with `day-`.
    pub(super) rows_by_name: &'static str,
    /// How many of a request are stored.
    pub(super) rows: i64,
    /// A query for `n`: how many requests of `labctl load` are stored; those in part are not among them.
    pub(super) loaded: &'static str,
    pub(super) users: &'static str,
}

/// What an answer says of its request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    Stored,
    /// It was stored before.
    Known,
    NotStored,
    /// It may have been stored, and may be sent again.
    Perhaps,
    /// It may have been stored, and nobody would know a second one from the first.
    Unsure,
}

/// What became of the names that were sent.
#[derive(Default)]
struct Diary {
    acknowledged: BTreeSet<String>,
    /// Those of which no answer said so, and one that they may be stored.
    unsure: BTreeSet<String>,
    answers: BTreeMap<u16, usize>,
}

struct Day {
    lab: Lab,
    contract: &'static Contract,
    over: AtomicBool,
    diary: Mutex<Diary>,
}

/// What was counted in the evening.
pub(super) struct Evening {
    pub(super) lab: Lab,
    pub(super) load: Report,
}

impl Day {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn note(&self, in_which: fn(&mut Diary) -> &mut BTreeSet<String>, name: String) {
        in_which(&mut self.diary.lock().unwrap()).insert(name);
    }

    async fn ask(&self, name: &str) -> Meaning {
        let (method, path, body) = (self.contract.request)(name);
        let answer = self.lab.send(method, &path, Some(&body.to_string())).await;
        *self.diary.lock().unwrap().answers.entry(answer.status).or_default() += 1;
        (self.contract.means)(&answer)
    }

    /// Sends under a name until the answer is good, as far as that is safe.
    async fn store(&self, name: String) {
        let mut perhaps = false;
        while !self.is_over() {
            match self.ask(&name).await {
                Meaning::Stored => return self.note(|diary| &mut diary.acknowledged, name),
                Meaning::Known if perhaps => return self.note(|diary| &mut diary.acknowledged, name),
                Meaning::Known => panic!("{name} was not stored before"),
                Meaning::NotStored => {}
                Meaning::Perhaps => perhaps = true,
                Meaning::Unsure => {
                    perhaps = true;
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if perhaps {
            self.note(|diary| &mut diary.unsure, name);
        }
    }

    async fn client(self: Arc<Self>, number: usize) {
        for at in 0.. {
            if self.is_over() {
                return;
            }
            self.store(format!("day-{number}-{at}")).await;
            // Not as fast as it goes: other tests run beside this one.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until so many more requests are acknowledged.
    async fn more(&self, count: usize) {
        let acknowledged = || self.diary.lock().unwrap().acknowledged.len();
        let (wanted, deadline) = (acknowledged() + count, Instant::now() + Duration::from_secs(120));
        while acknowledged() < wanted {
            assert!(Instant::now() < deadline, "nothing goes on: {:?}", self.diary.lock().unwrap().answers);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn number(&self, query: &str) -> i64 {
        self.lab.rows(query)[0]["n"].as_i64().unwrap()
    }

    /// Waits until requests of `labctl load` are stored again.
    async fn load_goes_on(&self) {
        let (before, deadline) = (self.number(self.contract.loaded), Instant::now() + Duration::from_secs(120));
        while self.number(self.contract.loaded) < before + 20 {
            assert!(Instant::now() < deadline, "the load does not go on");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// One thing after the other goes wrong; each time, requests are answered well again by themselves.
    async fn goes_wrong(&self) {
        let home = self.lab.clients.home();
        let functions = || {
            let found = self.lab.functions();
            assert!(!found.is_empty(), "no function runs");
            send(Signal::KILL, &found);
        };
        // It began paused.
        self.more(20).await;
        self.lab.no_faults().await;

        let throttle = ["local", "fault", "add", "throttle", "rds-data", "--rate", "0.4"];
        self.lab.labctl.run(&throttle);
        self.more(20).await;
        // labctl's own requests are throttled too, and sent again.
        for _ in 0..3 {
            assert!(self.number(self.contract.loaded) > 0);
        }
        kill(home, DATABASES);
        self.more(20).await;
        let listed = self.lab.labctl.json(&["local", "fault", "ls"]);
        assert!(listed["faults"][0]["struck"].as_i64().unwrap() > 0, "{listed}");
        self.lab.labctl.run(&["local", "fault", "clear"]);

        for _ in 0..2 {
            functions();
            self.more(30).await;
            kill(home, DATABASES);
            self.more(30).await;
            kill(home, DATABASES);
            functions();
            self.more(30).await;
        }
        self.load_goes_on().await;
    }

    /// Every name as often as its answers say.
    fn names_are_right(&self) {
        let rows = self.lab.rows(self.contract.rows_by_name);
        let stored: BTreeMap<String, i64> =
            rows.iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row["n"].as_i64().unwrap())).collect();
        let diary = self.diary.lock().unwrap();
        let in_part: Vec<_> = stored.iter().filter(|(_, n)| **n != self.contract.rows).collect();
        assert!(in_part.is_empty(), "stored in part, or more than once: {in_part:?}");
        let lost: Vec<_> = diary.acknowledged.iter().filter(|name| !stored.contains_key(*name)).collect();
        assert!(lost.is_empty(), "{} of {} acknowledged are lost: {lost:?}", lost.len(), diary.acknowledged.len());
        let told = |name: &&String| !diary.acknowledged.contains(*name) && !diary.unsure.contains(*name);
        let more: Vec<_> = stored.keys().filter(told).collect();
        assert!(more.is_empty(), "stored, and nobody was told so: {more:?}");
    }

    /// What `labctl load` was told is what is there.
    fn load_is_right(&self, report: &Report) {
        let known = |kind: &str| kind == "cut off" || self.contract.documented.contains(&kind);
        assert!(report.others.iter().all(|(kind, _)| known(kind)), "answers that are not documented: {report:?}");
        let (stored, others) = (self.number(self.contract.loaded), report.others.iter().map(|(_, n)| n).sum::<i64>());
        let told = report.acknowledged..=report.acknowledged + others;
        assert!(told.contains(&stored) && report.acknowledged > 0, "{stored} requests are stored: {report:?}");
    }
}

/// Brings the lab up, lets a day go wrong, and counts. What only this lab promises is for the caller to look at.
pub(super) async fn bad_day(contract: &'static Contract) -> Evening {
    let lab = Lab::up(contract.lab);
    let day = Arc::new(Day { lab, contract, over: AtomicBool::new(false), diary: Mutex::default() });
    assert_eq!(day.ask("day-first").await, Meaning::Stored);
    day.note(|diary| &mut diary.acknowledged, "day-first".to_owned());

    day.lab.pause(3).await;
    let load = Load::begin(&day.lab, contract.users);
    let mut clients = JoinSet::new();
    for number in 0..3 {
        clients.spawn(day.clone().client(number));
    }
    tokio::select! {
        () = day.goes_wrong() => {}
        // One ends before the day only by an answer that is not documented.
        Some(ended) = clients.join_next() => ended.unwrap(),
    }
    day.over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let report = load.end();
    day.names_are_right();
    day.load_is_right(&report);
    let Ok(Day { lab, .. }) = Arc::try_unwrap(day) else { panic!("a client is left") };
    Evening { lab, load: report }
}

/// A body of JSON, or what it is instead.
pub(super) fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| json!(answer.body))
}
