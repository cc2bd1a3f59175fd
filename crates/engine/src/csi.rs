//! What waits while nobody looks at the client.
//!
//! XEP-0352 1.0.0 section 5.
//!
//! Not here: the nonzas' syntax (stream); pushes to sleeping phones (features).

use std::collections::HashMap;

use address::Jid;
use model::link::ClientState;
use stanza::{Kind, MessageType, PresenceType, Stanza, ns};

use crate::held::Parcel;
use crate::limits;

/// What is held back for one session.
#[derive(Debug, Default)]
pub(crate) struct Csi {
    pub(crate) state: ClientState,
    /// The last presence of each sender, in order of its first, and what contacts published.
    held: Vec<Parcel>,
    by_sender: HashMap<Jid, usize>,
}

impl Csi {
    /// Keeps a stanza back, or gives it back to be sent now, after what was kept.
    pub(crate) fn offer(&mut self, parcel: Parcel) -> Option<Parcel> {
        match weight(&parcel.stanza) {
            _ if self.state == ClientState::Active => Some(parcel),
            Weight::Nothing => None,
            Weight::CanWait if zoo::is(zoo::Fault::InactiveDropped) => None,
            Weight::CanWait => {
                match parcel.stanza.from.as_ref().and_then(|from| self.by_sender.get(from)) {
                    Some(at) => self.held[*at] = parcel,
                    None => {
                        if let Some(from) = &parcel.stanza.from {
                            self.by_sender.insert(from.clone(), self.held.len());
                        }
                        self.held.push(parcel);
                    }
                }
                None
            }
            Weight::AllWait => {
                self.held.push(parcel);
                None
            }
            Weight::Matters => Some(parcel),
        }
    }

    /// Whether so much waits that it must go out.
    pub(crate) fn is_full(&self) -> bool {
        self.held.len() >= limits::INACTIVE_HELD_MAX
    }

    /// All that waits, in order.
    pub(crate) fn take(&mut self) -> Vec<Parcel> {
        self.by_sender.clear();
        std::mem::take(&mut self.held)
    }
}

enum Weight {
    /// Of no use later: a chat state that has passed.
    Nothing,
    /// Only the last one counts.
    CanWait,
    /// Each counts, but none is urgent.
    AllWait,
    /// The user wants to know now.
    Matters,
}

fn weight(stanza: &Stanza) -> Weight {
    match stanza.kind {
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => Weight::CanWait,
        // What contacts publish. What the own devices do (one has read a message) clears notifications here.
        Kind::Message(MessageType::Headline) if stanza.payload.has_ns(ns::PUBSUB_EVENT) => {
            let bare = |jid: &Option<Jid>| jid.as_ref().map(|jid| jid.bare_str().to_owned());
            if bare(&stanza.from) == bare(&stanza.to) { Weight::Matters } else { Weight::AllWait }
        }
        Kind::Message(_) => {
            let mut children = stanza.payload.children().peekable();
            // Only a chat state, perhaps with hints and ids around it (XEP-0085).
            let idle = children.peek().is_some()
                && children.all(|child| matches!(child.ns(), ns::CHAT_STATES | ns::HINTS | ns::SID));
            if idle { Weight::Nothing } else { Weight::Matters }
        }
        _ => Weight::Matters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_event_of_contacts() {
        let (a, b) = (Jid::parse("a@x").unwrap(), Jid::parse("b@x/1").unwrap());
        let event = |from: &Jid| {
            let inner = "<event xmlns='http://jabber.org/protocol/pubsub#event'/>";
            let stanza = Stanza::message(MessageType::Headline).with_inner(inner.into()).from(from).to(&b);
            Parcel { stanza: stanza.into(), token: None, id: 0 }
        };
        let mut csi = Csi { state: ClientState::Inactive, ..Csi::default() };
        assert!(csi.offer(event(&a)).is_none() && csi.offer(event(&a)).is_none());
        assert!(csi.offer(event(&b.bare())).is_some(), "of the own account");
        assert_eq!(csi.take().len(), 2);
    }

    #[test]
    fn keeps_the_last_presence_and_lets_messages_pass() {
        let (a, b) = (Jid::parse("a@x/1").unwrap(), Jid::parse("b@x/1").unwrap());
        let parcel = |stanza: Stanza| Parcel { stanza: stanza.into(), token: None, id: 0 };
        let presence = |ty, from| parcel(Stanza::presence(ty).from(from));
        let body = Stanza::message(MessageType::Chat).with_inner("<body>hi</body>".into());
        let typing = Stanza::message(MessageType::Chat)
            .with_inner("<composing xmlns='http://jabber.org/protocol/chatstates'/>".into());
        let mut csi = Csi::default();
        assert!(csi.offer(presence(PresenceType::Available, &a)).is_some());
        csi.state = ClientState::Inactive;
        assert!(csi.offer(presence(PresenceType::Available, &a)).is_none());
        assert!(csi.offer(presence(PresenceType::Available, &b)).is_none());
        assert!(csi.offer(presence(PresenceType::Unavailable, &a)).is_none());
        assert!(csi.offer(parcel(body)).is_some());
        assert!(csi.offer(parcel(typing)).is_none());
        let kinds: Vec<_> = csi.take().iter().map(|parcel| parcel.stanza.kind).collect();
        assert_eq!(kinds, [PresenceType::Unavailable, PresenceType::Available].map(Kind::Presence));
    }
}
