//! `labctl local serve`: the process that is the local cloud.

use std::path::Path;

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
    let hints = match &error {
        ServeError::Home { .. } => {
            let home = crate::env::LABCTL_HOME;
            vec![format!("name a directory that you can write to: export {home}=/path/to/a/directory")]
        }
        ServeError::Locked { .. } => vec!["labctl local stop".to_owned()],
        ServeError::PortTaken { .. } | ServeError::Listen { .. } => vec!["take another one: --port 0".to_owned()],
        ServeError::State(state) => {
            let aside =
                state.spoilt().map(|file| format!("to go on without what this one file holds: {}", set_aside(file)));
            aside.into_iter().chain(["to forget everything: labctl local reset".to_owned()]).collect()
        }
        ServeError::Start { .. } => vec!["labctl local logs".to_owned()],
    };
    let failure = hints.into_iter().fold(Failure::failed(error.to_string()), Failure::hint);
    match std::error::Error::source(&error) {
        Some(source) => failure.because(source.to_string()),
        None => failure,
    }
}

/// The command that puts a file where nothing looks for it.
fn set_aside(file: &Path) -> String {
    let quoted = |path: String| format!("'{}'", path.replace('\'', "'\\''"));
    let file = file.display().to_string();
    format!("mv {} {}", quoted(file.clone()), quoted(format!("{file}.set-aside")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_spoilt_file_is_named_with_the_way_to_go_on_without_it() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["state/cloudformation/stacks/s/stack.json", "state/apigateway/apis.json"] {
            let file = dir.path().join(file);
            local::store::replace(&file, b"{").unwrap();
            let failure = refused(local::serve(Options::new(dir.path())).await.err().unwrap());
            let path = file.display();
            let hint = format!("to go on without what this one file holds: mv '{path}' '{path}.set-aside'");
            assert_eq!(failure.hints, [hint, "to forget everything: labctl local reset".to_owned()]);
            std::fs::rename(&file, format!("{path}.set-aside")).unwrap();
            local::serve(Options::new(dir.path())).await.unwrap().stop().await;
        }
    }
}
