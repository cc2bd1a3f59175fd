//! A history as lines of JSON.
//!
//! Not here: files.

use core::fmt;

use crate::{Event, What};

/// What happened, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Sorted by [`Event::at`].
    pub events: Vec<Event>,
}

/// A line that cannot be read.
#[derive(Debug)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub cause: serde_json::Error,
}

impl History {
    /// Nothing yet.
    pub fn new() -> History {
        History::default()
    }

    /// Writes something down, one tick after the last: for a recorder that is alone.
    pub fn push(&mut self, what: What) {
        let at = self.events.last().map_or(0, |last| last.at) + 1;
        self.events.push(Event { at, what });
    }

    /// Joins what several recorders wrote, by their common clock.
    pub fn merge(parts: impl IntoIterator<Item = History>) -> History {
        let mut events: Vec<Event> = parts.into_iter().flat_map(|part| part.events).collect();
        events.sort_by_key(|event| event.at);
        History { events }
    }

    /// One line of JSON for each event.
    pub fn to_jsonl(&self) -> String {
        let mut out = String::new();
        for event in &self.events {
            out.push_str(&event.to_json());
            out.push('\n');
        }
        out
    }

    /// Reads what [`History::to_jsonl`] wrote; empty lines are skipped.
    ///
    /// # Errors
    /// The first line that is no event.
    pub fn from_jsonl(text: &str) -> Result<History, BadLine> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let events = lines.map(|(number, line)| {
            serde_json::from_str(line).map_err(|cause| BadLine { line: number + 1, cause })
        });
        Ok(History::merge([History { events: events.collect::<Result<_, _>>()? }]))
    }

    /// A number that two histories share only if they are equal, as good as certainly (FNV-1a of the lines).
    pub fn fingerprint(&self) -> u64 {
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.events.iter().flat_map(|event| event.to_json().into_bytes()).fold(0xcbf2_9ce4_8422_2325, fold)
    }
}

impl Event {
    /// One line, without its end.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: there is nothing in it that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.cause)
    }
}

impl std::error::Error for BadLine {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Via};

    #[test]
    fn comes_back_from_its_lines() {
        let mut history = History::new();
        history.push(What::Open { device: "a@x/1".into(), session: 1 });
        history.push(What::Recv {
            device: "a@x/1".into(),
            session: 1,
            key: Key::new(1, "b@x/2", 3),
            from: "b@x/2".into(),
            stanza_id: None,
            via: Via::Offline,
            delay: true,
        });
        history.push(What::Drained);
        let text = history.to_jsonl();
        assert!(text.contains(r#""event":"recv""#) && text.contains(r#""key":"[[1:3:b@x/2]]""#), "{text}");
        let back = History::from_jsonl(&text).unwrap();
        assert_eq!((&back, back.fingerprint()), (&history, history.fingerprint()));
        history.push(What::Drained);
        assert_ne!(back.fingerprint(), history.fingerprint());
        assert_eq!(History::from_jsonl("\n{}").unwrap_err().line, 2);
    }
}
