//! The end of a room.
//!
//! XEP-0045 1.35.5 section 10.9
//!
//! Not here: who comes later (`join.rs`).

use address::Jid;
use kernel::Iq;
use model::storage::Write;
use stanza::{Condition, Payload, StanzaError, ns};
use xml::El;

use crate::affiliation::Affiliation;
use crate::here::{Here, bounded};
use crate::item::{Destroyed, Notice};
use crate::limits;
use crate::room::{ROOM, Room, Standing, Tombstone};

/// An owner wants it.
pub(crate) fn asked(here: &mut Here<'_>, iq: &Iq<'_>, destroy: El<'_>) -> Result<(), StanzaError> {
    let text = |name| destroy.child_text(name, ns::MUC_OWNER).map(|text| text.into_owned());
    let alternate = match destroy.attr("jid") {
        Some(jid) => Some(Jid::parse(&jid).map_err(|_| Condition::JidMalformed)?),
        None => None,
    };
    let destroyed = Destroyed {
        alternate,
        reason: bounded(text("reason"), limits::REASON_BYTES_MAX)?,
        password: bounded(text("password"), limits::PASSWORD_BYTES_MAX)?,
    };
    here.fx.route(iq.stanza.result(Default::default()));
    now(here, &destroyed);
    Ok(())
}

/// Tells each occupant, and nobody of anybody else; then nothing of the room is left but, if it was to last, a mark.
pub(crate) fn now(here: &mut Here<'_>, destroyed: &Destroyed) {
    let notice = Notice { destroy: Some(destroyed), ..Notice::default() };
    for occupant in here.room.occupants.take() {
        here.forsake(&occupant.address);
        here.tell_gone(&occupant, &notice, &Payload::default(), None);
    }
    let lasting = here.room.config.persistent && here.room.standing == Standing::Open;
    let tombstone = lasting.then(|| Tombstone {
        alternate: destroyed.alternate.as_ref().map(|jid| jid.as_str().to_owned()),
        reason: destroyed.reason.clone(),
        until_ms: here.now_ms.saturating_add(limits::TOMBSTONE_MS),
        owners: here.room.listed(Affiliation::Owner).map(|(jid, _)| jid.to_string()).collect(),
    });
    forget(here);
    if let Some(tombstone) = tombstone {
        here.room.standing = Standing::Gone(tombstone);
        let (owner, document) = (here.owner(), here.room.document(here.shared.settings.started_ms));
        here.fx.put_doc(ROOM, owner, document);
    }
}

/// Forgets a room in which nobody is, with all that it had.
pub(crate) fn forget(here: &mut Here<'_>) {
    if let Some(creator) = here.room.creator.clone() {
        here.own(&creator, false);
    }
    *here.room = Room { last_id: here.room.last_id, ..Room::default() };
    here.list();
    let owner = here.owner();
    here.fx.write(Write::Purge { owner });
}
