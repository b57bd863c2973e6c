//! The one way to wait: growing pauses, a deadline, the last thing seen kept. Dropping the future cancels it.

use std::fmt;
use std::time::{Duration, Instant};

/// How often to look, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    pub first: Duration,
    pub most: Duration,
    pub deadline: Duration,
}

impl Pace {
    /// For operations that take from a blink to half an hour. AWS asks for polls of events no more often than every few
    /// seconds; the pauses get there in about ten looks, so that what is quick is also noticed quickly.
    pub const OPERATION: Pace =
        Pace { first: Duration::from_millis(40), most: Duration::from_secs(4), deadline: Duration::from_secs(3600) };

    fn pauses(self) -> Pauses {
        Pauses { pace: self, next: self.first }
    }
}

/// The pauses of one wait: each longer than the one before, until something moves.
struct Pauses {
    pace: Pace,
    next: Duration,
}

impl Pauses {
    fn take(&mut self, moved: bool) -> Duration {
        let pause = if moved { self.pace.first } else { self.next };
        self.next = pause.mul_f64(1.6).min(self.pace.most);
        pause
    }
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    Done(T),
    /// Not yet, and why.
    Waiting(String),
    /// Not yet, but something moved: look again soon.
    Moving(String),
}

/// Why a wait ended without what was waited for.
#[derive(Debug)]
pub enum WaitError<E> {
    /// A look failed.
    Failed(E),
    TimedOut {
        after: Duration,
        last: String,
    },
}

impl<E: fmt::Display> fmt::Display for WaitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitError::Failed(error) => error.fmt(f),
            WaitError::TimedOut { after, last } => write!(f, "gave up after {} s: {last}", after.as_secs()),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for WaitError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WaitError::Failed(error) => error.source(),
            WaitError::TimedOut { .. } => None,
        }
    }
}

/// Looks until done. `waiting` hears why, each time the reason changes.
pub async fn until<T, E>(
    pace: Pace,
    mut look: impl AsyncFnMut() -> Result<Look<T>, E>,
    mut waiting: impl FnMut(&str),
) -> Result<T, WaitError<E>> {
    let start = Instant::now();
    let mut pauses = pace.pauses();
    let mut last = String::new();
    loop {
        let (why, pause) = match look().await.map_err(WaitError::Failed)? {
            Look::Done(done) => return Ok(done),
            Look::Waiting(why) => (why, pauses.take(false)),
            Look::Moving(why) => (why, pauses.take(true)),
        };
        if why != last {
            waiting(&why);
            last = why;
        }
        if start.elapsed() + pause > pace.deadline {
            return Err(WaitError::TimedOut { after: start.elapsed(), last });
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const QUICK: Pace =
        Pace { first: Duration::from_millis(1), most: Duration::from_millis(2), deadline: Duration::from_millis(20) };

    #[tokio::test]
    async fn a_wait_ends_when_the_look_is_done_and_says_each_reason_once() {
        let mut looks =
            vec![Look::Done(7), Look::Waiting("b".into()), Look::Waiting("a".into()), Look::Waiting("a".into())];
        let mut reasons = Vec::new();
        let done =
            until(QUICK, async || Ok::<_, Infallible>(looks.pop().unwrap()), |why| reasons.push(why.to_owned())).await;
        assert!(matches!(done, Ok(7)));
        assert_eq!(reasons, ["a", "b"]);
    }

    #[tokio::test]
    async fn a_wait_gives_up_at_its_deadline_and_keeps_the_last_reason() {
        let ended = until(QUICK, async || Ok::<Look<()>, Infallible>(Look::Waiting("creating".into())), |_| ()).await;
        let WaitError::TimedOut { last, .. } = ended.unwrap_err();
        assert_eq!(last, "creating");
    }

    #[test]
    fn pauses_grow_to_their_limit_and_are_short_again_at_once_when_something_moves() {
        let pace = Pace::OPERATION;
        let mut pauses = pace.pauses();
        let grown: Vec<Duration> = (0..13).map(|_| pauses.take(false)).collect();
        assert!(grown.is_sorted() && grown.first() == Some(&pace.first) && grown.last() == Some(&pace.most));
        assert_eq!(pauses.take(true), pace.first);
        assert!(pauses.take(false) < pace.first * 2);
    }
}
