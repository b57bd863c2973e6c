//! Create, update, describe, delete and list: the same for every kind of asset.

use serde_json::{Map, Value, json};

use super::super::QuickSight;
use super::super::definition::{self, Checked};
use super::super::faults::AssetFault;
use super::super::kind::Kind;
use super::super::state::{Asset, Version, arn};
use super::{input, tags, views};
use crate::call::Call;
use crate::clock::Timestamp;

/// Assets on one page of a list.
const PAGE: usize = 100;

pub(in super::super) async fn create(service: &QuickSight, kind: Kind, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&[kind.id(), "Name"], kind.settings(), kind.given_once()])?;
    let id = input::id(members, kind.id())?;
    let checked = definition::check(service, kind, call, members).await?;
    let now = service.cloud.clock.now();
    let mut asset = Asset {
        id: id.clone(),
        name: input::text(members, "Name")?.to_owned(),
        settings: Map::new(),
        found: Map::new(),
        permissions: input::permissions(members, "Permissions", &call.scope.account)?,
        tags: tags::given(members)?,
        created: now,
        updated: now,
        changed: false,
        versions: Vec::new(),
        published: 1,
        published_at: (kind == Kind::Dashboard).then_some(now),
    };
    asset.take(kind, members, checked, now);
    let output = changed(kind, call, &asset, "CreationStatus");
    service.shelf.change(|assets| assets.add(&call.scope, kind, asset)).await?;
    if kind == Kind::Dashboard {
        tracing::warn!(dashboard = id, "a dashboard is recorded; nothing here draws it");
    }
    Ok(output)
}

pub(in super::super) async fn update(service: &QuickSight, kind: Kind, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&[kind.id(), "Name"], kind.settings()])?;
    let id = input::text(members, kind.id())?;
    let known = service.shelf.get();
    let found = known.find(&call.scope, kind, id)?.found.clone();
    // The type of a data source is given once, and tells which parameters it takes.
    let mut whole = members.clone();
    whole.extend(found.get("Type").map(|of| ("Type".to_owned(), of.clone())));
    let checked = definition::check(service, kind, call, &whole).await?;
    let name = input::text(members, "Name")?.to_owned();
    let now = service.cloud.clock.now();
    service
        .shelf
        .change(|assets| {
            let asset = assets.find_mut(&call.scope, kind, id)?;
            (asset.name, asset.updated, asset.changed) = (name, now, true);
            asset.take(kind, &whole, checked, now);
            let status = if kind == Kind::Dashboard { "CreationStatus" } else { "UpdateStatus" };
            Ok(changed(kind, call, asset, status))
        })
        .await
}

impl Asset {
    /// Becomes what the members say. A dashboard gets another version; it is published by itself.
    fn take(&mut self, kind: Kind, members: &Map<String, Value>, checked: Checked, now: Timestamp) {
        let settings = kind.settings().iter().filter(|name| **name != "Credentials");
        let settings: Map<String, Value> =
            settings.filter_map(|name| Some(((*name).to_owned(), members.get(*name)?.clone()))).collect();
        let Checked { found, data_sets, errors } = checked;
        self.found = found;
        if kind != Kind::Dashboard {
            self.settings = settings;
            return;
        }
        let number = self.versions.last().map_or(1, |version| version.number + 1);
        self.versions.push(Version { number, settings, data_sets, errors, created: now });
    }
}

/// What a create or update answers. AWS goes on in the background; here it is done.
fn changed(kind: Kind, call: &Call, asset: &Asset, status: &str) -> Value {
    let mut output = json!({"Arn": arn(&call.scope, kind, &asset.id), kind.id(): asset.id});
    let begun = if status == "UpdateStatus" { "UPDATE_IN_PROGRESS" } else { "CREATION_IN_PROGRESS" };
    match kind {
        Kind::DataSet => output["Status"] = json!(if status == "UpdateStatus" { 200 } else { 201 }),
        _ => {
            output[status] = json!(begun);
            output["Status"] = json!(202);
        }
    }
    match (kind, asset.versions.last()) {
        (Kind::VpcConnection, _) => output["AvailabilityStatus"] = json!("AVAILABLE"),
        (Kind::Dashboard, Some(version)) => output["VersionArn"] = json!(version.arn(&call.scope, &asset.id)),
        _ => {}
    }
    output
}

pub(in super::super) async fn describe(service: &QuickSight, kind: Kind, call: &Call) -> Result<Value, AssetFault> {
    let versions: &[&str] = if kind == Kind::Dashboard { &["VersionNumber", "AliasName"] } else { &[] };
    let members = input::members(call, &[&[kind.id()], versions])?;
    let assets = service.shelf.get();
    let asset = assets.find(&call.scope, kind, input::text(members, kind.id())?)?;
    let version = match kind {
        Kind::Dashboard => Some(asset.version(wanted_version(asset, members)?)?),
        _ => None,
    };
    Ok(json!({kind.name(): views::whole(&call.scope, kind, asset, version)}))
}

/// The version that a call names by its number or as an alias.
pub(super) fn wanted_version(asset: &Asset, members: &Map<String, Value>) -> Result<Option<i64>, AssetFault> {
    match members.get("AliasName").and_then(Value::as_str) {
        None | Some("$PUBLISHED") => Ok(input::number(members, "VersionNumber")),
        Some("$LATEST") => Ok(asset.versions.last().map(|version| version.number)),
        Some(alias) => Err(AssetFault::Invalid(format!("There is no alias {alias}."))),
    }
}

pub(in super::super) async fn delete(service: &QuickSight, kind: Kind, call: &Call) -> Result<Value, AssetFault> {
    let versions: &[&str] = if kind == Kind::Dashboard { &["VersionNumber"] } else { &[] };
    let members = input::members(call, &[&[kind.id()], versions])?;
    let id = input::text(members, kind.id())?;
    let version = input::number(members, "VersionNumber");
    service
        .shelf
        .change(|assets| match version {
            None => assets.remove(&call.scope, kind, id),
            Some(number) => {
                let dashboard = assets.find_mut(&call.scope, kind, id)?;
                dashboard.version(Some(number))?;
                if number == dashboard.published {
                    return Err(AssetFault::Published(number));
                }
                dashboard.versions.retain(|version| version.number != number);
                Ok(())
            }
        })
        .await?;
    let mut output = json!({"Arn": arn(&call.scope, kind, id), kind.id(): id});
    if kind == Kind::VpcConnection {
        output["DeletionStatus"] = json!("DELETION_IN_PROGRESS");
        output["AvailabilityStatus"] = json!("UNAVAILABLE");
    }
    Ok(output)
}

pub(in super::super) async fn list(service: &QuickSight, kind: Kind, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&["NextToken", "MaxResults"]])?;
    let assets = service.shelf.get();
    let all: Vec<&Asset> = assets.of(&call.scope, kind).collect();
    let (page, next) = page(&all, members, |asset| asset.id.clone())?;
    let summaries: Vec<Value> = page.iter().map(|asset| views::summary(&call.scope, kind, asset)).collect();
    let mut output = json!({kind.summaries(): summaries});
    output["NextToken"] = json!(next);
    Ok(output)
}

/// A page of what is sorted by `key`; the token of the next is the key of this one's last.
pub(super) fn page<'a, T>(
    all: &'a [T],
    members: &Map<String, Value>,
    key: impl Fn(&T) -> String,
) -> Result<(&'a [T], Option<String>), AssetFault> {
    let most = input::number(members, "MaxResults").unwrap_or(PAGE as i64);
    let most = usize::try_from(most).ok().filter(|most| (1..=PAGE).contains(most));
    let most = most.ok_or_else(|| AssetFault::Invalid(format!("MaxResults must be from 1 to {PAGE}.")))?;
    let start = match members.get("NextToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => 1 + all.iter().position(|item| key(item) == token).ok_or(AssetFault::InvalidNextToken)?,
    };
    let page = &all[start..all.len().min(start + most)];
    let next = page.last().filter(|_| start + page.len() < all.len()).map(key);
    Ok((page, next))
}
