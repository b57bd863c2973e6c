//! How a function goes over from one revision to the next: calls go on to the old one until environments of the new one are
//! warm, then all at once to the new one, and the old environments end when their calls have. `LastUpdateStatus` is
//! `InProgress` meanwhile: <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>.

use std::sync::Arc;
use std::time::Duration;

use super::faults::LambdaFault;
use super::names::Target;
use super::state::{Function, Functions, Lambda, Version};
use crate::scope::Scope;
use crate::store::Shared;

/// With the disk failing, how long until the end of an update is recorded again.
const AGAIN: Duration = Duration::from_secs(1);

/// A change of `$LATEST` that has been recorded.
pub(super) struct Swap {
    next: Arc<Version>,
    /// How many environments there are to replace. None: there was nothing to wait for, and it is done.
    warm: usize,
}

impl Swap {
    /// Records the next revision of `$LATEST`; it is what calls get at once if no environment of the last one is there.
    pub(super) fn begin(lambda: &Lambda, function: &mut Function, next: Version) -> Self {
        let warm = lambda.fleet.warmth(&function.latest);
        let next = Shared::new(next);
        let swap = Swap { next: next.pointer(), warm };
        match warm {
            0 => function.latest = next,
            _ => function.next = Some(next),
        }
        swap
    }

    /// Warms the next revision in the background and lets calls go there.
    pub(super) fn go_on(self, lambda: &Arc<Lambda>, scope: &Scope, target: Target) {
        if self.warm > 0 {
            tokio::spawn(self.finish(lambda.clone(), scope.clone(), target));
        }
    }

    pub(super) async fn finish(self, lambda: Arc<Lambda>, scope: Scope, target: Target) {
        lambda.fleet.warm(&self.next, &lambda.code, self.warm).await;
        // The environments first: whoever reads the new status finds nothing but the new code.
        let retired = lambda.fleet.switch(&self.next);
        let recorded = loop {
            match self.record(&lambda, &scope, &target).await {
                Err(LambdaFault::Internal(error)) => {
                    tracing::error!(%error, function = target.name, "the end of an update cannot be recorded");
                    tokio::time::sleep(AGAIN).await;
                }
                recorded => break recorded.is_ok_and(|recorded| recorded),
            }
        };
        if !recorded {
            lambda.fleet.abandon(&self.next);
        }
        let Some(retired) = retired else { return };
        retired.gone().await;
        if let Err(error) = lambda.remove_unused_code().await {
            tracing::warn!(%error, "unused function code stays on disk");
        }
    }

    /// False: the function has been deleted meanwhile, and perhaps made again.
    async fn record(&self, lambda: &Lambda, scope: &Scope, target: &Target) -> Result<bool, LambdaFault> {
        let record = |function: &mut Function| {
            let next = function.next.take_if(|next| next.revision == self.next.revision);
            Ok(next.map(|next| function.latest = next).is_some())
        };
        lambda.change(scope, target, record).await
    }
}

/// Updates that a killed cloud was in the middle of: nothing is warm, so there is nothing to wait for.
pub(super) async fn finish_all(lambda: &Lambda) -> Result<(), LambdaFault> {
    let begun = |functions: &Functions| functions.values().flat_map(|here| here.values()).any(|f| f.next.is_some());
    if !begun(&lambda.functions.get()) {
        return Ok(());
    }
    let finish = |functions: &mut Functions| {
        for function in functions.values_mut().flat_map(|here| here.values_mut()).filter(|f| f.next.is_some()) {
            let function = function.own();
            function.latest = function.next.take().unwrap_or_else(|| function.latest.clone());
        }
        Ok(())
    };
    lambda.functions.change(finish).await
}
