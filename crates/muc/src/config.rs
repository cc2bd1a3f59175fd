//! What the owners of a room say about it.
//!
//! XEP-0045 1.35.5 section 10, XEP-0500 0.1.1 (slow mode)
//!
//! Not here: the form in which they say it (`config_form.rs`).

use serde::{Deserialize, Serialize};

use crate::affiliation::Role;
use crate::settings::Settings;

/// The configuration of a room. Stored as it is: new fields need a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) lang: String,
    pub(crate) persistent: bool,
    pub(crate) public: bool,
    pub(crate) members_only: bool,
    pub(crate) moderated: bool,
    pub(crate) non_anonymous: bool,
    pub(crate) archive: bool,
    pub(crate) password: Option<String>,
    /// Members (in open rooms: everybody) may invite others.
    pub(crate) invites: bool,
    /// Everybody with voice may change the subject.
    pub(crate) change_subject: bool,
    /// Everybody may register.
    pub(crate) register: bool,
    /// Visitors may ask for voice.
    pub(crate) ask_voice: bool,
    /// Who may send private messages: this role and above; `none`: nobody.
    pub(crate) private: Least,
    /// From which role on presence is broadcast.
    pub(crate) broadcast: Least,
    pub(crate) history: u32,
    pub(crate) occupants: u32,
    /// Seconds between two messages of the same person.
    pub(crate) slow: u32,
    /// XMPP URI of a node that belongs to the room.
    pub(crate) pubsub: String,
}

/// The least role for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Least {
    Visitor,
    Participant,
    Moderator,
    Nobody,
}

impl Least {
    pub(crate) fn allows(self, role: Role) -> bool {
        match self {
            Least::Visitor => role >= Role::Visitor,
            Least::Participant => role >= Role::Participant,
            Least::Moderator => role >= Role::Moderator,
            Least::Nobody => false,
        }
    }
}

impl Default for Config {
    /// What stored configurations of older versions lack; new rooms begin with [`Config::new`].
    fn default() -> Config {
        Config {
            name: String::new(),
            description: String::new(),
            lang: String::new(),
            persistent: false,
            public: false,
            members_only: false,
            moderated: false,
            non_anonymous: false,
            archive: false,
            password: None,
            invites: true,
            change_subject: false,
            register: true,
            ask_voice: true,
            private: Least::Visitor,
            broadcast: Least::Visitor,
            history: 20,
            occupants: 200,
            slow: 0,
            pubsub: String::new(),
        }
    }
}

impl Config {
    /// A new room's.
    pub(crate) fn new(settings: &Settings) -> Config {
        let defaults = &settings.defaults;
        Config {
            persistent: defaults.persistent,
            public: defaults.public,
            members_only: defaults.members_only,
            moderated: defaults.moderated,
            non_anonymous: defaults.non_anonymous,
            archive: defaults.archive,
            history: settings.history,
            occupants: settings.occupants,
            ..Config::default()
        }
    }

    /// Whether anybody may enter without further ado.
    pub(crate) fn is_open(&self) -> bool {
        !self.members_only && self.password.is_none()
    }
}
