//! Cache parameter groups and engine versions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Tag};
use super::{Answer, Service, identifier, page};
use crate::call::Call;
use crate::services::elasticache::faults::{CacheFault, Kind};
use crate::services::elasticache::state::{Group, ParameterGroup, Region};
use crate::services::elasticache::versions::{self, FAMILIES, PARAMETERS, VERSIONS};
use crate::services::elasticache::{node, views};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateParameterGroup {
    cache_parameter_group_name: String,
    cache_parameter_group_family: String,
    description: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(in super::super) async fn create(service: Service, call: &Call, input: CreateParameterGroup) -> Answer {
    let name = identifier("CacheParameterGroupName", &input.cache_parameter_group_name, 255)?;
    let family = input.cache_parameter_group_family;
    if !FAMILIES.contains(&family.as_str()) {
        return Err(CacheFault::InvalidValue(format!(
            "CacheParameterGroupFamily {family} is not a valid parameter group family."
        )));
    }
    let tags = tags::checked(&call.scope, input.tags)?;
    let group = ParameterGroup { family, description: input.description, values: BTreeMap::new() };
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        if region.parameter_groups.contains_key(&name) {
            return Err(CacheFault::AlreadyExists(Kind::ParameterGroup, name));
        }
        region.tags.insert(call.scope.arn("elasticache", format!("parametergroup:{name}")), tags);
        region.parameter_groups.insert(name.clone(), group);
        Ok(json!({"CacheParameterGroup": views::parameter_group(&call.scope, region, &name)}))
    });
    changed.await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct NameValue {
    parameter_name: Option<String>,
    parameter_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ModifyParameterGroup {
    cache_parameter_group_name: String,
    parameter_name_values: Vec<NameValue>,
}

/// ModifyCacheParameterGroup. Nodes that use the group have the new values before the answer.
pub(in super::super) async fn modify(service: Service, call: &Call, input: ModifyParameterGroup) -> Answer {
    let mut values = BTreeMap::new();
    for NameValue { parameter_name, parameter_value } in input.parameter_name_values {
        let name = parameter_name.unwrap_or_default();
        let value = parameter_value.unwrap_or_default();
        check(&name, &value)?;
        values.insert(name, value);
    }
    let add: Change = Box::new(move |group| group.values.extend(values));
    change(&service, call, input.cache_parameter_group_name, add).await
}

fn check(name: &str, value: &str) -> Result<(), CacheFault> {
    let Some(parameter) = PARAMETERS.iter().find(|parameter| parameter.name == name) else {
        return Err(match AWS_ONLY.contains(&name) {
            true => CacheFault::Unsupported(format!("the cache parameter {name}")),
            false => CacheFault::InvalidValue(format!("The parameter {name} does not exist or cannot be modified.")),
        });
    };
    match parameter.allows(value) {
        true => Ok(()),
        false => {
            let allowed = parameter.allowed_values();
            Err(CacheFault::InvalidValue(format!(
                "The parameter value {value} is invalid for {name}. Allowed values: {allowed}"
            )))
        }
    }
}

/// Parameters that ElastiCache has and that mean nothing to one engine process here.
const AWS_ONLY: &[&str] = &[
    "cluster-enabled",
    "cluster-allow-reads-when-down",
    "close-on-replica-write",
    "reserved-memory-percent",
    "reserved-memory",
    "replica-lazy-flush",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "latency-tracking",
    "appendonly",
    "appendfsync",
    "databases",
    "client-output-buffer-limit-pubsub-hard-limit",
    "acllog-max-len",
    "list-max-listpack-size",
    "search-fanout-target-mode",
];

type Change = Box<dyn FnOnce(&mut ParameterGroup) + Send>;

async fn change(service: &Service, call: &Call, name: String, change: Change) -> Answer {
    let name = name.to_ascii_lowercase();
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        let group = region.parameter_groups.get_mut(&name).ok_or_else(|| not_changeable(&name))?;
        change(group);
        let users = region.groups.values().filter(|user| user.parameter_group == name).cloned();
        Ok::<_, CacheFault>((users.collect::<Vec<Group>>(), region.values(&name)))
    });
    let (users, values) = changed.await?;
    for user in users {
        apply(service, &user, &values).await?;
    }
    Ok(json!({"CacheParameterGroupName": name}))
}

fn not_changeable(name: &str) -> CacheFault {
    match name.starts_with("default.") {
        true => CacheFault::InvalidValue(format!(
            "The parameter group {name} is a default parameter group and cannot be modified."
        )),
        false => CacheFault::NotFound(Kind::ParameterGroup, name.to_owned()),
    }
}

/// Gives the nodes of a group its memory and parameters while they run.
pub(super) async fn apply(
    service: &Service,
    group: &Group,
    values: &BTreeMap<String, String>,
) -> Result<(), CacheFault> {
    let set = node::tuning(group, values).into_iter();
    let commands = set.map(|(name, value)| vec![node::config_command(group), "SET".to_owned(), name.to_owned(), value]);
    let commands: Vec<Vec<String>> = commands.collect();
    service.tell_nodes(group, &commands).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ResetParameterGroup {
    cache_parameter_group_name: String,
    #[serde(default)]
    reset_all_parameters: bool,
    #[serde(default)]
    parameter_name_values: Vec<NameValue>,
}

pub(in super::super) async fn reset(service: Service, call: &Call, input: ResetParameterGroup) -> Answer {
    let names: Vec<String> = input.parameter_name_values.into_iter().filter_map(|pair| pair.parameter_name).collect();
    if names.is_empty() != input.reset_all_parameters {
        let message = "Either ResetAllParameters or ParameterNameValues must be given, and not both.".to_owned();
        return Err(CacheFault::Combination(message));
    }
    let all = input.reset_all_parameters;
    let remove: Change = Box::new(move |group| group.values.retain(|name, _| !all && !names.contains(name)));
    change(&service, call, input.cache_parameter_group_name, remove).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeParameterGroups {
    cache_parameter_group_name: Option<String>,
    max_records: Option<usize>,
    marker: Option<String>,
}

pub(in super::super) async fn describe(service: Service, call: &Call, input: DescribeParameterGroups) -> Answer {
    let caches = service.caches.get();
    let none = Region::default();
    let region = caches.regions.get(&call.scope.region).unwrap_or(&none);
    let defaults = FAMILIES.iter().map(|family| format!("default.{family}"));
    let name = input.cache_parameter_group_name.map(|name| name.to_ascii_lowercase());
    let names = defaults.chain(region.parameter_groups.keys().cloned());
    let shown = names.filter(|known| name.as_ref().is_none_or(|name| name == known));
    let shown: Vec<Value> = shown.map(|name| views::parameter_group(&call.scope, region, &name)).collect();
    match name {
        Some(name) if shown.is_empty() => Err(CacheFault::NotFound(Kind::ParameterGroup, name)),
        _ => page("CacheParameterGroups", shown, input.max_records, input.marker.as_deref()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeParameters {
    cache_parameter_group_name: String,
    source: Option<String>,
    max_records: Option<usize>,
    marker: Option<String>,
}

pub(in super::super) async fn describe_parameters(service: Service, call: &Call, input: DescribeParameters) -> Answer {
    let caches = service.caches.get();
    let none = Region::default();
    let region = caches.regions.get(&call.scope.region).unwrap_or(&none);
    let name = input.cache_parameter_group_name.to_ascii_lowercase();
    let family = region.family_of(&name).ok_or_else(|| CacheFault::NotFound(Kind::ParameterGroup, name.clone()))?;
    let oldest = VERSIONS.iter().filter(|(_, _, of)| *of == family).map(|(_, version, _)| *version).min();
    let values = region.values(&name);
    let shown = PARAMETERS.iter().map(|parameter| {
        let own = values.get(parameter.name);
        json!({
            "ParameterName": parameter.name, "ParameterValue": own.map_or(parameter.default, String::as_str),
            "Description": parameter.description, "Source": if own.is_some() { "user" } else { "system" },
            "DataType": parameter.data_type(), "AllowedValues": parameter.allowed_values(), "IsModifiable": true,
            "MinimumEngineVersion": format!("{}.0", oldest.unwrap_or_default()), "ChangeType": "immediate",
        })
    });
    let shown = shown.filter(|view| input.source.as_ref().is_none_or(|source| view["Source"] == **source));
    page("Parameters", shown.collect(), input.max_records, input.marker.as_deref())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ParameterGroupOnly {
    cache_parameter_group_name: String,
}

pub(in super::super) async fn delete(service: Service, call: &Call, input: ParameterGroupOnly) -> Answer {
    let name = input.cache_parameter_group_name.to_ascii_lowercase();
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        if !region.parameter_groups.contains_key(&name) {
            return Err(not_changeable(&name));
        }
        if region.groups.values().any(|group| group.parameter_group == name) {
            return Err(CacheFault::InUse(Kind::ParameterGroup, name));
        }
        region.parameter_groups.remove(&name);
        region.tags.remove(&call.scope.arn("elasticache", format!("parametergroup:{name}")));
        Ok(json!({}))
    });
    changed.await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeEngineVersions {
    engine: Option<String>,
    engine_version: Option<String>,
    cache_parameter_group_family: Option<String>,
    #[serde(default)]
    default_only: bool,
    max_records: Option<usize>,
    marker: Option<String>,
}

pub(in super::super) async fn engine_versions(_: Service, _: &Call, input: DescribeEngineVersions) -> Answer {
    let is_default =
        |engine: &str, version: &str| versions::resolve(engine, None).is_some_and(|(default, _)| default == version);
    let wanted = VERSIONS.iter().filter(|(engine, version, family)| {
        input.engine.as_ref().is_none_or(|wanted| wanted == engine)
            && input.engine_version.as_ref().is_none_or(|wanted| wanted == version)
            && input.cache_parameter_group_family.as_ref().is_none_or(|wanted| wanted == family)
            && (!input.default_only || is_default(engine, version))
    });
    let shown = wanted.map(|(engine, version, family)| {
        let title = if *engine == "valkey" { "Valkey" } else { "Redis OSS" };
        json!({
            "Engine": engine, "EngineVersion": version, "CacheParameterGroupFamily": family, "CacheEngineDescription": title,
            "CacheEngineVersionDescription": format!("{} version {version}.0", title.to_lowercase()),
        })
    });
    page("CacheEngineVersions", shown.collect(), input.max_records, input.marker.as_deref())
}
