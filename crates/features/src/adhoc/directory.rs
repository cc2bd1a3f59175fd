//! The command with which users say whether they want to be found.
//!
//! XEP-0050 1.3.0
//!
//! Not here: the directory (`directory/`).

use bytes::Bytes;
use kernel::{Answer, Directory, Host, Turn};
use model::spaces::VCARD;
use model::storage::{Owner, Read};
use stanza::ns;

use super::{Call, Command};
use crate::directory::card::Card;
use crate::directory::{LISTED, forget};
use crate::forms::Field;

/// All of them.
pub(crate) static COMMANDS: &[Command] = &[Command {
    node: "directory",
    name: "Choose whether others find me",
    admin: false,
    fields: &[Field::required(
        "listed",
        "boolean",
        "Others of this server find me by the names of my visiting card",
    )],
    known: Some(show),
    run: set,
}];

const OFF: &str = "There is no directory here";

fn show(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let unless = match turn.place.facts.safety.directory {
        Directory::Off => return call.failed(OFF),
        Directory::OptIn => false,
        Directory::All => true,
    };
    let owner = Owner::from(call.from.bare().text());
    Answer::read(Read::Doc { space: LISTED, owner }, move |_, found| {
        let listed = found.into_doc().map_or(unless, |value| &*value == b"1");
        call.form(&[if listed { "1" } else { "0" }.to_owned()])
    })
}

fn set(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    if turn.place.facts.safety.directory == Directory::Off {
        return call.failed(OFF);
    }
    let listed = match call.filled.value("listed") {
        Some("1" | "true") => true,
        Some("0" | "false") => false,
        _ => return super::bad_payload().into(),
    };
    let owner = Owner::from(call.from.bare().text());
    Answer::read(Read::Doc { space: VCARD, owner: owner.clone() }, move |turn, found| {
        turn.fx.put_doc(LISTED, owner.clone(), if listed { b"1" } else { b"0" }.to_vec());
        // A card that came otherwise than from the user, with a move for one, has left nothing here yet.
        if let Some(card) = found.into_doc().filter(|_| listed).and_then(|card| of(&card)) {
            card.keep(owner, turn.fx);
        }
        forget(turn, &call.from.bare());
        call.done(if listed { "Others find you from now on" } else { "Others do not find you any more" })
    })
}

fn of(stored: &Bytes) -> Option<Card> {
    let tree = xml::Tree::parse(stored, ns::CLIENT).ok()?;
    tree.root().map(Card::of)
}
