//! Service Administration: what a domain's operators can do from their client.
//!
//! XEP-0133 1.3.1 (partial: the commands of the list below)
//!
//! Several accounts at once are looked at first and changed only if all are there.
//!
//! Not here: who is an operator, the
//! protocol (`adhoc.rs`), what follows for sessions (engine).

use std::collections::{BTreeSet, VecDeque};

use address::Bare;
use kernel::{Answer, Host, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, SessionFilter, SessionFound};
use model::storage::{Owner, Read};
use stanza::{Condition, MessageType, Stanza, StanzaError, ns};
use xml::Writer;

use crate::adhoc::{Call, Command, bad_payload};
use crate::forms::Field;
use crate::last::{LAST, Left};
use crate::register::acceptable;
use crate::when::stamp;

/// Most accounts in one command.
pub(crate) const ACCOUNTS_MAX: usize = 100;
/// Most entries in one list.
pub(crate) const LIST_MAX: u32 = 200;

const ACCOUNT: Field = Field::required("accountjid", "jid-single", "The account's address");
const ACCOUNTS: &[Field] = &[Field::required("accountjids", "jid-multi", "The accounts' addresses")];
const PASSWORD: Field = Field::required("password", "text-private", "The password");
const PAGE: &[Field] = &[
    Field::optional("max_items", "text-single", "Most items to show"),
    Field::optional("after", "jid-single", "Only those after this address"),
];

const fn admin(
    node: &'static str,
    name: &'static str,
    fields: &'static [Field],
    run: fn(&mut Turn<'_, Host>, Call) -> Answer<Host>,
) -> Command {
    Command { node, name, admin: true, fields, run }
}

/// All of them.
pub(crate) static COMMANDS: &[Command] = &[
    admin(
        "add-user",
        "Add a user",
        &[ACCOUNT, PASSWORD, Field::required("password-verify", "text-private", "The password again")],
        add,
    ),
    admin("delete-user", "Delete users", ACCOUNTS, |turn, call| {
        change(turn, call, |account| AccountQuery::Remove { account })
    }),
    admin("disable-user", "Disable users", ACCOUNTS, |turn, call| {
        change(turn, call, |account| AccountQuery::Suspend { account, suspended: true })
    }),
    admin("reenable-user", "Re-enable users", ACCOUNTS, |turn, call| {
        change(turn, call, |account| AccountQuery::Suspend { account, suspended: false })
    }),
    admin("end-user-session", "End users' sessions", ACCOUNTS, |turn, call| {
        change(turn, call, |account| AccountQuery::EndSessions { account })
    }),
    admin("change-user-password", "Change a user's password", &[ACCOUNT, PASSWORD], set_password),
    admin("get-user-lastlogin", "Get users' last login", ACCOUNTS, last_login),
    admin("get-registered-users-num", "Count registered users", &[], count_registered),
    admin("get-online-users-num", "Count online users", &[], count_online),
    admin("get-registered-users-list", "List registered users", PAGE, list_registered),
    admin("get-online-users-list", "List online users", PAGE, list_online),
    admin(
        "announce",
        "Announce to online users",
        &[Field::required("announcement", "text-multi", "The announcement")],
        announce,
    ),
];

/// An address of an account that this host may have: others' are none of its operators' business (L-11).
fn account(turn: &Turn<'_, Host>, text: &str) -> Result<Bare, StanzaError> {
    let account = Bare::parse(text).map_err(|_| bad_payload())?;
    match account.domain() == turn.place.domain.as_str() && account.local().is_some() {
        true => Ok(account),
        false => Err(Condition::Forbidden.into()),
    }
}

fn one(turn: &Turn<'_, Host>, call: &Call) -> Result<Bare, StanzaError> {
    account(turn, call.form.value("accountjid").ok_or_else(bad_payload)?)
}

fn many(turn: &Turn<'_, Host>, call: &Call) -> Result<Vec<Bare>, StanzaError> {
    let accounts = call.form.values("accountjids").map(|text| account(turn, text));
    let accounts: BTreeSet<Bare> = accounts.take(ACCOUNTS_MAX + 1).collect::<Result<_, _>>()?;
    match accounts.len() {
        1..=ACCOUNTS_MAX => Ok(accounts.into_iter().collect()),
        _ => Err(bad_payload()),
    }
}

type Then = Box<dyn FnOnce(&mut Turn<'_, Host>, Call) -> Answer<Host> + Send>;

/// Gives one order after the other, and stops at the first that fails.
fn each(
    turn: &mut Turn<'_, Host>,
    mut orders: VecDeque<(Bare, AccountQuery)>,
    call: Call,
    then: Then,
) -> Answer<Host> {
    let Some((account, order)) = orders.pop_front() else { return then(turn, call) };
    Answer::ask(Query::Account(order), move |turn, found| {
        let why = match found {
            Found::Account(AccountFound::Done | AccountFound::Accounts(_)) => {
                return each(turn, orders, call, then);
            }
            Found::Account(AccountFound::No) => "no such account",
            Found::Account(AccountFound::Exists) => "there is one already",
            Found::Account(AccountFound::Refused(why)) => why,
            _ => return Condition::InternalServerError.into(),
        };
        call.failed(&format!("{account}: {why}"))
    })
}

fn change(turn: &mut Turn<'_, Host>, call: Call, order: fn(Bare) -> AccountQuery) -> Answer<Host> {
    let accounts = match many(turn, &call) {
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

fn add(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let value = |var| call.form.value(var).unwrap_or_default();
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

fn set_password(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    match (one(turn, &call), acceptable(call.form.value("password").unwrap_or_default())) {
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

fn sessions(
    turn: &Turn<'_, Host>,
    then: impl FnOnce(&mut Turn<'_, Host>, Vec<SessionFound>) -> Answer<Host> + Send + 'static,
) -> Answer<Host> {
    let filter = SessionFilter::Domain(turn.place.domain.as_str().to_owned());
    Answer::ask(Query::Sessions(filter), move |turn, found| match found {
        Found::Sessions(found) => then(turn, found),
        _ => Condition::InternalServerError.into(),
    })
}

/// Those with an available device, sorted.
fn online(sessions: Vec<SessionFound>) -> BTreeSet<Bare> {
    sessions.iter().filter(|session| session.priority.is_some()).map(|session| session.jid.bare()).collect()
}

/// We know when the last device went away: for those who are here that is now.
fn last_login(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let accounts = match many(turn, &call) {
        Ok(accounts) => accounts,
        Err(error) => return error.into(),
    };
    sessions(turn, move |_, found| {
        let here = online(found);
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

fn count_registered(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let domain = turn.place.domain.as_str().to_owned();
    Answer::ask(Query::Account(AccountQuery::Count { domain }), move |_, found| match found {
        Found::Account(AccountFound::Count(count)) => {
            call.found(&[("registeredusersnum", vec![count.to_string()])])
        }
        _ => Condition::InternalServerError.into(),
    })
}

fn count_online(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    sessions(turn, move |_, found| call.found(&[("onlineusersnum", vec![online(found).len().to_string()])]))
}

/// Which page of a list is wanted.
fn page(turn: &Turn<'_, Host>, call: &Call) -> Result<(Option<Bare>, u32), StanzaError> {
    let limit = call.form.value("max_items").map_or(Ok(LIST_MAX), |text| text.trim().parse::<u32>());
    let after = call.form.value("after").map(|text| account(turn, text)).transpose()?;
    Ok((after, limit.map_err(|_| bad_payload())?.clamp(1, LIST_MAX)))
}

fn list_registered(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let (after, limit) = match page(turn, &call) {
        Ok(page) => page,
        Err(error) => return error.into(),
    };
    let domain = turn.place.domain.as_str().to_owned();
    Answer::ask(Query::Account(AccountQuery::List { domain, after, limit }), move |_, found| match found {
        Found::Account(AccountFound::Accounts(found)) => {
            call.found(&[("registereduserjids", found.iter().map(|info| info.account.to_string()).collect())])
        }
        _ => Condition::InternalServerError.into(),
    })
}

fn list_online(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let (after, limit) = match page(turn, &call) {
        Ok(page) => page,
        Err(error) => return error.into(),
    };
    sessions(turn, move |_, found| {
        let there =
            online(found).into_iter().filter(|account| after.as_ref().is_none_or(|after| account > after));
        call.found(&[(
            "onlineuserjids",
            there.take(limit as usize).map(|account| account.to_string()).collect(),
        )])
    })
}

fn announce(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    sessions(turn, move |turn, found| {
        let lines: Vec<&str> = call.form.values("announcement").collect();
        let mut w = Writer::new(ns::CLIENT);
        w.leaf("body", ns::CLIENT, lines.join("\n"));
        let inner = w.finish();
        let there = found.iter().filter(|session| session.priority.is_some());
        for session in there.clone() {
            // A headline is neither kept nor bounced if the device has just gone.
            let message = Stanza::message(MessageType::Headline).from(&turn.place.domain).to(&session.jid);
            turn.fx.route(message.with_inner(inner.clone()));
        }
        call.done(&format!("Sent to {} devices", there.count()))
    })
}
