//! Rooms, for operators: which there are, also hidden ones, and their end.
//!
//! XEP-0050 1.3.0; XEP-0133 has no such commands
//!
//! What is asked of rooms is asked in the name of the domain, which they obey as an owner.
//!
//! Not here: making and configuring rooms (clients do that as owners, `detente room` does it for operators).

use std::collections::VecDeque;

use address::{Bare, Jid};
use kernel::{Answer, Host, Turn};
use model::query::{Found, Query};
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns};
use xml::Writer;

use super::{ACCOUNTS_MAX, Call, bad_payload, most};

const NO_ROOMS: &str = "there are no rooms at this domain";

/// A request to the service or to one of its rooms.
fn request(turn: &Turn<'_, Host>, to: &Jid, ty: IqType, write: impl FnOnce(&mut Writer)) -> Query {
    let mut w = Writer::new(ns::CLIENT);
    write(&mut w);
    let request = Stanza::new(Kind::Iq(ty)).with_inner(w.finish());
    Query::Request(Box::new(request.from(&turn.place.domain).to(to)))
}

/// The answer to one, unless it is an error.
fn taken(found: Found) -> Option<Stanza> {
    match found {
        Found::Answer(answer) if answer.kind == Kind::Iq(IqType::Result) => Some(*answer),
        _ => None,
    }
}

/// A page of all rooms, by address.
pub(super) fn list(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let Some(service) = turn.place.facts.rooms.clone() else { return call.failed(NO_ROOMS) };
    let asked = most(&call).and_then(|most| {
        let after = call.filled.value("after").map(Bare::parse).transpose().map_err(|_| bad_payload())?;
        Ok((after.map(|after| after.to_string()), most as usize))
    });
    match asked {
        Ok((after, most)) => page(turn, call, service, after, Vec::new(), most),
        Err(error) => error.into(),
    }
}

/// Asks for one page after the other until there are as many as are wanted.
fn page(
    turn: &mut Turn<'_, Host>,
    call: Call,
    service: Jid,
    after: Option<String>,
    mut rooms: Vec<String>,
    most: usize,
) -> Answer<Host> {
    let query = request(turn, &service, IqType::Get, |w| {
        w.open("rooms", ns::ROOMS).attr_opt("after", after).close();
    });
    Answer::ask(query, move |turn, found| {
        let Some(answer) = taken(found) else { return Condition::InternalServerError.into() };
        let tree = answer.payload.tree().ok();
        let Some(page_read) = tree.as_ref().and_then(|tree| tree.root()) else {
            return Condition::InternalServerError.into();
        };
        let found = page_read.children_named("room", ns::ROOMS);
        rooms.extend(found.filter_map(|room| room.attr("jid").map(|jid| jid.into_owned())));
        let more = page_read.attr("more").map(|more| more.into_owned());
        if rooms.len() < most && more.is_some() {
            return page(turn, call, service, more, rooms, most);
        }
        rooms.truncate(most);
        call.found(&[("roomjids", rooms)])
    })
}

/// Ends rooms, if all are there.
pub(super) fn destroy(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let Some(service) = turn.place.facts.rooms.clone() else { return call.failed(NO_ROOMS) };
    let rooms = match wanted(&call, &service) {
        Ok(rooms) => rooms,
        Err(error) => return error.into(),
    };
    look(turn, call, rooms.clone(), rooms)
}

/// The rooms of the field, each once: those of other services are none of this domain's business.
fn wanted(call: &Call, service: &Jid) -> Result<VecDeque<Bare>, StanzaError> {
    let mut rooms: VecDeque<Bare> = VecDeque::new();
    for text in call.filled.values("roomjids") {
        let room = Bare::parse(text).map_err(|_| bad_payload())?;
        if room.local().is_none() || room.domain() != service.as_str() {
            return Err(Condition::Forbidden.into());
        }
        if !rooms.contains(&room) {
            rooms.push_back(room);
        }
        if rooms.len() > ACCOUNTS_MAX {
            return Err(bad_payload());
        }
    }
    if rooms.is_empty() { Err(bad_payload()) } else { Ok(rooms) }
}

fn look(
    turn: &mut Turn<'_, Host>,
    call: Call,
    mut left: VecDeque<Bare>,
    rooms: VecDeque<Bare>,
) -> Answer<Host> {
    let Some(room) = left.pop_front() else { return end(turn, call, rooms) };
    let query = request(turn, room.jid(), IqType::Get, |w| _ = w.open("room", ns::ROOMS).close());
    Answer::ask(query, move |turn, found| match taken(found) {
        Some(_) => look(turn, call, left, rooms),
        None => call.failed(&format!("{room}: no such room")),
    })
}

fn end(turn: &mut Turn<'_, Host>, call: Call, mut left: VecDeque<Bare>) -> Answer<Host> {
    let Some(room) = left.pop_front() else { return call.done("done") };
    let query = request(turn, room.jid(), IqType::Set, |w| {
        w.open("query", ns::MUC_OWNER).open("destroy", ns::MUC_OWNER);
        if let Some(reason) = call.filled.value("reason") {
            w.leaf("reason", ns::MUC_OWNER, reason);
        }
        w.close().close();
    });
    Answer::ask(query, move |turn, found| match taken(found) {
        Some(_) => end(turn, call, left),
        None => call.failed(&format!("{room}: it could not be ended")),
    })
}
