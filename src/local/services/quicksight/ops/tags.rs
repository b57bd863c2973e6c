//! Tags of assets, by ARN.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::QuickSight;
use super::super::faults::AssetFault;
use super::super::kind::Kind;
use super::super::state::named;
use super::input;
use crate::call::Call;

/// Tags of one asset.
const MOST: usize = 200;

pub(super) fn given(members: &Map<String, Value>) -> Result<BTreeMap<String, String>, AssetFault> {
    let given = members.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let pair =
        |tag: &Value| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str().unwrap_or_default().to_owned()));
    let tags: BTreeMap<String, String> = given.filter_map(pair).collect();
    if tags.len() > MOST {
        return Err(AssetFault::Invalid(format!("An asset has at most {MOST} tags.")));
    }
    Ok(tags)
}

fn place(call: &Call, members: &Map<String, Value>) -> Result<(Kind, String), AssetFault> {
    let arn = input::text(members, "ResourceArn")?;
    named(&call.scope, arn).ok_or_else(|| AssetFault::Invalid(format!("{arn} is not the ARN of an asset here.")))
}

pub(in super::super) async fn tag(service: &QuickSight, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&["ResourceArn", "Tags"]])?;
    let (kind, id) = place(call, members)?;
    let tags = given(members)?;
    service
        .shelf
        .change(|assets| {
            let asset = assets.find_mut(&call.scope, kind, &id)?;
            asset.tags.extend(tags);
            match asset.tags.len() {
                0..=MOST => Ok(json!({})),
                _ => Err(AssetFault::Invalid(format!("An asset has at most {MOST} tags."))),
            }
        })
        .await
}

pub(in super::super) async fn untag(service: &QuickSight, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&["ResourceArn", "TagKeys"]])?;
    let (kind, id) = place(call, members)?;
    let keys = members.get("TagKeys").and_then(Value::as_array).cloned().unwrap_or_default();
    service
        .shelf
        .change(|assets| {
            let asset = assets.find_mut(&call.scope, kind, &id)?;
            asset.tags.retain(|key, _| !keys.iter().any(|gone| gone == key));
            Ok(json!({}))
        })
        .await
}

pub(in super::super) async fn list(service: &QuickSight, call: &Call) -> Result<Value, AssetFault> {
    let members = input::members(call, &[&["ResourceArn"]])?;
    let (kind, id) = place(call, members)?;
    let assets = service.shelf.get();
    let tags = assets.find(&call.scope, kind, &id)?.tags.iter();
    let tags: Vec<Value> = tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"Tags": tags}))
}
