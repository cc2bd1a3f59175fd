//! What an account wants to have kept.
//!
//! XEP-0441 0.2.0
//!
//! Not here: what is worth keeping in general (`mod.rs`).

use address::Jid;
use bytes::Bytes;
use kernel::{Account, Answer, Turn};
use model::storage::{Owner, Space};
use serde::{Deserialize, Serialize};
use stanza::{Condition, StanzaError, ns};
use xml::{El, Writer};

/// Where preferences are stored.
pub(crate) const PREFS: Space = Space("archive-prefs");
/// Most addresses in each of the two lists.
pub(crate) const LIST_MAX: usize = 1_000;

/// XEP-0441 section 2.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Prefs {
    #[serde(default)]
    default: Rest,
    #[serde(default)]
    always: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
}

/// What happens with whom no list names.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rest {
    #[default]
    Always,
    Never,
    Roster,
}

impl Rest {
    fn name(self) -> &'static str {
        match self {
            Rest::Always => "always",
            Rest::Never => "never",
            Rest::Roster => "roster",
        }
    }

    fn parse(name: &str) -> Option<Rest> {
        [Rest::Always, Rest::Never, Rest::Roster].into_iter().find(|value| value.name() == name)
    }
}

impl Prefs {
    pub(super) fn read(stored: Option<Bytes>) -> Prefs {
        let Some(stored) = stored else { return Prefs::default() };
        serde_json::from_slice(&stored).unwrap_or_else(|error| {
            tracing::error!(%error, "stored archive preferences are unreadable and left out");
            Prefs::default()
        })
    }

    pub(super) fn write(&self) -> Bytes {
        let mut w = Writer::new(ns::CLIENT);
        w.open("prefs", ns::MAM).attr("default", self.default.name());
        for (name, list) in [("always", &self.always), ("never", &self.never)] {
            w.open(name, ns::MAM);
            for jid in list {
                w.leaf("jid", ns::MAM, jid);
            }
            w.close();
        }
        w.close();
        w.finish()
    }
}

/// Whether messages with `other` are kept (section 3: the full address is looked for before the bare one).
pub(super) fn allow(account: &Account, other: &Jid) -> bool {
    let Some(prefs) = account.slots.peek::<Prefs>() else { return true };
    for address in [other.as_str(), other.bare_str()] {
        let listed = |list: &[String]| list.iter().any(|jid| jid == address);
        if listed(&prefs.never) {
            return false;
        }
        if listed(&prefs.always) {
            return true;
        }
    }
    match prefs.default {
        Rest::Always => true,
        Rest::Never => false,
        Rest::Roster => account.roster.item(other.bare_str()).is_some_and(|item| item.in_roster()),
    }
}

/// Replaces the preferences.
pub(super) fn set(turn: &mut Turn<'_, Account>, given: El<'_>) -> Answer<Account> {
    match read_request(given) {
        Ok(prefs) => {
            let reply = prefs.write();
            // Text, lists and one word cannot fail to be written.
            let stored = serde_json::to_vec(&prefs).unwrap_or_default();
            turn.fx.put_doc(PREFS, Owner::from(turn.place.jid.text()), stored);
            *turn.place.slots.of::<Prefs>() = prefs;
            Answer::Reply(reply)
        }
        Err(error) => error.into(),
    }
}

/// Writes stored preferences as `<prefs/>`.
pub fn prefs_write(stored: Bytes) -> Bytes {
    Prefs::read(Some(stored)).write()
}

/// `<prefs/>` as it is stored; `None` if it is not what it should be.
pub fn prefs_read(el: El<'_>) -> Option<Bytes> {
    // Text, lists and one word cannot fail to be written.
    read_request(el).ok().map(|prefs| serde_json::to_vec(&prefs).unwrap_or_default().into())
}

fn read_request(given: El<'_>) -> Result<Prefs, StanzaError> {
    let default = given.attr("default").and_then(|name| Rest::parse(&name)).ok_or(Condition::BadRequest)?;
    let list = |name| -> Result<Vec<String>, StanzaError> {
        let Some(list) = given.child(name, ns::MAM) else { return Ok(Vec::new()) };
        let mut jids = Vec::new();
        for jid in list.children_named("jid", ns::MAM) {
            let jid =
                Jid::parse(jid.text().trim()).map_err(|_| StanzaError::from(Condition::JidMalformed))?;
            jids.push(jid.as_str().to_owned());
            if jids.len() > LIST_MAX {
                return Err(StanzaError::from(Condition::ResourceConstraint).text("too many addresses"));
            }
        }
        Ok(jids)
    };
    Ok(Prefs { default, always: list("always")?, never: list("never")? })
}
