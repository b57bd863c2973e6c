//! One way to wait for a child: try a real handshake until it succeeds, the child ends, or time is up.

use std::future::Future;
use std::time::Duration;

use super::spawn::Child;

/// Why a child did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady<E: std::error::Error + 'static> {
    #[error("{name} ended while starting ({status})")]
    Ended { name: String, status: std::process::ExitStatus },
    #[error("{name} did not answer within {} s", within.as_secs())]
    TimedOut { name: String, within: Duration, source: E },
}

/// Tries `handshake` every few milliseconds until it succeeds.
///
/// # Errors
/// The child ended first, or `within` has passed; then with the last handshake's error.
pub async fn wait<T, E, F>(child: &Child, within: Duration, mut handshake: impl FnMut() -> F) -> Result<T, NotReady<E>>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let deadline = tokio::time::Instant::now() + within;
    let mut pause = Duration::from_millis(5);
    loop {
        let error = match handshake().await {
            Ok(ready) => return Ok(ready),
            Err(error) => error,
        };
        if let Some(status) = child.ended() {
            return Err(NotReady::Ended { name: child.name().to_owned(), status });
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(NotReady::TimedOut { name: child.name().to_owned(), within, source: error });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
