//! Which of an account's devices get a message.
//!
//! RFC 6121 section 8.5.2.1.1 and 8.5.3.2.1, table 1 in 8.5.4.
//!
//! Not here: copies for the others (features, carbons) and keeping it for later (features, offline).

use address::Jid;
use model::link::SessionId;
use stanza::{Condition, MessageType};

use crate::Account;

/// What becomes of a message that has arrived at its recipient's account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// These sessions get it.
    Deliver(Vec<SessionId>),
    /// No device takes it now: somebody keeps it, or it bounces.
    Miss,
    /// Its sender is told that it cannot be delivered.
    Refuse(Condition),
    /// It is ignored, as the RFC wants.
    Drop,
}

/// Chooses by type, by whether `to` names a resource, and by who is there.
pub(crate) fn choose(account: &Account, to: &Jid, ty: MessageType) -> Choice {
    match to.resource() {
        Some(resource) => match account.resource(resource) {
            Some(session) => Choice::Deliver(vec![session.id]),
            // Section 8.5.3.2.1: no such resource.
            None => match ty {
                MessageType::Chat => for_bare(account, ty),
                MessageType::Error | MessageType::Headline => Choice::Drop,
                MessageType::Normal | MessageType::Groupchat => Choice::Refuse(Condition::ServiceUnavailable),
            },
        },
        None => for_bare(account, ty),
    }
}

/// Section 8.5.2.1.1: all available resources of non-negative priority get it, so that every device rings and the
/// user answers where he is.
fn for_bare(account: &Account, ty: MessageType) -> Choice {
    match ty {
        MessageType::Groupchat => return Choice::Refuse(Condition::ServiceUnavailable),
        MessageType::Error => return Choice::Drop,
        MessageType::Normal | MessageType::Chat | MessageType::Headline => {}
    }
    let able: Vec<_> =
        account.available().filter(|(_, p)| p.priority >= 0).map(|(session, _)| session.id).collect();
    match (able.is_empty(), ty) {
        (false, _) => Choice::Deliver(able),
        (true, MessageType::Headline) => Choice::Drop,
        (true, _) => Choice::Miss,
    }
}
