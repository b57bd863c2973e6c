//! Where requests of a constant rate are handed out to whoever has a connection free. Whoever was busy last is asked first, so
//! that there are no more connections than are needed.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The number of a request that is due, and whether there was a connection free for it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) number: u64,
    pub(super) free: bool,
}

/// What a worker is told.
pub(super) enum Next {
    Now(Ticket),
    Wait(oneshot::Receiver<Ticket>),
    Closed,
}

pub(super) struct Desk {
    most: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<oneshot::Sender<Ticket>>,
    /// Requests that are due, in order: runs of numbers, since millions may wait for a lab that stands still.
    waiting: VecDeque<(Range<u64>, bool)>,
    workers: u32,
    closed: bool,
}

impl Desk {
    /// A desk for at most so many workers.
    pub(super) fn new(most: u32) -> Self {
        Desk { most, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out the next request. True: one more worker is wanted, and counted as there.
    pub(super) fn hand_out(&self, number: u64) -> bool {
        let mut state = self.state();
        let mut ticket = Ticket { number, free: true };
        while let Some(worker) = state.idle.pop() {
            match worker.send(ticket) {
                Ok(()) => return false,
                // It is gone; the next one is asked.
                Err(back) => ticket = back,
            }
        }
        let more = state.workers < self.most;
        state.workers += u32::from(more);
        match state.waiting.back_mut() {
            Some((numbers, free)) if *free == more && numbers.end == number => numbers.end += 1,
            _ => state.waiting.push_back((number..number + 1, more)),
        }
        more
    }

    /// What a worker that is free does next.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        while let Some((numbers, free)) = state.waiting.front_mut() {
            match numbers.next() {
                Some(number) => return Next::Now(Ticket { number, free: *free }),
                None => drop(state.waiting.pop_front()),
            }
        }
        if state.closed {
            return Next::Closed;
        }
        let (sender, receiver) = oneshot::channel();
        state.idle.push(sender);
        Next::Wait(receiver)
    }

    pub(super) fn is_clear(&self) -> bool {
        self.state().waiting.iter().all(|(numbers, _)| numbers.is_empty())
    }

    /// Sends the workers home; gives the numbers that nobody began.
    pub(super) fn close(&self) -> impl Iterator<Item = u64> + use<> {
        let mut state = self.state();
        state.closed = true;
        state.idle.clear();
        std::mem::take(&mut state.waiting).into_iter().flat_map(|(numbers, _)| numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_wait_only_when_every_worker_is_busy_and_go_to_the_last_one_that_was() {
        let desk = Desk::new(2);
        assert!(desk.hand_out(0) && desk.hand_out(1), "two workers are wanted");
        assert!(!desk.hand_out(2), "there may be no third");
        let now = |desk: &Desk| match desk.next() {
            Next::Now(ticket) => ticket,
            _ => panic!("nothing was due"),
        };
        let numbers = [now(&desk), now(&desk), now(&desk)].map(|ticket| (ticket.number, ticket.free));
        assert_eq!(numbers, [(0, true), (1, true), (2, false)]);
        let wait = |desk: &Desk| match desk.next() {
            Next::Wait(receiver) => receiver,
            _ => panic!("something was due"),
        };
        let (mut first, mut second) = (wait(&desk), wait(&desk));
        assert!(!desk.hand_out(3));
        assert_eq!(second.try_recv(), Ok(Ticket { number: 3, free: true }));
        drop(wait(&desk));
        assert!(!desk.hand_out(4), "a worker that is gone is passed over");
        assert_eq!(first.try_recv().unwrap().number, 4);
        assert!(!desk.hand_out(5) && !desk.is_clear());
        assert!(desk.close().eq([5]));
        assert!(matches!(desk.next(), Next::Closed));
    }
}
