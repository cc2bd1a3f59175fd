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

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, Stage, WITCH, outcome, to};

    /// Owner crone, admin elder, member maid, nobodies hag and witch; witch was made a moderator.
    fn stage() -> Stage {
        let mut stage = Stage::room(&[]);
        for (jid, nick) in [
            ("elder@a.example/x", "elder"),
            ("dame@a.example/x", "dame"),
            ("maid@a.example/x", "maid"),
            (HAG, "hag"),
            (WITCH, "witch"),
        ] {
            stage.enter(jid, nick);
        }
        for (jid, affiliation) in [("elder", "admin"), ("dame", "admin"), ("maid", "member")] {
            let item = format!("<item affiliation='{affiliation}' jid='{jid}@a.example'/>");
            assert_eq!(outcome(&stage.admin(CRONE, &item)), "ok");
        }
        assert_eq!(outcome(&stage.admin(CRONE, "<item nick='witch' role='moderator'/>")), "ok");
        stage
    }

    /// XEP-0045 sections 8.2 to 8.5, 9.6, 9.7: who may do what to whom.
    #[test]
    fn every_refused_change_has_its_error() {
        for (actor, nick, role, expected) in [
            (HAG, "maid", "none", "forbidden"),
            ("stranger@a.example/x", "hag", "none", "forbidden"),
            (WITCH, "hag", "none", "ok"),
            (WITCH, "hag", "visitor", "ok"),
            (WITCH, "hag", "moderator", "forbidden"),
            (WITCH, "witch", "none", "conflict"),
            (WITCH, "nobody", "none", "item-not-found"),
            (WITCH, "maid", "none", "not-allowed"),
            (WITCH, "maid", "visitor", "not-allowed"),
            (WITCH, "elder", "none", "not-allowed"),
            ("elder@a.example/x", "witch", "none", "ok"),
            ("elder@a.example/x", "witch", "participant", "ok"),
            ("elder@a.example/x", "dame", "none", "ok"),
            ("elder@a.example/x", "dame", "participant", "not-allowed"),
            ("elder@a.example/x", "crone", "none", "not-allowed"),
            ("elder@a.example/x", "crone", "visitor", "not-allowed"),
            (CRONE, "elder", "participant", "not-allowed"),
            (CRONE, "elder", "none", "ok"),
            (CRONE, "hag", "nonsense", "bad-request"),
        ] {
            let seen = stage().admin(actor, &format!("<item nick='{nick}' role='{role}'/>"));
            assert_eq!(outcome(&seen), expected, "{actor} makes {nick} {role}");
            assert_eq!(seen.len() == 1, expected != "ok", "nothing else happens then");
        }
        let both = "<item nick='hag' role='visitor' affiliation='member'/>";
        assert_eq!(outcome(&stage().admin(CRONE, both)), "bad-request");
        assert_eq!(outcome(&stage().admin(CRONE, "")), "bad-request");
    }

    /// Section 8.2: first who is put out, then the moderator, then the others.
    #[test]
    fn a_kick_is_told_in_order() {
        let seen = stage().admin(WITCH, "<item nick='hag' role='none'><reason>hush</reason></item>");
        assert!(seen[0].contains(&format!("to='{HAG}'")) && seen[0].contains("code='307'"), "{}", seen[0]);
        assert!(seen[0].contains("<actor nick='witch'/><reason>hush</reason>"), "{}", seen[0]);
        assert!(seen[0].contains("code='110'") && seen[1].contains("type='result'"));
        assert_eq!(seen.len(), 2 + 5);
        assert!(to(&seen, CRONE)[0].contains(&format!("jid='{HAG}'")), "moderators see who it was");
        assert!(!to(&seen, "maid@a.example/x")[0].contains("jid="), "{seen:?}");
    }

    #[test]
    fn all_or_nothing() {
        let mut stage = stage();
        let seen = stage.admin(WITCH, "<item nick='hag' role='none'/><item nick='elder' role='none'/>");
        assert_eq!((outcome(&seen).as_str(), seen.len()), ("not-allowed", 1));
        assert_eq!(outcome(&stage.say(HAG, "still here")), "ok");
    }

    #[test]
    fn lists_are_for_moderators() {
        let list = |actor: &str, role: &str| {
            let item =
                format!("<query xmlns='http://jabber.org/protocol/muc#admin'><item role='{role}'/></query>");
            stage().iq(actor, "get", &item).remove(0)
        };
        for (actor, role, expected) in [
            (HAG, "participant", None),
            (WITCH, "participant", Some(2)),
            (WITCH, "moderator", None),
            ("elder@a.example/x", "moderator", Some(4)),
            (CRONE, "visitor", Some(0)),
        ] {
            let seen = list(actor, role);
            let items = seen.contains("type='result'").then(|| seen.matches("<item ").count());
            assert_eq!(items, expected, "{actor} {role}: {seen}");
        }
    }
}
