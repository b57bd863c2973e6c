//! Parameter groups of clusters and of instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{self, Filter, Nothing, Tag, answer, listing, page};
use super::quotas::Quota;
use crate::call::Call;
use crate::fault::Fault;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::lifecycle;
use crate::services::rds::parameters::{PARAMETERS, Parameter};
use crate::services::rds::state::{ParameterGroup, Rds, Region, key};
use crate::services::rds::versions::FAMILIES;
use crate::services::rds::views;

/// Which kind of group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cluster,
    Instance,
}

impl Kind {
    fn groups(self, region: &Region) -> &BTreeMap<String, ParameterGroup> {
        match self {
            Kind::Cluster => &region.cluster_parameters,
            Kind::Instance => &region.instance_parameters,
        }
    }

    fn groups_mut(self, region: &mut Region) -> &mut BTreeMap<String, ParameterGroup> {
        match self {
            Kind::Cluster => &mut region.cluster_parameters,
            Kind::Instance => &mut region.instance_parameters,
        }
    }

    fn quota(self) -> Quota {
        match self {
            Kind::Cluster => Quota::ClusterParameterGroups,
            Kind::Instance => Quota::ParameterGroups,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Cluster => ("DBCluster", "cluster-pg"),
            Kind::Instance => ("DB", "pg"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Cluster => "DBClusterParameterGroup",
            Kind::Instance => "DBParameterGroup",
        }
    }

    /// A group of the region, or one of the families' defaults, which are there without being made.
    fn find(self, region: &Region, name: &str) -> Result<ParameterGroup, RdsFault> {
        if let Some(family) = FAMILIES.iter().find(|family| name == format!("default.{family}")) {
            return Ok(ParameterGroup {
                name: name.to_owned(),
                family: (*family).to_owned(),
                description: format!("Default parameter group for {family}"),
                values: BTreeMap::new(),
                tags: BTreeMap::new(),
            });
        }
        let missing = || RdsFault::ParameterGroupNotFound { kind: self.name(), name: name.to_owned() };
        self.groups(region).get(&key(name)).cloned().ok_or_else(missing)
    }

    fn find_own<'a>(self, region: &'a mut Region, name: &str) -> Result<&'a mut ParameterGroup, RdsFault> {
        if name.starts_with("default.") {
            return Err(RdsFault::InvalidValue(format!("Default {} cannot be modified: {name}", self.name())));
        }
        let missing = || RdsFault::ParameterGroupNotFound { kind: self.name(), name: name.to_owned() };
        self.groups_mut(region).get_mut(&key(name)).ok_or_else(missing)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Create {
    #[serde(alias = "DBClusterParameterGroupName", alias = "DBParameterGroupName")]
    name: String,
    #[serde(rename = "DBParameterGroupFamily")]
    family: String,
    description: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// CreateDBClusterParameterGroup.
pub(crate) async fn create_cluster(rds: Arc<Rds>, call: &Call, input: Create) -> Result<Value, RdsFault> {
    create(&rds, call, input, Kind::Cluster).await
}

/// CreateDBParameterGroup.
pub(crate) async fn create_instance(rds: Arc<Rds>, call: &Call, input: Create) -> Result<Value, RdsFault> {
    create(&rds, call, input, Kind::Instance).await
}

async fn create(rds: &Rds, call: &Call, input: Create, kind: Kind) -> Result<Value, RdsFault> {
    let name = input.name.to_ascii_lowercase();
    let good = (1..=255).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
        && !name.ends_with('-')
        && !name.contains("--");
    if !good || name.starts_with("default.") {
        return Err(RdsFault::InvalidValue(format!(
            "The parameter {}Name is not a valid identifier: {name}",
            kind.name()
        )));
    }
    if !FAMILIES.contains(&input.family.as_str()) {
        return Err(RdsFault::InvalidValue(format!(
            "ParameterGroupFamily {} is not a valid parameter group family",
            input.family
        )));
    }
    let group = ParameterGroup {
        name: name.clone(),
        family: input.family,
        description: input.description,
        values: BTreeMap::new(),
        tags: check::tags(input.tags),
    };
    let view = views::parameter_group(&call.scope, kind.words(), &group);
    rds.change(&call.scope, |region| {
        if kind.groups(region).contains_key(&name) {
            return Err(RdsFault::ParameterGroupExists(name));
        }
        kind.quota().check(region)?;
        kind.groups_mut(region).insert(name, group);
        Ok(())
    })
    .await?;
    Ok(answer(kind.name(), view))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Describe {
    #[serde(alias = "DBClusterParameterGroupName", alias = "DBParameterGroupName")]
    name: Option<String>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    max_records: Option<u32>,
    marker: Option<String>,
}

/// DescribeDBClusterParameterGroups.
pub(crate) async fn describe_cluster(rds: Arc<Rds>, call: &Call, input: Describe) -> Result<Value, RdsFault> {
    describe(&rds, call, input, Kind::Cluster)
}

/// DescribeDBParameterGroups.
pub(crate) async fn describe_instance(rds: Arc<Rds>, call: &Call, input: Describe) -> Result<Value, RdsFault> {
    describe(&rds, call, input, Kind::Instance)
}

fn describe(rds: &Rds, call: &Call, input: Describe, kind: Kind) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    let mut found = match &input.name {
        Some(name) => vec![kind.find(&region, name)?],
        None => {
            let defaults = FAMILIES.iter().map(|family| kind.find(&region, &format!("default.{family}")));
            let mut all: Vec<ParameterGroup> = defaults.collect::<Result<_, _>>()?;
            all.extend(kind.groups(&region).values().cloned());
            all
        }
    };
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let (kept, next) = page(found, |group| group.name.clone(), input.marker.as_deref(), input.max_records)?;
    let views = kept.iter().map(|group| views::parameter_group(&call.scope, kind.words(), group)).collect();
    Ok(listing(&format!("{}s", kind.name()), views, next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Setting {
    parameter_name: String,
    parameter_value: Option<String>,
    apply_method: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Modify {
    #[serde(alias = "DBClusterParameterGroupName", alias = "DBParameterGroupName")]
    name: String,
    parameters: Vec<Setting>,
}

/// ModifyDBClusterParameterGroup. Dynamic parameters are in force when it answers.
pub(crate) async fn modify_cluster(rds: Arc<Rds>, call: &Call, input: Modify) -> Result<Value, RdsFault> {
    modify(&rds, call, input, Kind::Cluster).await
}

/// ModifyDBParameterGroup. Here parameters are the cluster's; an instance's own have no engine to go to.
pub(crate) async fn modify_instance(rds: Arc<Rds>, call: &Call, input: Modify) -> Result<Value, RdsFault> {
    modify(&rds, call, input, Kind::Instance).await
}

async fn modify(rds: &Rds, call: &Call, input: Modify, kind: Kind) -> Result<Value, RdsFault> {
    if kind == Kind::Instance && !input.parameters.is_empty() {
        return Err(
            Fault::unsupported("parameters of a DBParameterGroup; set them in the DBClusterParameterGroup").into()
        );
    }
    if input.parameters.len() > 20 {
        return Err(RdsFault::InvalidValue("A maximum of 20 parameters can be modified in a single request.".into()));
    }
    let (mut values, mut changed) = (BTreeMap::new(), BTreeMap::new());
    for setting in input.parameters {
        let name = setting.parameter_name;
        let parameter = Parameter::find(&name)
            .ok_or_else(|| RdsFault::InvalidValue(format!("Could not find parameter with name: {name}")))?;
        let value = setting.parameter_value.unwrap_or_default();
        if !parameter.allows(&value) {
            return Err(RdsFault::InvalidValue(format!(
                "Invalid parameter value: {value} for: {name} allowed values are: {}",
                parameter.allowed
            )));
        }
        if !parameter.dynamic && setting.apply_method.as_deref() == Some("immediate") {
            return Err(RdsFault::InvalidCombination(format!(
                "cannot use immediate apply method for static parameter: {name}"
            )));
        }
        if parameter.dynamic {
            changed.insert(name.clone(), value.clone());
        }
        values.insert(name, value);
    }
    rds.change(&call.scope, |region| {
        kind.find_own(region, &input.name)?.values.extend(values);
        Ok(())
    })
    .await?;
    users(rds, call, &input.name, &changed).await?;
    Ok(json!({format!("{}Name", kind.name()): key(&input.name)}))
}

/// Puts the changes into force in every cluster that has the group.
async fn users(rds: &Rds, call: &Call, group: &str, changed: &BTreeMap<String, String>) -> Result<(), RdsFault> {
    let group = key(group);
    let region = rds.region(&call.scope);
    for cluster in region.clusters.values().filter(|cluster| cluster.parameter_group == group) {
        lifecycle::refresh(rds, &call.scope, &cluster.identifier, changed).await?;
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Reset {
    #[serde(alias = "DBClusterParameterGroupName", alias = "DBParameterGroupName")]
    name: String,
    reset_all_parameters: Option<bool>,
    #[serde(default)]
    parameters: Vec<Setting>,
}

/// ResetDBClusterParameterGroup. What the engine itself has goes back at its next start.
pub(crate) async fn reset_cluster(rds: Arc<Rds>, call: &Call, input: Reset) -> Result<Value, RdsFault> {
    reset(&rds, call, input, Kind::Cluster).await
}

/// ResetDBParameterGroup.
pub(crate) async fn reset_instance(rds: Arc<Rds>, call: &Call, input: Reset) -> Result<Value, RdsFault> {
    reset(&rds, call, input, Kind::Instance).await
}

async fn reset(rds: &Rds, call: &Call, input: Reset, kind: Kind) -> Result<Value, RdsFault> {
    rds.change(&call.scope, |region| {
        let group = kind.find_own(region, &input.name)?;
        if input.reset_all_parameters == Some(true) {
            group.values.clear();
        }
        for setting in &input.parameters {
            group.values.remove(&setting.parameter_name);
        }
        Ok(())
    })
    .await?;
    users(rds, call, &input.name, &BTreeMap::new()).await?;
    Ok(json!({format!("{}Name", kind.name()): key(&input.name)}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Parameters {
    #[serde(alias = "DBClusterParameterGroupName", alias = "DBParameterGroupName")]
    name: String,
    source: Option<String>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    max_records: Option<u32>,
    marker: Option<String>,
}

/// DescribeDBClusterParameters.
pub(crate) async fn list_cluster(rds: Arc<Rds>, call: &Call, input: Parameters) -> Result<Value, RdsFault> {
    let group = Kind::Cluster.find(&rds.region(&call.scope), &input.name)?;
    let source = |parameter: &Parameter| {
        if group.values.contains_key(parameter.name) {
            "user"
        } else if parameter.default_in(&group.family).is_some() {
            "system"
        } else {
            "engine-default"
        }
    };
    let found: Vec<&Parameter> = PARAMETERS
        .iter()
        .filter(|parameter| input.source.as_deref().is_none_or(|wanted| wanted == source(parameter)))
        .collect();
    let (kept, next) = page(found, |parameter| parameter.name.to_owned(), input.marker.as_deref(), input.max_records)?;
    let views = kept.into_iter().map(|parameter| {
        let mut view = json!({
            "ParameterName": parameter.name,
            "Description": parameter.description,
            "Source": source(parameter),
            "ApplyType": if parameter.dynamic { "dynamic" } else { "static" },
            "DataType": parameter.data_type,
            "IsModifiable": true,
            "ApplyMethod": if parameter.dynamic { "immediate" } else { "pending-reboot" },
            "SupportedEngineModes": ["provisioned"],
        });
        let value =
            group.values.get(parameter.name).map(String::as_str).or_else(|| parameter.default_in(&group.family));
        if let Some(value) = value {
            view["ParameterValue"] = value.into();
        }
        if !parameter.allowed.is_empty() {
            view["AllowedValues"] = parameter.allowed.into();
        }
        view
    });
    Ok(listing("Parameters", views.collect(), next))
}

/// DescribeDBParameters: an instance's group has none here.
pub(crate) async fn list_instance(rds: Arc<Rds>, call: &Call, input: Parameters) -> Result<Value, RdsFault> {
    Kind::Instance.find(&rds.region(&call.scope), &input.name)?;
    Ok(listing("Parameters", Vec::new(), None))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Delete {
    #[serde(alias = "DBClusterParameterGroupName", alias = "DBParameterGroupName")]
    name: String,
}

/// DeleteDBClusterParameterGroup.
pub(crate) async fn delete_cluster(rds: Arc<Rds>, call: &Call, input: Delete) -> Result<Nothing, RdsFault> {
    delete(&rds, call, &input.name, Kind::Cluster).await
}

/// DeleteDBParameterGroup.
pub(crate) async fn delete_instance(rds: Arc<Rds>, call: &Call, input: Delete) -> Result<Nothing, RdsFault> {
    delete(&rds, call, &input.name, Kind::Instance).await
}

async fn delete(rds: &Rds, call: &Call, name: &str, kind: Kind) -> Result<Nothing, RdsFault> {
    if name.starts_with("default.") {
        return Err(RdsFault::ParameterGroupState(format!("Default {} cannot be deleted: {name}", kind.name())));
    }
    rds.change(&call.scope, |region| {
        kind.find_own(region, name)?;
        let name = key(name);
        let in_use = match kind {
            Kind::Cluster => region.clusters.values().any(|cluster| cluster.parameter_group == name),
            Kind::Instance => region.instances.values().any(|instance| instance.parameter_group == name),
        };
        if in_use {
            return Err(RdsFault::ParameterGroupState(format!(
                "One or more database instances are still members of this parameter group {name}, so the group cannot be deleted"
            )));
        }
        kind.groups_mut(region).remove(&name);
        Ok(Nothing {})
    })
    .await
}
