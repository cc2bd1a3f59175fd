//! The settings of rooms as types.
//!
//! Not here: what each setting means and may be (`settings.rs`).

use serde::{Deserialize, Serialize};

/// `[rooms]`, named as in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Rooms {
    pub enabled: bool,
    pub subdomain: String,
    pub creation: RoomCreation,
    pub per_user: u32,
    pub occupants: u32,
    pub occupants_max: u32,
    pub history: u32,
    pub messages_per_5_seconds: u32,
    pub joins_per_10_seconds: u32,
    pub persistent: bool,
    pub public: bool,
    pub members_only: bool,
    pub moderated: bool,
    pub non_anonymous: bool,
    pub archive: bool,
}

/// Who may create rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum RoomCreation {
    #[default]
    Local,
    Anyone,
    Nobody,
}

impl Rooms {
    /// The domain of the rooms that belong to a domain of accounts.
    pub fn domain_of(&self, domain: &str) -> String {
        format!("{}.{domain}", self.subdomain)
    }
}

impl Default for Rooms {
    fn default() -> Rooms {
        Rooms {
            enabled: true,
            subdomain: "conference".to_owned(),
            creation: RoomCreation::Local,
            per_user: 100,
            occupants: 200,
            occupants_max: 5_000,
            history: 20,
            messages_per_5_seconds: 10,
            joins_per_10_seconds: 20,
            persistent: false,
            public: true,
            members_only: false,
            moderated: false,
            non_anonymous: false,
            archive: true,
        }
    }
}
