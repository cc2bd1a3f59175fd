//! Commands that count and list a domain's users.
//!
//! XEP-0133 1.3.1 (sections 4.12 to 4.21)
//!
//! An idle user is online, and at none of the devices: each says so by presence (`away`, `xa`), by XEP-0352, or by
//! being gone without having said goodbye.
//!
//! Not here: single users (`users.rs`).

use std::collections::BTreeSet;

use address::Bare;
use kernel::{Answer, Host, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, SessionFound, Which};
use stanza::Condition;

use super::{Call, on_hand, page, sessions};

fn count(turn: &Turn<'_, Host>, call: Call, which: Which, var: &'static str) -> Answer<Host> {
    let domain = turn.place.domain.as_str().to_owned();
    Answer::ask(Query::Account(AccountQuery::Count { domain, which }), move |_, found| match found {
        Found::Account(AccountFound::Count(count)) => call.found(&[(var, vec![count.to_string()])]),
        _ => Condition::InternalServerError.into(),
    })
}

fn list(turn: &Turn<'_, Host>, call: Call, which: Which, var: &'static str) -> Answer<Host> {
    let (after, limit) = match page(turn, &call) {
        Ok(page) => page,
        Err(error) => return error.into(),
    };
    let domain = turn.place.domain.as_str().to_owned();
    Answer::ask(Query::Account(AccountQuery::List { domain, after, limit, which }), move |_, found| {
        match found {
            Found::Account(AccountFound::Accounts(found)) => {
                call.found(&[(var, found.iter().map(|info| info.account.to_string()).collect())])
            }
            _ => Condition::InternalServerError.into(),
        }
    })
}

/// Some of those who are online, sorted.
type Choose = fn(&[SessionFound]) -> BTreeSet<Bare>;

fn count_present(turn: &Turn<'_, Host>, call: Call, some: Choose, var: &'static str) -> Answer<Host> {
    sessions(turn, move |_, found| call.found(&[(var, vec![some(&found).len().to_string()])]))
}

fn list_present(turn: &Turn<'_, Host>, call: Call, some: Choose, var: &'static str) -> Answer<Host> {
    let (after, limit) = match page(turn, &call) {
        Ok(page) => page,
        Err(error) => return error.into(),
    };
    sessions(turn, move |_, found| {
        let behind = |account: &Bare| after.as_ref().is_none_or(|after| account > after);
        let there = some(&found).into_iter().filter(behind).take(limit as usize);
        call.found(&[(var, there.map(|account| account.to_string()).collect())])
    })
}

fn at_work(found: &[SessionFound]) -> BTreeSet<Bare> {
    let busy = found.iter().filter(|session| session.priority.is_some() && !session.idle);
    busy.map(|session| session.jid.bare()).collect()
}

fn away(found: &[SessionFound]) -> BTreeSet<Bare> {
    on_hand(found).difference(&at_work(found)).cloned().collect()
}

pub(super) fn registered(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    count(turn, call, Which::All, "registeredusersnum")
}

pub(super) fn disabled(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    count(turn, call, Which::Suspended, "disabledusersnum")
}

pub(super) fn online(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    count_present(turn, call, on_hand, "onlineusersnum")
}

pub(super) fn active(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    count_present(turn, call, at_work, "activeusersnum")
}

pub(super) fn idle(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    count_present(turn, call, away, "idleusersnum")
}

pub(super) fn list_registered(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    list(turn, call, Which::All, "registereduserjids")
}

pub(super) fn list_disabled(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    list(turn, call, Which::Suspended, "disableduserjids")
}

pub(super) fn list_online(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    list_present(turn, call, on_hand, "onlineuserjids")
}

pub(super) fn list_active(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    list_present(turn, call, at_work, "activeuserjids")
}

pub(super) fn list_idle(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    list_present(turn, call, away, "idleuserjids")
}
