//! Assets as describe and list show them.

use serde_json::{Map, Value, json};

use super::super::kind::Kind;
use super::super::state::{Asset, Version, arn, time};
use crate::scope::Scope;

fn with<'a>(mut view: Value, members: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Value {
    if let Value::Object(view) = &mut view {
        view.extend(members.into_iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    view
}

/// What every view of an asset has.
fn common(scope: &Scope, kind: Kind, asset: &Asset) -> Value {
    json!({
        kind.id(): asset.id, "Arn": arn(scope, kind, &asset.id), "Name": asset.name,
        "CreatedTime": time(asset.created), "LastUpdatedTime": time(asset.updated),
    })
}

/// As `Describe…` shows it; of a dashboard with one of its versions.
pub(super) fn whole(scope: &Scope, kind: Kind, asset: &Asset, version: Option<&Version>) -> Value {
    let view = common(scope, kind, asset);
    let shown = |name: &&String| !matches!(name.as_str(), "SubnetIds" | "Credentials");
    let settings = asset.settings.iter().filter(|(name, _)| shown(name));
    match kind {
        Kind::VpcConnection => {
            let mut view = with(with(view, settings), &asset.found);
            view["Status"] = json!(asset.status());
            view["AvailabilityStatus"] = json!("AVAILABLE");
            view
        }
        Kind::DataSource => {
            let mut view = with(with(view, settings), &asset.found);
            view["Status"] = json!(asset.status());
            view
        }
        Kind::DataSet => with(with(view, settings), &asset.found),
        Kind::Dashboard => {
            let mut view = view;
            if let Some(at) = asset.published_at {
                view["LastPublishedTime"] = time(at);
            }
            if let Some(version) = version {
                view["Version"] = version_view(scope, asset, version);
            }
            view
        }
    }
}

/// As lists show it.
pub(super) fn summary(scope: &Scope, kind: Kind, asset: &Asset) -> Value {
    match kind {
        Kind::VpcConnection => whole(scope, kind, asset, None),
        Kind::DataSource => {
            let mut view = common(scope, kind, asset);
            view["Type"] = asset.found.get("Type").cloned().unwrap_or_default();
            view
        }
        Kind::DataSet => {
            let mut view = common(scope, kind, asset);
            view["ImportMode"] = asset.settings.get("ImportMode").cloned().unwrap_or_default();
            view
        }
        Kind::Dashboard => {
            let mut view = whole(scope, kind, asset, None);
            view["PublishedVersionNumber"] = json!(asset.published);
            view
        }
    }
}

/// One version, as `DescribeDashboard` shows it.
fn version_view(scope: &Scope, asset: &Asset, version: &Version) -> Value {
    let mut view = version_summary(scope, asset, version);
    view["DataSetArns"] = json!(version.data_sets);
    if !version.errors.is_empty() {
        view["Errors"] = json!(version.errors);
    }
    if let Some(theme) = version.settings.get("ThemeArn") {
        view["ThemeArn"] = theme.clone();
    }
    let sheets = version.settings.get("Definition").and_then(|definition| definition["Sheets"].as_array());
    let sheets = sheets.into_iter().flatten().map(|sheet| {
        let members = ["SheetId", "Name"].into_iter();
        Value::Object(
            members.filter_map(|name| Some((name.to_owned(), sheet.get(name)?.clone()))).collect::<Map<_, _>>(),
        )
    });
    view["Sheets"] = sheets.collect();
    view
}

/// One version, as lists show it.
pub(super) fn version_summary(scope: &Scope, asset: &Asset, version: &Version) -> Value {
    let mut view = json!({
        "Arn": version.arn(scope, &asset.id), "VersionNumber": version.number, "Status": version.status(),
        "CreatedTime": time(version.created),
    });
    if let Some(description) = version.settings.get("VersionDescription") {
        view["Description"] = description.clone();
    }
    view
}
