//! Whether the caller may: `rds-data:*` on the cluster, and reading the secret.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::RdsData;
use super::faults::DataFault;
use crate::allowed::{Decision, decision};
use crate::call::Call;
use crate::scope::{Caller, Scope};

/// For how long an answer of IAM's holds. On AWS a change of a policy takes seconds as well.
const HOLDS: Duration = Duration::from_secs(2);
/// How many answers are kept.
const MOST: usize = 1000;

/// Principal, action, resource.
type Question = (String, String, String);

/// What IAM has allowed of late.
#[derive(Default)]
pub(super) struct Allowed(Mutex<HashMap<Question, Instant>>);

impl Allowed {
    fn holds(&self, question: &Question) -> bool {
        let allowed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        allowed.get(question).is_some_and(|since| since.elapsed() < HOLDS)
    }

    fn keep(&self, question: Question) {
        let mut allowed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if allowed.len() >= MOST {
            allowed.clear();
        }
        allowed.insert(question, Instant::now());
    }
}

/// Asks IAM as a client would ask it. Root may everything.
///
/// # Errors
/// The caller's policies do not allow it.
pub(super) async fn demand(data: &RdsData, call: &Call, action: &str, resource: &str) -> Result<(), DataFault> {
    let (principal, arn) = match &call.scope.caller {
        Caller::Root | Caller::Service { .. } => return Ok(()),
        Caller::Role { role_arn, arn } => (role_arn, arn.as_str()),
        Caller::User { arn, .. } => (arn, arn.as_str()),
        Caller::Anonymous => return Err(DataFault::Denied(format!("Nobody signed this call of {action}."))),
    };
    let question = (principal.clone(), action.to_owned(), resource.to_owned());
    if data.allowed.holds(&question) {
        return Ok(());
    }
    let scope = Scope::root(call.scope.region.clone());
    let why = match decision(&data.cloud, &scope, principal, (action, resource)).await? {
        Decision::Allowed => {
            data.allowed.keep(question);
            return Ok(());
        }
        Decision::Denied => "with an explicit deny in an identity-based policy".to_owned(),
        Decision::NotAllowed => format!("because no identity-based policy allows the {action} action"),
    };
    Err(DataFault::Denied(format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {why}")))
}
