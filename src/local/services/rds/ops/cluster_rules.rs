//! AWS's rules for what a request says of a cluster. Pure.

use crate::fault::Fault;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::state::{Region, Scaling, key};
use crate::services::rds::versions::Version;

pub(super) fn check_scaling(scaling: &Scaling, version: &Version) -> Result<(), RdsFault> {
    let invalid = |text: String| Err(RdsFault::InvalidCombination(text));
    let (Some(min), Some(max)) = (scaling.min_capacity, scaling.max_capacity) else {
        return invalid("Both MinCapacity and MaxCapacity are required in ServerlessV2ScalingConfiguration.".into());
    };
    let step = |capacity: f64| (capacity * 2.0).fract() == 0.0;
    if !step(min) || !step(max) {
        return invalid("Serverless v2 capacity isn't valid. It must be a multiple of 0.5.".into());
    }
    if min < version.min_capacity() {
        return invalid(format!(
            "Serverless v2 minimum capacity {min} isn't valid. The minimum capacity must be greater than or equal to {}.",
            version.min_capacity()
        ));
    }
    if !(1.0..=256.0).contains(&max) || max < min {
        return invalid(format!(
            "Serverless v2 maximum capacity {max} isn't valid. It must be between 1 and 256 and not less than the minimum capacity."
        ));
    }
    match scaling.seconds_until_auto_pause {
        Some(_) if min > 0.0 => {
            invalid("SecondsUntilAutoPause can only be specified when the minimum capacity is 0.".into())
        }
        Some(seconds) if !(300..=86_400).contains(&seconds) => {
            invalid(format!("SecondsUntilAutoPause {seconds} isn't valid. It must be between 300 and 86400."))
        }
        _ => Ok(()),
    }
}

pub(super) fn known_group(region: &Region, name: Option<&str>, version: &Version) -> Result<String, RdsFault> {
    let Some(name) = name.filter(|name| *name != version.default_group()) else { return Ok(version.default_group()) };
    let group = region
        .cluster_parameters
        .get(&key(name))
        .ok_or_else(|| RdsFault::ParameterGroupNotFound { kind: "DBClusterParameterGroup", name: name.to_owned() })?;
    if group.family != version.family() {
        return Err(RdsFault::InvalidCombination(format!(
            "The Parameter Group {name} with DBParameterGroupFamily {} can't be used for this instance. Please use a Parameter Group with DBParameterGroupFamily {}",
            group.family,
            version.family()
        )));
    }
    Ok(group.name.clone())
}

pub(super) fn check_master(name: &str) -> Result<(), RdsFault> {
    let good = (1..=16).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = ["rdsadmin", "rdshealth", "root", "mysql", "rdsrepladmin", "rds_superuser_role", "public"];
    if !good {
        return Err(RdsFault::InvalidValue(format!(
            "The parameter MasterUsername is not valid: {name}. It must begin with a letter and hold 1 to 16 letters, numbers and underscores."
        )));
    }
    if reserved.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(RdsFault::InvalidValue(format!(
            "MasterUsername {name} cannot be used as it is a reserved word used by the engine"
        )));
    }
    Ok(())
}

pub(super) fn check_password(password: String) -> Result<String, RdsFault> {
    let printable = password.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | '@' | '"' | '\''));
    if !printable {
        return Err(RdsFault::InvalidValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.".into(),
        ));
    }
    if !(8..=41).contains(&password.len()) {
        return Err(RdsFault::InvalidValue(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 or longer than 41 characters.".into(),
        ));
    }
    Ok(password)
}

pub(super) fn check_database(name: &str) -> Result<(), RdsFault> {
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = ["mysql", "information_schema", "performance_schema", "sys"];
    if good && !reserved.contains(&name.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(RdsFault::InvalidValue(format!(
        "DatabaseName {name} is not valid: it must begin with a letter, contain only alphanumeric characters and underscores, and not be a reserved word."
    )))
}

pub(super) fn check_backup(days: u32) -> Result<(), RdsFault> {
    if (1..=35).contains(&days) {
        return Ok(());
    }
    Err(RdsFault::InvalidValue(format!("Invalid backup retention period: {days}. Must be between 1 and 35.")))
}

pub(super) fn exports(kinds: Vec<String>) -> Result<Vec<String>, RdsFault> {
    let known = ["audit", "error", "general", "slowquery"];
    match kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
        None if kinds.is_empty() => Ok(kinds),
        None => Err(Fault::unsupported("EnableCloudwatchLogsExports").into()),
        Some(kind) => Err(RdsFault::InvalidCombination(format!(
            "You cannot use the log types '{kind}' with engine version aurora-mysql."
        ))),
    }
}
