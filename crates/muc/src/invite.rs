//! Invitations that go through the room, and their refusals.
//!
//! XEP-0045 1.35.5 section 7.8.2
//!
//! Invitations of one user to another (XEP-0249) do not concern the room: they pass like other messages.
//!
//! Not here: becoming a member otherwise (`affiliations.rs`, `register.rs`).

use address::{Bare, Jid};
use stanza::{Condition, MessageType, Stanza, StanzaError, ns};
use xml::{El, Writer};

use crate::admin;
use crate::affiliation::{Affiliation, Role};
use crate::here::{Here, bounded, too_much};
use crate::limits;
use crate::room::Entry;

/// A message to the room that invites or declines; whether it was one.
pub(crate) fn asked(here: &mut Here<'_>, stanza: &Stanza) -> bool {
    let Ok(tree) = stanza.payload.tree() else { return false };
    let Some(x) = tree.top().child("x", ns::MUC_USER) else { return false };
    let invites: Vec<El<'_>> = x.children_named("invite", ns::MUC_USER).collect();
    let outcome = match (invites.is_empty(), x.child("decline", ns::MUC_USER)) {
        (false, _) => invites.into_iter().try_for_each(|invite| invited(here, stanza, invite)),
        (true, Some(decline)) => declined(here, stanza, decline),
        (true, None) => return false,
    };
    if let Err(error) = outcome {
        here.refuse(stanza, error);
    }
    true
}

fn target(element: El<'_>) -> Result<Jid, StanzaError> {
    let to = element.attr("to").ok_or(Condition::BadRequest)?;
    Jid::parse(&to).map_err(|_| Condition::JidMalformed.into())
}

fn reason(element: El<'_>) -> Result<Option<String>, StanzaError> {
    let reason = element.child_text("reason", ns::MUC_USER).map(|reason| reason.into_owned());
    bounded(reason, limits::REASON_BYTES_MAX)
}

fn invited(here: &mut Here<'_>, stanza: &Stanza, invite: El<'_>) -> Result<(), StanzaError> {
    let Some(from) = &stanza.from else { return Err(Condition::BadRequest.into()) };
    if !here.is_there_for(from) {
        return Err(Condition::ItemNotFound.into());
    }
    let affiliation = here.affiliation(from);
    let Some(occupant) = here.room.occupants.of(from) else {
        return Err(StanzaError::from(Condition::NotAcceptable).text("you are not in this room"));
    };
    let (role, bare, address) = (occupant.role, occupant.bare.clone(), occupant.address.clone());
    let may = affiliation >= Affiliation::Admin || (here.room.config.invites && role >= Role::Visitor);
    if !may {
        return Err(StanzaError::from(Condition::Forbidden).text("you may not invite others to this room"));
    }
    let (to, reason) = (target(invite)?, reason(invite)?);
    let people = here.room.people.of(&bare.text());
    if !people.invites.take(here.now_ms, limits::INVITES_MAX, limits::INVITES_MS) {
        return Err(too_much("you invite too many at once"));
    }
    if here.affiliation(&to) == Affiliation::Outcast {
        return Err(StanzaError::from(Condition::Forbidden).text("they are banned from this room"));
    }
    if here.room.config.members_only && here.affiliation(&to) == Affiliation::None && to.local().is_some() {
        add_member(here, &to)?;
    }
    // Where people are hidden behind nicknames, inviting gives nobody away.
    let inviter = if here.room.config.non_anonymous { bare.jid().clone() } else { address };
    let proceed = invite.child("continue", ns::MUC_USER).map(|el| el.attr("thread").map(|t| t.into_owned()));
    send(here, &inviter, &to, reason.as_deref(), proceed);
    if here.room.invited.len() >= limits::INVITED_MAX {
        here.room.invited.pop_front();
    }
    here.room.invited.push_back((bare, to.bare()));
    Ok(())
}

/// Section 7.8.2: in a room for members only an invitation makes a member.
fn add_member(here: &mut Here<'_>, to: &Jid) -> Result<(), StanzaError> {
    if here.room.affiliations.len() >= limits::AFFILIATIONS_MAX {
        return Err(too_much("the lists of this room are full"));
    }
    let entry = Entry { affiliation: Affiliation::Member, ..Entry::default() };
    admin::put(here, to.bare().text(), Some(entry));
    Ok(())
}

fn send(here: &mut Here<'_>, inviter: &Jid, to: &Jid, reason: Option<&str>, proceed: Option<Option<String>>) {
    let mut w = Writer::new(ns::CLIENT);
    w.open("x", ns::MUC_USER).open("invite", ns::MUC_USER).attr("from", inviter.as_str());
    if let Some(reason) = reason {
        w.leaf("reason", ns::MUC_USER, reason);
    }
    if let Some(thread) = proceed {
        w.open("continue", ns::MUC_USER).attr_opt("thread", thread).close();
    }
    w.close();
    if let Some(password) = &here.room.config.password {
        w.leaf("password", ns::MUC_USER, password);
    }
    w.close();
    let invitation = Stanza::message(MessageType::Normal).from(here.at.jid()).to(to).with_inner(w.finish());
    here.fx.route(invitation);
}

/// Somebody was made a member of a room for members only (section 9.5).
pub(crate) fn member(here: &mut Here<'_>, who: &Jid, reason: Option<&str>) {
    let room = here.at.jid().clone();
    send(here, &room, who, reason, None);
}

/// Only who was invited can decline, and only to who invited him: else anybody could have the room write to anybody.
fn declined(here: &mut Here<'_>, stanza: &Stanza, decline: El<'_>) -> Result<(), StanzaError> {
    let Some(from) = stanza.from.as_ref().map(Jid::bare) else { return Err(Condition::BadRequest.into()) };
    let (to, reason) = (target(decline)?, reason(decline)?);
    let inviter: Option<Bare> = match here.room.occupants.iter().find(|one| one.address == to) {
        Some(occupant) => Some(occupant.bare.clone()),
        None => Some(to.bare()),
    };
    let known = here.room.invited.iter().position(|(by, whom)| Some(by) == inviter.as_ref() && *whom == from);
    let Some((inviter, _)) = known.and_then(|at| here.room.invited.remove(at)) else {
        return Err(Condition::ItemNotFound.into());
    };
    let mut w = Writer::new(ns::CLIENT);
    w.open("x", ns::MUC_USER).open("decline", ns::MUC_USER).attr("from", from.as_str());
    if let Some(reason) = reason {
        w.leaf("reason", ns::MUC_USER, reason);
    }
    w.close().close();
    let told = Stanza::message(MessageType::Normal).from(here.at.jid()).with_inner(w.finish());
    let clients: Vec<Jid> = (here.room.occupants.iter().filter(|one| one.bare == inviter))
        .flat_map(|one| one.visits.iter().map(|visit| visit.jid.clone()))
        .collect();
    if clients.is_empty() {
        here.fx.route(told.to(&inviter));
    } else {
        clients.iter().for_each(|client| here.fx.route(told.clone().to(client)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::limits;
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome};

    fn invite(from: &str, to: &str) -> String {
        format!(
            "<message from='{from}' to='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <invite to='{to}'><reason>come</reason></invite></x></message>"
        )
    }

    fn decline(from: &str, to: &str) -> String {
        format!(
            "<message from='{from}' to='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <decline to='{to}'/></x></message>"
        )
    }

    #[test]
    fn invitations_go_out_and_refusals_come_back() {
        let secret = [("roomconfig_passwordprotectedroom", "1"), ("roomconfig_roomsecret", "toad")];
        let mut stage = Stage::room(&secret);
        let seen = stage.send(&invite(CRONE, "hecate@b.example"));
        let expected = format!(
            "<message from='{ROOM}' to='hecate@b.example'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <invite from='{ROOM}/crone'><reason>come</reason></invite><password>toad</password></x></message>"
        );
        assert_eq!(seen, [expected]);
        // Only who was invited declines, once, and to who invited him: the room writes to nobody else.
        assert_eq!(
            outcome(&stage.send(&decline("eve@b.example/x", &format!("{ROOM}/crone")))),
            "item-not-found"
        );
        assert_eq!(
            outcome(&stage.send(&decline("hecate@b.example/x", "victim@b.example"))),
            "item-not-found"
        );
        let seen = stage.send(&decline("hecate@b.example/x", &format!("{ROOM}/crone")));
        assert!(
            seen[0].contains(&format!("to='{CRONE}'"))
                && seen[0].contains("<decline from='hecate@b.example'/>")
        );
        assert_eq!(
            outcome(&stage.send(&decline("hecate@b.example/x", &format!("{ROOM}/crone")))),
            "item-not-found"
        );
    }

    #[test]
    fn in_a_room_for_members_an_invitation_makes_a_member() {
        let mut stage = Stage::room(&[("roomconfig_membersonly", "1"), ("roomconfig_allowinvites", "0")]);
        stage.admin(CRONE, "<item affiliation='member' jid='hag@a.example'/>");
        stage.enter(HAG, "hag");
        assert_eq!(outcome(&stage.send(&invite(HAG, WITCH))), "forbidden");
        assert_eq!(outcome(&stage.send(&invite(WITCH, WITCH))), "not-acceptable");
        assert_eq!(outcome(&stage.enter(WITCH, "witch")), "registration-required");
        assert_eq!(outcome(&stage.send(&invite(CRONE, "witch@a.example"))), "ok");
        assert_eq!(outcome(&stage.enter(WITCH, "witch")), "ok");
        assert_eq!(outcome(&stage.send(&invite(CRONE, "no address@"))), "jid-malformed");
        stage.admin(CRONE, "<item affiliation='outcast' jid='eve@b.example'/>");
        assert_eq!(outcome(&stage.send(&invite(CRONE, "eve@b.example"))), "forbidden");
    }

    #[test]
    fn a_flood_of_invitations_stops() {
        let mut stage = Stage::room(&[]);
        let sent =
            (0..30).filter(|n| outcome(&stage.send(&invite(CRONE, &format!("{n}@b.example")))) == "ok");
        assert_eq!(sent.count(), limits::INVITES_MAX as usize);
    }
}
