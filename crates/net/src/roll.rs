//! The roll of open streams, so that all of them can be told to close.
//!
//! Not here: when that happens (`lib.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::link::{Down, Link, StreamId};
use tokio::sync::Notify;

use crate::link::Line;

/// All streams of this server.
#[derive(Default)]
pub(crate) struct Roll {
    lines: Mutex<HashMap<StreamId, Arc<Line>>>,
    empty: Notify,
}

/// A stream's place on the roll; ends when dropped, and hangs up the line.
pub(crate) struct Place {
    roll: Arc<Roll>,
    id: StreamId,
    line: Arc<Line>,
}

impl Roll {
    fn lines(&self) -> MutexGuard<'_, HashMap<StreamId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a stream.
    pub(crate) fn enter(self: &Arc<Self>, id: StreamId, line: Arc<Line>) -> Place {
        self.lines().insert(id, line.clone());
        Place { roll: self.clone(), id, line }
    }

    /// Says the same to every stream.
    pub(crate) fn tell_all(&self, down: &Down) {
        let lines: Vec<_> = self.lines().values().cloned().collect();
        for line in lines {
            line.send(down.clone());
        }
    }

    /// Waits until no stream is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let notified = self.empty.notified();
            if self.lines().is_empty() {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.hang_up();
        let mut lines = self.roll.lines();
        lines.remove(&self.id);
        if lines.is_empty() {
            self.roll.empty.notify_waiters();
        }
        // A storm that has passed shall not keep its memory.
        if lines.capacity() > 1024 && lines.len() < lines.capacity() / 8 {
            lines.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_are_told_and_the_last_one_out_is_noticed() {
        let roll = Arc::new(Roll::default());
        let lines = [Arc::new(Line::default()), Arc::new(Line::default())];
        let places: Vec<_> =
            lines.iter().zip(1..).map(|(line, n)| roll.enter(StreamId(n), line.clone())).collect();
        roll.tell_all(&Down::Close(None));
        assert!(lines.iter().all(|line| line.backlog() > 0));
        let waiting = tokio::spawn({
            let roll = roll.clone();
            async move { roll.emptied().await }
        });
        drop(places);
        waiting.await.unwrap();
    }
}
