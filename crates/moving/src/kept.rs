//! What only this server knows, carried as it is stored, in elements of our own.
//!
//! `<kept xmlns='urn:x-detente:moving:0' space='..' key='..'>text</kept>` is a document, or with `key` a row of a map.
//!
//! Not here: what other servers understand, too (`user.rs`).

use std::sync::Arc;

use bytes::Bytes;
use features::portable::{CARDS, LAST, LISTED, SEEN, STRANGERS};
use model::storage::{Owner, Space, Write};
use stanza::ns;
use xml::{El, Writer};

/// A room's documents and maps, and those of its service in which it has a row (crate `muc` owns them).
pub(crate) const ROOM: Space = Space("muc-room");
pub(crate) const ROOM_AFFILIATIONS: Space = Space("muc-affiliations");
pub(crate) const ROOM_CARD: Space = Space("muc-vcard");
pub(crate) const ROOM_LISTED: Space = Space("muc-listed");
pub(crate) const ROOM_OWNED: Space = Space("muc-owned");
/// The version of a roster (crate `kernel` owns it).
pub(crate) const ROSTER_VERSION: Space = Space("roster-version");

/// Documents and maps of accounts.
pub(crate) const OF_USER: [Space; 6] = [ROSTER_VERSION, LAST, SEEN, STRANGERS, LISTED, CARDS];
/// Documents and maps of rooms.
pub(crate) const OF_ROOM: [Space; 3] = [ROOM, ROOM_CARD, ROOM_AFFILIATIONS];
/// Rows of the rooms' service.
pub(crate) const OF_SERVICE: [Space; 2] = [ROOM_LISTED, ROOM_OWNED];

/// Writes one value.
pub(crate) fn write(space: Space, key: Option<&str>, value: &Bytes, w: &mut Writer) {
    let Ok(text) = std::str::from_utf8(value) else { return };
    w.open("kept", ns::MOVING).attr("space", space.0).attr_opt("key", key).text(text).close();
}

/// Reads one value of these spaces. `None`: it is of none of them.
pub(crate) fn read(el: El<'_>, spaces: &[Space], owner: &Owner) -> Option<Write> {
    let (name, owner) = (el.attr("space")?, owner.clone());
    let space = *spaces.iter().find(|space| space.0 == name)?;
    let value = Bytes::from(el.text().into_owned());
    Some(match el.attr("key") {
        Some(key) => Write::MapPut { space, owner, key: Arc::from(&*key), value },
        None => Write::DocPut { space, owner, value },
    })
}
