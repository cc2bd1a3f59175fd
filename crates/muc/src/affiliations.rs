//! Affiliations: members, admins, owners, bans.
//!
//! XEP-0045 1.35.5 sections 5.2, 9.1 to 9.5, 10.3 to 10.8
//!
//! Not here: requests (`admin.rs`), registration (`register.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use address::Jid;
use kernel::{Answer, Spot};
use stanza::{Condition, StanzaError, ns};

use crate::admin::{self, Actor, Change, Outcome};
use crate::affiliation::{Affiliation, Role};
use crate::here::{Here, too_much};
use crate::room::Entry;
use crate::{invite, limits, nick as nicks, roles};

/// All with an affiliation, for those who may know them.
pub(crate) fn list(here: &Here<'_>, actor: &Actor, affiliation: Affiliation) -> Answer<Spot> {
    // Where all see who is who, members may see all lists but that of the banned (sections 9.5, 10.5, 10.8).
    let open = here.room.config.non_anonymous && actor.affiliation >= Affiliation::Member;
    let may = match affiliation {
        Affiliation::Outcast => actor.affiliation >= Affiliation::Admin,
        Affiliation::Member => open || actor.affiliation >= Affiliation::Admin,
        _ => open || actor.affiliation == Affiliation::Owner,
    };
    if !may {
        return Condition::Forbidden.into();
    }
    let reasons = actor.affiliation >= Affiliation::Admin;
    admin::answer(|w| {
        for (jid, entry) in here.room.listed(affiliation) {
            w.open("item", ns::MUC_ADMIN).attr("affiliation", affiliation.name()).attr("jid", jid);
            w.attr_opt("nick", entry.nick.as_deref());
            if let Some(reason) = entry.reason.as_deref().filter(|_| reasons) {
                w.leaf("reason", ns::MUC_ADMIN, reason);
            }
            w.close();
        }
    })
}

/// Whether the actor may give that affiliation.
pub(crate) fn judge(
    here: &Here<'_>,
    actor: &Actor,
    who: &Jid,
    new: Affiliation,
    nick: Option<&str>,
) -> Result<(), StanzaError> {
    let old = here.room.affiliations.get(who.as_str()).map_or(Affiliation::None, |entry| entry.affiliation);
    if actor.affiliation < Affiliation::Admin {
        return Err(StanzaError::from(Condition::Forbidden).text("only admins and owners may do that"));
    }
    let own = actor.jid.bare_str() == who.as_str();
    if own && new == Affiliation::Outcast {
        return Err(StanzaError::from(Condition::Conflict).text("you cannot ban yourself"));
    }
    if actor.affiliation != Affiliation::Owner {
        // An admin may step down; otherwise admins and owners are owners' business (sections 10.3 to 10.8).
        if old >= Affiliation::Admin && !(own && new < old) {
            let text = "only owners may change the affiliation of admins and owners";
            return Err(StanzaError::from(Condition::NotAllowed).text(text));
        }
        if new >= Affiliation::Admin {
            return Err(
                StanzaError::from(Condition::Forbidden).text("only owners may make admins and owners")
            );
        }
    }
    // Section 9.2: whole domains may be banned; nothing else makes sense for them.
    if who.local().is_none() && new > Affiliation::None {
        return Err(Condition::JidMalformed.into());
    }
    if let Some(nick) = nick.filter(|nick| !nick.is_empty()) {
        let short = nick.len() <= limits::NICK_BYTES_MAX && here.at.with_resource(nick).is_ok();
        if !short || nicks::reserved(here, who.as_str(), nick) {
            return Err(StanzaError::from(Condition::Conflict).text("the nickname cannot be reserved"));
        }
    }
    Ok(())
}

/// What must hold for all changes together: somebody owns the room (section 10.2), and there is room for all.
pub(crate) fn judge_all(here: &Here<'_>, changes: &[Change]) -> Result<(), StanzaError> {
    let mut owners: BTreeSet<&str> = here.room.listed(Affiliation::Owner).map(|(jid, _)| &**jid).collect();
    let (mut new, mut touched) = (0, false);
    for change in changes {
        let Change::Affiliation { who, affiliation, .. } = change else { continue };
        touched = true;
        match affiliation {
            Affiliation::Owner => _ = owners.insert(who.as_str()),
            _ => _ = owners.remove(who.as_str()),
        }
        new += usize::from(!here.room.affiliations.contains_key(who.as_str()));
    }
    if touched && owners.is_empty() {
        return Err(StanzaError::from(Condition::Conflict).text("a room needs an owner"));
    }
    if here.room.affiliations.len() + new > limits::AFFILIATIONS_MAX {
        return Err(too_much("the lists of this room are full"));
    }
    Ok(())
}

/// Gives the affiliation, and what follows for those who are in the room.
pub(crate) fn apply(
    here: &mut Here<'_>,
    who: &Jid,
    new: Affiliation,
    nick: Option<String>,
    reason: Option<String>,
    outcome: &mut Outcome,
) {
    let bare = who.bare().text();
    let before = here.room.affiliations.get(&bare).cloned().unwrap_or_default();
    let old = before.affiliation;
    // Section 9.1: the banned have no reserved nicknames.
    let nick = match nick {
        _ if new <= Affiliation::None => None,
        Some(nick) => Some(nick).filter(|nick| !nick.is_empty()),
        None => before.nick,
    };
    let hats = if new == Affiliation::Outcast { Vec::new() } else { before.hats };
    let entry = Entry { affiliation: new, nick, reason: reason.clone(), hats };
    let empty = new == Affiliation::None && entry.hats.is_empty();
    admin::put(here, bare.clone(), (!empty).then_some(entry));
    let concerned: Vec<Arc<str>> = match who.local() {
        Some(_) => here.room.occupants.nicks_of(&bare),
        None => in_domain(here, who),
    };
    for nick in concerned {
        follow(here, &nick, (old, new), reason.clone(), outcome);
    }
    // Section 9.5: who may enter now is told so.
    if here.room.config.members_only
        && new == Affiliation::Member
        && old < new
        && !here.room.occupants.has(&bare)
    {
        invite::member(here, who, reason.as_deref());
    }
}

/// Those of a domain whom its ban concerns: with an affiliation of their own it does not.
fn in_domain(here: &Here<'_>, domain: &Jid) -> Vec<Arc<str>> {
    let concerned =
        |jid: &Jid| jid.domain() == domain.as_str() && !here.room.affiliations.contains_key(jid.as_str());
    here.room.occupants.iter().filter(|one| concerned(one.bare.jid())).map(|one| one.nick.clone()).collect()
}

fn follow(
    here: &mut Here<'_>,
    nick: &Arc<str>,
    (old, new): (Affiliation, Affiliation),
    reason: Option<String>,
    outcome: &mut Outcome,
) {
    let code = match new {
        Affiliation::Outcast => Some(301),
        Affiliation::None if here.room.config.members_only => Some(321),
        _ => None,
    };
    if let Some(code) = code {
        if let Some(occupant) = here.expel(nick) {
            outcome.left.push((occupant, code, reason));
        }
        return;
    }
    let Some(current) = here.room.occupants.get(nick).map(|occupant| occupant.role) else { return };
    // A role that came with the affiliation goes with it; one that was given for the visit stays (section 5.1.3).
    let given = current == Role::Moderator && old < Affiliation::Admin;
    let role = if given { current } else { here.room.role(new) };
    roles::set(here, nick, role, reason, outcome);
}

/// The room is moderated now, or no longer: those who have no affiliation lose or gain their voice.
pub(crate) fn regrade(here: &mut Here<'_>, outcome: &mut Outcome) {
    let concerned: Vec<(Arc<str>, Role)> = (here.room.occupants.iter())
        .filter(|one| one.role < Role::Moderator)
        .map(|one| (one.nick.clone(), here.room.role(here.room.affiliation(one.bare.jid()))))
        .collect();
    for (nick, role) in concerned {
        if here.room.occupants.get(&nick).is_some_and(|occupant| occupant.role != role) {
            roles::set(here, &nick, role, None, outcome);
        }
    }
}
