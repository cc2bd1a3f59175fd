//! Preparation of the resource: of a device's name, and of a nickname in a room.
//!
//! RFC 6122 appendix B (resourceprep), RFC 3454 section 7.
//!
//! Characters that Unicode 3.2 did not know pass, as they do in the servers that are in use: nicknames are full of them.
//! Nothing is stored under a resource that would be lost if a later Unicode prepared it in another way.
//!
//! Not here: the other parts (`jid.rs`), which stay with Unicode 3.2.

use std::borrow::Cow;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

use crate::jid::{JidError, PART_BYTES_MAX};

/// The prepared resource.
pub(crate) fn prepare(text: &str) -> Result<Cow<'_, str>, JidError> {
    let prepared = match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(mapped(text)),
    };
    if prepared.is_empty() || prepared.len() > PART_BYTES_MAX {
        return Err(JidError("a part is empty, too long or forbidden"));
    }
    if prepared.chars().any(is_prohibited) || !is_one_way(&prepared) {
        return Err(JidError("a character that no resource may have"));
    }
    // Preparation must be a fixpoint, else two spellings of one resource would differ (E-25).
    match prepared.is_ascii() || mapped(&prepared) == *prepared {
        true => Ok(prepared),
        false => Err(JidError("unstable under preparation")),
    }
}

/// Sections B.3 and B.4.
fn mapped(text: &str) -> String {
    text.chars().filter(|c| !tables::commonly_mapped_to_nothing(*c)).nfkc().collect()
}

/// Section B.5.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// Section B.6 (RFC 3454 section 6): what is written from right to left is so from end to end, and mixes with nothing
/// else.
fn is_one_way(text: &str) -> bool {
    if !text.chars().any(tables::bidi_r_or_al) {
        return true;
    }
    let ends = [text.chars().next(), text.chars().next_back()];
    !text.chars().any(tables::bidi_l) && ends.into_iter().flatten().all(tables::bidi_r_or_al)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepares() {
        let long = "ä".repeat(PART_BYTES_MAX / 2 + 1);
        for (text, want) in [
            ("Balcony 1", Some("Balcony 1")),
            ("A\u{30a}", Some("Å")),
            ("\u{fb01}", Some("fi")),
            ("a\u{ad}b\u{200b}", Some("ab")),
            ("\u{1f638} cat", Some("\u{1f638} cat")),
            ("\u{1f468}\u{200d}\u{1f469}", Some("\u{1f468}\u{1f469}")),
            ("\u{5d0}\u{5d1}", Some("\u{5d0}\u{5d1}")),
            ("\u{5d0}1", None),
            ("a\u{5d0}", None),
            ("", None),
            ("\u{ad}", None),
            ("a\u{a0}b", Some("a b")),
            ("a\u{0}", None),
            ("a\u{7f}", None),
            ("\u{202e}a", None),
            ("\u{e000}", None),
            ("\u{e0001}", None),
            ("\u{fffd}", None),
            ("\u{ffff}", None),
            (&long, None),
        ] {
            assert_eq!(prepare(text).ok().as_deref(), want, "{text:?}");
        }
    }

    /// Where Unicode 3.2 knows every character, the outcome is that of the library.
    #[test]
    fn agrees_with_the_library() {
        for c in (0..0x3000_u32).chain(0xf900..0x10000).filter_map(char::from_u32) {
            for text in [format!("{c}"), format!("a{c}b"), format!("\u{5d0}{c}\u{5d1}")] {
                let known = text.chars().all(|c| !tables::unassigned_code_point(c));
                let theirs = stringprep::resourceprep(&text).ok().filter(|out| !out.is_empty());
                if known && !mapped(&text).chars().any(tables::unassigned_code_point) {
                    assert_eq!(prepare(&text).ok(), theirs, "{text:?}");
                }
            }
        }
    }
}
