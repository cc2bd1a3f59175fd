//! Requests to the service, to rooms and to occupants.
//!
//! XEP-0045 1.35.5 section 17.4
//!
//! Not here: answering them.

use std::sync::Arc;

use kernel::{Answer, Iq, Spot, Turn, answer};
use stanza::{Condition, Stanza, ns};

use crate::here::Here;
use crate::service::Shared;
use crate::{
    admin, archive, avatar, disco, forward, hats_commands, listing, owner, register, retract, search,
};

/// Finds who answers, and answers.
pub(crate) fn asked(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
    if stanza.to.as_ref().is_some_and(|to| to.resource().is_some()) {
        return forward::asked(&mut Here::of(shared, turn), &stanza);
    }
    let said = match stanza.payload.tree() {
        Ok(tree) => match tree.root() {
            Some(payload) => dispatch(shared, turn, &Iq { stanza: &stanza, payload }),
            None => Some(Condition::BadRequest.into()),
        },
        Err(_) => Some(Condition::BadRequest.into()),
    };
    if let Some(said) = said {
        answer(turn, stanza, said);
    }
}

/// `None`: it has been answered already.
fn dispatch(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, iq: &Iq<'_>) -> Option<Answer<Spot>> {
    let set = iq.is_set();
    if turn.place.is_service() {
        return Some(match (iq.payload.ns(), set) {
            (ns::DISCO_INFO, false) => disco::service(shared, iq),
            (ns::DISCO_ITEMS, false) => listing::rooms(shared, iq),
            (ns::CHANNEL_SEARCH, false) => search::asked(shared, iq),
            (ns::PING, false) => Answer::done(),
            _ => Condition::ServiceUnavailable.into(),
        });
    }
    let mut here = Here::of(shared, turn);
    if !here.is_there_for(iq.from()) {
        return Some(Condition::ItemNotFound.into());
    }
    Some(match (iq.payload.ns(), set) {
        (ns::DISCO_INFO, false) => disco::room(&here, iq),
        (ns::DISCO_ITEMS, false) => disco::items(&here, iq),
        (ns::PING, false) => Answer::done(),
        (ns::MUC_ADMIN, false) => admin::list(&here, iq),
        (ns::MUC_ADMIN, true) => return done(admin::change(&mut here, iq)),
        (ns::MUC_OWNER, false) => owner::form(&here, iq),
        (ns::MUC_OWNER, true) => return done(owner::set(&mut here, iq)),
        (ns::REGISTER, _) => return register::asked(&mut here, iq),
        (ns::VCARD, false) => avatar::shown(&here),
        (ns::VCARD, true) => avatar::set(&mut here, iq),
        (ns::COMMANDS, true) => return hats_commands::asked(&mut here, iq),
        (ns::MAM, _) => archive::asked(shared, turn, iq),
        (ns::MODERATE, true) => retract::moderate(shared, turn, iq),
        _ => Condition::ServiceUnavailable.into(),
    })
}

fn done(outcome: Result<(), stanza::StanzaError>) -> Option<Answer<Spot>> {
    outcome.err().map(Answer::from)
}
