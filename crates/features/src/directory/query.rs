//! What is searched for, and who fits.
//!
//! XEP-0055 1.3
//!
//! Not here: who may search, and among whom (`mod.rs`).

use stanza::forms::{Field, Submitted};
use stanza::{Condition, StanzaError, ns};
use xml::El;

use super::index::Entry;

/// Most bytes of one field of a search.
pub(crate) const PATTERN_BYTES_MAX: usize = 100;
/// Fewest letters that a search must name, all fields together.
pub(crate) const LETTERS_MIN: usize = 2;
/// Most stars in one field.
const STARS_MAX: usize = 5;

/// The fields of the form; all but the first are those of the schema, too.
pub(super) const FIELDS: [Field; 5] = [
    Field::optional("user", "text-single", "User name"),
    Field::optional("first", "text-single", "Given name"),
    Field::optional("last", "text-single", "Family name"),
    Field::optional("nick", "text-single", "Nickname"),
    Field::optional("email", "text-single", "E-mail address"),
];

/// A search: a pattern for each field that was filled in, and whether by a form.
pub(super) struct Search {
    patterns: Vec<(usize, Vec<String>)>,
    pub(super) form: bool,
}

/// Reads a search.
pub(super) fn read(query: El<'_>) -> Result<Search, StanzaError> {
    let form = match query.child("x", ns::FORMS) {
        Some(x) => Some(Submitted::read(x, ns::SEARCH).ok_or(Condition::BadRequest)?),
        None => None,
    };
    let mut patterns = Vec::new();
    for (at, field) in FIELDS.iter().enumerate() {
        let text = match &form {
            Some(form) => form.value(field.var).map(str::to_owned),
            None => query.child_text(field.var, ns::SEARCH).map(|text| text.into_owned()),
        };
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { continue };
        if text.len() > PATTERN_BYTES_MAX || text.matches('*').count() > STARS_MAX {
            return Err(StanzaError::from(Condition::NotAcceptable).text("that is too much to search for"));
        }
        let parts = text.trim().split('*').filter(|part| !part.is_empty());
        patterns.push((at, parts.map(str::to_lowercase).collect::<Vec<String>>()));
    }
    let letters: usize = patterns.iter().flat_map(|(_, parts)| parts).map(|part| part.chars().count()).sum();
    if letters < LETTERS_MIN {
        return Err(StanzaError::from(Condition::NotAcceptable).text("write at least two letters"));
    }
    Ok(Search { patterns, form: form.is_some() })
}

impl Search {
    /// Whether every field that was filled in is found in the entry: its parts one after the other, anywhere.
    pub(super) fn fits(&self, entry: &Entry) -> bool {
        self.patterns.iter().all(|(at, parts)| {
            let mut rest = entry.low(*at);
            parts.iter().all(|part| match rest.find(part.as_str()) {
                Some(found) => {
                    rest = &rest[found + part.len()..];
                    true
                }
                None => false,
            })
        })
    }
}
