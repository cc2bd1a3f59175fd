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

/// A room that should not have been made ends without a mark.
pub(crate) fn unmake(here: &mut Here<'_>, reason: &str) {
    here.room.config.persistent = false;
    now(here, &Destroyed { reason: Some(reason.to_owned()), ..Destroyed::default() });
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

#[cfg(test)]
mod tests {
    use crate::limits;
    use crate::stage::{CRONE, HAG, ROOM, Stage, outcome, to};

    const END: &str = "<destroy jid='newcoven@rooms.example'><reason>full moon</reason></destroy>";

    /// XEP-0045 section 10.9; F-14 of the bar.
    #[test]
    fn a_lasting_room_leaves_a_mark() {
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
        stage.enter(HAG, "hag");
        assert_eq!(outcome(&stage.owner(HAG, END)), "forbidden");
        let seen = stage.owner(CRONE, END);
        assert_eq!(to(&seen, HAG).len(), 1, "{seen:?}");
        let told = "<item affiliation='none' role='none'/><destroy jid='newcoven@rooms.example'><reason>full moon</reason></destroy>";
        assert!(to(&seen, HAG)[0].contains(told), "{seen:?}");
        for restarted in [false, true] {
            if restarted {
                stage.restart();
            }
            let seen = stage.enter(HAG, "hag");
            let error =
                "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:newcoven@rooms.example?join</gone>";
            assert!(seen[0].contains(error), "{seen:?}");
            assert_eq!(outcome(&stage.say(HAG, "a")), "item-not-found");
        }
        stage.pass(limits::TOMBSTONE_MS);
        assert!(stage.enter(HAG, "hag")[0].contains("code='201'"));
    }

    #[test]
    fn its_owners_may_make_it_anew() {
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
        stage.say(CRONE, "old");
        stage.owner(CRONE, "<destroy/>");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "gone");
        let seen = stage.enter(CRONE, "crone");
        assert!(seen[0].contains("code='201'") && !seen.join("").contains("old"), "{seen:?}");
        // A temporary room leaves nothing.
        let mut stage = Stage::room(&[]);
        stage.owner(CRONE, "<destroy/>");
        assert_eq!(stage.rest(), None);
        assert!(stage.enter(HAG, "hag")[0].contains("code='201'"), "{ROOM}");
    }
}
