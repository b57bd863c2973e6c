//! The way in for documents that nobody waits for: those of the cloud's own services, and datagrams. A bounded queue, emptied in
//! the background; what finds no room is lost and counted, as with the daemon on AWS.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::segment::Document;
use super::state::XRay;
use super::store::Arriving;

/// How many documents wait at most.
const MOST_WAITING: usize = 4096;
/// How many bytes of documents wait at most.
const MOST_BYTES: usize = 16 << 20;
/// What a document of the cloud's own services is counted as.
pub(super) const USUAL: usize = 2048;
/// How many are written together.
const BATCH: usize = 256;

/// What goes through the queue.
enum Offer {
    Document(Offered),
    /// Asks to be told when all that came before is written.
    Flush(oneshot::Sender<()>),
}

/// A document with its region.
struct Offered {
    region: String,
    document: Value,
    bytes: usize,
}

/// The queue.
#[derive(Default)]
pub(super) struct Intake {
    queue: OnceLock<Sender<Offer>>,
    /// Bytes that wait.
    waiting: AtomicUsize,
    writing: Mutex<JoinSet<()>>,
    counts: Arc<Lost>,
}

/// What did not come through.
#[derive(Default)]
struct Lost {
    full: AtomicU64,
    refused: AtomicU64,
}

impl Intake {
    /// Takes a document of so many bytes if there is room.
    pub(super) fn offer(&self, region: &str, document: Value, bytes: usize) {
        let room = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST_BYTES;
        let offered = Offer::Document(Offered { region: region.to_owned(), document, bytes });
        let taken = room && self.queue.get().is_some_and(|queue| queue.try_send(offered).is_ok());
        if !taken {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        // Told at the first loss and then at every power of two: a flood must not fill the log.
        if !taken && (self.counts.full.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two() {
            tracing::warn!(
                lost = self.counts.full.load(Ordering::Relaxed),
                "segment documents are lost: too many wait"
            );
        }
    }

    /// How many documents were lost for want of room, and how many were not valid.
    pub(super) fn lost(&self) -> (u64, u64) {
        (self.counts.full.load(Ordering::Relaxed), self.counts.refused.load(Ordering::Relaxed))
    }

    pub(super) fn refused(&self, why: &str) {
        if (self.counts.refused.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two() {
            tracing::warn!(why, count = self.counts.refused.load(Ordering::Relaxed), "a segment document was refused");
        }
    }

    /// Waits until all that was offered before is written.
    pub(super) async fn flush(&self) {
        let (told, done) = oneshot::channel();
        if let Some(queue) = self.queue.get()
            && queue.send(Offer::Flush(told)).await.is_ok()
        {
            // The writer drops it only with the whole cloud.
            let _ = done.await;
        }
    }

    /// Begins to write what is offered.
    pub(super) fn start(&self, xray: &Arc<XRay>) {
        let (sender, receiver) = channel::<Offer>(MOST_WAITING);
        if self.queue.set(sender).is_ok() {
            let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            writing.spawn(write(receiver, Arc::downgrade(xray)));
        }
    }
}

/// Writes batches until the service is gone.
async fn write(mut queue: Receiver<Offer>, xray: Weak<XRay>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let Some(xray) = xray.upgrade() else { return };
        let (mut documents, mut waiting) = (Vec::with_capacity(batch.len()), Vec::new());
        for offer in batch.drain(..) {
            match offer {
                Offer::Document(offered) => documents.push(offered),
                Offer::Flush(told) => waiting.push(told),
            }
        }
        if let Err(error) = tokio::task::spawn_blocking(move || xray.take(documents)).await {
            tracing::error!(%error, "segment documents are lost");
        }
        for told in waiting {
            // Who asked may have gone.
            let _ = told.send(());
        }
    }
}

impl XRay {
    fn take(&self, offered: Vec<Offered>) {
        let now = self.now();
        let mut fit = Vec::with_capacity(offered.len());
        for Offered { region, document, bytes } in offered {
            self.intake.waiting.fetch_sub(bytes, Ordering::Relaxed);
            let parts = match document {
                Value::Array(items) => items,
                one => vec![one],
            };
            for part in parts {
                match Document::of(part, now.div_euclid(1000)) {
                    Ok(document) => fit.push(Arriving { region: region.clone(), document }),
                    Err((_, why)) => self.intake.refused(&why.code()),
                }
            }
        }
        if let Err(error) = self.store.keep(fit, now) {
            tracing::error!(%error, "segment documents are lost");
        }
    }
}
