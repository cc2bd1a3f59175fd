//! Roles: kicking, giving and taking voice, moderators.
//!
//! XEP-0045 1.35.5 sections 5.1, 8.2 to 8.5, 9.6 to 9.8
//!
//! Not here: requests (`admin.rs`), asking for voice (`voice.rs`).

use std::sync::Arc;

use kernel::{Answer, Spot};
use stanza::{Condition, StanzaError, ns};

use crate::admin::{self, Actor, Outcome};
use crate::affiliation::{Affiliation, Role};
use crate::here::Here;

/// All with a role: moderators may see who has voice, admins who moderates.
pub(crate) fn list(here: &Here<'_>, actor: &Actor, role: Role) -> Answer<Spot> {
    let may = match role {
        Role::Moderator => actor.affiliation >= Affiliation::Admin,
        _ => actor.role == Role::Moderator,
    };
    if !may {
        return Condition::Forbidden.into();
    }
    admin::answer(|w| {
        for occupant in here.room.occupants.iter().filter(|occupant| occupant.role == role) {
            let Some(visit) = occupant.visits.last() else { continue };
            w.open("item", ns::MUC_ADMIN).attr("affiliation", here.affiliation(&visit.jid).name());
            w.attr("jid", visit.jid.as_str()).attr("nick", &occupant.nick).attr("role", role.name()).close();
        }
    })
}

/// Whether the actor may give that role.
pub(crate) fn judge(here: &Here<'_>, actor: &Actor, nick: &str, role: Role) -> Result<(), StanzaError> {
    if actor.role != Role::Moderator {
        return Err(StanzaError::from(Condition::Forbidden).text("only moderators may do that"));
    }
    let Some(target) = here.room.occupants.get(nick) else { return Err(Condition::ItemNotFound.into()) };
    let theirs = here.affiliation(target.bare.jid());
    let not_allowed = |text| Err(StanzaError::from(Condition::NotAllowed).text(text));
    if role == Role::None && actor.nick.as_deref() == Some(nick) {
        return Err(Condition::Conflict.into());
    }
    // Moderators are made and unmade by admins (sections 9.6 and 9.7).
    if (role == Role::Moderator) != (target.role == Role::Moderator) && actor.affiliation < Affiliation::Admin
    {
        return match target.role {
            Role::Moderator => not_allowed("only admins may do that to a moderator"),
            _ => Err(StanzaError::from(Condition::Forbidden).text("only admins may make moderators")),
        };
    }
    match role {
        // Section 8.2: nobody is kicked by somebody of lower affiliation.
        Role::None if theirs > actor.affiliation => {
            not_allowed("you may not kick somebody of higher affiliation")
        }
        // Sections 8.4 and 9.7: admins and owners moderate and speak, whoever says otherwise.
        Role::Visitor | Role::Participant if theirs >= Affiliation::Admin => {
            not_allowed("admins and owners keep their role")
        }
        Role::Visitor if theirs > actor.affiliation => not_allowed("you may not take their voice"),
        Role::Visitor if theirs == Affiliation::Member && actor.affiliation == theirs => {
            not_allowed("you may not take their voice")
        }
        _ => Ok(()),
    }
}

/// Gives the role; `none` puts the occupant out.
pub(crate) fn apply(
    here: &mut Here<'_>,
    nick: &Arc<str>,
    role: Role,
    reason: Option<String>,
    outcome: &mut Outcome,
) {
    if role == Role::None {
        if let Some(occupant) = here.expel(nick) {
            outcome.left.push((occupant, 307, reason));
        }
        return;
    }
    set(here, nick, role, reason, outcome);
}

/// Changes the role of somebody who stays.
pub(crate) fn set(
    here: &mut Here<'_>,
    nick: &Arc<str>,
    role: Role,
    reason: Option<String>,
    outcome: &mut Outcome,
) {
    let broadcast = here.room.config.broadcast;
    let Some(occupant) = here.room.occupants.get_mut(nick) else { return };
    let hidden = broadcast.allows(occupant.role) && !broadcast.allows(role);
    let before = hidden.then(|| occupant.clone());
    occupant.role = role;
    occupant.shown = None;
    outcome.changed.push((nick.clone(), before, reason));
}
