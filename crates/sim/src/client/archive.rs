//! Reading its own archive: to catch up, and at the end to judge.
//!
//! XEP-0313, XEP-0059.
//!
//! Not here: what is in it.

use history::{Direction, History, Key, What};
use stanza::ns;
use xml::El;

use super::Client;

/// A walk through the archive.
#[derive(Debug)]
pub(crate) struct Reading {
    id: String,
    direction: Direction,
    anchor: Option<String>,
    ids: Vec<String>,
    keys: Vec<Option<Key>>,
    /// To judge at the end, not to catch up.
    pub(crate) last: bool,
    /// The server would not answer now.
    pub(crate) refused: bool,
    pub(crate) done: bool,
}

impl Reading {
    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }
}

impl Client {
    /// Reads on from where it knows the archive.
    pub(super) fn catch_up(&mut self, history: &mut History) {
        self.follows = false;
        self.walk(history, Direction::Forwards, self.cursor.clone(), false);
    }

    pub(crate) fn walk(
        &mut self,
        history: &mut History,
        direction: Direction,
        anchor: Option<String>,
        last: bool,
    ) {
        let edge = match (direction, &anchor) {
            (Direction::Forwards, None) => String::new(),
            (Direction::Forwards, Some(id)) => format!("<after>{id}</after>"),
            (Direction::Backwards, None) => "<before/>".to_owned(),
            (Direction::Backwards, Some(id)) => format!("<before>{id}</before>"),
        };
        // At the end pages are large, or it would take for ever; what pages may do wrong was seen before.
        let max = if last { self.page.max(40) } else { self.page };
        let number = self.asked + 1;
        let query = format!(
            "<query xmlns='urn:xmpp:mam:2' queryid='q{number}'><set xmlns='http://jabber.org/protocol/rsm'><max>{max}</max>\
             {edge}</set></query>"
        );
        let id = self.request(history, "set", "", &query);
        let (ids, keys) = (Vec::new(), Vec::new());
        self.reading = Some(Reading { id, direction, anchor, ids, keys, last, refused: false, done: false });
    }

    /// `<result/>`: one entry of the page.
    pub(super) fn archived(&mut self, result: El<'_>, text: &str) {
        let id = result.attr("queryid");
        // A page that was asked for twice comes twice.
        let Some(reading) = self.reading.as_mut().filter(|reading| id.as_deref() == Some(&*reading.id))
        else {
            return;
        };
        reading.ids.push(result.attr("id").unwrap_or_default().into_owned());
        reading.keys.push(Key::find(text));
    }

    /// `<fin/>`, or a refusal.
    pub(super) fn page_read(&mut self, history: &mut History, id: &str, iq: El<'_>) {
        let Some(reading) = self.reading.take_if(|reading| reading.id == id && !reading.done) else { return };
        let Some(fin) = iq.child("fin", ns::MAM) else {
            // Storage is not well; later again.
            self.reading = Some(Reading { refused: true, ..reading });
            return;
        };
        let complete = fin.attr("complete").is_some_and(|complete| complete == "true");
        let next = match reading.direction {
            Direction::Forwards => reading.ids.last(),
            Direction::Backwards => reading.ids.first(),
        };
        let next = next.cloned().or_else(|| reading.anchor.clone());
        if !reading.last && next.is_some() {
            self.cursor = next.clone();
        }
        history.push(What::MamPage {
            device: self.jid.clone(),
            archive: self.account.clone(),
            direction: reading.direction,
            anchor: reading.anchor.clone(),
            ids: reading.ids.clone(),
            keys: reading.keys.clone(),
            complete,
        });
        if !complete {
            return self.walk(history, reading.direction, next, reading.last);
        }
        if !reading.last {
            // A device that gets all that is archived as it comes need not ask again.
            self.follows = self.device.carbons && self.device.priority >= 0;
        }
        self.reading = Some(Reading { done: true, ..reading });
    }

    /// A message of the archive came live.
    pub(super) fn follow(&mut self, id: &str) {
        if self.follows {
            self.cursor = Some(id.to_owned());
        }
    }

    /// Whether it knows its whole archive, as far as it can tell.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.device.catches_up && self.reading.as_ref().is_some_and(|reading| reading.done && !reading.last)
    }
}
