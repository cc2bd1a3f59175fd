//! What the service keeps of all its rooms: which are listed, and who made how many.
//!
//! XEP-0045 1.35.5 sections 6.3 and 13.6
//!
//! Rooms write here; only requests to the service read it.
//!
//! Not here: answering such requests (`listing.rs`, `search.rs`).

use std::sync::Arc;

use address::{Bare, Jid};
use bytes::Bytes;
use model::storage::{Owner, Space, Write};
use serde::{Deserialize, Serialize};

use crate::here::Here;
use crate::room::Standing;

/// Listed rooms by the local part of their addresses. Belongs to the service's domain.
pub(crate) const LISTED: Space = Space("muc-listed");
/// Rooms by the bare address of who made them, a slash, and the local part. Belongs to the service's domain.
pub(crate) const OWNED: Space = Space("muc-owned");

/// How a room is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    #[serde(default, rename = "n", skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(default, rename = "d", skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    #[serde(default, rename = "l", skip_serializing_if = "String::is_empty")]
    pub(crate) lang: String,
    /// Anybody may enter.
    #[serde(default, rename = "o")]
    pub(crate) open: bool,
    /// Everybody sees who is who.
    #[serde(default, rename = "w")]
    pub(crate) non_anonymous: bool,
    #[serde(flatten)]
    pub(crate) life: Life,
}

/// How long a room lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    /// It is over with the run of the server that began then (Unix milliseconds).
    #[serde(default, rename = "r", skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
}

impl Life {
    /// Whether it is over.
    pub(crate) fn is_over(&self, started_ms: u64) -> bool {
        self.run.is_some_and(|run| run != started_ms)
    }
}

impl Listed {
    /// Reads an entry; `None` if it is unreadable or its room is no more.
    pub(crate) fn read(value: &Bytes, started_ms: u64) -> Option<Listed> {
        let listed: Listed = serde_json::from_slice(value).ok()?;
        (!listed.life.is_over(started_ms)).then_some(listed)
    }
}

/// What the keys of somebody's rooms begin with.
pub(crate) fn owned_prefix(jid: &Jid) -> String {
    format!("{}/", jid.bare_str())
}

/// How many of these rooms are still there.
pub(crate) fn living(owned: &[(Arc<str>, Bytes)], started_ms: u64) -> u32 {
    let lives =
        |value: &Bytes| serde_json::from_slice::<Life>(value).is_ok_and(|life| !life.is_over(started_ms));
    owned.iter().filter(|(_, value)| lives(value)).count() as u32
}

impl Here<'_> {
    fn life(&self) -> Life {
        Life { run: (!self.room.config.persistent).then_some(self.shared.settings.started_ms) }
    }

    fn service(&self) -> Owner {
        Owner::from(self.shared.settings.domain.as_str())
    }

    /// Writes down how the room is listed, or that it is not (any more).
    pub(crate) fn list(&mut self) {
        let (config, owner) = (&self.room.config, self.service());
        let key = Arc::from(self.at.local().unwrap_or_default());
        if !config.public || self.room.standing != Standing::Open {
            return self.fx.write(Write::MapDelete { space: LISTED, owner, key });
        }
        let listed = Listed {
            name: config.name.clone(),
            description: config.description.clone(),
            lang: config.lang.clone(),
            open: config.is_open(),
            non_anonymous: config.non_anonymous,
            life: self.life(),
        };
        let value = serde_json::to_vec(&listed).unwrap_or_default();
        self.fx.put_map(LISTED, owner, &key, value);
    }

    /// Writes down that the room counts as one of its creator's, or no longer.
    pub(crate) fn own(&mut self, creator: &Bare, owns: bool) {
        let (owner, life) = (self.service(), self.life());
        let key: Arc<str> =
            format!("{}{}", owned_prefix(creator), self.at.local().unwrap_or_default()).into();
        match owns {
            true => {
                let value = serde_json::to_vec(&life).unwrap_or_default();
                self.fx.put_map(OWNED, owner, &key, value);
            }
            false => self.fx.write(Write::MapDelete { space: OWNED, owner, key }),
        }
    }
}
