//! Sampling: rules in the order of their priority, and reservoirs that really run dry.
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::like::is_like;
use crate::tracer::Request;

pub(super) const DEFAULT: &str = "Default";
/// How long a quota holds, and how often clients report: 10 seconds.
pub(super) const INTERVAL_SECONDS: i64 = 10;
/// How many periods of a rule's statistics are kept for GetSamplingStatisticSummaries.
const MOST_PERIODS: usize = 60;
/// How many clients of one rule share its reservoir; more are told to do without.
const MOST_CLIENTS: usize = 1000;

/// A sampling rule, in the model's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rule {
    pub rule_name: String,
    #[serde(rename = "RuleARN")]
    pub rule_arn: String,
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
    pub priority: u32,
    pub fixed_rate: f64,
    pub reservoir_size: u32,
    pub service_name: String,
    pub service_type: String,
    pub host: String,
    #[serde(rename = "HTTPMethod")]
    pub http_method: String,
    #[serde(rename = "URLPath")]
    pub url_path: String,
    pub version: u32,
    pub attributes: BTreeMap<String, String>,
}

impl Rule {
    /// "1 request each second and 5 % of additional requests": what holds where no other rule matches.
    pub(super) fn default_of(arn: String) -> Self {
        let any = || "*".to_owned();
        Rule {
            rule_name: DEFAULT.to_owned(),
            rule_arn: arn,
            resource_arn: any(),
            priority: 10_000,
            fixed_rate: 0.05,
            reservoir_size: 1,
            service_name: any(),
            service_type: any(),
            host: any(),
            http_method: any(),
            url_path: any(),
            version: 1,
            attributes: BTreeMap::new(),
        }
    }

    /// Whether the rule is about a request. Services of AWS give no attributes: a rule that wants some is not about theirs.
    fn matches(&self, request: &Request<'_>) -> bool {
        let fits = |pattern: &str, text: &str| pattern == "*" || is_like(&pattern.to_lowercase(), &text.to_lowercase());
        self.attributes.is_empty()
            && fits(&self.service_name, request.service)
            && fits(&self.service_type, request.kind)
            && fits(&self.host, request.host)
            && fits(&self.http_method, request.method)
            && fits(&self.url_path, request.path)
            && fits(&self.resource_arn, request.arn)
    }
}

/// What a client did with a rule since it last said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub requests: u64,
    pub sampled: u64,
    pub borrowed: u64,
}

impl Counts {
    fn add(&mut self, more: Counts) {
        // What clients tell of themselves may be any number.
        self.requests = self.requests.saturating_add(more.requests);
        self.sampled = self.sampled.saturating_add(more.sampled);
        self.borrowed = self.borrowed.saturating_add(more.borrowed);
    }
}

/// The reservoir of one rule.
#[derive(Debug, Default)]
pub(super) struct Reservoir {
    /// The present second, and how many were taken from the reservoir in it by the cloud's own services.
    second: i64,
    taken: u32,
    /// When the cloud's own services last asked, in seconds.
    asked: Option<i64>,
    /// What is lent to clients, and until when (seconds).
    lent: BTreeMap<String, (u32, i64)>,
    /// Statistics by the beginning of their period (seconds).
    periods: VecDeque<(i64, Counts)>,
}

impl Reservoir {
    /// Decides for a request of the cloud's own services; `draw` is in `0.0..1.0`.
    pub(super) fn decide(&mut self, rule: &Rule, now_millis: i64, draw: f64) -> bool {
        let now = now_millis.div_euclid(1000);
        self.asked = Some(now);
        if self.second != now {
            (self.second, self.taken) = (now, 0);
        }
        self.lent.retain(|_, (_, until)| *until > now);
        let lent: u32 = self.lent.values().map(|(quota, _)| *quota).sum();
        let from_reservoir = self.taken < rule.reservoir_size.saturating_sub(lent);
        self.taken += u32::from(from_reservoir);
        let sampled = from_reservoir || draw < rule.fixed_rate;
        self.count(now, Counts { requests: 1, sampled: u64::from(sampled), borrowed: 0 });
        sampled
    }

    /// Takes a client's report; gives how many requests a second it may take from the reservoir, and until when.
    pub(super) fn lend(&mut self, rule: &Rule, client: &str, counts: Counts, now_millis: i64) -> (u32, i64) {
        let now = now_millis.div_euclid(1000);
        let until = now + INTERVAL_SECONDS;
        self.count(now, counts);
        // A quota holds a while longer than clients wait with their reports.
        self.lent.retain(|_, (_, until)| *until > now - INTERVAL_SECONDS);
        if self.lent.len() >= MOST_CLIENTS && !self.lent.contains_key(client) {
            return (0, until);
        }
        self.lent.entry(client.to_owned()).or_insert((0, until));
        let own = self.asked.is_some_and(|asked| now - asked < INTERVAL_SECONDS);
        let shares = u32::try_from(self.lent.len()).unwrap_or(u32::MAX).saturating_add(u32::from(own));
        let place = self.lent.keys().position(|there| there == client).unwrap_or_default();
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let fair = rule.reservoir_size / shares + u32::from(place < rule.reservoir_size % shares);
        let others: u32 = self.lent.iter().filter(|(there, _)| *there != client).map(|(_, (quota, _))| *quota).sum();
        let quota = fair.min(rule.reservoir_size.saturating_sub(others));
        self.lent.insert(client.to_owned(), (quota, until));
        (quota, until)
    }

    fn count(&mut self, now: i64, counts: Counts) {
        let period = now - now.rem_euclid(INTERVAL_SECONDS);
        match self.periods.back_mut() {
            Some((there, total)) if *there == period => total.add(counts),
            _ => {
                self.periods.push_back((period, counts));
                if self.periods.len() > MOST_PERIODS {
                    self.periods.pop_front();
                }
            }
        }
    }

    pub(super) fn last_period(&self) -> Option<(i64, Counts)> {
        self.periods.back().copied()
    }
}

/// The rules of one region with their reservoirs.
#[derive(Debug)]
pub(super) struct Sampler {
    /// In the order in which they are asked.
    rules: Vec<Rule>,
    reservoirs: BTreeMap<String, Reservoir>,
    /// Lambda has a reservoir for each function and knows no rules: "You can't configure the sampling rate for your functions."
    functions: BTreeMap<String, Reservoir>,
}

/// The origin of the segment that Lambda writes.
const LAMBDA: &str = "AWS::Lambda";
/// With more functions than this, what is known of them begins anew.
const MOST_FUNCTIONS: usize = 10_000;

impl Sampler {
    pub(super) fn of(rules: Vec<Rule>) -> Self {
        let mut sampler = Sampler { rules: Vec::new(), reservoirs: BTreeMap::new(), functions: BTreeMap::new() };
        sampler.replace(rules);
        sampler
    }

    /// Other rules from now on. What is known of those that stay, stays.
    pub(super) fn replace(&mut self, mut rules: Vec<Rule>) {
        rules.sort_by(|one, other| (one.priority, &one.rule_name).cmp(&(other.priority, &other.rule_name)));
        self.reservoirs.retain(|name, _| rules.iter().any(|rule| rule.rule_name == *name));
        self.rules = rules;
    }

    /// Whether a request of the cloud's own services is looked at.
    pub(super) fn decide(&mut self, request: &Request<'_>, now_millis: i64, draw: f64) -> bool {
        if request.kind == LAMBDA {
            if self.functions.len() > MOST_FUNCTIONS {
                self.functions.clear();
            }
            let rule = Rule::default_of(String::new());
            return self.functions.entry(request.arn.to_owned()).or_default().decide(&rule, now_millis, draw);
        }
        let Some(rule) = self.rules.iter().find(|rule| rule.matches(request)) else { return false };
        self.reservoirs.entry(rule.rule_name.clone()).or_default().decide(rule, now_millis, draw)
    }

    /// [`Reservoir::lend`] of the rule with the name.
    pub(super) fn lend(
        &mut self,
        rule: &str,
        client: &str,
        counts: Counts,
        now_millis: i64,
    ) -> Option<(f64, u32, i64)> {
        let rule = self.rules.iter().find(|known| known.rule_name == rule)?;
        let reservoir = self.reservoirs.entry(rule.rule_name.clone()).or_default();
        let (quota, until) = reservoir.lend(rule, client, counts, now_millis);
        Some((rule.fixed_rate, quota, until))
    }

    /// The last period of every rule that was used.
    pub(super) fn statistics(&self) -> impl Iterator<Item = (&str, i64, Counts)> {
        self.reservoirs.iter().filter_map(|(name, reservoir)| {
            let (period, counts) = reservoir.last_period()?;
            Some((name.as_str(), period, counts))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request<'static> = Request {
        service: "heroes/dev",
        kind: "AWS::ApiGateway::Stage",
        arn: "arn:aws:apigateway:us-east-1::/restapis/x/stages/dev",
        host: "x.execute-api.us-east-1.amazonaws.com",
        method: "POST",
        path: "/dev/heroes/7",
    };

    fn rule(name: &str, priority: u32, rate: f64, size: u32) -> Rule {
        Rule {
            rule_name: name.into(),
            priority,
            fixed_rate: rate,
            reservoir_size: size,
            ..Rule::default_of(String::new())
        }
    }

    #[test]
    fn the_default_rule_takes_one_a_second_and_five_in_a_hundred() {
        let mut sampler = Sampler::of(vec![Rule::default_of(String::new())]);
        let taken: Vec<bool> = (0..4).map(|n| sampler.decide(&REQUEST, 1000 + n * 100, 0.5)).collect();
        assert_eq!(taken, [true, false, false, false]);
        assert!(sampler.decide(&REQUEST, 1500, 0.049) && !sampler.decide(&REQUEST, 1500, 0.05));
        assert!(sampler.decide(&REQUEST, 2000, 0.5) && !sampler.decide(&REQUEST, 2001, 0.5));
        let (name, period, counts) = sampler.statistics().next().unwrap();
        assert_eq!((name, period, counts), ("Default", 0, Counts { requests: 8, sampled: 3, borrowed: 0 }));
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let mut all = rule("all", 5, 1.0, 0);
        all.url_path = "/DEV/heroes/?".into();
        let mut none = rule("none", 4, 0.0, 0);
        none.http_method = "GET".into();
        let mut sampler = Sampler::of(vec![Rule::default_of(String::new()), all, none]);
        assert!((0..9).all(|_| sampler.decide(&REQUEST, 1000, 0.99)));
        let get = Request { method: "GET", ..REQUEST };
        assert!(!(0..9).any(|_| sampler.decide(&get, 1000, 0.0)));
        let mut wanting = rule("wanting", 1, 0.0, 0);
        wanting.attributes.insert("tier".into(), "gold".into());
        sampler.replace(vec![wanting, rule("all", 2, 1.0, 0)]);
        assert!(sampler.decide(&REQUEST, 1000, 0.99));
    }

    #[test]
    fn functions_have_reservoirs_of_their_own_and_no_rules() {
        let mut sampler = Sampler::of(vec![rule("all", 1, 1.0, 100)]);
        let function = |arn| Request { kind: "AWS::Lambda", arn, ..REQUEST };
        assert!(sampler.decide(&function("f"), 1000, 0.5) && !sampler.decide(&function("f"), 1001, 0.5));
        assert!(sampler.decide(&function("g"), 1001, 0.5));
    }

    #[test]
    fn clients_share_a_reservoir_with_each_other_and_with_the_cloud() {
        let rules = vec![rule("r", 1, 0.0, 10)];
        let mut sampler = Sampler::of(rules);
        let counts = Counts { requests: 20, sampled: 5, borrowed: 1 };
        assert_eq!(sampler.lend("r", "a", counts, 100_000), Some((0.0, 10, 110)));
        // All of it is lent: the second gets its share when the first has come back for less.
        assert_eq!(sampler.lend("r", "b", counts, 101_000), Some((0.0, 0, 111)));
        assert_eq!(sampler.lend("r", "a", counts, 102_000), Some((0.0, 5, 112)));
        assert_eq!(sampler.lend("r", "b", counts, 103_000), Some((0.0, 5, 113)));
        assert!(!sampler.decide(&REQUEST, 104_000, 0.5), "nothing is left for the cloud's own");
        assert_eq!(sampler.lend("r", "a", counts, 105_000), Some((0.0, 4, 115)));
        assert_eq!(sampler.lend("r", "b", counts, 105_000), Some((0.0, 3, 115)));
        let own = (0..9).filter(|_| sampler.decide(&REQUEST, 106_000, 0.5)).count();
        assert_eq!(own, 3);
        let own = (0..20).filter(|_| sampler.decide(&REQUEST, 200_000, 0.5)).count();
        assert_eq!(own, 10, "quotas end");
        assert_eq!(sampler.lend("gone", "a", counts, 105_000), None);
        let all = Counts { requests: u64::MAX, ..counts };
        assert!(sampler.lend("r", "a", all, 106_000).is_some() && sampler.lend("r", "a", all, 106_000).is_some());
    }
}
