//! Private messages between occupants.
//!
//! XEP-0045 1.35.5 section 7.5
//!
//! They are in no archive of the room and no history.
//!
//! Not here: requests between occupants (`forward.rs`).

use stanza::{Condition, Stanza, StanzaError, ns};

use crate::affiliation::Role;
use crate::config::Least;
use crate::groupchat::clean;
use crate::here::{Here, too_much};
use crate::{limits, occupant_id};

/// A message to the address of an occupant.
pub(crate) fn said(here: &mut Here<'_>, stanza: Stanza) {
    match passed(here, &stanza) {
        Ok(passed) => {
            let nick = stanza.to.as_ref().and_then(|to| to.resource()).unwrap_or_default();
            let Some(target) = here.room.occupants.get(nick) else { return };
            for visit in &target.visits {
                here.fx.route(passed.clone().to(&visit.jid));
            }
        }
        Err(error) => here.refuse(&stanza, error),
    }
}

fn passed(here: &mut Here<'_>, stanza: &Stanza) -> Result<Stanza, StanzaError> {
    let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return Err(Condition::BadRequest.into()) };
    if !here.is_there_for(from) {
        return Err(Condition::ItemNotFound.into());
    }
    let Some(sender) = here.room.occupants.of(from) else {
        return Err(StanzaError::from(Condition::NotAcceptable).text("you are not in this room"));
    };
    let (address, id, bare, role) =
        (sender.address.clone(), sender.id.clone(), sender.bare.text(), sender.role);
    let Some(target) = to.resource().and_then(|nick| here.room.occupants.get(nick)) else {
        return Err(Condition::ItemNotFound.into());
    };
    // Moderators can be asked things, unless nobody speaks in private.
    let staff = target.role == Role::Moderator && here.room.config.private != Least::Nobody;
    if !here.room.config.private.allows(role) && !staff {
        return Err(StanzaError::from(Condition::Forbidden).text("no private messages in this room"));
    }
    let most = here.shared.settings.messages;
    if !here.room.people.of(&bare).messages.take(here.now_ms, most, limits::MESSAGES_MS) {
        return Err(too_much("you send too fast; this message was not delivered"));
    }
    let payload = clean(&stanza.payload, here.at.jid()).with(|w| {
        w.open("x", ns::MUC_USER).close();
        occupant_id::write(w, &id);
    });
    Ok(Stanza { from: Some(address), payload, ..stanza.clone() })
}
