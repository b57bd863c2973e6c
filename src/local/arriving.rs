//! A request's body on its way in: a client that stops sending is not waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::Sleep;

/// So much of a body that nobody wants is taken from its client.
const UNWANTED: usize = 256 << 20;

/// The body of a request. Reading it fails when no further piece of it comes in time. Of one that is dropped before its end the rest is
/// still taken from the client, who else would find the connection broken in place of the answer that says why.
pub struct Arriving {
    /// Gone when it has come whole, or failed.
    incoming: Option<Incoming>,
    within: Duration,
    /// The client sends nothing before it is told to go on (`Expect: 100-continue`), which reading does.
    waits: bool,
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
    pub(super) fn of(request: Request<Incoming>, within: Duration) -> Request<Self> {
        let waits = request.headers().contains_key(EXPECT);
        request.map(|incoming| Arriving { incoming: Some(incoming), within, waits, waiting: None })
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let unread = self.incoming.take().filter(|incoming| !incoming.is_end_stream() && !self.waits);
        if let (Some(unread), Ok(runtime)) = (unread, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(self.within, take(unread)));
        }
    }
}

async fn take(mut unwanted: Incoming) {
    let mut taken = 0;
    while let Some(Ok(frame)) = unwanted.frame().await {
        taken += frame.data_ref().map_or(0, Bytes::len);
        if taken > UNWANTED {
            return;
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        self.waits = false;
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) {
            self.waiting = None;
            if !matches!(frame, Some(Ok(_))) {
                self.incoming = None;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Interrupted::Broken)));
        }
        let within = self.within;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        ready!(waiting.as_mut().poll(cx));
        self.incoming = None;
        Poll::Ready(Some(Err(Interrupted::Late(within))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
