//! Service Administration: what a domain's operators can do from their client, as a table.
//!
//! XEP-0133 1.3.1 (partial: see the card of `adhoc`)
//!
//! Whatever names an account names one of the operator's own domain; several accounts at once are looked at first and
//! changed only if all are there.
//!
//! Not here: who is an operator, the protocol (`..`), what follows for sessions (engine).

mod counts;
mod notices;
mod operators;
mod rooms;
mod users;

use std::collections::{BTreeSet, VecDeque};

use address::Bare;
use kernel::{Answer, Host, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, SessionFilter, SessionFound};
use stanza::{Condition, StanzaError};

use super::{Call, Command, Run, bad_payload};
use crate::forms::Field;

/// Most accounts in one command.
pub(crate) const ACCOUNTS_MAX: usize = 100;
/// Most entries in one list.
pub(crate) const LIST_MAX: u32 = 200;

const ACCOUNT: Field = Field::required("accountjid", "jid-single", "The account's address");
const SEVERAL: Field = Field::required("accountjids", "jid-multi", "The accounts' addresses");
const ACCOUNTS: &[Field] = &[SEVERAL];
const PASSWORD: Field = Field::required("password", "text-private", "The password");
const MAX_ITEMS: Field = Field::optional("max_items", "list-single", "Most items to show")
    .of(&["25", "50", "75", "100", "150", "200", "none"]);
const AFTER: Field = Field::optional("after", "jid-single", "Only those after this address");
const PAGE: &[Field] = &[MAX_ITEMS, AFTER];
const MOTD: &[Field] = &[Field::required("motd", "text-multi", "The message of the day")];

const fn admin(node: &'static str, name: &'static str, fields: &'static [Field], run: Run) -> Command {
    Command { node, name, admin: true, fields, known: None, run }
}

/// All of them.
pub(crate) static COMMANDS: &[Command] = &[
    admin(
        "add-user",
        "Add a user",
        &[ACCOUNT, PASSWORD, Field::required("password-verify", "text-private", "The password again")],
        users::add,
    ),
    admin("delete-user", "Delete users", ACCOUNTS, |turn, call| {
        users::change(turn, call, |account| AccountQuery::Remove { account })
    }),
    admin("disable-user", "Disable users", ACCOUNTS, |turn, call| {
        users::change(turn, call, |account| AccountQuery::Suspend { account, suspended: true })
    }),
    admin("reenable-user", "Re-enable users", ACCOUNTS, |turn, call| {
        users::change(turn, call, |account| AccountQuery::Suspend { account, suspended: false })
    }),
    admin("end-user-session", "End users' sessions", ACCOUNTS, |turn, call| {
        users::change(turn, call, |account| AccountQuery::EndSessions { account })
    }),
    admin("change-user-password", "Change a user's password", &[ACCOUNT, PASSWORD], users::set_password),
    admin("get-user-roster", "Get a user's roster", &[SEVERAL, MAX_ITEMS, AFTER], users::roster),
    admin("get-user-lastlogin", "Get users' last login", ACCOUNTS, users::last_login),
    admin("user-stats", "Get a user's statistics", &[ACCOUNT], users::statistics),
    admin("get-registered-users-num", "Count registered users", &[], counts::registered),
    admin("get-disabled-users-num", "Count disabled users", &[], counts::disabled),
    admin("get-online-users-num", "Count online users", &[], counts::online),
    admin("get-active-users-num", "Count active users", &[], counts::active),
    admin("get-idle-users-num", "Count idle users", &[], counts::idle),
    admin("get-registered-users-list", "List registered users", PAGE, counts::list_registered),
    admin("get-disabled-users-list", "List disabled users", PAGE, counts::list_disabled),
    admin("get-online-users-list", "List online users", PAGE, counts::list_online),
    admin("get-active-users", "List active users", PAGE, counts::list_active),
    admin("get-idle-users", "List idle users", PAGE, counts::list_idle),
    admin(
        "announce",
        "Announce to online users",
        &[Field::required("announcement", "text-multi", "The announcement")],
        notices::announce,
    ),
    admin("set-motd", "Set the message of the day", MOTD, notices::set_motd),
    Command {
        known: Some(notices::show_motd),
        ..admin("edit-motd", "Edit the message of the day", MOTD, notices::edit_motd)
    },
    admin("delete-motd", "Delete the message of the day", &[], notices::delete_motd),
    admin(
        "set-welcome",
        "Set the welcome message",
        &[Field::required("welcome", "text-multi", "What new users read at their first login")],
        notices::set_welcome,
    ),
    admin("delete-welcome", "Delete the welcome message", &[], notices::delete_welcome),
    admin("list-rooms", "List rooms", PAGE, rooms::list),
    admin(
        "destroy-rooms",
        "End rooms",
        &[
            Field::required("roomjids", "jid-multi", "The rooms' addresses"),
            Field::optional("reason", "text-single", "What those who are in them read"),
        ],
        rooms::destroy,
    ),
    Command {
        known: Some(operators::show),
        ..admin(
            "edit-admin",
            "Edit the list of operators",
            &[Field::required("adminjids", "jid-multi", "The operators of this domain")],
            operators::edit,
        )
    },
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
    account(turn, call.filled.value("accountjid").ok_or_else(bad_payload)?)
}

/// The accounts of a field, each once, sorted.
fn many(turn: &Turn<'_, Host>, call: &Call, var: &'static str) -> Result<Vec<Bare>, StanzaError> {
    let accounts = call.filled.values(var).map(|text| account(turn, text));
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

/// Which page of a list is wanted.
fn page(turn: &Turn<'_, Host>, call: &Call) -> Result<(Option<Bare>, u32), StanzaError> {
    let after = call.filled.value("after").map(|text| account(turn, text)).transpose()?;
    Ok((after, most(call)?))
}

/// How long a list may become.
fn most(call: &Call) -> Result<u32, StanzaError> {
    match call.filled.value("max_items").map(str::trim) {
        None | Some("none") => Ok(LIST_MAX),
        Some(text) => text.parse::<u32>().map(|n| n.clamp(1, LIST_MAX)).map_err(|_| bad_payload()),
    }
}

/// The sessions of the domain.
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
fn on_hand(sessions: &[SessionFound]) -> BTreeSet<Bare> {
    sessions.iter().filter(|session| session.priority.is_some()).map(|session| session.jid.bare()).collect()
}
