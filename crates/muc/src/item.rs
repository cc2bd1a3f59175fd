//! The `<x/>` in which a room says of somebody what he is, and why.
//!
//! XEP-0045 1.35.5 section 15.6 (status codes), 18.2 (schema)
//!
//! Not here: to whom it is said (`presence.rs`).

use address::Jid;
use stanza::ns;
use xml::Writer;

use crate::affiliation::{Affiliation, Role};

/// What is said besides affiliation and role.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Notice<'n> {
    /// Status codes, in order.
    pub(crate) codes: &'n [u16],
    pub(crate) reason: Option<&'n str>,
    /// The nickname of whoever caused it.
    pub(crate) actor: Option<&'n str>,
    /// The new nickname.
    pub(crate) nick: Option<&'n str>,
    /// The room is no more.
    pub(crate) destroy: Option<&'n Destroyed>,
}

/// The end of a room, and where it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destroyed {
    pub(crate) alternate: Option<Jid>,
    pub(crate) reason: Option<String>,
    pub(crate) password: Option<String>,
}

impl Notice<'_> {
    /// Whether nothing is said.
    pub(crate) fn is_plain(&self) -> bool {
        self.codes.is_empty()
            && self.reason.is_none()
            && self.actor.is_none()
            && self.nick.is_none()
            && self.destroy.is_none()
    }
}

/// Writes `<x/>`: somebody has this affiliation and this role. `jid` is given to those who may see it.
pub(crate) fn write(
    w: &mut Writer,
    jid: Option<&Jid>,
    affiliation: Affiliation,
    role: Role,
    notice: &Notice<'_>,
    more: &[u16],
) {
    w.open("x", ns::MUC_USER);
    w.open("item", ns::MUC_USER).attr("affiliation", affiliation.name());
    w.attr_opt("jid", jid.map(Jid::as_str)).attr_opt("nick", notice.nick).attr("role", role.name());
    if let Some(actor) = notice.actor {
        w.open("actor", ns::MUC_USER).attr("nick", actor).close();
    }
    if let Some(reason) = notice.reason {
        w.leaf("reason", ns::MUC_USER, reason);
    }
    w.close();
    if let Some(destroyed) = notice.destroy {
        w.open("destroy", ns::MUC_USER).attr_opt("jid", destroyed.alternate.as_ref().map(Jid::as_str));
        if let Some(reason) = &destroyed.reason {
            w.leaf("reason", ns::MUC_USER, reason);
        }
        if let Some(password) = &destroyed.password {
            w.leaf("password", ns::MUC_USER, password);
        }
        w.close();
    }
    for code in notice.codes.iter().chain(more) {
        w.open("status", ns::MUC_USER).attr_of("code", code).close();
    }
    w.close();
}
