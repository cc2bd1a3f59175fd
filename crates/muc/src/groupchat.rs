//! Messages to all.
//!
//! XEP-0045 1.35.5 section 7.4, XEP-0359 0.7.0 (ids), XEP-0500 0.1.1 (slow mode)
//!
//! A message gets its place in the one order of the room here: it is archived and sent to all in one turn, so that all
//! occupants and the archive agree.
//!
//! Not here: the archive (`archive.rs`), subjects (`subject.rs`), withdrawals (`retract.rs`).

use std::sync::Arc;

use address::Jid;
use kernel::{Spot, Turn};
use stanza::{Condition, ErrorType, Kind, MessageType, Payload, Stanza, StanzaError, ns};

use crate::affiliation::{Affiliation, Role};
use crate::here::{Here, too_much};
use crate::limits;
use crate::service::Shared;
use crate::{archive, occupant_id, retract, subject};

/// Who says something.
pub(crate) struct Speaker {
    pub(crate) client: Jid,
    /// The address in the room.
    pub(crate) address: Jid,
    pub(crate) bare: Arc<str>,
    pub(crate) role: Role,
    /// XEP-0421.
    pub(crate) id: Arc<str>,
}

/// A message of type `groupchat`.
pub(crate) fn said(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
    let mut here = Here::of(shared, turn);
    let speaker = match accepted(&mut here, &stanza) {
        Ok(speaker) => speaker,
        Err(error) => return here.refuse(&stanza, error),
    };
    let (withdrawn, name) = (retract::named(&stanza.payload), stanza.id.clone());
    if reflect(&mut here, &speaker, stanza).is_some()
        && let Some(id) = withdrawn
    {
        retract::by_author(shared, turn, id, &speaker.bare, name);
    }
}

fn accepted(here: &mut Here<'_>, stanza: &Stanza) -> Result<Speaker, StanzaError> {
    let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return Err(Condition::BadRequest.into()) };
    if !here.is_there_for(from) {
        return Err(Condition::ItemNotFound.into());
    }
    let Some(occupant) = here.room.occupants.of(from) else {
        return Err(StanzaError::from(Condition::NotAcceptable).text("you are not in this room"));
    };
    // Section 7.5: nobody would know that it was for one alone.
    if to.resource().is_some() {
        return Err(Condition::BadRequest.into());
    }
    let speaker = Speaker {
        client: from.clone(),
        address: occupant.address.clone(),
        bare: occupant.bare.text(),
        role: occupant.role,
        id: occupant.id.clone(),
    };
    paced(here, &speaker)?;
    if subject::is_change(&stanza.payload) {
        subject::change(here, speaker.role, &speaker.address, &stanza.payload)?;
    } else if speaker.role < Role::Participant {
        return Err(StanzaError::from(Condition::Forbidden).text("you have no voice in this room"));
    } else if stanza.payload.has("body", ns::CLIENT) {
        slowed(here, &speaker)?;
    }
    Ok(speaker)
}

fn paced(here: &mut Here<'_>, speaker: &Speaker) -> Result<(), StanzaError> {
    let most = here.shared.settings.messages;
    match here.room.people.of(&speaker.bare).messages.take(here.now_ms, most, limits::MESSAGES_MS) {
        true => Ok(()),
        false => Err(too_much("you send too fast; this message was not delivered")),
    }
}

/// XEP-0500 section 6: all clients and nicknames of a person count together, the staff not at all.
fn slowed(here: &mut Here<'_>, speaker: &Speaker) -> Result<(), StanzaError> {
    let (slow, now) = (u64::from(here.room.config.slow) * 1_000, here.now_ms);
    let person = here.room.people.of(&speaker.bare);
    if person.spoke_ms.is_some_and(|last| now >= last && now - last < slow)
        && here.affiliation(&speaker.client) < Affiliation::Admin
    {
        let error = StanzaError::new(Condition::PolicyViolation, ErrorType::Wait);
        return Err(error.text("slow mode: wait before you send another message to this room"));
    }
    here.room.people.of(&speaker.bare).spoke_ms = Some(now);
    Ok(())
}

/// Takes off what only the room may say (XEP-0045 section 17.3, XEP-0359 section 5, XEP-0421 section 4, XEP-0425
/// section 5), and times that claim to be the room's.
pub(crate) fn clean(payload: &Payload, room: &Jid) -> Payload {
    let by_room = |by: Option<String>| by.is_none_or(|by| Jid::parse(&by).is_ok_and(|by| by == *room));
    payload.without(|child| match child.ns() {
        ns::MUC_USER | ns::OCCUPANT_ID | ns::HATS => true,
        ns::SID => child.name() == "stanza-id" && by_room(child.attr("by")),
        ns::DELAY => by_room(child.attr("from")),
        ns::RETRACT => child.tree().is_ok_and(|tree| {
            tree.root()
                .is_some_and(|el| el.name() == "retracted" || el.child("moderated", ns::MODERATE).is_some())
        }),
        _ => false,
    })
}

/// Sends it to all, with the room's ids; keeps it if it is worth it. Gives its id, unless nothing of it is left.
fn reflect(here: &mut Here<'_>, speaker: &Speaker, stanza: Stanza) -> Option<u64> {
    let payload = clean(&stanza.payload, here.at.jid());
    if payload.is_empty() {
        return None;
    }
    let payload = payload.with(|w| occupant_id::write(w, &speaker.id));
    let said = Stanza { from: Some(speaker.address.clone()), to: None, payload, ..stanza };
    Some(say(here, said, &speaker.bare, Some(&speaker.client)))
}

/// Says something to all: archives it, remembers it, sends it. `author` is who said it, from which client.
pub(crate) fn say(here: &mut Here<'_>, said: Stanza, author: &Arc<str>, client: Option<&Jid>) -> u64 {
    let id = here.next_id();
    let kept = archive::is_worth_it(&said.payload);
    if kept && here.room.config.archive {
        archive::append(here, id, &said, author, client);
    }
    let payload = said.payload.with(|w| archive::write_id(w, here.at.as_str(), id));
    let said = Stanza { payload, ..said };
    if kept && said.payload.has("body", ns::CLIENT) {
        let most = here.room.config.history;
        here.room.history.add(here.at.jid(), id, here.now_ms, author, &said, most);
        here.room.activity.count(here.now_ms);
    }
    let Stanza { from: Some(from), id: name, lang, payload, .. } = &said else { return id };
    here.send_all(Kind::Message(MessageType::Groupchat), from, name.as_ref(), lang.as_ref(), payload);
    id
}

#[cfg(test)]
mod tests {
    use crate::limits;
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};

    #[test]
    fn who_may_not_speak_is_told_why() {
        let mut stage = Stage::room(&[("roomconfig_moderatedroom", "1")]);
        stage.enter(HAG, "hag");
        let subject = |jid| {
            format!("<message from='{jid}' to='{ROOM}' type='groupchat'><subject>x</subject></message>")
        };
        assert_eq!(outcome(&stage.say(HAG, "a")), "forbidden");
        assert_eq!(outcome(&stage.say(WITCH, "a")), "not-acceptable");
        assert_eq!(outcome(&stage.send(&subject(HAG))), "forbidden");
        assert_eq!(outcome(&stage.send(&subject(WITCH))), "not-acceptable");
        stage.configure(&[("roomconfig_moderatedroom", "0")]);
        assert_eq!(outcome(&stage.say(HAG, "a")), "ok");
        assert_eq!(outcome(&stage.send(&subject(HAG))), "forbidden", "only moderators");
        stage.configure(&[("roomconfig_changesubject", "1")]);
        assert_eq!(outcome(&stage.send(&subject(HAG))), "ok");
        let private =
            format!("<message from='{HAG}' to='{ROOM}/crone' type='groupchat'><body>a</body></message>");
        assert_eq!(outcome(&stage.send(&private)), "bad-request");
        let nowhere = format!(
            "<message from='{HAG}' to='nowhere@rooms.example' type='groupchat'><body>a</body></message>"
        );
        assert_eq!(outcome(&stage.send(&nowhere)), "item-not-found");
        let odd = format!("<message from='{HAG}' to='{ROOM}' type='chat'><body>a</body></message>");
        assert_eq!(outcome(&stage.send(&odd)), "bad-request");
    }

    #[test]
    fn what_only_the_room_may_say_is_taken_off() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        let forged = format!(
            "<body>a</body><x xmlns='http://jabber.org/protocol/muc#user'><item jid='x@y'/></x>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='1'/><stanza-id xmlns='urn:xmpp:sid:0' by='other@b' id='2'/>\
             <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='1970-01-01T00:00:00Z'/>\
             <delay xmlns='urn:xmpp:delay' from='juliet@b' stamp='1970-01-01T00:00:00Z'/>\
             <retract xmlns='urn:xmpp:message-retract:1' id='1'><moderated xmlns='urn:xmpp:message-moderate:1'/></retract>"
        );
        let seen = stage
            .send(&format!("<message from='{HAG}' to='{ROOM}' id='q' type='groupchat'>{forged}</message>"));
        let own = to(&seen, HAG)[0];
        for (text, times) in [
            ("muc#user", 0),
            ("forged", 0),
            ("<occupant-id ", 1),
            (&format!("by='{ROOM}' id='1'"), 0),
            (&format!("by='{ROOM}'"), 1),
            ("by='other@b'", 1),
            ("from='juliet@b'", 1),
            ("<delay ", 1),
            ("<retract ", 0),
            (" id='q' ", 1),
        ] {
            assert_eq!(own.matches(text).count(), times, "{text}: {own}");
        }
    }

    /// INV-3: all hear the same in the same order, and so does the archive.
    #[test]
    fn one_order_for_all() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        stage.enter(WITCH, "witch");
        let mut heard: [Vec<String>; 3] = Default::default();
        for (n, who) in [CRONE, HAG, WITCH, HAG, CRONE, WITCH].into_iter().enumerate() {
            let seen = stage.say(who, &n.to_string());
            for (list, client) in heard.iter_mut().zip([CRONE, HAG, WITCH]) {
                list.extend(to(&seen, client).iter().map(|line| id_and_body(line)));
            }
        }
        let archive = stage.iq(HAG, "set", "<query xmlns='urn:xmpp:mam:2'/>");
        let kept: Vec<String> = archive[..archive.len() - 1].iter().map(|line| id_and_body(line)).collect();
        assert_eq!((&heard[0], &heard[1], kept.len()), (&heard[1], &heard[2], 6));
        assert_eq!(heard[0], kept);
    }

    fn id_and_body(line: &str) -> String {
        let after = |text: &str, end: &str| {
            line.split(text).nth(1).unwrap_or("").split(end).next().unwrap().to_owned()
        };
        let archived = after("<result xmlns='urn:xmpp:mam:2' id='", "'");
        let id = if archived.is_empty() { after(&format!("by='{ROOM}' id='"), "'") } else { archived };
        format!("{id} {}", after("<body>", "<"))
    }

    #[test]
    fn floods_stop_at_the_limit_of_a_person() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        stage.enter("hag@a.example/other", "hag2");
        let outcomes: Vec<String> = (0..12)
            .map(|n| outcome(&stage.say(if n % 2 == 0 { HAG } else { "hag@a.example/other" }, "spam")))
            .collect();
        assert_eq!(outcomes.iter().filter(|one| *one == "ok").count(), 10);
        assert_eq!(outcomes[11], "resource-constraint");
        assert_eq!(outcome(&stage.say(CRONE, "a")), "ok");
        stage.pass(limits::MESSAGES_MS);
        assert_eq!(outcome(&stage.say(HAG, "a")), "ok");
        // Presence is kept, but not told.
        let status = |n| format!("<presence from='{HAG}' to='{ROOM}/hag'><status>{n}</status></presence>");
        let told: usize = (0..30).map(|n| to(&stage.send(&status(n)), CRONE).len()).sum();
        assert_eq!(told, limits::PRESENCES_MAX as usize);
        assert_eq!(
            outcome(&stage.send(&format!("<presence from='{HAG}' to='{ROOM}/new'/>"))),
            "resource-constraint"
        );
        assert!(stage.enter(WITCH, "witch").iter().any(|line| line.contains("<status>29</status>")));
    }

    /// XEP-0500 section 6.
    #[test]
    fn slow_mode() {
        let mut stage = Stage::room(&[("roomconfig_slow_mode_duration", "20")]);
        stage.enter(HAG, "hag");
        assert_eq!(outcome(&stage.say(HAG, "1")), "ok");
        stage.pass(19_999);
        let seen = stage.say(HAG, "2");
        assert!(seen[0].contains("<error type='wait'><policy-violation"), "{seen:?}");
        let state = "<active xmlns='http://jabber.org/protocol/chatstates'/>";
        let state = format!("<message from='{HAG}' to='{ROOM}' type='groupchat'>{state}</message>");
        assert_eq!(outcome(&stage.send(&state)), "ok", "no text");
        stage.pass(1);
        assert_eq!(outcome(&stage.say(HAG, "3")), "ok");
        assert_eq!([outcome(&stage.say(CRONE, "1")), outcome(&stage.say(CRONE, "2"))], ["ok", "ok"]);
    }

    /// XEP-0045 section 7.5; F-09.
    #[test]
    fn private_messages() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        let mut tell = |from: &str, to: &str| {
            stage.send(&format!(
                "<message from='{from}' to='{ROOM}/{to}' id='p' type='chat'><body>psst</body></message>"
            ))
        };
        let seen = tell(HAG, "crone");
        assert!(
            seen[0].starts_with(&format!("<message from='{ROOM}/hag' to='{CRONE}' id='p' type='chat'>")),
            "{seen:?}"
        );
        assert!(
            seen[0].contains("<x xmlns='http://jabber.org/protocol/muc#user'/><occupant-id "),
            "{seen:?}"
        );
        assert!(!seen[0].contains("hag@a.example") && !seen[0].contains("stanza-id"));
        assert_eq!(outcome(&tell(HAG, "nobody")), "item-not-found");
        assert_eq!(outcome(&tell(WITCH, "crone")), "not-acceptable");
        let archive = stage.iq(CRONE, "set", "<query xmlns='urn:xmpp:mam:2'/>");
        assert_eq!(archive.len(), 1, "{archive:?}");
        stage.configure(&[("roomconfig_allowpm", "moderators")]);
        stage.enter(WITCH, "witch");
        let mut tell = |from: &str, to: &str| {
            outcome(&stage.send(&format!(
                "<message from='{from}' to='{ROOM}/{to}' type='chat'><body>a</body></message>"
            )))
        };
        assert_eq!([tell(HAG, "witch"), tell(HAG, "crone"), tell(CRONE, "hag")], ["forbidden", "ok", "ok"]);
    }
}
