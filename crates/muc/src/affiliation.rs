//! Affiliations and roles: what somebody is to a room for long, and during a visit.
//!
//! XEP-0045 1.35.5 section 5
//!
//! Not here: who may change them (`roles.rs`, `affiliations.rs`).

use serde::{Deserialize, Serialize};

/// XEP-0045 section 5.2, in the order of what it allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Affiliation {
    Outcast,
    #[default]
    None,
    Member,
    Admin,
    Owner,
}

/// XEP-0045 section 5.1, in the order of what it allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    #[default]
    None,
    Visitor,
    Participant,
    Moderator,
}

impl Affiliation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Affiliation::Outcast => "outcast",
            Affiliation::None => "none",
            Affiliation::Member => "member",
            Affiliation::Admin => "admin",
            Affiliation::Owner => "owner",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Affiliation> {
        use Affiliation::{Admin, Member, None as Not, Outcast, Owner};
        [Outcast, Not, Member, Admin, Owner].into_iter().find(|one| one.name() == name)
    }

    /// The role with which somebody enters (section 5.1.2).
    pub(crate) fn role(self, moderated: bool) -> Role {
        match self {
            Affiliation::Outcast => Role::None,
            Affiliation::None if moderated => Role::Visitor,
            Affiliation::None | Affiliation::Member => Role::Participant,
            Affiliation::Admin | Affiliation::Owner => Role::Moderator,
        }
    }
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::None => "none",
            Role::Visitor => "visitor",
            Role::Participant => "participant",
            Role::Moderator => "moderator",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Role> {
        [Role::None, Role::Visitor, Role::Participant, Role::Moderator]
            .into_iter()
            .find(|role| role.name() == name)
    }
}
