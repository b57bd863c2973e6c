//! The account's subscription: the local cloud's account has one, so that a template finds what it finds in a prepared account.

use serde_json::{Value, json};

use super::super::QuickSight;
use super::super::faults::AssetFault;
use super::input;
use crate::call::Call;

pub(in super::super) async fn describe(_: &QuickSight, call: &Call) -> Result<Value, AssetFault> {
    input::members(call, &[])?;
    Ok(json!({"AccountInfo": {
        "AccountName": "local", "Edition": "ENTERPRISE", "AuthenticationType": "IAM_AND_QUICKSIGHT",
        "AccountSubscriptionStatus": "ACCOUNT_CREATED",
    }}))
}
