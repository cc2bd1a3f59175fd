//! Taking back what one has said, and what others have said if one moderates the room.
//!
//! XEP-0424 0.4.2 (with tombstones), XEP-0425 0.3.0
//!
//! Not here: what clients make of it.

use std::sync::Arc;

use address::Jid;
use kernel::{Answer, Iq, Spot, Turn};
use model::query::{Found, Query};
use model::spaces::ARCHIVE;
use model::storage::{Entry, LogQuery, Write};
use stanza::when::stamp;
use stanza::{Condition, MessageType, Payload, Stanza, StanzaError, ns};
use xml::Writer;

use crate::affiliation::Role;
use crate::groupchat;
use crate::here::{Here, bounded};
use crate::limits;
use crate::occupant_id;
use crate::service::Shared;

/// The message that a message takes back.
pub(crate) fn named(payload: &Payload) -> Option<u64> {
    payload.child("retract", ns::RETRACT)?.attr("id")?.parse().ok()
}

/// Who moderated a message, and why.
struct Moderation {
    by: Jid,
    id: Arc<str>,
    reason: Option<String>,
}

/// An author takes back a message of his own: it is no longer handed on.
/// `name` is the id of the message that takes it back.
pub(crate) fn by_author(
    shared: &Arc<Shared>,
    turn: &mut Turn<'_, Spot>,
    id: u64,
    author: &Arc<str>,
    name: Option<Arc<str>>,
) {
    let here = Here::of(shared, turn);
    here.room.history.withdraw(id, Some(author));
    if !here.room.config.archive {
        return;
    }
    let (shared, author, query) = (shared.clone(), author.clone(), one(&here, id));
    turn.ask(query, move |turn, found| {
        let mut here = Here::of(&shared, turn);
        if let Some(entry) = entry_of(found).filter(|entry| entry.with.as_deref() == Some(&*author)) {
            bury(&mut here, &entry, name.as_deref(), None);
        }
    });
}

fn one(here: &Here<'_>, id: u64) -> Query {
    let query = LogQuery { ids: Some(vec![id]), limit: 1, ..LogQuery::new(ARCHIVE, here.owner()) };
    Query::Read(query.into())
}

fn entry_of(found: Result<Found, StanzaError>) -> Option<Entry> {
    found.ok()?.into_loaded().into_page().entries.pop()
}

/// Puts a tombstone where the message was (XEP-0424 section 5, XEP-0425 section 4): who said it and when stays.
fn bury(here: &mut Here<'_>, entry: &Entry, name: Option<&str>, moderation: Option<&Moderation>) {
    let Ok(said) = Stanza::from_stored(&entry.value) else { return };
    let rest = said.payload.without(|child| child.ns() != ns::OCCUPANT_ID);
    let payload = rest.with(|w| {
        w.open("retracted", ns::RETRACT).attr_opt("id", name).attr("stamp", stamp(here.now_ms));
        if let Some(moderation) = moderation {
            moderated(w, moderation);
        }
        w.close();
    });
    let value = Stanza { payload, ..said }.to_stored().into();
    let (owner, id) = (here.owner(), entry.id);
    here.fx.write(Write::LogReplace { space: ARCHIVE, owner, id, value });
}

fn moderated(w: &mut Writer, moderation: &Moderation) {
    w.open("moderated", ns::MODERATE).attr("by", moderation.by.as_str());
    occupant_id::write(w, &moderation.id);
    w.close();
    if let Some(reason) = &moderation.reason {
        w.leaf("reason", ns::RETRACT, reason);
    }
}

/// XEP-0425 section 3: a moderator takes a message back that somebody has said.
pub(crate) fn moderate(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, iq: &Iq<'_>) -> Answer<Spot> {
    let here = Here::of(shared, turn);
    let Some(occupant) = here.room.occupants.of(iq.from()).filter(|one| one.role == Role::Moderator) else {
        return StanzaError::from(Condition::Forbidden).text("only moderators may do that").into();
    };
    let reason = iq.payload.child_text("reason", ns::MODERATE).map(|reason| reason.into_owned());
    let reason = match bounded(reason, limits::REASON_BYTES_MAX) {
        Ok(reason) => reason,
        Err(error) => return error.into(),
    };
    if iq.payload.child("retract", ns::RETRACT).is_none() {
        return Condition::BadRequest.into();
    }
    let Some(id) = iq.payload.attr("id").and_then(|id| id.parse::<u64>().ok()) else {
        return Condition::ItemNotFound.into();
    };
    let moderation = Moderation { by: occupant.address.clone(), id: occupant.id.clone(), reason };
    let (shared, archives, query) = (shared.clone(), here.room.config.archive, one(&here, id));
    if !archives {
        return moderate_now(&mut Here::of(&shared, turn), id, None, &moderation);
    }
    Answer::ask(query, move |turn, found| {
        moderate_now(&mut Here::of(&shared, turn), id, entry_of(Ok(found)), &moderation)
    })
}

fn moderate_now(here: &mut Here<'_>, id: u64, entry: Option<Entry>, moderation: &Moderation) -> Answer<Spot> {
    let remembered = here.room.history.withdraw(id, None);
    if !remembered && entry.is_none() {
        return Condition::ItemNotFound.into();
    }
    let name = format!("moderated-{id}");
    if let Some(entry) = &entry {
        bury(here, entry, Some(&name), Some(moderation));
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("retract", ns::RETRACT).attr("id", id.to_string());
    moderated(&mut w, moderation);
    w.close();
    let said = Stanza::message(MessageType::Groupchat).from(here.at.jid()).id(&name).with_inner(w.finish());
    groupchat::say(here, said, &Arc::default(), None);
    Answer::done()
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};

    fn id_of(seen: &[String]) -> String {
        seen[0].split(&format!("by='{ROOM}' id='")).nth(1).unwrap().split('\'').next().unwrap().to_owned()
    }

    fn retract(id: &str) -> String {
        let inner = format!("<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>");
        format!("<message from='{HAG}' to='{ROOM}' id='r' type='groupchat'>{inner}</message>")
    }

    #[test]
    fn authors_take_back_their_own_and_nobody_elses() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        let (own, other) = (id_of(&stage.say(HAG, "mine")), id_of(&stage.say(CRONE, "yours")));
        stage.send(&retract(&own));
        stage.send(&retract(&other));
        let archive = stage.iq(HAG, "set", "<query xmlns='urn:xmpp:mam:2'/>").join("");
        assert!(!archive.contains("mine") && archive.contains("yours"), "{archive}");
        assert!(
            archive.contains("<retracted xmlns='urn:xmpp:message-retract:1' id='r' stamp='"),
            "{archive}"
        );
        assert_eq!(archive.matches("<retract xmlns").count(), 2, "the wishes are kept");
        let joined = stage.enter(WITCH, "witch").join("");
        assert!(!joined.contains("mine") && joined.contains("yours"));
    }

    /// XEP-0425 section 3.
    #[test]
    fn moderators_take_back_what_others_said() {
        let moderate = |id: &str| {
            format!(
                "<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/>\
                 <reason>spam</reason></moderate>"
            )
        };
        for archives in ["1", "0"] {
            let mut stage = Stage::room(&[("roomconfig_enablearchiving", archives)]);
            stage.enter(HAG, "hag");
            let id = id_of(&stage.say(HAG, "potions"));
            assert_eq!(outcome(&stage.iq(HAG, "set", &moderate(&id))), "forbidden");
            assert_eq!(outcome(&stage.iq(CRONE, "set", &moderate("12345"))), "item-not-found");
            let seen = stage.iq(CRONE, "set", &moderate(&id));
            let told = to(&seen, HAG)[0];
            let expected = format!(
                "<retract xmlns='urn:xmpp:message-retract:1' id='{id}'>\
                 <moderated xmlns='urn:xmpp:message-moderate:1' by='{ROOM}/crone'>"
            );
            assert!(
                told.starts_with(&format!("<message from='{ROOM}' ")) && told.contains(&expected),
                "{told}"
            );
            assert!(told.contains("<reason>spam</reason>"));
            let left = stage.iq(CRONE, "set", "<query xmlns='urn:xmpp:mam:2'/>").join("");
            assert!(!left.contains("potions"));
            assert!(!stage.enter(WITCH, "witch").join("").contains("potions"));
            if archives == "1" {
                assert!(
                    left.contains("<retracted ") && left.contains(&format!("from='{ROOM}/hag'")),
                    "{left}"
                );
                assert_eq!(outcome(&stage.iq(CRONE, "set", &moderate(&id))), "ok", "again, if need be");
            }
        }
    }
}
