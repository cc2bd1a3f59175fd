//! Entering a room, and everything that is not allowed to.
//!
//! XEP-0045 1.35.5 sections 7.1 and 7.2, XEP-0410 1.1.0 (a client that is out of step is told so)
//!
//! Not here: making the room (`create.rs`), changes of presence and nickname (`nick.rs`).

use std::sync::Arc;

use address::Jid;
use kernel::{Spot, Turn};
use stanza::{Condition, PresenceType, Stanza, StanzaError, ns};
use xml::Writer;

use crate::affiliation::Affiliation;
use crate::here::{Here, refused_entry, too_much};
use crate::item::{self, Notice};
use crate::occupants::{Occupant, Visit};
use crate::room::{Room, Standing, Tombstone};
use crate::service::Shared;
use crate::{banned, create, limits, nick, occupant_id, presence};

/// Available presence.
pub(crate) fn present(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
    if !banned::looked_up(shared, turn, &stanza) {
        come(shared, turn, stanza);
    }
}

/// Available presence of somebody who may be here.
pub(crate) fn come(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
    let (Some(from), Some(to)) = (stanza.from.clone(), stanza.to.clone()) else { return };
    let joins = stanza.payload.has("x", ns::MUC);
    if turn.place.is_service() {
        return turn.fx.refuse(&stanza, Condition::ServiceUnavailable);
    }
    let mut here = Here::of(shared, turn);
    let known = here.room.occupants.of(&from).map(|occupant| occupant.nick.clone());
    match (to.resource(), known) {
        // Section 7.2.1: a nickname is needed.
        (None, _) if !joins => {}
        (None, _) => here.refuse_entry(&stanza, Condition::JidMalformed),
        (Some(wanted), Some(own)) if *wanted == *own => nick::updated(&mut here, &stanza, &from, &own, joins),
        (Some(wanted), Some(own)) => nick::changed(&mut here, &stanza, &from, &own, wanted),
        (Some(_), None) if !joins => out_of_step(&mut here, &from, &to),
        (Some(_), None) => match here.room.standing.clone() {
            Standing::Absent => create::wanted(shared, turn, stanza, from),
            Standing::Gone(gone) => closed(shared, turn, stanza, from, &gone),
            Standing::Open | Standing::Locked(_) => enter(&mut here, &stanza, &from, false),
        },
    }
}

/// Section 7.2.17: presence of somebody who is not here, and who does not ask to be.
fn out_of_step(here: &mut Here<'_>, from: &Jid, to: &Jid) {
    let mut w = Writer::new(ns::CLIENT);
    let role = crate::affiliation::Role::None;
    let notice = Notice { codes: &[110, 307, 333], ..Notice::default() };
    item::write(&mut w, None, Affiliation::None, role, &notice, &[]);
    let kick = Stanza::presence(PresenceType::Unavailable).from(to).to(from).with_inner(w.finish());
    here.fx.route(kick);
}

/// The room was destroyed: who comes is told where it goes on (section 10.9). Its owners may make it anew.
fn closed(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza, from: Jid, gone: &Tombstone) {
    let over = turn.now.unix_ms >= gone.until_ms;
    if over || gone.owners.iter().any(|owner| owner == from.bare_str()) {
        Here::of(shared, turn).room.standing = Standing::Absent;
        return create::wanted(shared, turn, stanza, from);
    }
    let uri = gone.alternate.as_ref().map(|alternate| format!("xmpp:{alternate}?join"));
    let error = refused_entry(&stanza, |w| {
        w.open("error", ns::CLIENT).attr("type", "cancel");
        w.leaf("gone", ns::STANZAS, uri.as_deref().unwrap_or_default());
        if let Some(reason) = &gone.reason {
            w.leaf("text", ns::STANZAS, reason);
        }
        w.close();
    });
    if let Some(error) = error {
        turn.fx.route(error);
    }
}

/// Somebody wants to enter a room that is there.
pub(crate) fn enter(here: &mut Here<'_>, stanza: &Stanza, from: &Jid, created: bool) {
    let Some(to) = stanza.to.clone() else { return };
    let nick = to.resource().unwrap_or_default();
    if let Err(error) = admitted(here, stanza, from, nick) {
        if created {
            *here.room = Room { last_id: here.room.last_id, ..Room::default() };
            here.fx.drop_writes();
            here.fx.take_wake();
        }
        return here.refuse_entry(stanza, error);
    }
    here.tell_of(nick);
    let visit = Visit { jid: from.clone(), presence: presence::clean(&stanza.payload) };
    let known = here.room.occupants.get(nick).is_some();
    if known {
        here.room.occupants.visit(nick, visit);
    } else {
        let bare = from.bare();
        let role = here.room.role(here.affiliation(from));
        let id = occupant_id::of(&here.room.key, bare.as_str());
        let (nick, address) = (Arc::from(nick), to.clone());
        let occupant = Occupant { nick, address, bare, role, id, visits: vec![visit], shown: None };
        here.room.occupants.insert(occupant);
    }
    welcome(here, nick, stanza, from, created);
    if known || created {
        // Others know him; what his presence says may be new.
        return here.tell_other_clients(nick, from);
    }
    here.tell_others(nick, &Notice::default());
}

/// Everything that a client gets that enters, in the order of section 7.1: who is here, who it is itself, what was said,
/// what the subject is.
pub(crate) fn welcome(here: &mut Here<'_>, nick: &str, stanza: &Stanza, client: &Jid, created: bool) {
    let Some(role) = here.room.occupants.get(nick).map(|occupant| occupant.role) else { return };
    here.show_room(nick, client, role);
    let config = &here.room.config;
    let codes: Vec<u16> = [(config.non_anonymous, 100), (config.archive, 170), (created, 201)]
        .into_iter()
        .filter_map(|(holds, code)| holds.then_some(code))
        .collect();
    here.tell_himself(nick, &Notice::default(), &codes, Some((client, stanza.id.as_ref())));
    here.send_history(&stanza.payload, client);
    here.send_subject(client);
}

impl Here<'_> {
    /// A client of an occupant came or changed: all but that client hear of it.
    fn tell_other_clients(&mut self, nick: &str, client: &Jid) {
        self.tell_others(nick, &Notice::default());
        let Some(occupant) = self.room.occupants.get(nick) else { return };
        let others: Vec<Jid> =
            occupant.visits.iter().map(|visit| visit.jid.clone()).filter(|jid| jid != client).collect();
        for other in others {
            self.tell_himself(nick, &Notice::default(), &[], Some((&other, None)));
        }
    }
}

/// Sections 7.2.5 to 7.2.11.
fn admitted(here: &mut Here<'_>, stanza: &Stanza, from: &Jid, nick: &str) -> Result<(), StanzaError> {
    let affiliation = here.affiliation(from);
    if matches!(here.room.standing, Standing::Locked(_)) && affiliation != Affiliation::Owner {
        return Err(Condition::ItemNotFound.into());
    }
    if affiliation == Affiliation::Outcast {
        return Err(StanzaError::from(Condition::Forbidden).text("you are banned from this room"));
    }
    if !here.room.admits(affiliation) {
        return Err(StanzaError::from(Condition::RegistrationRequired).text("this room is for members only"));
    }
    password(here, stanza)?;
    nick::free(here, from, nick)?;
    if here.room.occupants.get(nick).is_some_and(|occupant| occupant.visits.len() >= limits::VISITS_MAX) {
        return Err(too_much("too many clients under this nickname"));
    }
    let extra = if affiliation >= Affiliation::Admin { limits::STAFF_EXTRA_MAX } else { 0 };
    let most = here.room.config.occupants as usize + extra;
    if here.room.occupants.get(nick).is_none() && here.room.occupants.len() >= most {
        return Err(StanzaError::from(Condition::ServiceUnavailable).text("the room is full"));
    }
    // Going in and out is told to all each time.
    let (people, most) = (here.room.people.of(&from.bare().text()), limits::PRESENCES_MAX);
    if !people.presences.take(here.now_ms, most, limits::PRESENCE_MS) {
        return Err(too_much("you come and go too often"));
    }
    // After a restart all come back at once; members are no crowd of strangers.
    let settings = &here.shared.settings;
    let returning = here.now_ms.saturating_sub(settings.started_ms) < limits::RETURN_MS;
    if affiliation == Affiliation::None
        && !returning
        && !here.room.joins.take(here.now_ms, settings.joins, limits::JOINS_MS)
    {
        return Err(too_much("too many enter this room at once; try again soon"));
    }
    Ok(())
}

fn password(here: &Here<'_>, stanza: &Stanza) -> Result<(), StanzaError> {
    let Some(secret) = &here.room.config.password else { return Ok(()) };
    let tree = stanza.payload.tree().map_err(|_| Condition::BadRequest)?;
    let given = tree.top().child("x", ns::MUC).and_then(|x| x.child_text("password", ns::MUC));
    match given {
        Some(given) if *given == **secret => Ok(()),
        _ => Err(StanzaError::from(Condition::NotAuthorized).text("the room needs a password")),
    }
}

#[cfg(test)]
mod tests {
    use crate::limits;
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};
    use crate::{Creation, Settings};

    fn enter_with(stage: &mut Stage, jid: &str, nick: &str, inner: &str) -> String {
        outcome(&stage.send(&format!(
            "<presence from='{jid}' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'>{inner}</x></presence>"
        )))
    }

    /// XEP-0045 sections 7.2.5 to 7.2.11.
    #[test]
    fn the_door_has_its_errors() {
        let secret = [("roomconfig_passwordprotectedroom", "1"), ("roomconfig_roomsecret", "toad")];
        let mut stage = Stage::room(&secret);
        assert_eq!(enter_with(&mut stage, HAG, "hag", ""), "not-authorized");
        assert_eq!(enter_with(&mut stage, HAG, "hag", "<password>frog</password>"), "not-authorized");
        assert_eq!(enter_with(&mut stage, HAG, "hag", "<password>toad</password>"), "ok");
        // Somebody inside need not say it again.
        assert_eq!(enter_with(&mut stage, HAG, "hag", ""), "ok");
        let mut stage = Stage::room(&[("roomconfig_maxusers", "2")]);
        stage.admin(CRONE, "<item affiliation='admin' jid='elder@a.example'/>");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "ok");
        assert_eq!(outcome(&stage.enter(WITCH, "witch")), "service-unavailable");
        assert_eq!(outcome(&stage.enter("elder@a.example/x", "elder")), "ok");
        for (nick, expected) in [
            ("", "jid-malformed"),
            ("\u{3164}", "jid-malformed"),
            (&"n".repeat(limits::NICK_BYTES_MAX + 1), "jid-malformed"),
            ("HAG", "conflict"),
            ("h\u{200b}ag", "conflict"),
        ] {
            let mut stage = Stage::room(&[]);
            stage.enter(HAG, "hag");
            let to = if nick.is_empty() { ROOM.to_owned() } else { format!("{ROOM}/{nick}") };
            let seen = stage.send(&format!(
                "<presence from='{WITCH}' to='{to}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
            ));
            assert_eq!(outcome(&seen), expected, "{nick:?}");
        }
    }

    #[test]
    fn a_crowd_of_strangers_waits_outside() {
        let mut stage = Stage::room(&[]);
        stage.admin(CRONE, "<item affiliation='member' jid='maid@a.example'/>");
        let outcomes: Vec<String> =
            (0..30).map(|n| outcome(&stage.enter(&format!("{n}@a.example/x"), &n.to_string()))).collect();
        assert_eq!(outcomes.iter().filter(|outcome| *outcome == "ok").count(), 20);
        assert_eq!(outcomes[29], "resource-constraint");
        assert_eq!(outcome(&stage.enter("maid@a.example/x", "maid")), "ok");
        stage.pass(limits::JOINS_MS);
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "ok");
    }

    #[test]
    fn who_may_make_rooms_and_how_many() {
        let settings = |creation| Settings { creation, rooms_per_user: 2, ..base() };
        fn base() -> Settings {
            let domain = |text| address::Jid::parse(text).unwrap();
            Settings::new(domain("rooms.example"), domain("a.example"), 0)
        }
        for (creation, jid, expected) in [
            (Creation::Local, HAG, "ok"),
            (Creation::Local, "far@b.example/x", "not-allowed"),
            (Creation::Anyone, "far@b.example/x", "ok"),
            (Creation::Nobody, HAG, "not-allowed"),
        ] {
            assert_eq!(
                outcome(&Stage::with(settings(creation)).enter(jid, "n")),
                expected,
                "{creation:?} {jid}"
            );
        }
        let mut stage = Stage::with(settings(Creation::Local));
        let mut make = |name: &str| {
            let seen = stage.send(&format!(
                "<presence from='{HAG}' to='{name}@rooms.example/n'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
            ));
            let over = seen.last().unwrap().contains("<destroy><reason>you have as many rooms");
            if over { "over".to_owned() } else { outcome(&seen) }
        };
        assert_eq!(["1", "2", "3", "1"].map(&mut make), ["ok", "ok", "over", "ok"]);
        assert_eq!(make(&"r".repeat(limits::ROOM_BYTES_MAX + 1)), "not-acceptable");
        // One that ends makes room for another.
        stage.send(&format!("<presence from='{HAG}' to='2@rooms.example/n' type='unavailable'/>"));
        let seen = stage.send(&format!(
            "<presence from='{HAG}' to='3@rooms.example/n'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        assert!(seen.last().unwrap().contains("<subject/>"), "{seen:?}");
    }

    #[test]
    fn a_room_is_locked_until_it_is_configured() {
        let mut stage = Stage::new();
        assert!(stage.enter(CRONE, "crone")[0].contains("code='201'"));
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "item-not-found");
        assert_eq!(outcome(&stage.say(CRONE, "alone")), "ok");
        stage.pass(limits::LOCKED_MS - 1);
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "item-not-found");
        stage.pass(1);
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "ok");
        // One that is given up, and one that is left before, are no more.
        let mut stage = Stage::new();
        stage.enter(CRONE, "crone");
        let seen = stage.owner(CRONE, "<x xmlns='jabber:x:data' type='cancel'/>");
        assert!(to(&seen, CRONE)[1].contains("<destroy/>"), "{seen:?}");
        assert_eq!(stage.rest(), None);
        stage.enter(CRONE, "crone");
        stage.send(&format!("<presence from='{CRONE}' to='{ROOM}/crone' type='unavailable'/>"));
        assert_eq!(stage.rest(), None);
    }

    /// Sections 7.2.1 and 17.3: a client that joins again has lost its memory of the room.
    #[test]
    fn joining_again_brings_everything_again() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        stage.say(CRONE, "thrice");
        let seen = stage.enter(HAG, "hag");
        let kinds: Vec<bool> = [0, 1].map(|at| seen[at].starts_with("<presence ")).to_vec();
        assert_eq!((kinds, seen.len()), (vec![true, true], 4), "{seen:?}");
        assert!(
            seen[1].contains("code='110'") && seen[2].contains("thrice") && seen[3].contains("<subject/>")
        );
    }

    #[test]
    fn who_comes_again_and_again_is_slowed_down() {
        let mut stage = Stage::room(&[]);
        stage.admin(CRONE, "<item affiliation='member' jid='hag@a.example'/>");
        let leave = format!("<presence from='{HAG}' to='{ROOM}/hag' type='unavailable'/>");
        let entered = (0..30).filter(|_| {
            let entered = outcome(&stage.enter(HAG, "hag")) == "ok";
            stage.send(&leave);
            entered
        });
        assert_eq!(entered.count(), limits::PRESENCES_MAX as usize);
        stage.pass(limits::PRESENCE_MS);
        let asked = (0..30).filter(|_| outcome(&stage.enter(HAG, "hag")) == "ok");
        assert_eq!(asked.count(), limits::PRESENCES_MAX as usize, "the same for asking who is here");
        assert_eq!(outcome(&stage.say(HAG, "still here")), "ok");
    }

    /// Section 7.2.8: several clients of a person under one nickname.
    #[test]
    fn one_nickname_for_several_clients() {
        let (phone, laptop) = ("hag@a.example/phone", "hag@a.example/laptop");
        let mut stage = Stage::room(&[]);
        stage.enter(phone, "hag");
        assert_eq!(outcome(&stage.enter(laptop, "hag")), "ok");
        let seen = stage.say(CRONE, "hello");
        assert_eq!((to(&seen, phone).len(), to(&seen, laptop).len()), (1, 1));
        let seen = stage.send(&format!(
            "<message from='{CRONE}' to='{ROOM}/hag' type='chat'><body>psst</body></message>"
        ));
        assert_eq!(seen.len(), 2);
        let seen = stage.send(&format!("<presence from='{phone}' to='{ROOM}/hag' type='unavailable'/>"));
        assert_eq!((seen.len(), to(&seen, phone).len()), (1, 1), "{seen:?}");
        let seen = stage.send(&format!("<presence from='{laptop}' to='{ROOM}/hag' type='unavailable'/>"));
        assert_eq!((to(&seen, laptop).len(), to(&seen, CRONE).len()), (1, 1), "{seen:?}");
    }
}
