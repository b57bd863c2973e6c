//! One pass over several logs: their pages, merged by time as they come, so that no log is held in memory as a whole.

use super::Source;
use crate::aws::AwsError;
use crate::aws::logs::LogEvent;
use std::collections::VecDeque;

/// A walk over the events of several sources, oldest first.
pub struct Walk<'s, S> {
    cursors: Vec<Cursor<'s, S>>,
    to: Option<i64>,
}

struct Cursor<'s, S> {
    source: &'s S,
    from: i64,
    page: VecDeque<LogEvent>,
    place: Place,
}

enum Place {
    Start,
    After(String),
    End,
}

impl<'s, S: Source> Walk<'s, S> {
    /// Each source from a moment of its own.
    pub fn new(sources: &'s [S], from: impl Fn(usize) -> i64, to: Option<i64>) -> Self {
        let cursor =
            |(number, source)| Cursor { source, from: from(number), page: VecDeque::new(), place: Place::Start };
        Walk { cursors: sources.iter().enumerate().map(cursor).collect(), to }
    }

    /// The next event and the number of its source.
    ///
    /// # Errors
    /// A page could not be had. The walk is over.
    pub async fn next(&mut self) -> Result<Option<(usize, LogEvent)>, AwsError> {
        for cursor in &mut self.cursors {
            cursor.fill(self.to).await?;
        }
        let times =
            self.cursors.iter().enumerate().filter_map(|(number, cursor)| Some((cursor.page.front()?.time, number)));
        let Some((_, first)) = times.min() else { return Ok(None) };
        Ok(self.cursors[first].page.pop_front().map(|event| (first, event)))
    }
}

impl<S: Source> Cursor<'_, S> {
    async fn fill(&mut self, to: Option<i64>) -> Result<(), AwsError> {
        while self.page.is_empty() {
            let next = match &self.place {
                Place::Start => None,
                Place::After(token) => Some(token.clone()),
                Place::End => return Ok(()),
            };
            let page = self.source.page(self.from, to, next).await?;
            self.page = page.events.into();
            self.place = page.next.map_or(Place::End, Place::After);
        }
        Ok(())
    }
}
