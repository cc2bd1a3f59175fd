//! Commands that tell all users of a domain something: now, or when they come.
//!
//! XEP-0133 1.3.1 (sections 4.22 to 4.26)
//!
//! Not here: showing it to those who come (`../../notices.rs`).

use address::Jid;
use bytes::Bytes;
use kernel::{Answer, Host, Turn};
use model::storage::{Loaded, Owner, Read, Space, Write};
use stanza::{MessageType, Stanza, StanzaError, ns};
use xml::Writer;

use super::{Call, bad_payload, sessions};
use crate::notices::{MOTD, Notice, WELCOME};

/// Most bytes of an announcement, a message of the day or a welcome message.
pub(crate) const NOTICE_BYTES_MAX: usize = 8_192;
/// Most devices that one step of an announcement goes to; the next step follows at once.
const DEVICES_AT_ONCE: usize = 5_000;

/// Several lines of a form.
fn text(call: &Call, var: &'static str) -> Result<String, StanzaError> {
    let lines: Vec<&str> = call.filled.values(var).collect();
    let text = lines.join("\n");
    match text.len() {
        1..=NOTICE_BYTES_MAX => Ok(text),
        _ => Err(bad_payload().text("Too long")),
    }
}

/// What to say when everybody who is there has got it: `Done` and to how many devices.
type Said = fn(Call, usize) -> Answer<Host>;

/// Tells everybody who is available. A headline is neither kept nor bounced if the device has just gone.
fn tell(
    turn: &Turn<'_, Host>,
    call: Call,
    inner: Bytes,
    (after, sent): (Option<Jid>, usize),
    said: Said,
) -> Answer<Host> {
    sessions(turn, move |turn, found| {
        let there = found.iter().filter(|session| {
            session.priority.is_some() && after.as_ref().is_none_or(|after| session.jid > *after)
        });
        let (mut last, mut count) = (None, 0);
        for session in there.take(DEVICES_AT_ONCE) {
            let message = Stanza::message(MessageType::Headline).from(&turn.place.domain).to(&session.jid);
            turn.fx.route(message.with_inner(inner.clone()));
            (last, count) = (Some(session.jid.clone()), count + 1);
        }
        match count {
            DEVICES_AT_ONCE => tell(turn, call, inner, (last, sent + count), said),
            _ => said(call, sent + count),
        }
    })
}

fn body(text: &str, more: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.leaf("body", ns::CLIENT, text);
    more(&mut w);
    w.finish()
}

pub(super) fn announce(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    match text(&call, "announcement") {
        Ok(text) => tell(turn, call, body(&text, |_| ()), (None, 0), |call, sent| {
            call.done(&format!("Sent to {sent} devices"))
        }),
        Err(error) => error.into(),
    }
}

fn owner(turn: &Turn<'_, Host>) -> Owner {
    Owner::from(turn.place.domain.as_str())
}

fn put(turn: &mut Turn<'_, Host>, space: Space, notice: &Notice) {
    let owner = owner(turn);
    turn.fx.put_doc(space, owner, notice.write());
}

fn delete(turn: &mut Turn<'_, Host>, call: &Call, space: Space) -> Answer<Host> {
    let owner = owner(turn);
    turn.fx.write(Write::DocDelete { space, owner });
    call.done("It is deleted")
}

/// Those who are there get it now, others when they come.
pub(super) fn set_motd(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let text = match text(&call, "motd") {
        Ok(text) => text,
        Err(error) => return error.into(),
    };
    let notice = Notice { id: turn.id, at: turn.now.unix_ms / 1_000, text };
    put(turn, MOTD, &notice);
    // By the mark their accounts know that they have got it; it goes no further.
    let inner = body(&notice.text, |w| {
        w.open("motd", ns::ADMIN).attr_of("id", notice.id).close();
    });
    tell(turn, call, inner, (None, 0), |call, sent| {
        call.done(&format!("It is set; {sent} devices have it already"))
    })
}

fn motd(
    turn: &Turn<'_, Host>,
    then: impl FnOnce(&mut Turn<'_, Host>, Option<Notice>) -> Answer<Host> + Send + 'static,
) -> Answer<Host> {
    Answer::read(Read::Doc { space: MOTD, owner: owner(turn) }, move |turn, loaded: Loaded| {
        then(turn, loaded.into_doc().and_then(|stored| Notice::read(&stored)))
    })
}

pub(super) fn show_motd(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    motd(turn, move |_, now| match now {
        Some(now) => call.form(&now.text.lines().map(str::to_owned).collect::<Vec<_>>()),
        None => call.failed("No message of the day is set"),
    })
}

/// Who has read the old text does not get the new one.
pub(super) fn edit_motd(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let text = match text(&call, "motd") {
        Ok(text) => text,
        Err(error) => return error.into(),
    };
    motd(turn, move |turn, now| match now {
        Some(now) => {
            put(turn, MOTD, &Notice { text, ..now });
            call.done("It is changed")
        }
        None => call.failed("No message of the day is set"),
    })
}

pub(super) fn delete_motd(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    delete(turn, &call, MOTD)
}

/// For accounts that are made from now on.
pub(super) fn set_welcome(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    match text(&call, "welcome") {
        Ok(text) => {
            let notice = Notice { id: turn.id, at: turn.now.unix_ms / 1_000, text };
            put(turn, WELCOME, &notice);
            call.done("It is set")
        }
        Err(error) => error.into(),
    }
}

pub(super) fn delete_welcome(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    delete(turn, &call, WELCOME)
}
