//! Runs work while its events are shown.

use super::context::Context;
use crate::engine::Events;
use crate::ui::human;

/// Runs `work` with a channel of events that the screen follows until the work is done.
pub(crate) async fn watched<T>(cx: &Context, work: impl AsyncFnOnce(&Events) -> T) -> T {
    let (events, seen) = Events::channel();
    let run = async {
        let done = work(&events).await;
        // The last sender gone, the screen ends.
        drop(events);
        done
    };
    let (done, ()) = tokio::join!(run, human::follow(seen, &cx.ui));
    done
}
