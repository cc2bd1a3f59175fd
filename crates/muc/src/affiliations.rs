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

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};

    const ELDER: &str = "elder@a.example/x";

    fn stage(fields: &[(&str, &str)]) -> Stage {
        let mut stage = Stage::room(fields);
        for jid in ["elder@a.example", "dame@a.example"] {
            assert_eq!(
                outcome(&stage.admin(CRONE, &format!("<item affiliation='admin' jid='{jid}'/>"))),
                "ok"
            );
        }
        stage.enter(ELDER, "elder");
        stage.enter(HAG, "hag");
        stage.enter(WITCH, "witch");
        stage
    }

    /// XEP-0045 sections 9.1 to 9.5, 10.3 to 10.8; F-03, F-08, F-10 of the bar.
    #[test]
    fn every_refused_change_has_its_error() {
        for (actor, jid, affiliation, expected) in [
            (HAG, "witch@a.example", "outcast", "forbidden"),
            (HAG, "hag@a.example", "owner", "forbidden"),
            (ELDER, "witch@a.example", "outcast", "ok"),
            (ELDER, "witch@a.example/laptop", "member", "ok"),
            (ELDER, "unknown@b.example", "member", "ok"),
            (ELDER, "b.example", "outcast", "ok"),
            (ELDER, "b.example", "member", "jid-malformed"),
            (ELDER, "witch@a.example", "admin", "forbidden"),
            (ELDER, "witch@a.example", "owner", "forbidden"),
            (ELDER, "crone@a.example", "none", "not-allowed"),
            (ELDER, "crone@a.example", "outcast", "not-allowed"),
            (ELDER, "dame@a.example", "outcast", "not-allowed"),
            (ELDER, "dame@a.example", "none", "not-allowed"),
            (ELDER, "elder@a.example", "outcast", "conflict"),
            (ELDER, "elder@a.example", "none", "ok"),
            (CRONE, "crone@a.example", "none", "conflict"),
            (CRONE, "crone@a.example", "outcast", "conflict"),
            (CRONE, "elder@a.example", "none", "ok"),
            (CRONE, "elder@a.example", "owner", "ok"),
            (CRONE, "a b@a.example", "member", "jid-malformed"),
            (CRONE, "hag@a.example", "king", "bad-request"),
        ] {
            let seen = stage(&[]).admin(actor, &format!("<item affiliation='{affiliation}' jid='{jid}'/>"));
            assert_eq!(outcome(&seen), expected, "{actor} makes {jid} {affiliation}");
            assert_eq!(seen.len() == 1, expected != "ok" || !jid.contains("witch") && !jid.contains("elder"));
        }
    }

    #[test]
    fn the_last_owner_stays_also_in_a_list() {
        let mut stage = stage(&[]);
        let swap =
            "<item affiliation='none' jid='crone@a.example'/><item affiliation='owner' jid='hag@a.example'/>";
        assert_eq!(outcome(&stage.admin(CRONE, swap)), "ok");
        let both = "<item affiliation='owner' jid='witch@a.example'/><item affiliation='none' jid='witch@a.example'/>\
            <item affiliation='none' jid='hag@a.example'/>";
        assert_eq!(outcome(&stage.admin(HAG, both)), "conflict");
        assert_eq!(
            outcome(&stage.admin(CRONE, "<item affiliation='member' jid='x@a.example'/>")),
            "forbidden"
        );
    }

    #[test]
    fn the_banned_leave_and_stay_out() {
        let mut stage = stage(&[]);
        let seen = stage
            .admin(ELDER, "<item affiliation='outcast' jid='hag@a.example'><reason>toads</reason></item>");
        assert!(
            to(&seen, HAG)[0].contains("code='301'") && to(&seen, HAG)[0].contains("affiliation='outcast'")
        );
        assert!(to(&seen, WITCH)[0].contains("<reason>toads</reason>"), "{seen:?}");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "forbidden");
        assert_eq!(outcome(&stage.enter("hag@a.example/other", "new")), "forbidden");
        assert_eq!(outcome(&stage.say(HAG, "hey")), "not-acceptable");
        let list = |affiliation: &str| {
            format!(
                "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='{affiliation}'/></query>"
            )
        };
        assert_eq!(outcome(&stage.iq(WITCH, "get", &list("outcast"))), "forbidden");
        let seen = stage.iq(ELDER, "get", &list("outcast"));
        assert!(
            seen[0].contains("<item affiliation='outcast' jid='hag@a.example'><reason>toads</reason></item>")
        );
        // A whole domain, but not those of it who belong here.
        assert_eq!(outcome(&stage.admin(ELDER, "<item affiliation='outcast' jid='a.example'/>")), "ok");
        assert_eq!(outcome(&stage.say(WITCH, "hey")), "not-acceptable");
        assert_eq!(outcome(&stage.say(ELDER, "hey")), "ok");
        assert_eq!(outcome(&stage.enter("new@a.example/x", "new")), "forbidden");
    }

    #[test]
    fn who_is_no_member_leaves_a_room_for_members() {
        let mut stage = Stage::room(&[("roomconfig_membersonly", "1")]);
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "registration-required");
        let seen = stage.admin(CRONE, "<item affiliation='member' jid='hag@a.example'/>");
        let invitation = format!("<message from='{ROOM}' to='hag@a.example'>");
        assert!(seen.iter().any(|line| line.starts_with(&invitation)), "{seen:?}");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "ok");
        let seen = stage.admin(CRONE, "<item affiliation='none' jid='hag@a.example'/>");
        assert!(
            to(&seen, HAG)[0].contains("code='321'") && to(&seen, HAG)[0].contains("unavailable"),
            "{seen:?}"
        );
        assert_eq!(to(&seen, CRONE).len(), 2, "one presence, not two, and the answer");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "registration-required");
    }

    /// Sections 9.5, 10.5, 10.8; CVE-2021-37601 was such a list shown to all.
    #[test]
    fn lists_are_for_those_who_may_know() {
        for (open, actor, affiliation, expected) in [
            ("moderators", HAG, "member", false),
            ("moderators", HAG, "owner", false),
            ("moderators", "maid@a.example/x", "member", false),
            ("moderators", ELDER, "member", true),
            ("moderators", ELDER, "admin", false),
            ("moderators", CRONE, "admin", true),
            ("anyone", HAG, "member", false),
            ("anyone", "maid@a.example/x", "member", true),
            ("anyone", "maid@a.example/x", "owner", true),
            ("anyone", "maid@a.example/x", "outcast", false),
        ] {
            let mut stage = stage(&[("roomconfig_whois", open)]);
            stage.admin(CRONE, "<item affiliation='member' jid='maid@a.example'/>");
            let query = format!(
                "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='{affiliation}'/></query>"
            );
            let seen = outcome(&stage.iq(actor, "get", &query));
            assert_eq!(seen, if expected { "ok" } else { "forbidden" }, "{open} {actor} {affiliation}");
        }
    }
}
