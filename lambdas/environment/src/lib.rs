//! What Lambda gives a function (AWS: lambda/latest/dg/configuration-envvars, lambda/latest/dg/runtimes-api).

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use lambda_runtime::Context;
use tokio::time::Instant;

/// A variable that must be there; the error names it.
pub fn required(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("the environment variable {name} is missing"))
}

/// The keys of the function's role. They outlive this process: Lambda ends it before they expire.
pub fn credentials() -> Result<Credentials, String> {
    let token = env::var("AWS_SESSION_TOKEN").ok();
    let (id, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
    Ok(Credentials::new(id, secret, token, None, "environment"))
}

/// When an invocation's work must be done, if `reserve` of its time is kept for the answer.
pub fn until(context: &Context, reserve: Duration) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::now() + Duration::from_millis(context.deadline).saturating_sub(now).saturating_sub(reserve)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        assert_eq!(required("NOBODY_SET_THIS").unwrap_err(), "the environment variable NOBODY_SET_THIS is missing");
    }

    #[test]
    fn the_reserve_is_taken_off_and_a_deadline_that_is_past_leaves_nothing() {
        let mut context = Context::default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        context.deadline = u64::try_from((now + Duration::from_secs(60)).as_millis()).unwrap_or_default();
        let left = until(&context, Duration::from_secs(10)).saturating_duration_since(Instant::now());
        assert!(left <= Duration::from_secs(50) && left > Duration::from_secs(30), "{left:?}");
        assert!(until(&context, Duration::from_secs(600)) <= Instant::now());
        context.deadline = 0;
        assert!(until(&context, Duration::ZERO) <= Instant::now());
    }
}
