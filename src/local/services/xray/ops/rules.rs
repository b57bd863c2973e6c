//! Sampling rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::page;
use super::tags::{Tag, tag_map};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::scope::Scope;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::sampling::{DEFAULT, Rule};
use crate::services::xray::state::{RuleRecord, Settings, XRay, default_rule, rule_arn};

/// "25 custom sampling rules per account and Region."
const MOST: usize = 25;
const PAGE: usize = 50;
const MOST_ATTRIBUTES: usize = 5;

fn shown(record: &RuleRecord) -> Value {
    json!({
        "SamplingRule": record.rule,
        "CreatedAt": Timestamp::from_millis(record.created), "ModifiedAt": Timestamp::from_millis(record.modified),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NewRule {
    rule_name: Option<String>,
    #[serde(rename = "RuleARN")]
    rule_arn: Option<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    priority: u32,
    fixed_rate: f64,
    reservoir_size: u32,
    service_name: String,
    service_type: String,
    host: String,
    #[serde(rename = "HTTPMethod")]
    http_method: String,
    #[serde(rename = "URLPath")]
    url_path: String,
    version: u32,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    sampling_rate_boost: Option<Value>,
}

fn refuse_boost(boost: Option<&Value>) -> Result<(), XRayFault> {
    match boost {
        Some(_) => Err(XRayFault::Unsupported("the parameter SamplingRateBoost of sampling rules".into())),
        None => Ok(()),
    }
}

fn check(rule: &Rule) -> Result<(), XRayFault> {
    if rule.version != 1 {
        return Err(XRayFault::invalid("The version of a sampling rule is 1."));
    }
    if rule.attributes.len() > MOST_ATTRIBUTES {
        return Err(XRayFault::invalid(format!("A sampling rule can have at most {MOST_ATTRIBUTES} attributes.")));
    }
    match (0.0..=1.0).contains(&rule.fixed_rate) {
        true => Ok(()),
        false => Err(XRayFault::invalid("The FixedRate of a sampling rule is between 0 and 1.")),
    }
}

impl NewRule {
    fn made(self, scope: &Scope) -> Result<Rule, XRayFault> {
        refuse_boost(self.sampling_rate_boost.as_ref())?;
        let (Some(name), None) = (self.rule_name, self.rule_arn) else {
            return Err(XRayFault::invalid("A new sampling rule has a RuleName and no RuleARN."));
        };
        let rule = Rule {
            rule_arn: rule_arn(scope, &name),
            rule_name: name,
            resource_arn: self.resource_arn,
            priority: self.priority,
            fixed_rate: self.fixed_rate,
            reservoir_size: self.reservoir_size,
            service_name: self.service_name,
            service_type: self.service_type,
            host: self.host,
            http_method: self.http_method,
            url_path: self.url_path,
            version: self.version,
            attributes: self.attributes,
        };
        check(&rule).map(|()| rule)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateSamplingRule {
    sampling_rule: NewRule,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(crate) async fn create(xray: Arc<XRay>, call: &Call, input: CreateSamplingRule) -> Result<Value, XRayFault> {
    let rule = input.sampling_rule.made(&call.scope)?;
    if rule.rule_name == DEFAULT {
        return Err(XRayFault::RuleExists(rule.rule_name));
    }
    let (now, tags) = (xray.now(), tag_map(&input.tags)?);
    let record = RuleRecord { rule, created: now, modified: now, tags, made_by: call.request_id.clone() };
    let made = xray
        .change(&call.scope, |settings| {
            let name = record.rule.rule_name.clone();
            match settings.rules.get(&name) {
                Some(there) if there.made_by == record.made_by => return Ok(there.clone()),
                Some(_) => return Err(XRayFault::RuleExists(name)),
                None => {}
            }
            if settings.rules.keys().filter(|name| *name != DEFAULT).count() >= MOST {
                return Err(XRayFault::RuleLimit);
            }
            settings.rules.insert(name, record.clone());
            settings.rules_modified = now;
            Ok(record)
        })
        .await?;
    Ok(json!({"SamplingRuleRecord": shown(&made)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateSamplingRule {
    sampling_rule_update: Update,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Update {
    rule_name: Option<String>,
    #[serde(rename = "RuleARN")]
    rule_arn: Option<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    priority: Option<u32>,
    fixed_rate: Option<f64>,
    reservoir_size: Option<u32>,
    host: Option<String>,
    service_name: Option<String>,
    service_type: Option<String>,
    #[serde(rename = "HTTPMethod")]
    http_method: Option<String>,
    #[serde(rename = "URLPath")]
    url_path: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    sampling_rate_boost: Option<Value>,
}

/// The name of the rule that is meant.
fn name_of(settings: &Settings, name: Option<&str>, arn: Option<&str>, scope: &Scope) -> Result<String, XRayFault> {
    let default = default_rule(scope).rule;
    let known = settings.rules.values().map(|record| &record.rule).chain([&default]);
    let found = match (name, arn) {
        (Some(name), None) => known.into_iter().find(|rule| rule.rule_name == name),
        (None, Some(arn)) => known.into_iter().find(|rule| rule.rule_arn == arn),
        _ => return Err(XRayFault::invalid("A sampling rule is named by RuleName or by RuleARN, and not by both.")),
    };
    found.map(|rule| rule.rule_name.clone()).ok_or(XRayFault::NoRule)
}

impl Update {
    fn apply(self, rule: &mut Rule) -> Result<(), XRayFault> {
        refuse_boost(self.sampling_rate_boost.as_ref())?;
        let texts = [
            (self.resource_arn, &mut rule.resource_arn),
            (self.host, &mut rule.host),
            (self.service_name, &mut rule.service_name),
            (self.service_type, &mut rule.service_type),
            (self.http_method, &mut rule.http_method),
            (self.url_path, &mut rule.url_path),
        ];
        let mut fixed = self.priority.is_some() || self.attributes.is_some();
        for (new, place) in texts {
            if let Some(new) = new {
                fixed = true;
                *place = new;
            }
        }
        if fixed && rule.rule_name == DEFAULT {
            return Err(XRayFault::invalid("Of the default rule only FixedRate and ReservoirSize can be changed."));
        }
        if self.priority.is_some_and(|priority| !(1..=9999).contains(&priority)) {
            return Err(XRayFault::invalid("The priority of a sampling rule is between 1 and 9999."));
        }
        rule.priority = self.priority.unwrap_or(rule.priority);
        rule.fixed_rate = self.fixed_rate.unwrap_or(rule.fixed_rate);
        rule.reservoir_size = self.reservoir_size.unwrap_or(rule.reservoir_size);
        if let Some(attributes) = self.attributes {
            rule.attributes = attributes;
        }
        check(rule)
    }
}

pub(crate) async fn update(xray: Arc<XRay>, call: &Call, input: UpdateSamplingRule) -> Result<Value, XRayFault> {
    let (update, now, scope) = (input.sampling_rule_update, xray.now(), &call.scope);
    let made = xray
        .change(scope, |settings| {
            let name = name_of(settings, update.rule_name.as_deref(), update.rule_arn.as_deref(), scope)?;
            let mut record = settings.rules.get(&name).cloned().unwrap_or_else(|| default_rule(scope));
            update.apply(&mut record.rule)?;
            record.modified = now;
            settings.rules.insert(name, record.clone());
            settings.rules_modified = now;
            Ok(record)
        })
        .await?;
    Ok(json!({"SamplingRuleRecord": shown(&made)}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteSamplingRule {
    #[serde(rename = "RuleName")]
    name: Option<String>,
    #[serde(rename = "RuleARN")]
    arn: Option<String>,
}

pub(crate) async fn delete(xray: Arc<XRay>, call: &Call, input: DeleteSamplingRule) -> Result<Value, XRayFault> {
    let (now, scope) = (xray.now(), &call.scope);
    let gone = xray
        .change(scope, |settings| {
            let name = name_of(settings, input.name.as_deref(), input.arn.as_deref(), scope)?;
            if name == DEFAULT {
                return Err(XRayFault::invalid("The default sampling rule cannot be deleted."));
            }
            settings.rules_modified = now;
            settings.rules.remove(&name).ok_or(XRayFault::NoRule)
        })
        .await?;
    Ok(json!({"SamplingRuleRecord": shown(&gone)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GetSamplingRules {
    next_token: Option<String>,
}

pub(crate) async fn list(xray: Arc<XRay>, call: &Call, input: GetSamplingRules) -> Result<Value, XRayFault> {
    let after = page::after(input.next_token.as_deref())?;
    let from = match after {
        None => 0,
        Some(after) => after.parse().map_err(|_| XRayFault::invalid("The NextToken is not valid."))?,
    };
    let all = xray.settings.region(&call.scope).all_rules(&call.scope);
    let records: Vec<Value> = all.iter().skip(from).take(PAGE).map(shown).collect();
    let next = from + records.len();
    let mut answer = json!({"SamplingRuleRecords": records});
    if next < all.len() {
        answer["NextToken"] = json!(page::token(&next.to_string()));
    }
    Ok(answer)
}
