//! Lists of people, and changes to them: requests in the namespace of administration.
//!
//! XEP-0045 1.35.5 sections 8.2 to 8.5, 9 and 10.3 to 10.8
//!
//! All changes of a request are judged before the first is made: either all happen, or none.
//!
//! Not here: who may change what (`roles.rs`, `affiliations.rs`).

use std::sync::Arc;

use address::Jid;
use kernel::{Answer, Iq, Spot};
use model::storage::Write;
use stanza::{Condition, Payload, StanzaError, ns};
use xml::{El, Writer};

use crate::affiliation::{Affiliation, Role};
use crate::here::{Here, bounded, too_much};
use crate::item::Notice;
use crate::occupants::Occupant;
use crate::room::{AFFILIATIONS, Entry};
use crate::telling::News;
use crate::{affiliations, limits, roles};

/// Who wants something of the room.
pub(crate) struct Actor {
    pub(crate) jid: Jid,
    pub(crate) affiliation: Affiliation,
    pub(crate) role: Role,
    /// As others know him.
    pub(crate) nick: Option<Arc<str>>,
}

impl Actor {
    pub(crate) fn of(here: &Here<'_>, jid: &Jid) -> Actor {
        let affiliation = here.affiliation(jid);
        let occupant = here.room.occupants.of(jid);
        // Owners and admins need not be in the room; others act by their role in it.
        let role = match occupant {
            Some(occupant) => occupant.role,
            None if affiliation >= Affiliation::Admin => Role::Moderator,
            None => Role::None,
        };
        Actor { jid: jid.clone(), affiliation, role, nick: occupant.map(|occupant| occupant.nick.clone()) }
    }
}

/// One thing to change.
pub(crate) enum Change {
    /// The role of an occupant.
    Role { nick: Arc<str>, role: Role, reason: Option<String> },
    /// The affiliation of a person, or of a domain.
    Affiliation { who: Jid, affiliation: Affiliation, nick: Option<String>, reason: Option<String> },
}

/// What changed, to be told.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Who was put out, with a status code and a reason.
    pub(crate) left: Vec<(Occupant, u16, Option<String>)>,
    /// Whose presence looks different now, and whether others saw it before.
    pub(crate) changed: Vec<(Arc<str>, Option<Occupant>, Option<String>)>,
}

/// A list, for those who may see it.
pub(crate) fn list(here: &Here<'_>, iq: &Iq<'_>) -> Answer<Spot> {
    let actor = Actor::of(here, iq.from());
    let item = iq.payload.child("item", ns::MUC_ADMIN);
    let asked = item.map(|item| (item.attr("affiliation"), item.attr("role")));
    match asked {
        Some((Some(affiliation), None)) => match Affiliation::parse(&affiliation) {
            Some(Affiliation::None) | None => Condition::BadRequest.into(),
            Some(affiliation) => affiliations::list(here, &actor, affiliation),
        },
        Some((None, Some(role))) => match Role::parse(&role) {
            Some(Role::None) | None => Condition::BadRequest.into(),
            Some(role) => roles::list(here, &actor, role),
        },
        _ => Condition::BadRequest.into(),
    }
}

/// The items of a list as the answer.
pub(crate) fn answer(write: impl FnOnce(&mut Writer)) -> Answer<Spot> {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::MUC_ADMIN);
    write(&mut w);
    w.close();
    Answer::Reply(w.finish())
}

/// A request to change something: answered here, because section 8.2 wants the answer between the word to those who are
/// put out and the word to the others.
pub(crate) fn change(here: &mut Here<'_>, iq: &Iq<'_>) -> Result<(), StanzaError> {
    let actor = Actor::of(here, iq.from());
    let changes = read(here, iq.payload)?;
    for change in &changes {
        match change {
            Change::Role { nick, role, .. } => roles::judge(here, &actor, nick, *role)?,
            Change::Affiliation { who, affiliation, nick, .. } => {
                affiliations::judge(here, &actor, who, *affiliation, nick.as_deref())?;
            }
        }
    }
    affiliations::judge_all(here, &changes)?;
    let actor = actor.nick.clone();
    let outcome = apply(here, changes, actor.as_deref());
    here.fx.route(iq.stanza.result(Default::default()));
    tell(here, outcome, actor.as_deref());
    here.after_leaving();
    Ok(())
}

fn read(here: &Here<'_>, query: El<'_>) -> Result<Vec<Change>, StanzaError> {
    let items: Vec<El<'_>> =
        query.children_named("item", ns::MUC_ADMIN).take(limits::ITEMS_MAX + 1).collect();
    match items.len() {
        0 => Err(Condition::BadRequest.into()),
        n if n > limits::ITEMS_MAX => Err(too_much("too many items")),
        _ => items.into_iter().map(|item| read_item(here, item)).collect(),
    }
}

fn read_item(here: &Here<'_>, item: El<'_>) -> Result<Change, StanzaError> {
    let reason = item.child_text("reason", ns::MUC_ADMIN).map(|reason| reason.into_owned());
    let reason = bounded(reason, limits::REASON_BYTES_MAX)?;
    let nick = item.attr("nick").map(|nick| nick.into_owned());
    match (item.attr("affiliation"), item.attr("role")) {
        (None, Some(role)) => {
            let role = Role::parse(&role).ok_or(Condition::BadRequest)?;
            let nick = nick.ok_or(Condition::BadRequest)?;
            // As resourcepart, so that it is compared in its prepared form.
            let nick = here.at.with_resource(&nick).map_err(|_| Condition::JidMalformed)?;
            Ok(Change::Role { nick: nick.resource().unwrap_or_default().into(), role, reason })
        }
        (Some(affiliation), None) => {
            let affiliation = Affiliation::parse(&affiliation).ok_or(Condition::BadRequest)?;
            let who = match item.attr("jid") {
                Some(jid) => Jid::parse(&jid).map_err(|_| Condition::JidMalformed)?.bare().into(),
                None => named(here, nick.as_deref())?,
            };
            let nick = item.attr("jid").and(nick);
            Ok(Change::Affiliation { who, affiliation, nick, reason })
        }
        _ => Err(StanzaError::from(Condition::BadRequest).text("either a role or an affiliation")),
    }
}

/// Some clients name the occupant instead of the person.
fn named(here: &Here<'_>, nick: Option<&str>) -> Result<Jid, StanzaError> {
    let nick = nick.ok_or(Condition::BadRequest)?;
    let occupant = here.room.occupants.get(nick).ok_or(Condition::ItemNotFound)?;
    Ok(occupant.bare.jid().clone())
}

/// Makes changes that have been judged.
pub(crate) fn apply(here: &mut Here<'_>, changes: Vec<Change>, actor: Option<&str>) -> Outcome {
    let mut outcome = Outcome::default();
    for change in changes {
        match change {
            Change::Role { nick, role, reason } => roles::apply(here, &nick, role, reason, &mut outcome),
            Change::Affiliation { who, affiliation, nick, reason } => {
                affiliations::apply(here, &who, affiliation, nick, reason, &mut outcome);
            }
        }
    }
    for (occupant, code, reason) in &outcome.left {
        let codes = [*code];
        let notice = Notice { codes: &codes, reason: reason.as_deref(), actor, ..Notice::default() };
        here.tell_gone(occupant, &notice, &Payload::default(), None);
    }
    outcome
}

/// Tells all who are there what has changed.
pub(crate) fn tell(here: &mut Here<'_>, outcome: Outcome, actor: Option<&str>) {
    let actor: Option<Arc<str>> = actor.map(Arc::from);
    for (occupant, code, reason) in outcome.left {
        here.room.telling.push_back(News::Left(Box::new(occupant), code, reason, actor.clone()));
    }
    for (nick, hidden, reason) in outcome.changed {
        here.room.telling.push_back(News::Changed(nick, hidden.map(Box::new), reason));
    }
    here.tell_news();
}

/// Sets or removes an affiliation, in memory and in storage.
pub(crate) fn put(here: &mut Here<'_>, who: Arc<str>, entry: Option<Entry>) {
    let owner = here.owner();
    match entry {
        Some(entry) => {
            let value = serde_json::to_vec(&entry).unwrap_or_default();
            here.fx.put_map(AFFILIATIONS, owner, &who, value);
            here.room.affiliations.insert(who, entry);
        }
        None => {
            here.room.affiliations.remove(&who);
            here.fx.write(Write::MapDelete { space: AFFILIATIONS, owner, key: who });
        }
    }
}
