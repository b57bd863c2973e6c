//! The one way in which a provider waits for what it asked for.

use std::time::Duration;

use tokio::time::Instant;

use super::outcome::ResourceFault;

/// How long a thing may take to come or go; how soon it is looked at first, and how seldom at last.
const PATIENCE: Duration = Duration::from_secs(180);
const FIRST: Duration = Duration::from_millis(5);
const LAST: Duration = Duration::from_millis(100);

/// What one look found.
pub enum Look<T> {
    Settled(T),
    /// It is still so: `creating`.
    Still(String),
}

/// Looks again and again until `what` has settled.
///
/// # Errors
/// What a look says; `NotStabilized` when the time is up.
pub async fn until<T, F>(what: &str, look: impl FnMut() -> F) -> Result<T, ResourceFault>
where
    F: Future<Output = Result<Look<T>, ResourceFault>>,
{
    within(PATIENCE, what, look).await
}

async fn within<T, F>(patience: Duration, what: &str, mut look: impl FnMut() -> F) -> Result<T, ResourceFault>
where
    F: Future<Output = Result<Look<T>, ResourceFault>>,
{
    let deadline = Instant::now() + patience;
    let mut pause = FIRST;
    loop {
        match look().await? {
            Look::Settled(found) => return Ok(found),
            Look::Still(status) if Instant::now() > deadline => {
                return Err(ResourceFault::not_stabilized(format!("{what} is still {status}")));
            }
            Look::Still(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LAST);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::time::Duration;

    use super::{Look, until, within};

    #[tokio::test]
    async fn a_wait_ends_with_the_answer_or_with_its_time() {
        let mut looks = 0;
        let look = || {
            looks += 1;
            ready(Ok(if looks < 3 { Look::Still("creating".into()) } else { Look::Settled(looks) }))
        };
        assert_eq!(until("It", look).await, Ok(3));
        let still = || ready(Ok(Look::<()>::Still("creating".into())));
        let late = within(Duration::ZERO, "It", still).await.unwrap_err();
        assert_eq!((late.handler_code, late.fault.message.as_str()), ("NotStabilized", "It is still creating"));
    }
}
