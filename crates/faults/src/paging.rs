//! Pages of an archive: asking, collecting, going on.
//!
//! XEP-0313 1.1, XEP-0059 1.0
//!
//! Not here: what the pages must hold (crate `history`).

use bench::Outcome;
use bench::scan::{attribute, has};
use bench::session::Session;
use history::{Direction, Key, What};

/// A request for a page, and what has come of it.
pub(crate) struct Asked {
    archive: String,
    direction: Direction,
    anchor: Option<String>,
    number: u64,
    pub(crate) ids: Vec<String>,
    keys: Vec<Option<Key>>,
    pub(crate) complete: bool,
    refused: bool,
}

/// What a stanza was for a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    NotOurs,
    Message,
    Done,
}

impl Asked {
    /// What stands behind an id, or the beginning.
    pub(crate) fn after(archive: &str, anchor: Option<String>, number: u64) -> Asked {
        Asked::new(archive, Direction::Forwards, anchor, number)
    }

    fn new(archive: &str, direction: Direction, anchor: Option<String>, number: u64) -> Asked {
        Asked {
            archive: archive.to_owned(),
            direction,
            anchor,
            number,
            ids: Vec::new(),
            keys: Vec::new(),
            complete: false,
            refused: false,
        }
    }

    pub(crate) fn request(&self) -> String {
        let anchor = self.anchor.as_deref().unwrap_or_default();
        let anchor = match (self.direction, anchor) {
            (Direction::Forwards, "") => String::new(),
            (Direction::Forwards, id) => format!("<after>{id}</after>"),
            (Direction::Backwards, id) => format!("<before>{id}</before>"),
        };
        format!(
            "<iq type='set' id='q{0}'><query xmlns='urn:xmpp:mam:2' queryid='q{0}'>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>100</max>{anchor}</set></query></iq>",
            self.number
        )
    }

    /// Takes a stanza that belongs to it.
    pub(crate) fn take(&mut self, stanza: &[u8]) -> Outcome<Turned> {
        let id = format!("q{}", self.number);
        if stanza.starts_with(b"<iq") && attribute(stanza, "id") == Some(id.as_str()) {
            self.refused = attribute(stanza, "type") != Some("result");
            self.complete = has(stanza, "complete='true'") || has(stanza, "complete=\"true\"");
            return Ok(Turned::Done);
        }
        if !stanza.starts_with(b"<message") || !has(stanza, "urn:xmpp:mam:2") {
            return Ok(Turned::NotOurs);
        }
        let text = std::str::from_utf8(stanza)?;
        let Some(at) = text.find("<result") else { return Ok(Turned::NotOurs) };
        let result = &stanza[at..];
        if attribute(result, "queryid") != Some(id.as_str()) {
            return Ok(Turned::NotOurs);
        }
        self.ids.push(attribute(result, "id").ok_or("a result without id")?.to_owned());
        self.keys.push(Key::find(text));
        Ok(Turned::Message)
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// The request for what follows.
    pub(crate) fn next(&self, number: u64) -> Asked {
        let end = match self.direction {
            Direction::Forwards => self.ids.last(),
            Direction::Backwards => self.ids.first(),
        };
        Asked::new(&self.archive, self.direction, end.or(self.anchor.as_ref()).cloned(), number)
    }

    pub(crate) fn into_page(self, device: &str) -> What {
        What::MamPage {
            device: device.to_owned(),
            archive: self.archive,
            direction: self.direction,
            anchor: self.anchor.filter(|id| !id.is_empty()),
            ids: self.ids,
            keys: self.keys,
            complete: self.complete,
        }
    }
}

/// Reads the session's own archive from one end to the other; gives the pages.
///
/// # Errors
/// Of the stream, or a refusal.
pub(crate) async fn read_all(session: &mut Session, direction: Direction) -> Outcome<Vec<What>> {
    let (bare, full) = (session.bare().to_owned(), session.jid.clone());
    let mut pages = Vec::new();
    let mut asked = Asked::new(&bare, direction, None, 1);
    loop {
        session.queue(&asked.request());
        while asked.take(&session.next().await?)? != Turned::Done {}
        if asked.is_refused() {
            return Err(format!("the archive of {bare} cannot be read").into());
        }
        let next = asked.next(pages.len() as u64 + 2);
        let (complete, empty) = (asked.complete, asked.ids.is_empty());
        pages.push(asked.into_page(&full));
        if complete {
            return Ok(pages);
        }
        if empty {
            return Err(
                format!("the archive of {bare} gives an empty page and says that there is more").into()
            );
        }
        asked = next;
    }
}
