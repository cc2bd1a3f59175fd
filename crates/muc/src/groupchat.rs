//! Messages to all.
//!
//! XEP-0045 1.35.5 section 7.4, XEP-0359 0.7.0 (ids), XEP-0500 0.1.1 (slow mode)
//!
//! A message gets its place in the one order of the room here: it is archived and sent to all in one turn, so that all
//! occupants and the archive agree.
//!
//! Not here: the archive (`archive.rs`), subjects (`subject.rs`), withdrawals (`retract.rs`).

use std::sync::Arc;

use address::Jid;
use kernel::{Spot, Turn};
use stanza::{Condition, ErrorType, Kind, MessageType, Payload, Stanza, StanzaError, ns};

use crate::affiliation::{Affiliation, Role};
use crate::here::{Here, too_much};
use crate::limits;
use crate::service::Shared;
use crate::{archive, occupant_id, retract, subject};

/// Who says something.
pub(crate) struct Speaker {
    pub(crate) client: Jid,
    /// The address in the room.
    pub(crate) address: Jid,
    pub(crate) bare: Arc<str>,
    pub(crate) role: Role,
    /// XEP-0421.
    pub(crate) id: Arc<str>,
}

/// A message of type `groupchat`.
pub(crate) fn said(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
    let mut here = Here::of(shared, turn);
    let speaker = match accepted(&mut here, &stanza) {
        Ok(speaker) => speaker,
        Err(error) => return here.refuse(&stanza, error),
    };
    let (withdrawn, name) = (retract::named(&stanza.payload), stanza.id.clone());
    if reflect(&mut here, &speaker, stanza).is_some()
        && let Some(id) = withdrawn
    {
        retract::by_author(shared, turn, id, &speaker.bare, name);
    }
}

fn accepted(here: &mut Here<'_>, stanza: &Stanza) -> Result<Speaker, StanzaError> {
    let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return Err(Condition::BadRequest.into()) };
    if !here.is_there_for(from) {
        return Err(Condition::ItemNotFound.into());
    }
    let Some(occupant) = here.room.occupants.of(from) else {
        return Err(StanzaError::from(Condition::NotAcceptable).text("you are not in this room"));
    };
    // Section 7.5: nobody would know that it was for one alone.
    if to.resource().is_some() {
        return Err(Condition::BadRequest.into());
    }
    let speaker = Speaker {
        client: from.clone(),
        address: occupant.address.clone(),
        bare: occupant.bare.text(),
        role: occupant.role,
        id: occupant.id.clone(),
    };
    paced(here, &speaker)?;
    if subject::is_change(&stanza.payload) {
        subject::change(here, speaker.role, &speaker.address, &stanza.payload)?;
    } else if speaker.role < Role::Participant {
        return Err(StanzaError::from(Condition::Forbidden).text("you have no voice in this room"));
    } else if stanza.payload.has("body", ns::CLIENT) {
        slowed(here, &speaker)?;
    }
    Ok(speaker)
}

fn paced(here: &mut Here<'_>, speaker: &Speaker) -> Result<(), StanzaError> {
    let most = here.shared.settings.messages;
    match here.room.people.of(&speaker.bare).messages.take(here.now_ms, most, limits::MESSAGES_MS) {
        true => Ok(()),
        false => Err(too_much("you send too fast; this message was not delivered")),
    }
}

/// XEP-0500 section 6: all clients and nicknames of a person count together, the staff not at all.
fn slowed(here: &mut Here<'_>, speaker: &Speaker) -> Result<(), StanzaError> {
    let (slow, now) = (u64::from(here.room.config.slow) * 1_000, here.now_ms);
    let person = here.room.people.of(&speaker.bare);
    if person.spoke_ms.is_some_and(|last| now >= last && now - last < slow)
        && here.affiliation(&speaker.client) < Affiliation::Admin
    {
        let error = StanzaError::new(Condition::PolicyViolation, ErrorType::Wait);
        return Err(error.text("slow mode: wait before you send another message to this room"));
    }
    here.room.people.of(&speaker.bare).spoke_ms = Some(now);
    Ok(())
}

/// Takes off what only the room may say (XEP-0045 section 17.3, XEP-0359 section 5, XEP-0421 section 4, XEP-0425
/// section 5), and times that claim to be the room's.
pub(crate) fn clean(payload: &Payload, room: &Jid) -> Payload {
    let by_room = |by: Option<String>| by.is_none_or(|by| Jid::parse(&by).is_ok_and(|by| by == *room));
    payload.without(|child| match child.ns() {
        ns::MUC_USER | ns::OCCUPANT_ID | ns::HATS => true,
        ns::SID => child.name() == "stanza-id" && by_room(child.attr("by")),
        ns::DELAY => by_room(child.attr("from")),
        ns::RETRACT => child.tree().is_ok_and(|tree| {
            tree.root()
                .is_some_and(|el| el.name() == "retracted" || el.child("moderated", ns::MODERATE).is_some())
        }),
        _ => false,
    })
}

/// Sends it to all, with the room's ids; keeps it if it is worth it. Gives its id, unless nothing of it is left.
fn reflect(here: &mut Here<'_>, speaker: &Speaker, stanza: Stanza) -> Option<u64> {
    let payload = clean(&stanza.payload, here.at.jid());
    if payload.is_empty() {
        return None;
    }
    let payload = payload.with(|w| occupant_id::write(w, &speaker.id));
    let said = Stanza { from: Some(speaker.address.clone()), to: None, payload, ..stanza };
    Some(say(here, said, &speaker.bare, Some(&speaker.client)))
}

/// Says something to all: archives it, remembers it, sends it. `author` is who said it, from which client.
pub(crate) fn say(here: &mut Here<'_>, said: Stanza, author: &Arc<str>, client: Option<&Jid>) -> u64 {
    let id = here.next_id();
    let kept = archive::is_worth_it(&said.payload);
    if kept && here.room.config.archive {
        archive::append(here, id, &said, author, client);
    }
    let payload = said.payload.with(|w| archive::write_id(w, here.at.as_str(), id));
    let said = Stanza { payload, ..said };
    if kept && said.payload.has("body", ns::CLIENT) {
        let most = here.room.config.history;
        here.room.history.add(here.at.jid(), id, here.now_ms, author, &said, most);
        here.room.activity.count(here.now_ms);
    }
    let Stanza { from: Some(from), id: name, lang, payload, .. } = &said else { return id };
    here.send_all(Kind::Message(MessageType::Groupchat), from, name.as_ref(), lang.as_ref(), payload);
    id
}
