//! A request's body on its way in: a client that stops sending is not waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// The body of a request. Reading it fails when no further piece of it comes in time.
pub struct Arriving {
    incoming: Incoming,
    within: Duration,
    /// Runs while the next piece is waited for.
    waiting: Option<Pin<Box<Sleep>>>,
}

/// Why a body did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    #[error("no more of the request's body came within {} s", .0.as_secs_f32())]
    Late(Duration),
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Arriving {
    pub(super) fn new(incoming: Incoming, within: Duration) -> Self {
        Arriving { incoming, within, waiting: None }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Interrupted::Broken)));
        }
        let within = self.within;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        waiting.as_mut().poll(cx).map(|()| Some(Err(Interrupted::Late(within))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
