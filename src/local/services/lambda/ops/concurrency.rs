//! Reserved concurrency and the account's limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::invoke::ACCOUNT_CONCURRENCY;
use super::{Named, Nothing};
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::Target;
use crate::services::lambda::state::Lambda;

/// What must be left for functions without a reservation.
const LEAST_UNRESERVED: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Put {
    function_name: String,
    reserved_concurrent_executions: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Concurrency {
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_concurrent_executions: Option<u32>,
}

/// PutFunctionConcurrency.
pub(crate) async fn put(lambda: Arc<Lambda>, call: &Call, input: Put) -> Result<Concurrency, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    let functions = lambda.functions.get();
    let others = functions.get(&call.scope.region).into_iter().flatten().filter(|(name, _)| **name != target.name);
    let others: u32 = others.filter_map(|(_, function)| function.reserved).sum();
    let wanted = input.reserved_concurrent_executions;
    if wanted.saturating_add(others) > ACCOUNT_CONCURRENCY - LEAST_UNRESERVED {
        return Err(LambdaFault::invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below \
             its minimum value of [{LEAST_UNRESERVED}]."
        )));
    }
    lambda
        .change(&call.scope, &target, |function| {
            function.reserved = Some(wanted);
            Ok(())
        })
        .await?;
    Ok(Concurrency { reserved_concurrent_executions: Some(wanted) })
}

/// GetFunctionConcurrency.
pub(crate) async fn get(lambda: Arc<Lambda>, call: &Call, input: Named) -> Result<Concurrency, LambdaFault> {
    let function = lambda.function(&call.scope, &Target::unqualified(&input.function_name)?)?;
    Ok(Concurrency { reserved_concurrent_executions: function.reserved })
}

/// DeleteFunctionConcurrency.
pub(crate) async fn delete(lambda: Arc<Lambda>, call: &Call, input: Named) -> Result<Nothing, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    lambda
        .change(&call.scope, &target, |function| {
            function.reserved = None;
            Ok(())
        })
        .await?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Account {
    account_limit: Limit,
    account_usage: Usage,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Limit {
    total_code_size: u64,
    code_size_unzipped: u64,
    code_size_zipped: u64,
    concurrent_executions: u32,
    unreserved_concurrent_executions: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    total_code_size: u64,
    function_count: usize,
}

/// GetAccountSettings.
pub(crate) async fn account(lambda: Arc<Lambda>, call: &Call, _input: Empty) -> Result<Account, LambdaFault> {
    let functions = lambda.functions.get();
    let here: Vec<_> = functions.get(&call.scope.region).into_iter().flat_map(BTreeMap::values).collect();
    let reserved: u32 = here.iter().filter_map(|function| function.reserved).sum();
    Ok(Account {
        account_limit: Limit {
            total_code_size: 80_530_636_800,
            code_size_unzipped: 262_144_000,
            code_size_zipped: 52_428_800,
            concurrent_executions: ACCOUNT_CONCURRENCY,
            unreserved_concurrent_executions: ACCOUNT_CONCURRENCY.saturating_sub(reserved),
        },
        account_usage: Usage {
            total_code_size: here
                .iter()
                .flat_map(|function| function.all_versions())
                .map(|version| version.code.size)
                .sum(),
            function_count: here.len(),
        },
    })
}
