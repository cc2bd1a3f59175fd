//! What the directory knows of a person: a few words of the visiting card, kept apart from it because cards are large.
//!
//! XEP-0054 1.3.0 (where the words are)
//!
//! Not here: the card itself (`vcard.rs`), searching (`mod.rs`).

use kernel::Effects;
use model::storage::{Owner, Space};
use serde::{Deserialize, Serialize};
use stanza::ns;
use xml::El;

/// One document for each account that has a visiting card.
pub(crate) const CARDS: Space = Space("directory-cards");
/// Most bytes of each word; the rest is cut off.
pub(crate) const WORD_BYTES_MAX: usize = 100;

/// What is found of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Card {
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) nick: String,
    pub(crate) email: String,
}

impl Card {
    /// Takes the words from a visiting card.
    pub(crate) fn of(vcard: El<'_>) -> Card {
        let cut = |text: &str| {
            let text = text.trim();
            text[..text.floor_char_boundary(WORD_BYTES_MAX)].to_owned()
        };
        let word = |el: Option<El<'_>>, name| {
            el.and_then(|el| el.child_text(name, ns::VCARD)).map(|text| cut(&text)).unwrap_or_default()
        };
        let name = vcard.child("N", ns::VCARD);
        let mut card = Card {
            first: word(name, "GIVEN"),
            last: word(name, "FAMILY"),
            nick: word(Some(vcard), "NICKNAME"),
            email: word(vcard.child("EMAIL", ns::VCARD), "USERID"),
        };
        // Many cards have but a whole name.
        if card.first.is_empty() && card.last.is_empty() {
            card.first = word(Some(vcard), "FN");
        }
        card
    }

    pub(crate) fn read(stored: &[u8]) -> Card {
        serde_json::from_slice(stored).unwrap_or_default()
    }

    /// Stores it.
    pub(crate) fn keep(&self, owner: Owner, fx: &mut Effects) {
        // Texts are always writable as JSON.
        fx.put_doc(CARDS, owner, serde_json::to_vec(self).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_there_is() {
        let long = "x".repeat(300);
        for (inner, expected) in [
            (
                "<N><FAMILY>Capulet</FAMILY><GIVEN>Juliet</GIVEN></N><NICKNAME>JuliC</NICKNAME><EMAIL><HOME/><USERID>j@c.lit</USERID></EMAIL>",
                ["Juliet", "Capulet", "JuliC", "j@c.lit"],
            ),
            ("<FN>Juliet Capulet</FN>", ["Juliet Capulet", "", "", ""]),
            ("<N/><EMAIL/><PHOTO><BINVAL>AAAA</BINVAL></PHOTO>", ["", "", "", ""]),
            (&format!("<NICKNAME> {long} </NICKNAME>"), ["", "", &long[..100], ""]),
        ] {
            let xml = format!("<vCard xmlns='vcard-temp'>{inner}</vCard>");
            let tree = xml::Tree::parse(xml.as_bytes(), ns::CLIENT).unwrap();
            let card = Card::of(tree.root().unwrap());
            assert_eq!([&*card.first, &*card.last, &*card.nick, &*card.email], expected);
            let stored = serde_json::to_vec(&card).unwrap();
            assert_eq!(Card::read(&stored), card);
        }
        assert_eq!(Card::read(b"?"), Card::default());
    }
}
