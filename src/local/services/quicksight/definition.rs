//! What an asset refers to, looked up where it lives: subnets, a secret, a data source, the columns of a data set.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::QuickSight;
use super::faults::AssetFault;
use super::kind::Kind;
use super::state::{Assets, named};
use crate::call::Call;
use crate::scope::Scope;

/// Data sources that can be recorded, with the member that has their parameters.
const SOURCES: &[(&str, &str)] = &[
    ("ATHENA", "AthenaParameters"),
    ("AURORA", "AuroraParameters"),
    ("AURORA_POSTGRESQL", "AuroraPostgreSqlParameters"),
    ("MARIADB", "MariaDbParameters"),
    ("MYSQL", "MySqlParameters"),
    ("POSTGRESQL", "PostgreSqlParameters"),
];

/// What was found out about an asset.
#[derive(Default)]
pub(super) struct Checked {
    /// Members that describe shows and nobody gave.
    pub(super) found: Map<String, Value>,
    /// Of a dashboard: the ARNs of its data sets.
    pub(super) data_sets: Vec<String>,
    /// Of a dashboard: what is wrong with it, which does not keep it from being made.
    pub(super) errors: Vec<Value>,
}

fn invalid<T>(text: impl Into<String>) -> Result<T, AssetFault> {
    Err(AssetFault::Invalid(text.into()))
}

/// Checks the members of a create or update.
pub(super) async fn check(
    service: &QuickSight,
    kind: Kind,
    call: &Call,
    members: &Map<String, Value>,
) -> Result<Checked, AssetFault> {
    let member = |name: &str| members.get(name).unwrap_or(&Value::Null);
    match kind {
        Kind::VpcConnection => vpc_connection(service, &call.scope, member).await,
        Kind::DataSource => data_source(service, &call.scope, member).await,
        Kind::DataSet => data_set(&service.shelf.get(), &call.scope, member),
        Kind::Dashboard => dashboard(&service.shelf.get(), &call.scope, member),
    }
}

async fn vpc_connection<'m>(
    service: &QuickSight,
    scope: &Scope,
    member: impl Fn(&str) -> &'m Value,
) -> Result<Checked, AssetFault> {
    let count = |name: &str| member(name).as_array().map_or(0, Vec::len);
    if count("SubnetIds") < 2 {
        return invalid("SubnetIds must name at least two subnets.");
    }
    if count("SecurityGroupIds") == 0 {
        return invalid("SecurityGroupIds must name at least one security group.");
    }
    let ask = async |operation, input| {
        service.cloud.call(scope, "ec2", operation, input).await.map_err(AssetFault::Elsewhere)
    };
    let subnets = ask("DescribeSubnets", json!({"SubnetIds": member("SubnetIds")})).await?;
    ask("DescribeSecurityGroups", json!({"GroupIds": member("SecurityGroupIds")})).await?;
    let subnets = subnets["Subnets"].as_array().cloned().unwrap_or_default();
    let vpcs: BTreeSet<&str> = subnets.iter().filter_map(|subnet| subnet["VpcId"].as_str()).collect();
    let zones: BTreeSet<&str> = subnets.iter().filter_map(|subnet| subnet["AvailabilityZone"].as_str()).collect();
    if vpcs.len() != 1 || zones.len() < 2 {
        return invalid("The subnets must be in one VPC and in at least two Availability Zones.");
    }
    let role = member("RoleArn").as_str().unwrap_or_default();
    let name = role.rsplit('/').next().unwrap_or_default();
    let held = service.cloud.call(scope, "iam", "GetRole", json!({"RoleName": name})).await;
    held.map_err(AssetFault::Elsewhere)?;
    let found = json!({"VPCId": vpcs.first(), "NetworkInterfaces": []});
    Ok(Checked { found: object(found), ..Checked::default() })
}

async fn data_source<'m>(
    service: &QuickSight,
    scope: &Scope,
    member: impl Fn(&str) -> &'m Value,
) -> Result<Checked, AssetFault> {
    let kind = member("Type").as_str().unwrap_or_default();
    let Some((_, parameters)) = SOURCES.iter().find(|(known, _)| *known == kind) else {
        return Err(AssetFault::Unsupported(format!("data sources of the type {kind}")));
    };
    let given = member("DataSourceParameters").as_object();
    let names: Vec<&String> = given.into_iter().flat_map(Map::keys).collect();
    if names != [*parameters] {
        return invalid(format!("DataSourceParameters must have {parameters} and nothing else for the type {kind}."));
    }
    let mut found = json!({"Type": kind});
    let credentials = member("Credentials").as_object();
    for name in credentials.into_iter().flat_map(Map::keys) {
        if !["SecretArn", "CredentialPair"].contains(&name.as_str()) {
            return Err(AssetFault::Unsupported(format!("the parameter Credentials.{name} of data sources")));
        }
    }
    if let Some(secret) = member("Credentials")["SecretArn"].as_str() {
        let held = service.cloud.call(scope, "secretsmanager", "DescribeSecret", json!({"SecretId": secret})).await;
        held.map_err(AssetFault::Elsewhere)?;
        found["SecretArn"] = json!(secret);
    }
    if let Some(connection) = member("VpcConnectionProperties")["VpcConnectionArn"].as_str() {
        existing(&service.shelf.get(), scope, Kind::VpcConnection, connection)?;
    }
    Ok(Checked { found: object(found), ..Checked::default() })
}

fn data_set<'m>(assets: &Assets, scope: &Scope, member: impl Fn(&str) -> &'m Value) -> Result<Checked, AssetFault> {
    if member("ImportMode") == "SPICE" {
        return Err(AssetFault::Unsupported("SPICE: data sets are read directly, ImportMode DIRECT_QUERY".to_owned()));
    }
    let tables = member("PhysicalTableMap").as_object().filter(|tables| !tables.is_empty());
    let Some(tables) = tables else { return invalid("PhysicalTableMap must have a table.") };
    let mut columns = Vec::new();
    for (id, table) in tables {
        let (form, table) = match table.as_object().and_then(|forms| forms.iter().next()) {
            Some((form, table)) if form == "CustomSql" || form == "RelationalTable" => (form, table),
            Some((form, _)) => return Err(AssetFault::Unsupported(format!("tables of the form {form}"))),
            None => return invalid(format!("The table {id} says nothing.")),
        };
        existing(assets, scope, Kind::DataSource, table["DataSourceArn"].as_str().unwrap_or_default())?;
        let of_table = if form == "CustomSql" { "Columns" } else { "InputColumns" };
        let of_table = table[of_table].as_array().cloned().unwrap_or_default();
        if of_table.is_empty() {
            return invalid(format!("The table {id} has no columns."));
        }
        columns.extend(of_table.iter().map(|column| {
            // A data set knows fewer types than a source has.
            let kind = match column["Type"].as_str() {
                Some("BIT" | "BOOLEAN") => "INTEGER",
                Some("JSON") => "STRING",
                other => other.unwrap_or("STRING"),
            };
            json!({"Name": column["Name"], "Type": kind})
        }));
    }
    let found = json!({"OutputColumns": columns, "ConsumedSpiceCapacityInBytes": 0});
    Ok(Checked { found: object(found), ..Checked::default() })
}

fn dashboard<'m>(assets: &Assets, scope: &Scope, member: impl Fn(&str) -> &'m Value) -> Result<Checked, AssetFault> {
    let definition = member("Definition");
    if definition.is_null() {
        return Err(AssetFault::Unsupported("dashboards without a Definition".to_owned()));
    }
    let mut checked = Checked::default();
    // Identifier → the names of the columns, as far as the data set is there.
    let mut declared: BTreeMap<&str, Option<BTreeSet<String>>> = BTreeMap::new();
    for declaration in definition["DataSetIdentifierDeclarations"].as_array().into_iter().flatten() {
        let arn = declaration["DataSetArn"].as_str().unwrap_or_default();
        let known = named(scope, arn).and_then(|(kind, id)| assets.find(scope, kind, &id).ok());
        let columns = known.map(|data_set| {
            let columns = data_set.found.get("OutputColumns").and_then(Value::as_array);
            columns.into_iter().flatten().filter_map(|column| column["Name"].as_str().map(str::to_owned)).collect()
        });
        if columns.is_none() {
            checked.errors.push(json!({"Type": "DATA_SET_NOT_FOUND", "Message": format!("{arn} is not found.")}));
        }
        checked.data_sets.push(arn.to_owned());
        declared.insert(declaration["Identifier"].as_str().unwrap_or_default(), columns);
    }
    let calculated = definition["CalculatedFields"].as_array().into_iter().flatten();
    let calculated: BTreeSet<&str> = calculated.filter_map(|field| field["Name"].as_str()).collect();
    for (identifier, column) in columns_named(definition) {
        match declared.get(identifier) {
            None => return invalid(format!("The data set identifier {identifier} is not declared.")),
            Some(Some(columns)) if !columns.contains(column) && !calculated.contains(column) => {
                return invalid(format!("The data set {identifier} has no column {column}."));
            }
            Some(_) => {}
        }
    }
    Ok(checked)
}

/// Every column that a definition names, wherever: `{"DataSetIdentifier": …, "ColumnName": …}`.
fn columns_named(definition: &Value) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut left = vec![definition];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(members) => {
                if let (Some(identifier), Some(column)) =
                    (text(members, "DataSetIdentifier"), text(members, "ColumnName"))
                {
                    found.push((identifier, column));
                }
                left.extend(members.values());
            }
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    found
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

fn existing(assets: &Assets, scope: &Scope, kind: Kind, arn: &str) -> Result<(), AssetFault> {
    match named(scope, arn) {
        Some((found, id)) if found == kind => assets.find(scope, kind, &id).map(drop),
        _ => invalid(format!("{arn} is not the ARN of a {} of this account and region.", kind.name())),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
