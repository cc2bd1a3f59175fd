//! A room as it stands in memory, and what of it is stored.
//!
//! XEP-0045 1.35.5
//!
//! Not here: changing it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use address::{Bare, Jid};
use model::spaces::ARCHIVE;
use model::storage::{Loaded, LogQuery, Owner, Paging, Read, Space};
use serde::{Deserialize, Serialize};
use xml::Writer;

use crate::activity::Activity;
use crate::affiliation::{Affiliation, Role};
use crate::archive::SPOKEN;
use crate::config::Config;
use crate::forward::Forwarded;
use crate::hats::Hats;
use crate::here::Here;
use crate::history::History;
use crate::limits;
use crate::occupant_id::{Key, hex, unhex};
use crate::occupants::Occupants;
use crate::people::{People, Rate};
use crate::subject::Subject;
use crate::telling::Telling;

/// A room's document.
pub(crate) const ROOM: Space = Space("muc-room");
/// A room's affiliations, by bare address or domain.
pub(crate) const AFFILIATIONS: Space = Space("muc-affiliations");

/// A room.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) standing: Standing,
    pub(crate) creator: Option<Bare>,
    /// The id of the input that made it, if that was in this run of the server.
    pub(crate) created: u64,
    /// What makes its occupants' ids.
    pub(crate) key: Key,
    pub(crate) config: Config,
    pub(crate) subject: Option<Subject>,
    pub(crate) affiliations: BTreeMap<Arc<str>, Entry>,
    /// The hashes of its pictures (XEP-0486).
    pub(crate) avatar: Vec<String>,
    pub(crate) hats: Hats,
    pub(crate) occupants: Occupants,
    pub(crate) history: History,
    pub(crate) people: People,
    pub(crate) joins: Rate,
    pub(crate) activity: Activity,
    pub(crate) forwarded: Forwarded,
    /// Who invited whom and may still hear that he declines.
    pub(crate) invited: VecDeque<(Bare, Bare)>,
    /// What others have yet to hear.
    pub(crate) telling: Telling,
    /// The last id of its archive.
    pub(crate) last_id: u64,
}

/// Whether there is such a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Absent,
    /// Its creator is configuring it (XEP-0045 section 10.1); since when, in Unix milliseconds.
    Locked(u64),
    Open,
    /// It was destroyed, and its address stays closed for a time.
    Gone(Tombstone),
}

/// What is left of a destroyed room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) alternate: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) until_ms: u64,
    /// They may make it anew.
    pub(crate) owners: Vec<String>,
}

/// A lasting association with the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(rename = "a")]
    pub(crate) affiliation: Affiliation,
    /// A reserved nickname.
    #[serde(default, rename = "n", skip_serializing_if = "Option::is_none")]
    pub(crate) nick: Option<String>,
    #[serde(default, rename = "r", skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Addresses of hats (XEP-0317).
    #[serde(default, rename = "h", skip_serializing_if = "Vec::is_empty")]
    pub(crate) hats: Vec<String>,
}

/// A room's document.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<Tombstone>,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    key: String,
    #[serde(default)]
    creator: Option<String>,
    #[serde(default)]
    subject: Option<Subject>,
    #[serde(default)]
    avatar: Vec<String>,
    #[serde(default)]
    hats: Hats,
    /// It is over with the run of the server that began then (Unix milliseconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
}

/// What a list of rooms says of one.
pub(crate) struct Glance {
    name: String,
    public: bool,
    lasting: bool,
    creator: Option<String>,
}

impl Glance {
    /// Out of a stored document; `None` if the room is no more.
    pub(crate) fn of(document: &[u8], started_ms: u64) -> Option<Glance> {
        let Document { gone, config, creator, run, .. } = serde_json::from_slice(document).ok()?;
        let is_over = gone.is_some() || run.is_some_and(|run| run != started_ms);
        (!is_over).then(|| Glance::new(&config, creator))
    }

    /// Of a room in memory.
    pub(crate) fn here(here: &Here<'_>) -> Glance {
        Glance::new(&here.room.config, here.room.creator.as_ref().map(|creator| creator.as_str().to_owned()))
    }

    fn new(config: &Config, creator: Option<String>) -> Glance {
        Glance { name: config.name.clone(), public: config.public, lasting: config.persistent, creator }
    }

    /// As attributes.
    pub(crate) fn write(&self, w: &mut Writer) {
        let flag = |flag: bool| if flag { "1" } else { "0" };
        w.attr_opt("name", (!self.name.is_empty()).then_some(self.name.as_str()));
        w.attr("public", flag(self.public)).attr("lasting", flag(self.lasting));
        w.attr_opt("creator", self.creator.as_deref());
    }
}

impl Room {
    /// What must be in memory before a room can be used.
    pub(crate) fn reads(address: &Bare) -> Vec<Read> {
        let owner = || Owner::from(address.text());
        let history = LogQuery {
            page: Paging::Backwards { before: None },
            limit: limits::HISTORY_MAX,
            tag_mask: SPOKEN,
            tag_want: SPOKEN,
            ..LogQuery::new(ARCHIVE, owner())
        };
        vec![
            Read::Doc { space: ROOM, owner: owner() },
            Read::Map { space: AFFILIATIONS, owner: owner() },
            history.into(),
            Read::LogBounds { space: ARCHIVE, owner: owner(), count: false },
        ]
    }

    /// Takes over what was stored.
    pub(crate) fn hydrate(&mut self, address: &Bare, loaded: Vec<Loaded>, started_ms: u64) {
        let mut loaded = loaded.into_iter();
        let (Some(document), Some(affiliations), Some(history), Some(bounds)) =
            (loaded.next(), loaded.next(), loaded.next(), loaded.next())
        else {
            return;
        };
        self.last_id = bounds.into_bounds().last.map_or(0, |(id, _)| id);
        let Some(document) = document.into_doc() else { return };
        let document: Document = match serde_json::from_slice(&document) {
            Ok(document) => document,
            Err(error) => return tracing::error!(room = %address, %error, "a stored room is unreadable"),
        };
        if let Some(gone) = document.gone {
            self.standing = Standing::Gone(gone);
            return;
        }
        // A temporary room of an earlier run has lost its occupants, and with them its reason to be.
        let key = unhex(&document.key).filter(|_| document.run.is_none_or(|run| run == started_ms));
        let Some(key) = key else { return };
        self.standing = Standing::Open;
        self.key = key;
        self.config = document.config;
        self.subject = document.subject;
        self.avatar = document.avatar;
        self.hats = document.hats;
        self.creator = document.creator.and_then(|creator| Bare::parse(&creator).ok());
        for (key, value) in affiliations.into_map() {
            match serde_json::from_slice(&value) {
                Ok(entry) => _ = self.affiliations.insert(key, entry),
                Err(error) => tracing::error!(room = %address, %error, "an affiliation is unreadable"),
            }
        }
        self.history.hydrate(address, history.into_page(), self.config.history);
    }

    /// The document to store.
    pub(crate) fn document(&self, started_ms: u64) -> Vec<u8> {
        let gone = match &self.standing {
            Standing::Gone(gone) => Some(gone.clone()),
            _ => None,
        };
        let document = Document {
            gone,
            config: self.config.clone(),
            key: hex(&self.key),
            creator: self.creator.as_ref().map(|creator| creator.as_str().to_owned()),
            subject: self.subject.clone(),
            avatar: self.avatar.clone(),
            hats: self.hats.clone(),
            run: (!self.config.persistent).then_some(started_ms),
        };
        // Plain data of our own: it can always be written.
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// What somebody is to the room; whole domains may be banned (section 9.2).
    pub(crate) fn affiliation(&self, jid: &Jid) -> Affiliation {
        let own = self.affiliations.get(jid.bare_str()).map(|entry| entry.affiliation);
        match own {
            Some(own) if own != Affiliation::None => own,
            _ => self.affiliations.get(jid.domain()).map_or(Affiliation::None, |entry| entry.affiliation),
        }
    }

    /// With which role somebody enters.
    pub(crate) fn role(&self, affiliation: Affiliation) -> Role {
        affiliation.role(self.config.moderated)
    }

    /// Whether somebody with that role sees who is who.
    pub(crate) fn reveals_to(&self, role: Role) -> bool {
        self.config.non_anonymous || role == Role::Moderator
    }

    /// Whether somebody may be in the room at all (XEP-0313 section 6.2.2 asks that too).
    pub(crate) fn admits(&self, affiliation: Affiliation) -> bool {
        affiliation > Affiliation::None || (affiliation == Affiliation::None && !self.config.members_only)
    }

    /// All with that affiliation.
    pub(crate) fn listed(&self, affiliation: Affiliation) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.affiliations.iter().filter(move |(_, entry)| entry.affiliation == affiliation)
    }
}
