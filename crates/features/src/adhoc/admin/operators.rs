//! The list of a domain's operators, as they edit it.
//!
//! XEP-0133 1.3.1 (section 4.27)
//!
//! Not here: what operators may do.

use std::collections::{BTreeSet, VecDeque};

use address::Bare;
use kernel::{Answer, Host, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, Which};
use stanza::Condition;

use super::{ACCOUNTS_MAX, Call, each, many};

/// Goes on with all operators; with more of them than fit into a form it does not.
fn all(
    turn: &Turn<'_, Host>,
    call: Call,
    then: impl FnOnce(&mut Turn<'_, Host>, Call, BTreeSet<Bare>) -> Answer<Host> + Send + 'static,
) -> Answer<Host> {
    let domain = turn.place.domain.as_str().to_owned();
    let limit = ACCOUNTS_MAX as u32 + 1;
    let list = AccountQuery::List { domain, after: None, limit, which: Which::Admins };
    Answer::ask(Query::Account(list), move |turn, found| match found {
        Found::Account(AccountFound::Accounts(found)) if found.len() > ACCOUNTS_MAX => {
            call.failed("There are too many operators for this form")
        }
        Found::Account(AccountFound::Accounts(found)) => {
            then(turn, call, found.into_iter().map(|info| info.account).collect())
        }
        _ => Condition::InternalServerError.into(),
    })
}

pub(super) fn show(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    all(turn, call, |_, call, now| call.form(&now.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// Those who are named become operators, the others are none any more.
pub(super) fn edit(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let wanted: BTreeSet<Bare> = match many(turn, &call, "adminjids") {
        Ok(wanted) => wanted.into_iter().collect(),
        Err(error) => return error.into(),
    };
    // Whoever locks the door behind the last one cannot open it from here.
    if !wanted.contains(&call.from.bare()) {
        return call.failed("You cannot take your own rights away");
    }
    all(turn, call, move |turn, call, now| {
        let set = |account: &Bare, admin| {
            (account.clone(), AccountQuery::SetAdmin { account: account.clone(), admin })
        };
        let looks = wanted.difference(&now).map(|a| (a.clone(), AccountQuery::Show { account: a.clone() }));
        let looks: VecDeque<_> = looks.collect();
        let more = wanted.difference(&now).map(|account| set(account, true));
        let orders = more.chain(now.difference(&wanted).map(|account| set(account, false))).collect();
        each(
            turn,
            looks,
            call,
            Box::new(move |turn, call| each(turn, orders, call, Box::new(|_, call| call.done("Done")))),
        )
    })
}
