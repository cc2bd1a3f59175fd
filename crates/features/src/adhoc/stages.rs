//! The stages of a command: begun, filled in, ended.
//!
//! XEP-0050 1.3.0 (section 2.4 and 3)
//!
//! Not here: who may run it (`mod.rs`), open sessions (`running.rs`).

use address::Jid;
use kernel::{Answer, Host, Iq, Turn};
use stanza::{Condition, StanzaError, ns};

use super::running::Running;
use super::{Call, Command, bad_payload, find, refusal};
use crate::forms::Submitted;

/// A stage of a command, as asked for.
pub(crate) struct Request {
    from: Jid,
    pub(crate) command: &'static Command,
    action: Action,
    session: Option<String>,
    form: Option<Submitted>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Execute,
    Complete,
    Cancel,
    /// `prev` and `next`: no command here has a second form.
    Turn,
}

/// Reads one.
pub(crate) fn read(iq: &Iq<'_>) -> Result<Request, StanzaError> {
    let el = iq.payload;
    let node = el.attr("node").filter(|_| el.name() == "command").ok_or(Condition::BadRequest)?;
    let command = find(&node).ok_or(Condition::ItemNotFound)?;
    let action = match el.attr("action").as_deref() {
        None | Some("execute") => Action::Execute,
        Some("complete") => Action::Complete,
        Some("cancel") => Action::Cancel,
        Some("prev" | "next") => Action::Turn,
        Some(_) => return Err(refusal(Condition::BadRequest, "malformed-action")),
    };
    let form = match el.child("x", ns::FORMS) {
        Some(x) => Some(Submitted::read(x, command.form_type()).ok_or_else(bad_payload)?),
        None => None,
    };
    let session = el.attr("sessionid").map(|id| id.into_owned());
    Ok(Request { from: iq.from().clone(), command, action, session, form })
}

/// Goes on with it.
pub(crate) fn proceed(turn: &mut Turn<'_, Host>, request: Request) -> Result<Answer<Host>, StanzaError> {
    let Request { from, command, action, session, form } = request;
    let bad_action = || refusal(Condition::BadRequest, "bad-action");
    let Some(session) = session else {
        if action != Action::Execute {
            return Err(bad_action());
        }
        return begin(turn, from, command);
    };
    let now = turn.now.unix_ms;
    turn.place.slots.of::<Running>().check(now, &session, &from, command.node)?;
    let call = Call { from, filled: form.unwrap_or_default(), command, session };
    match action {
        Action::Turn => return Err(bad_action()),
        // The session stays, so that the form can be filled in again.
        Action::Execute | Action::Complete if !call.filled.fills(command.fields) => return Err(bad_payload()),
        _ => turn.place.slots.of::<Running>().end(&call.session),
    }
    match action {
        Action::Cancel => Ok(call.answer("canceled", |_| ())),
        _ => Ok((command.run)(turn, call)),
    }
}

fn begin(
    turn: &mut Turn<'_, Host>,
    from: Jid,
    command: &'static Command,
) -> Result<Answer<Host>, StanzaError> {
    // It need not be secret: it is of no use to anybody else.
    let call = Call { from, filled: Submitted::default(), command, session: format!("{:x}", turn.id) };
    if command.fields.is_empty() {
        return Ok((command.run)(turn, call));
    }
    let now = turn.now.unix_ms;
    turn.place.slots.of::<Running>().begin(now, call.session.clone(), &call.from, command.node)?;
    match command.known {
        Some(known) => Ok(known(turn, call)),
        None => Ok(call.form(&[])),
    }
}
