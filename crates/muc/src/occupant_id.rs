//! Occupant ids: who is who over nicknames and visits, without telling who it is.
//!
//! XEP-0421 1.0.1 (complete)
//!
//! Not here: where the ids are put (`presence.rs`, `groupchat.rs`).

use std::sync::Arc;

use aws_lc_rs::hmac;
use stanza::ns;
use xml::Writer;

/// A room's own key; it stays the same for the life of the room.
pub(crate) type Key = [u8; 32];

/// The id of a person in a room (section 4.1): 64 hexadecimal digits.
pub(crate) fn of(key: &Key, bare: &str) -> Arc<str> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bare.as_bytes());
    hex(tag.as_ref()).into()
}

pub(crate) fn write(w: &mut Writer, id: &str) {
    w.open("occupant-id", ns::OCCUPANT_ID).attr("id", id).close();
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Key> {
    let mut key = Key::default();
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_differ_by_room_and_person() {
        let (here, there) = ([1; 32], [2; 32]);
        let id = of(&here, "hag66@shakespeare.lit");
        assert_eq!((id.len(), &id), (64, &of(&here, "hag66@shakespeare.lit")));
        assert_ne!(id, of(&there, "hag66@shakespeare.lit"));
        assert_ne!(id, of(&here, "hag67@shakespeare.lit"));
    }

    #[test]
    fn keys_are_stored_as_digits() {
        let key: Key = std::array::from_fn(|i| (i * 8) as u8);
        assert_eq!(unhex(&hex(&key)), Some(key));
        for bad in ["", "00", &"g0".repeat(32), &"é".repeat(32)] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
