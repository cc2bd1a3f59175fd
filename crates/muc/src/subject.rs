//! The subject of a room.
//!
//! XEP-0045 1.35.5 sections 7.2.15 and 8.1
//!
//! Not here: messages that have a subject and a body; they are messages.

use address::Jid;
use serde::{Deserialize, Serialize};
use stanza::when::write_delay;
use stanza::{Condition, MessageType, Payload, Stanza, StanzaError, ns};

use crate::affiliation::Role;
use crate::here::Here;
use crate::limits;

/// What the subject is, and who said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// Canonical `<subject/>` elements, one for each language.
    pub(crate) xml: String,
    /// The address in the room of who set it.
    by: String,
    at_ms: u64,
}

/// Whether a message changes the subject (section 8.1): with a body or a thread it does not.
pub(crate) fn is_change(payload: &Payload) -> bool {
    payload.has("subject", ns::CLIENT)
        && !payload.has("body", ns::CLIENT)
        && !payload.has("thread", ns::CLIENT)
}

/// Takes a change over, if whoever wants it may; the message is then reflected like others.
pub(crate) fn change(
    here: &mut Here<'_>,
    role: Role,
    by: &Jid,
    payload: &Payload,
) -> Result<(), StanzaError> {
    let may = role == Role::Moderator || (here.room.config.change_subject && role >= Role::Participant);
    if !may {
        return Err(StanzaError::from(Condition::Forbidden).text("you may not change the subject"));
    }
    let mut xml = Vec::new();
    for child in payload.children().filter(|child| child.is("subject", ns::CLIENT)) {
        xml.extend_from_slice(child.raw());
    }
    if xml.len() > limits::SUBJECT_BYTES_MAX {
        return Err(StanzaError::from(Condition::NotAcceptable).text("the subject is too long"));
    }
    let xml = String::from_utf8_lossy(&xml).into_owned();
    here.room.subject = Some(Subject { xml, by: by.as_str().to_owned(), at_ms: here.now_ms });
    here.save();
    Ok(())
}

impl Subject {
    /// Its text, in whatever language comes first.
    pub(crate) fn text(&self) -> String {
        let payload = Payload::canonical(self.xml.clone().into());
        payload.text_of("subject", ns::CLIENT).unwrap_or_default()
    }
}

impl Here<'_> {
    /// Sends the subject to somebody who enters: always, and last (section 7.2.15).
    pub(crate) fn send_subject(&mut self, client: &Jid) {
        let room = self.at.jid();
        let (from, payload) = match &self.room.subject {
            Some(subject) => {
                let xml = Payload::canonical(subject.xml.clone().into());
                let payload = xml.with(|w| write_delay(w, Some(room.as_str()), subject.at_ms));
                (Jid::parse(&subject.by).unwrap_or_else(|_| room.clone()), payload)
            }
            None => (room.clone(), Payload::default().with(|w| _ = w.leaf("subject", ns::CLIENT, ""))),
        };
        let stanza = Stanza { payload, ..Stanza::message(MessageType::Groupchat) };
        self.fx.route(stanza.from(&from).to(client));
    }
}
