//! Commands about people whom the user does not know: see what waits, let it in or not, choose what becomes of it.
//!
//! XEP-0050 1.3.0
//!
//! Not here: what strangers are and what is held of them (`strangers/`).

use address::Bare;
use kernel::{Answer, Host, StrangerPolicy, Turn};
use model::storage::{Entry, LogQuery, Owner, Read};
use stanza::{Stanza, ns, when};

use super::{Call, Command};
use crate::forms::Field;
use crate::strangers::{HELD, Order, POLICY, STRANGERS, order};

/// Most messages that are shown.
const SHOWN_MAX: u32 = 100;
/// Most bytes of each that are shown.
const SHOWN_BYTES_MAX: usize = 200;
/// What stands for: as the operator says.
const DEFAULT: &str = "default";

/// All of them.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        node: "strangers",
        name: "Show messages from strangers",
        admin: false,
        fields: &[],
        known: None,
        run: show,
    },
    Command {
        node: "answer-stranger",
        name: "Accept or discard messages from a stranger",
        admin: false,
        fields: &[
            Field::required("jid", "jid-single", "The stranger's address"),
            Field::required("answer", "list-single", "Whether you want to read them")
                .of(&["accept", "discard"]),
        ],
        known: None,
        run: answer,
    },
    Command {
        node: "strangers-policy",
        name: "Choose what happens to messages from strangers",
        admin: false,
        fields: &[Field::required("policy", "list-single", "Messages from strangers")
            .of(&[DEFAULT, "allow", "hold", "refuse"])],
        known: Some(show_policy),
        run: set_policy,
    },
];

fn show(_: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let owner = Owner::from(call.from.bare().text());
    let query = LogQuery { limit: SHOWN_MAX, ..LogQuery::new(HELD, owner) };
    Answer::read(query, move |_, found| {
        let entries = found.into_page().entries;
        match entries.is_empty() {
            true => call.done("No messages wait"),
            false => call.found(&[("messages", entries.iter().map(line).collect())]),
        }
    })
}

/// One line for people.
fn line(entry: &Entry) -> String {
    let stanza = Stanza::from_stored(&entry.value).ok();
    let text = stanza.and_then(|stanza| stanza.payload.text_of("body", ns::CLIENT)).unwrap_or_default();
    let text = text.replace(['\n', '\r'], " ");
    let text = &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)];
    format!("{}, {}: {text}", entry.with.as_deref().unwrap_or_default(), when::seconds(entry.at_ms / 1_000))
}

fn answer(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let Ok(who) = Bare::parse(call.filled.value("jid").unwrap_or_default()) else {
        return call.failed("That is no address");
    };
    let (wanted, text) = match call.filled.value("answer") {
        Some("accept") => (Order::Accept(who), "You will get the messages"),
        Some("discard") => (Order::Discard(who), "The messages are gone"),
        _ => return super::bad_payload().into(),
    };
    give(turn, &call, &wanted);
    call.done(text)
}

fn show_policy(_: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let owner = Owner::from(call.from.bare().text());
    Answer::read(Read::MapGet { space: STRANGERS, owner, key: POLICY.into() }, move |_, found| {
        let own = found.into_doc().and_then(|value| Some(std::str::from_utf8(&value).ok()?.to_owned()));
        call.form(&[own.unwrap_or_else(|| DEFAULT.to_owned())])
    })
}

fn set_policy(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let policy = match call.filled.value("policy") {
        Some(DEFAULT) => None,
        Some(name) => match StrangerPolicy::parse(name) {
            Some(policy) => Some(policy),
            None => return super::bad_payload().into(),
        },
        None => return super::bad_payload().into(),
    };
    give(turn, &call, &Order::Policy(policy));
    call.done("Done")
}

/// The account is a place of its own: the order goes there.
fn give(turn: &mut Turn<'_, Host>, call: &Call, wanted: &Order) {
    turn.fx.route(order(&turn.place.domain, &call.from.bare(), wanted));
}
