//! Sends the requests of one user over one connection that is kept open.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::Full;

use super::connection::{Connection, Dialer, Exchange, Trouble};
use super::mix::Mix;
use crate::engine::http::DEADLINE;

/// Answers up to this length are remembered: the same answer is right again without being read.
const SHORT: usize = 4096;

/// What all users of a load share.
pub(super) struct Lane {
    pub(super) dialer: Dialer,
    pub(super) mix: Mix,
}

pub(super) struct Sender {
    lane: Arc<Lane>,
    connection: Option<Connection>,
    buffer: BytesMut,
    /// The last right answer to each kind of request.
    right: Vec<Option<(u16, Bytes)>>,
}

/// What came of a request.
pub(super) struct Sent {
    pub(super) verdict: Result<(), String>,
    pub(super) sent: usize,
    pub(super) received: usize,
}

impl Sender {
    pub(super) fn new(lane: Arc<Lane>) -> Self {
        let right = vec![None; lane.mix.kinds()];
        Sender { lane, connection: None, buffer: BytesMut::new(), right }
    }

    pub(super) async fn send(&mut self, number: u64) -> Sent {
        let (kind, request) = match self.lane.mix.request(number, &mut self.buffer) {
            Ok(made) => made,
            Err(why) => {
                // Nothing was waited for: whoever sends the next one at once leaves others their turn all the same.
                tokio::task::yield_now().await;
                return Sent { verdict: Err(why), sent: 0, received: 0 };
            }
        };
        let sent = request.body().len();
        let answer = tokio::time::timeout(DEADLINE, self.exchange(request.map(Full::new))).await;
        let (verdict, received) = match answer {
            Ok(Ok((status, body))) => (self.judge(kind, status, &body), body.len()),
            Ok(Err(trouble)) => (Err(trouble.kind().to_owned()), 0),
            Err(_) => {
                // What it may still say is the answer to this request, and to no other.
                self.connection = None;
                (Err("timeout".to_owned()), 0)
            }
        };
        Sent { verdict, sent, received }
    }

    /// A connection that was closed while it was idle is made again; a request that may have been sent is not sent twice.
    async fn exchange(&mut self, mut request: http::Request<Full<Bytes>>) -> Result<(u16, Bytes), Trouble> {
        loop {
            let open = self.connection.take().filter(Connection::is_open);
            let mut connection = match open {
                Some(connection) => connection,
                None => self.lane.dialer.dial().await?,
            };
            match connection.exchange(request).await {
                Exchange::Answered(status, body) => {
                    self.connection = Some(connection);
                    return Ok((status, body));
                }
                Exchange::Failed(trouble) => return Err(trouble),
                Exchange::Unsent(again) => request = *again,
            }
        }
    }

    fn judge(&mut self, kind: usize, status: u16, body: &Bytes) -> Result<(), String> {
        if self.right[kind].as_ref().is_some_and(|right| right.0 == status && right.1 == body) {
            return Ok(());
        }
        self.lane.mix.judge(kind, status, body)?;
        if body.len() <= SHORT {
            self.right[kind] = Some((status, body.clone()));
        }
        Ok(())
    }

    /// Waits, with an eye on the connection.
    pub(super) async fn idle<T>(&mut self, wait: impl Future<Output = T>) -> T {
        match &mut self.connection {
            Some(connection) => connection.idle(wait).await,
            None => wait.await,
        }
    }

    pub(super) async fn sleep(&mut self, time: Duration) {
        self.idle(tokio::time::sleep(time)).await;
    }
}
