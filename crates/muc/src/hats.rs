//! Hats: names for what somebody does in a room, besides roles and affiliations.
//!
//! XEP-0317 0.3.1
//!
//! Not here: the commands that make and give them (`hats_commands.rs`).

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use stanza::ns;
use xml::Writer;

use crate::occupant_id::hex;
use crate::room::Entry;

/// The hats that a room has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hats(pub(crate) Vec<Hat>);

/// A hat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hat {
    pub(crate) uri: String,
    pub(crate) title: String,
    /// A colour (XEP-0392), as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hue: Option<String>,
}

impl Hats {
    pub(crate) fn get(&self, uri: &str) -> Option<&Hat> {
        self.0.iter().find(|hat| hat.uri == uri)
    }

    /// Those that somebody wears.
    pub(crate) fn worn(&self, entry: Option<&Entry>) -> Vec<&Hat> {
        let worn = entry.map(|entry| entry.hats.as_slice()).unwrap_or_default();
        worn.iter().filter_map(|uri| self.get(uri)).collect()
    }

    /// Changes when the list changes (section 3); `None` if there are none.
    pub(crate) fn hash(&self) -> Option<String> {
        let mut hash = Sha1::new();
        for hat in &self.0 {
            hash.update(hat.uri.as_bytes());
            hash.update([0]);
            hash.update(hat.title.as_bytes());
            hash.update([0]);
        }
        (!self.0.is_empty()).then(|| hex(&hash.finalize()))
    }
}

/// Writes the hats that somebody wears into his presence (section 4.1).
pub(crate) fn write(w: &mut Writer, worn: &[&Hat]) {
    if worn.is_empty() {
        return;
    }
    w.open("hats", ns::HATS);
    for hat in worn {
        w.open("hat", ns::HATS).attr("title", &hat.title).attr("uri", &hat.uri);
        w.attr_opt("hue", hat.hue.as_deref()).close();
    }
    w.close();
}
