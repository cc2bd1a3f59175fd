//! What the operator says about the rooms of a service.
//!
//! Not here: what owners say about their rooms (`config.rs`).

use address::Jid;
use kernel::SafetyFacts;

/// Settings of one service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its domain.
    pub domain: Jid,
    /// Its name for people.
    pub name: String,
    /// The domain of the accounts that it belongs to.
    pub host: Jid,
    /// Who may create rooms.
    pub creation: Creation,
    /// Most rooms that one user may have created and that still exist.
    pub rooms_per_user: u32,
    /// Most occupants of a room unless its owner says otherwise.
    pub occupants: u32,
    /// The largest number that an owner may say.
    pub occupants_max: u32,
    /// How many messages who joins gets unless the room's owner says otherwise; at most [`crate::limits::HISTORY_MAX`].
    pub history: u32,
    /// Most messages of one person in a room in 5 seconds.
    pub messages: u32,
    /// Most people without affiliation who may join a room in 10 seconds.
    pub joins: u32,
    /// How new rooms are.
    pub defaults: Defaults,
    /// Lists of banned addresses, which may not enter.
    pub safety: SafetyFacts,
    /// When the server started, in Unix milliseconds.
    pub started_ms: u64,
}

/// Who may create rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Everybody.
    Anyone,
    /// Accounts of the domain that the service belongs to.
    Local,
    /// Nobody: the rooms that exist stay.
    Nobody,
}

/// How a new room is, before its owner has configured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// It stays when its last occupant has left.
    pub persistent: bool,
    /// It is found in the list of rooms.
    pub public: bool,
    /// Only members may enter.
    pub members_only: bool,
    /// Only those with voice may speak.
    pub moderated: bool,
    /// Everybody sees who is who.
    pub non_anonymous: bool,
    /// What is said is kept.
    pub archive: bool,
}

impl Settings {
    /// Settings as they are unless the operator says otherwise.
    pub fn new(domain: Jid, host: Jid, started_ms: u64) -> Settings {
        Settings {
            domain,
            name: "Rooms".to_owned(),
            host,
            creation: Creation::Local,
            rooms_per_user: 100,
            occupants: 200,
            occupants_max: 5_000,
            history: 20,
            messages: 10,
            joins: 20,
            defaults: Defaults::default(),
            safety: SafetyFacts::default(),
            started_ms,
        }
    }
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            persistent: false,
            public: true,
            members_only: false,
            moderated: false,
            non_anonymous: false,
            archive: true,
        }
    }
}
