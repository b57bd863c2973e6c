//! Versions of dashboards.

use serde_json::{Value, json};

use super::super::QuickSight;
use super::super::faults::AssetFault;
use super::super::kind::Kind::Dashboard;
use super::super::state::arn;
use super::{assets, input, views};
use crate::call::Call;

pub(in super::super) async fn definition(service: &QuickSight, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&["DashboardId", "VersionNumber", "AliasName"]])?;
    let known = service.shelf.get();
    let dashboard = known.find(&call.scope, Dashboard, input::text(members, "DashboardId")?)?;
    let version = dashboard.version(assets::wanted_version(dashboard, members)?)?;
    let mut output = json!({
        "DashboardId": dashboard.id, "Name": dashboard.name, "ResourceStatus": version.status(),
    });
    for name in ["Definition", "ThemeArn", "DashboardPublishOptions"] {
        if let Some(value) = version.settings.get(name) {
            output[name] = value.clone();
        }
    }
    if !version.errors.is_empty() {
        output["Errors"] = json!(version.errors);
    }
    Ok(output)
}

pub(in super::super) async fn versions(service: &QuickSight, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&["DashboardId", "NextToken", "MaxResults"]])?;
    let known = service.shelf.get();
    let dashboard = known.find(&call.scope, Dashboard, input::text(members, "DashboardId")?)?;
    let (page, next) = assets::page(&dashboard.versions, members, |version| version.number.to_string())?;
    let page: Vec<Value> = page.iter().map(|version| views::version_summary(&call.scope, dashboard, version)).collect();
    Ok(json!({"DashboardVersionSummaryList": page, "NextToken": next}))
}

pub(in super::super) async fn publish(service: &QuickSight, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&["DashboardId", "VersionNumber"]])?;
    let id = input::text(members, "DashboardId")?;
    let number = input::number(members, "VersionNumber");
    let now = service.cloud.clock.now();
    service
        .shelf
        .change(|assets| {
            let dashboard = assets.find_mut(&call.scope, Dashboard, id)?;
            let version = dashboard.version(number)?;
            if !version.errors.is_empty() {
                return Err(AssetFault::Invalid(format!("Version {} has errors.", version.number)));
            }
            (dashboard.published, dashboard.published_at) = (version.number, Some(now));
            Ok(())
        })
        .await?;
    Ok(json!({"DashboardId": id, "DashboardArn": arn(&call.scope, Dashboard, id)}))
}
