//! Groups: filter expressions with names.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::page;
use super::tags::{Tag, tag_map};
use crate::call::Call;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::filter::parse;
use crate::services::xray::state::{Group, Settings, XRay};

/// The group of every trace.
pub(super) const DEFAULT: &str = "Default";
/// "25 groups per account and Region", and how many a page has.
const MOST: usize = 25;
const PAGE: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Insights {
    insights_enabled: Option<bool>,
    notifications_enabled: Option<bool>,
}

/// Insights look for anomalies; nothing here does.
fn check_insights(insights: Option<&Insights>) -> Result<(), XRayFault> {
    let on =
        |insights: &Insights| insights.insights_enabled == Some(true) || insights.notifications_enabled == Some(true);
    match insights.is_some_and(on) {
        true => Err(XRayFault::Unsupported("X-Ray insights (InsightsConfiguration of a group)".into())),
        false => Ok(()),
    }
}

/// A group by its name or its ARN.
pub(super) struct Meant {
    pub name: Option<String>,
    pub arn: Option<String>,
}

impl Meant {
    pub(super) fn find<'s>(&self, settings: &'s Settings) -> Result<(&'s String, &'s Group), XRayFault> {
        match (&self.name, &self.arn) {
            (Some(name), None) => settings.groups.get_key_value(name),
            (None, Some(arn)) => settings.groups.iter().find(|(_, group)| group.arn == *arn),
            _ => return Err(XRayFault::invalid("A group is named by GroupName or by GroupARN.")),
        }
        .ok_or(XRayFault::NoGroup)
    }
}

fn shown(name: &str, group: &Group) -> Value {
    json!({
        "GroupName": name, "GroupARN": group.arn, "FilterExpression": group.filter,
        "InsightsConfiguration": {"InsightsEnabled": false, "NotificationsEnabled": false},
    })
}

fn default_group(call: &Call) -> Value {
    json!({
        "GroupName": DEFAULT, "GroupARN": call.scope.arn("xray", "group/Default"), "FilterExpression": "",
        "InsightsConfiguration": {"InsightsEnabled": false, "NotificationsEnabled": false},
    })
}

/// Refuses an expression that could not be evaluated; one of a group cannot name groups.
fn check_filter(expression: &str) -> Result<(), XRayFault> {
    parse(expression, &|_| None).map(drop)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateGroup {
    group_name: String,
    filter_expression: Option<String>,
    insights_configuration: Option<Insights>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(crate) async fn create(xray: Arc<XRay>, call: &Call, input: CreateGroup) -> Result<Value, XRayFault> {
    check_insights(input.insights_configuration.as_ref())?;
    let (name, filter) = (input.group_name, input.filter_expression.unwrap_or_default());
    check_filter(&filter)?;
    if name == DEFAULT {
        return Err(XRayFault::invalid("Default is a reserved name."));
    }
    let arn = call.scope.arn("xray", format!("group/{name}/{}", xray.cloud.ids.upper(26)));
    let group = Group { arn, filter, tags: tag_map(&input.tags)?, made_by: call.request_id.clone() };
    let made = xray
        .change(&call.scope, |settings| match settings.groups.get(&name) {
            Some(there) if there.made_by == group.made_by => Ok(there.clone()),
            Some(_) => Err(XRayFault::GroupExists(name.clone())),
            None if settings.groups.len() >= MOST => {
                Err(XRayFault::invalid(format!("There can be at most {MOST} groups.")))
            }
            None => {
                settings.groups.insert(name.clone(), group.clone());
                Ok(group)
            }
        })
        .await?;
    Ok(json!({"Group": shown(&name, &made)}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupName {
    #[serde(rename = "GroupName")]
    name: Option<String>,
    #[serde(rename = "GroupARN")]
    arn: Option<String>,
}

impl From<GroupName> for Meant {
    fn from(GroupName { name, arn }: GroupName) -> Self {
        Meant { name, arn }
    }
}

pub(crate) async fn get(xray: Arc<XRay>, call: &Call, input: GroupName) -> Result<Value, XRayFault> {
    if input.name.as_deref() == Some(DEFAULT) {
        return Ok(json!({"Group": default_group(call)}));
    }
    let settings = xray.settings.region(&call.scope);
    let meant = Meant::from(input);
    let (name, group) = meant.find(&settings)?;
    Ok(json!({"Group": shown(name, group)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GetGroups {
    next_token: Option<String>,
}

pub(crate) async fn list(xray: Arc<XRay>, call: &Call, input: GetGroups) -> Result<Value, XRayFault> {
    let after = page::after(input.next_token.as_deref())?;
    let settings = xray.settings.region(&call.scope);
    let fresh = |name: &String| after.as_ref().is_none_or(|after| name > after);
    let mut rest = settings.groups.iter().filter(|(name, _)| fresh(name)).peekable();
    let mut groups = Vec::new();
    let mut last = None;
    if after.is_none() {
        groups.push(default_group(call));
    }
    while let Some((name, group)) = rest.next_if(|_| groups.len() < PAGE) {
        groups.push(shown(name, group));
        last = Some(name);
    }
    let mut answer = json!({"Groups": groups});
    if let Some(last) = last.filter(|_| rest.peek().is_some()) {
        answer["NextToken"] = json!(page::token(last));
    }
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateGroup {
    #[serde(rename = "GroupName")]
    name: Option<String>,
    #[serde(rename = "GroupARN")]
    arn: Option<String>,
    #[serde(rename = "FilterExpression")]
    filter: Option<String>,
    #[serde(rename = "InsightsConfiguration")]
    insights: Option<Insights>,
}

pub(crate) async fn update(xray: Arc<XRay>, call: &Call, input: UpdateGroup) -> Result<Value, XRayFault> {
    check_insights(input.insights.as_ref())?;
    if let Some(filter) = &input.filter {
        check_filter(filter)?;
    }
    let meant = Meant { name: input.name, arn: input.arn };
    let (name, group) = xray
        .change(&call.scope, |settings| {
            let name = meant.find(settings)?.0.clone();
            let group = settings.groups.get_mut(&name).ok_or(XRayFault::NoGroup)?;
            if let Some(filter) = input.filter {
                group.filter = filter;
            }
            Ok((name, group.clone()))
        })
        .await?;
    Ok(json!({"Group": shown(&name, &group)}))
}

pub(crate) async fn delete(xray: Arc<XRay>, call: &Call, input: GroupName) -> Result<Value, XRayFault> {
    let meant = Meant::from(input);
    xray.change(&call.scope, |settings| {
        let name = meant.find(settings)?.0.clone();
        settings.groups.remove(&name);
        Ok(json!({}))
    })
    .await
}
