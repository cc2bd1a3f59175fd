//! Which messages are worth waking somebody for, and what may be said of them.
//!
//! XEP-0357 0.4.1 section 7, XEP-0280 1.0.1 (copies), XEP-0353 0.6.0 (calls), XEP-0372 0.6.0 (mentions)
//!
//! Not here: what single clients do not want to hear of (`filter.rs`).

use address::{Bare, Jid};
use stanza::{IqType, Kind, MessageType, Payload, Stanza, ns};

/// Most bytes of a body that a push service or client is told.
pub(super) const BODY_BYTES_MAX: usize = 255;

/// A message that is worth it.
pub(super) struct Notice<'a> {
    pub(super) from: Jid,
    pub(super) ty: MessageType,
    pub(super) weight: Weight,
    /// Its content, where that may be looked at: not of what is encrypted.
    pub(super) body: Option<String>,
    payload: std::borrow::Cow<'a, Payload>,
}

/// Why it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Something that a client has to fetch for another program.
    Errand,
    /// Something was said.
    Said,
    /// Somebody calls.
    Call,
}

impl<'a> Notice<'a> {
    /// Judges a stanza for this account.
    pub(super) fn of(stanza: &'a Stanza, account: &Bare) -> Option<Notice<'a>> {
        let from = stanza.from.as_ref()?;
        match stanza.kind {
            // What the account itself says is a copy, or was asked for.
            Kind::Message(_) if from.as_str() == account.as_str() => Notice::copied(stanza, account),
            Kind::Message(_) if from.bare_str() == account.as_str() => None,
            Kind::Message(ty) => Notice::judge(from.clone(), ty, std::borrow::Cow::Borrowed(&stanza.payload)),
            // Services send these, not people.
            Kind::Iq(IqType::Set) if from.is_domain() && stanza.payload.has("push", ns::UNIFIED_PUSH) => {
                Some(Notice {
                    from: from.clone(),
                    ty: MessageType::Normal,
                    weight: Weight::Errand,
                    body: None,
                    payload: std::borrow::Cow::Borrowed(&stanza.payload),
                })
            }
            _ => None,
        }
    }

    /// What another client got.
    fn copied(stanza: &Stanza, account: &Bare) -> Option<Notice<'a>> {
        let received = stanza.payload.child("received", ns::CARBONS)?;
        let tree = received.tree().ok()?;
        let message = tree.root()?.child("forwarded", ns::FORWARD)?.child("message", ns::CLIENT)?;
        let from = Jid::parse(&message.attr("from")?).ok()?;
        let Kind::Message(ty) = Kind::parse("message", message.attr("type").as_deref())? else { return None };
        let payload = Payload::canonical(bytes::Bytes::copy_from_slice(message.inner_raw()));
        let own = from.bare_str() == account.as_str();
        (!own).then(|| Notice::judge(from, ty, std::borrow::Cow::Owned(payload)))?
    }

    fn judge(from: Jid, ty: MessageType, payload: std::borrow::Cow<'a, Payload>) -> Option<Notice<'a>> {
        if matches!(ty, MessageType::Error | MessageType::Headline) {
            return None;
        }
        let calls = payload.has("propose", ns::JINGLE_MESSAGE) || payload.has("invite", ns::CALL_INVITES);
        let sealed = is_encrypted(&payload);
        let body = payload.text_of("body", ns::CLIENT).filter(|body| !body.is_empty());
        let weight = match () {
            () if calls => Weight::Call,
            // Its body, if it has one, is for clients that do not know what it means.
            () if payload.has("retract", ns::RETRACT) || payload.has("reactions", ns::REACTIONS) => {
                return None;
            }
            // It will not be there when the client comes to fetch it.
            () if payload.has("no-store", ns::HINTS) => return None,
            () if body.is_some() || sealed || invites(&payload) => Weight::Said,
            () => return None,
        };
        let body = body.filter(|body| !sealed && !body.starts_with("?OTR"));
        Some(Notice { from, ty, weight, body, payload })
    }

    /// Whether it was said in a room.
    pub(super) fn is_groupchat(&self) -> bool {
        self.ty == MessageType::Groupchat
    }

    /// What matters more is greater.
    pub(super) fn urgency(&self) -> Weight {
        self.weight
    }

    /// What the call is called, and which media it is about (XEP-0353 section 3.1).
    pub(super) fn call(&self) -> Option<(String, Vec<String>)> {
        let propose = self.payload.child("propose", ns::JINGLE_MESSAGE)?;
        let tree = propose.tree().ok()?;
        let propose = tree.root()?;
        let media = propose.children().filter(|child| child.name() == "description");
        let media = media.filter_map(|child| Some(child.attr("media")?.into_owned())).take(4).collect();
        Some((propose.attr("id")?.into_owned(), media))
    }

    /// Whether somebody who has this address, and this nickname in the room, is meant. Many clients only write the name.
    pub(super) fn mentions(&self, account: &str, nick: &str) -> bool {
        let uris = [format!("xmpp:{account}"), format!("xmpp:{}/{nick}", self.from.bare_str())];
        let referred = self.payload.children().any(|child| {
            child.is("reference", ns::REFERENCE)
                && child.attr("type").as_deref() == Some("mention")
                && child.attr("uri").is_some_and(|uri| uris.contains(&uri))
        });
        referred || self.body.as_deref().is_some_and(|body| has_word(body, nick))
    }
}

/// Whether the text has this word or these words, in whatever case.
fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    !word.is_empty()
        && text.match_indices(&word).any(|(at, found)| {
            apart(text[..at].chars().next_back()) && apart(text[at + found.len()..].chars().next())
        })
}

/// Whether what it says is for its recipient alone.
pub(super) fn is_encrypted(payload: &Payload) -> bool {
    payload.children().any(|child| {
        matches!(child.ns(), ns::OMEMO | ns::OMEMO_OLD | ns::OPENPGP | ns::PGP_OLD | ns::ENCRYPTION)
            || child.name() == "encrypted"
    })
}

fn invites(payload: &Payload) -> bool {
    let mediated = payload.child("x", ns::MUC_USER).is_some_and(|x| {
        x.tree().is_ok_and(|tree| tree.root().is_some_and(|x| x.child("invite", ns::MUC_USER).is_some()))
    });
    mediated || payload.has("x", ns::CONFERENCE)
}

/// The beginning of a text, in whole characters.
pub(super) fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(BODY_BYTES_MAX)]
}
