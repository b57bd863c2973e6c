//! Who may do what with an asset.

use serde_json::{Value, json};

use super::super::QuickSight;
use super::super::faults::AssetFault;
use super::super::kind::Kind;
use super::super::state::{Asset, Permission, arn};
use super::input;
use crate::call::Call;

fn view(kind: Kind, call: &Call, asset: &Asset) -> Value {
    let name = format!("{}Arn", kind.name());
    json!({name: arn(&call.scope, kind, &asset.id), kind.id(): asset.id, "Permissions": asset.permissions})
}

pub(in super::super) async fn describe(service: &QuickSight, kind: Kind, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&[kind.id()]])?;
    let assets = service.shelf.get();
    Ok(view(kind, call, assets.find(&call.scope, kind, input::text(members, kind.id())?)?))
}

pub(in super::super) async fn update(service: &QuickSight, kind: Kind, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&[kind.id(), "GrantPermissions", "RevokePermissions"]])?;
    let id = input::text(members, kind.id())?;
    let account = &call.scope.account;
    let granted = input::permissions(members, "GrantPermissions", account)?;
    let revoked = input::permissions(members, "RevokePermissions", account)?;
    service
        .shelf
        .change(|assets| {
            let asset = assets.find_mut(&call.scope, kind, id)?;
            revoked.iter().for_each(|permission| revoke(&mut asset.permissions, permission));
            granted.iter().for_each(|permission| grant(&mut asset.permissions, permission));
            Ok(view(kind, call, asset))
        })
        .await
}

fn grant(permissions: &mut Vec<Permission>, new: &Permission) {
    match permissions.iter_mut().find(|held| held.principal == new.principal) {
        Some(held) => {
            let more = new.actions.iter().filter(|action| !held.actions.contains(action)).cloned();
            let more: Vec<String> = more.collect();
            held.actions.extend(more);
        }
        None => permissions.push(new.clone()),
    }
}

fn revoke(permissions: &mut Vec<Permission>, gone: &Permission) {
    for held in permissions.iter_mut().filter(|held| held.principal == gone.principal) {
        held.actions.retain(|action| !gone.actions.contains(action));
    }
    permissions.retain(|held| !held.actions.is_empty());
}
