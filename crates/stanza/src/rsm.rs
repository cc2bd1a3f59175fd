//! Result Set Management: which page is wanted, and which was given.
//!
//! XEP-0059 1.0
//!
//! Not here: the pages themselves.

use crate::{Condition, StanzaError, ns};
use xml::{El, Writer};

/// What a `<set/>` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `<max/>`.
    pub max: Option<u32>,
    /// `<after/>`.
    pub after: Option<String>,
    /// `<before/>`; empty for the last page.
    pub before: Option<String>,
}

impl Wanted {
    /// Reads the `<set/>` inside `parent`, if there is one.
    ///
    /// # Errors
    /// If it asks for what is not there (an index) or is malformed.
    pub fn read(parent: El<'_>) -> Result<Wanted, StanzaError> {
        let Some(set) = parent.child("set", ns::RSM) else { return Ok(Wanted::default()) };
        if set.child("index", ns::RSM).is_some() {
            return Err(StanzaError::from(Condition::FeatureNotImplemented).text("no access by index"));
        }
        let text = |name| set.child_text(name, ns::RSM).map(|text| text.into_owned());
        let max = match text("max") {
            Some(max) => Some(max.trim().parse().map_err(|_| StanzaError::from(Condition::BadRequest))?),
            None => None,
        };
        Ok(Wanted { max, after: text("after"), before: text("before") })
    }
}

/// Writes the `<set/>` that describes a page: its ends, and how many there are on all pages if that was counted.
pub fn write(w: &mut Writer, ends: Option<(&str, &str)>, count: Option<u64>) {
    w.open("set", ns::RSM);
    if let Some((first, last)) = ends {
        w.leaf("first", ns::RSM, first).leaf("last", ns::RSM, last);
    }
    if let Some(count) = count {
        w.leaf("count", ns::RSM, count.to_string());
    }
    w.close();
}
