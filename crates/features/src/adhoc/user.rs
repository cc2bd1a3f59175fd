//! Commands for every user: change the password, see one's devices.
//!
//! XEP-0050 1.3.0
//!
//! Not here: the same over XEP-0077 (`register.rs`).

use kernel::{Answer, Host, Turn};
use model::query::{AccountFound, AccountQuery, Found, Password, Query, SessionFilter, SessionFound};
use stanza::{Condition, StanzaError};

use super::{Call, Command};
use crate::forms::Field;
use crate::register::{PASSWORD_BYTES_MAX, acceptable};

/// All of them.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        node: "change-password",
        name: "Change my password",
        admin: false,
        fields: &[
            Field::required("old", "text-private", "The password that you have now"),
            Field::required("password", "text-private", "The new password"),
            Field::required("password-verify", "text-private", "The new password again"),
        ],
        known: None,
        run: change_password,
    },
    Command {
        node: "devices",
        name: "List my devices",
        admin: false,
        fields: &[],
        known: None,
        run: devices,
    },
];

fn change_password(_: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let value = |var| call.filled.value(var).unwrap_or_default();
    if value("password") != value("password-verify") {
        return call.failed("The passwords differ");
    }
    if value("old").len() > PASSWORD_BYTES_MAX {
        return call.failed("That is not your password");
    }
    let (account, old) = (call.from.bare(), Password::new(value("old")));
    let new = match acceptable(value("password")) {
        Ok(new) => new,
        Err(error) => return error.into(),
    };
    let check = AccountQuery::CheckPassword { account: account.clone(), password: old };
    Answer::ask(Query::Account(check), move |_, found| match found {
        Found::Account(AccountFound::Done) => {
            let set = AccountQuery::SetPassword { account, password: new };
            Answer::ask(Query::Account(set), move |_, found| told(&call, &found, "The password is changed"))
        }
        found => told(&call, &found, ""),
    })
}

fn told(call: &Call, found: &Found, done: &str) -> Answer<Host> {
    match found {
        Found::Account(AccountFound::Done) => call.done(done),
        Found::Account(AccountFound::No) => call.failed("That is not your password"),
        Found::Account(AccountFound::Refused(why)) => call.failed(why),
        _ => StanzaError::from(Condition::InternalServerError).into(),
    }
}

fn devices(_: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    Answer::ask(Query::Sessions(SessionFilter::Of(call.from.bare())), move |_, found| match found {
        Found::Sessions(found) => call.found(&[("devices", found.iter().map(device).collect())]),
        _ => Condition::InternalServerError.into(),
    })
}

/// One line for people.
fn device(session: &SessionFound) -> String {
    let mut parts = vec![session.jid.resource().unwrap_or_default().to_owned()];
    if let Some(about) = &session.about {
        parts.extend(about.client.software.clone());
        parts.extend(about.client.device.clone());
        parts.push(format!("from {}", about.ip));
        parts.push(about.tls.clone().unwrap_or_else(|| "without encryption".to_owned()));
    }
    parts.push(match (session.priority, &session.about) {
        (_, None) => "connection lost, may come back".to_owned(),
        (Some(priority), _) => format!("available with priority {priority}"),
        (None, _) => "not available".to_owned(),
    });
    parts.join(", ")
}
