//! What was said last, for those who enter.
//!
//! XEP-0045 1.35.5 sections 7.2.13 and 7.2.14, XEP-0203 2.0 (delay)
//!
//! Not here: all that was ever said (`archive.rs`).

use std::collections::VecDeque;
use std::sync::Arc;

use address::{Bare, Jid};
use model::storage::Page;
use stanza::when::{parse, write_delay};
use stanza::{Payload, Stanza, ns};

use crate::archive;
use crate::here::Here;
use crate::limits;

/// The last messages, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    past: VecDeque<Past>,
    bytes: usize,
}

/// A message that was said.
#[derive(Debug)]
struct Past {
    id: u64,
    at_ms: u64,
    /// Who said it.
    author: Arc<str>,
    /// As it is sent again: with its ids and its time, without recipient.
    stanza: Stanza,
}

/// What somebody wants of the history (section 7.2.14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    stanzas: Option<u64>,
    chars: Option<u64>,
    since_ms: Option<u64>,
}

impl History {
    /// Adds a message that was just said; `most` is how many the room keeps.
    pub(crate) fn add(
        &mut self,
        room: &Jid,
        id: u64,
        at_ms: u64,
        author: &Arc<str>,
        said: &Stanza,
        most: u32,
    ) {
        let payload = said.payload.with(|w| write_delay(w, Some(room.as_str()), at_ms));
        let stanza = Stanza { payload, to: None, ..said.clone() };
        self.bytes += stanza.size();
        self.past.push_back(Past { id, at_ms, author: author.clone(), stanza });
        self.trim(most);
    }

    /// Keeps no more than so many.
    pub(crate) fn trim(&mut self, most: u32) {
        while self.past.len() > most.min(limits::HISTORY_MAX) as usize
            || self.bytes > limits::HISTORY_BYTES_MAX
        {
            let Some(oldest) = self.past.pop_front() else { return };
            self.bytes -= oldest.stanza.size();
        }
    }

    /// Takes a message out that is withdrawn; whether `author` (if given) had said it.
    pub(crate) fn withdraw(&mut self, id: u64, author: Option<&str>) -> bool {
        let Some(at) = self.past.iter().position(|past| past.id == id) else { return false };
        if author.is_some_and(|author| *self.past[at].author != *author) {
            return false;
        }
        if let Some(gone) = self.past.remove(at) {
            self.bytes -= gone.stanza.size();
        }
        true
    }

    /// Takes over the end of the archive.
    pub(crate) fn hydrate(&mut self, room: &Bare, page: Page, most: u32) {
        for entry in page.entries {
            let Ok(stanza) = Stanza::from_stored(&entry.value) else {
                tracing::error!(%room, id = entry.id, "an archived message is unreadable");
                continue;
            };
            // What was withdrawn stays in the archive as a mark only.
            if stanza.payload.has("retracted", ns::RETRACT) {
                continue;
            }
            let author = entry.with.unwrap_or_default();
            let stanza = Stanza {
                payload: stanza.payload.with(|w| archive::write_id(w, room.as_str(), entry.id)),
                ..stanza
            };
            self.add(room.jid(), entry.id, entry.at_ms, &author, &stanza, most);
        }
    }

    /// How many of the newest are to be sent.
    fn chosen(&self, wanted: Wanted, most: u32) -> usize {
        let (mut chosen, mut chars) = (0, 0_u64);
        let most = wanted.stanzas.unwrap_or(u64::MAX).min(u64::from(most));
        for past in self.past.iter().rev() {
            chars += past.stanza.size() as u64;
            let within = (chosen as u64) < most
                && wanted.chars.is_none_or(|most| chars <= most)
                && wanted.since_ms.is_none_or(|since| past.at_ms >= since);
            if !within {
                break;
            }
            chosen += 1;
        }
        chosen
    }
}

impl Wanted {
    /// Reads `<history/>`. What cannot be read is not said: numbers below zero and beyond all measure too.
    pub(crate) fn read(presence: &Payload, now_ms: u64) -> Wanted {
        let Ok(tree) = presence.tree() else { return Wanted::default() };
        let history = tree.top().child("x", ns::MUC).and_then(|x| x.child("history", ns::MUC));
        let Some(history) = history else { return Wanted::default() };
        let number = |name| history.attr(name).and_then(|text| text.trim().parse::<u64>().ok());
        let seconds = number("seconds").map(|s| now_ms.saturating_sub(s.saturating_mul(1_000)));
        let since = history.attr("since").and_then(|text| parse(&text));
        Wanted {
            stanzas: number("maxstanzas"),
            chars: number("maxchars"),
            since_ms: seconds.into_iter().chain(since).max(),
        }
    }
}

impl Here<'_> {
    /// Sends what was said last, as far as the room and the client want it.
    pub(crate) fn send_history(&mut self, presence: &Payload, client: &Jid) {
        let wanted = Wanted::read(presence, self.now_ms);
        let chosen = self.room.history.chosen(wanted, self.room.config.history);
        let from = self.room.history.past.len() - chosen;
        for past in self.room.history.past.iter().skip(from) {
            self.fx.route(past.stanza.clone().to(client));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stanza::MessageType;

    fn wanted(attrs: &str) -> Wanted {
        let xml = format!("<x xmlns='{}'><history{attrs}/></x>", ns::MUC);
        Wanted::read(&Payload::canonical(xml.into()), 100_000)
    }

    #[test]
    fn wishes_are_bounded_by_the_rooms() {
        let room = Jid::parse("coven@rooms.example").unwrap();
        let mut history = History::default();
        for at in 1..=10_u64 {
            let said = Stanza::message(MessageType::Groupchat).with_inner("<body>a</body>".into());
            history.add(&room, at, at * 10_000, &"hag@a.example".into(), &said, 5);
        }
        assert_eq!(history.past.len(), 5);
        let size = history.past[0].stanza.size() as u64;
        for (attrs, chosen) in [
            (String::new(), 5),
            (" maxstanzas='2'".to_owned(), 2),
            (" maxstanzas='-1'".to_owned(), 5),
            (" maxstanzas='1000000'".to_owned(), 5),
            (" seconds='1000000000000'".to_owned(), 5),
            (" seconds='15'".to_owned(), 2),
            (" since='1970-01-01T00:01:25Z'".to_owned(), 2),
            (" since='2970-01-01T00:00:00Z'".to_owned(), 0),
            (" seconds='15' since='1970-01-01T00:00:00Z'".to_owned(), 2),
            (" maxchars='0'".to_owned(), 0),
            (format!(" maxchars='{}'", size * 2 + 1), 2),
        ] {
            assert_eq!(history.chosen(wanted(&attrs), 5), chosen, "{attrs}");
        }
        assert!(!history.withdraw(8, Some("other@a.example")) && history.withdraw(8, Some("hag@a.example")));
        assert!(!history.withdraw(8, None));
        assert_eq!(history.chosen(Wanted::default(), 5), 4);
        history.trim(0);
        assert_eq!(history.bytes, 0);
    }
}
