//! Commands about single users.
//!
//! XEP-0133 1.3.1 (sections 4.1 to 4.9)
//!
//! Of a user's statistics the rates of stanzas and logins are left out: nobody counts them for one account.
//!
//! Not here: credentials (accounts), what follows for sessions (engine).

use std::collections::{BTreeSet, VecDeque};

use address::{Bare, Jid};
use kernel::{Answer, Host, Item, ROSTER, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, SessionFilter};
use model::storage::{Owner, Read};
use stanza::{Condition, ns};

use super::{Call, bad_payload, each, many, most, on_hand, one, sessions};
use crate::last::{LAST, Left};
use crate::register::acceptable;
use crate::when::stamp;

/// Most bytes of contacts in one answer; a contact that begins below it is still shown.
pub(crate) const ROSTER_BYTES_MAX: usize = 131_072;

/// Changes accounts, if all are there.
pub(super) fn change(turn: &mut Turn<'_, Host>, call: Call, order: fn(Bare) -> AccountQuery) -> Answer<Host> {
    let accounts = match many(turn, &call, "accountjids") {
        Ok(accounts) => accounts,
        Err(error) => return error.into(),
    };
    let looks = accounts.iter().map(|a| (a.clone(), AccountQuery::Show { account: a.clone() })).collect();
    let orders = accounts.into_iter().map(|a| (a.clone(), order(a))).collect();
    each(
        turn,
        looks,
        call,
        Box::new(move |turn, call| each(turn, orders, call, Box::new(|_, call| call.done("Done")))),
    )
}

pub(super) fn add(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let value = |var| call.filled.value(var).unwrap_or_default();
    if value("password") != value("password-verify") {
        return call.failed("The passwords differ");
    }
    match (one(turn, &call), acceptable(value("password"))) {
        (Ok(account), Ok(password)) => {
            let order = (account.clone(), AccountQuery::Create { account, password });
            each(turn, VecDeque::from([order]), call, Box::new(|_, call| call.done("The account is there")))
        }
        (Err(error), _) | (_, Err(error)) => error.into(),
    }
}

pub(super) fn set_password(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    match (one(turn, &call), acceptable(call.filled.value("password").unwrap_or_default())) {
        (Ok(account), Ok(password)) => {
            let order = (account.clone(), AccountQuery::SetPassword { account, password });
            each(
                turn,
                VecDeque::from([order]),
                call,
                Box::new(|_, call| call.done("The password is changed")),
            )
        }
        (Err(error), _) | (_, Err(error)) => error.into(),
    }
}

/// We know when the last device went away: for those who are here that is now.
pub(super) fn last_login(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let accounts = match many(turn, &call, "accountjids") {
        Ok(accounts) => accounts,
        Err(error) => return error.into(),
    };
    sessions(turn, move |_, found| {
        let here = on_hand(&found);
        let read = |account: &Bare| Read::Doc { space: LAST, owner: Owner::from(account.text()) };
        let reads = accounts.iter().map(read).collect();
        Answer::read(Read::Many(reads), move |turn, loaded| {
            let docs =
                loaded.into_many().into_iter().map(|doc| doc.into_doc().and_then(|doc| Left::read(&doc)));
            let when = accounts.iter().zip(docs).map(|(account, left)| match left {
                _ if here.contains(account) => stamp(turn.now.unix_ms),
                Some(left) => stamp(left.at.saturating_mul(1_000)),
                None => "unknown".to_owned(),
            });
            let when = when.collect();
            call.found(&[
                ("accountjids", accounts.iter().map(ToString::to_string).collect()),
                ("lastlogin", when),
            ])
        })
    })
}

/// Goes on if there is such an account.
fn known(
    account: Bare,
    call: Call,
    then: impl FnOnce(&mut Turn<'_, Host>, Call, Bare) -> Answer<Host> + Send + 'static,
) -> Answer<Host> {
    let show = AccountQuery::Show { account: account.clone() };
    Answer::ask(Query::Account(show), move |turn, found| match found {
        Found::Account(AccountFound::Accounts(_)) => then(turn, call, account),
        Found::Account(AccountFound::No) => call.failed(&format!("{account}: no such account")),
        _ => Condition::InternalServerError.into(),
    })
}

fn contacts(account: &Bare) -> Read {
    Read::Map { space: ROSTER, owner: Owner::from(account.text()) }
}

/// As the user sees it: without strangers who only asked.
pub(super) fn roster(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let (accounts, most) = match (many(turn, &call, "accountjids"), most(&call)) {
        (Ok(accounts), Ok(most)) => (accounts, most as usize),
        (Err(error), _) | (_, Err(error)) => return error.into(),
    };
    let [account] = accounts.as_slice() else { return call.failed("Only one roster at a time") };
    let after = match call.filled.value("after").map(Jid::parse).transpose() {
        Ok(after) => after.map(|after| after.bare_str().to_owned()),
        Err(_) => return bad_payload().into(),
    };
    known(account.clone(), call, move |_, call, account| {
        Answer::read(contacts(&account), move |_, loaded| {
            let items = loaded.into_map().into_iter().filter_map(|(contact, stored)| {
                let item: Item = serde_json::from_slice(&stored).ok()?;
                let wanted = item.listed && after.as_deref().is_none_or(|after| &*contact > after);
                wanted.then_some((contact, item))
            });
            call.found_with(&[("accountjids", vec![account.to_string()])], |w| {
                w.open("query", ns::ROSTER);
                let begin = w.len();
                for (contact, item) in items.take(most) {
                    if w.len() - begin < ROSTER_BYTES_MAX {
                        item.write(&contact, w);
                    }
                }
                w.close();
            })
        })
    })
}

/// Where a user is connected from and with what, and how many contacts there are.
pub(super) fn statistics(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let account = match one(turn, &call) {
        Ok(account) => account,
        Err(error) => return error.into(),
    };
    known(account, call, |_, call, account| {
        Answer::read(contacts(&account), move |_, loaded| {
            let items = loaded.into_map();
            let listed = |stored: &[u8]| serde_json::from_slice(stored).is_ok_and(|item: Item| item.listed);
            let size = items.iter().filter(|(_, stored)| listed(stored)).count();
            Answer::ask(Query::Sessions(SessionFilter::Of(account)), move |_, found| {
                let Found::Sessions(found) = found else { return Condition::InternalServerError.into() };
                let ips: BTreeSet<String> =
                    found.iter().filter_map(|session| Some(session.about.as_ref()?.ip.to_string())).collect();
                let resources = found.iter().filter_map(|session| session.jid.resource().map(str::to_owned));
                call.found(&[
                    ("ipaddresses", ips.into_iter().collect()),
                    ("rostersize", vec![size.to_string()]),
                    ("onlineresources", resources.collect()),
                ])
            })
        })
    })
}
