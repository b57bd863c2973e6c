//! `labctl local serve`: the process that is the local cloud.

use tokio::signal::unix::{SignalKind, signal};

use super::Wish;
use crate::cli::context::Context;
use crate::error::Failure;
use crate::local::process::engines::{Engines, Search};
use crate::local::{self, Options, ServeError};

/// Run the local cloud in the foreground
#[derive(clap::Args, Debug)]
pub(super) struct ServeArgs {
    /// Leave the terminal's session; for `labctl local start`
    #[arg(long, hide = true)]
    detach: bool,
}

pub(super) async fn serve(args: &ServeArgs, wish: &Wish, cx: &Context) -> Result<(), Failure> {
    if args.detach {
        // Already the leader of a session: started by something that detached it.
        let _ = rustix::process::setsid();
    }
    let listening = |kind| signal(kind).map_err(|error| Failure::failed("cannot listen for signals").because(error));
    let mut terminate = listening(SignalKind::terminate())?;
    let mut interrupt = listening(SignalKind::interrupt())?;
    let mut hang_up = listening(SignalKind::hangup())?;
    let engines = Engines::find(&Search::here(&wish.home)).await.map_err(|error| {
        let remedies = error.remedies();
        remedies.into_iter().fold(Failure::usage(error.to_string()), Failure::hint)
    })?;
    local::home::Home::open(&wish.home)
        .and_then(|_| local::log_to(&wish.home))
        .map_err(|source| refused(ServeError::Home { home: wish.home.clone(), source }))?;
    let running =
        local::serve(Options { port: wish.port, engines, ..Options::new(&wish.home) }).await.map_err(refused)?;
    cx.ui.note(&format!("the local cloud runs at {} (state in {})", running.endpoint(), wish.home.display()));
    loop {
        tokio::select! {
            () = running.asked_to_stop() => break,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // A closed terminal ends what runs in it; a detached server has none.
            _ = hang_up.recv() => if !args.detach { break },
        }
    }
    running.stop().await;
    Ok(())
}

fn refused(error: ServeError) -> Failure {
    let hint = match &error {
        ServeError::Home { .. } => {
            format!("name a directory that you can write to: export {}=/path/to/a/directory", crate::env::LABCTL_HOME)
        }
        ServeError::Locked { .. } => "labctl local stop".to_owned(),
        ServeError::PortTaken { .. } | ServeError::Listen { .. } => "take another one: --port 0".to_owned(),
        ServeError::State(_) => "labctl local reset forgets the state".to_owned(),
        ServeError::Start { .. } => "labctl local logs".to_owned(),
    };
    let failure = Failure::failed(error.to_string()).hint(hint);
    match std::error::Error::source(&error) {
        Some(source) => failure.because(source.to_string()),
        None => failure,
    }
}
