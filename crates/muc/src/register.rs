//! Registering with a room: becoming a member, with a nickname of one's own.
//!
//! XEP-0045 1.35.5 sections 7.10, 7.12 and 9.9, XEP-0077 2.4
//!
//! In an open room who registers is a member at once; in a room for members only its staff decides.
//!
//! Not here: accounts (features, accounts).

use kernel::{Answer, Iq, Spot};
use stanza::forms::Submitted;
use stanza::{Condition, Stanza, StanzaError, ns};
use xml::Writer;

use crate::admin::{self, Actor, Change};
use crate::affiliation::{Affiliation, Role};
use crate::here::{Here, too_much};
use crate::room::Entry;
use crate::{affiliations, limits, nick, voice};

/// `get`: the form, or that one is registered; `set`: registers, or ends it. `None`: it has been answered already.
pub(crate) fn asked(here: &mut Here<'_>, iq: &Iq<'_>) -> Option<Answer<Spot>> {
    let affiliation = here.affiliation(iq.from());
    if affiliation == Affiliation::Outcast {
        return Some(Condition::NotAllowed.into());
    }
    if !iq.is_set() {
        return Some(form(here, iq, affiliation));
    }
    if iq.payload.child("remove", ns::REGISTER).is_some() {
        return removed(here, iq, affiliation).err().map(Answer::from);
    }
    wanted(here, iq, affiliation).err().map(Answer::from)
}

fn form(here: &Here<'_>, iq: &Iq<'_>, affiliation: Affiliation) -> Answer<Spot> {
    let entry = here.room.affiliations.get(iq.from().bare_str());
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::REGISTER);
    if affiliation >= Affiliation::Member {
        w.open("registered", ns::REGISTER).close();
        w.leaf("username", ns::REGISTER, entry.and_then(|entry| entry.nick.as_deref()).unwrap_or_default());
    } else if !here.room.config.register {
        return Condition::NotAllowed.into();
    }
    w.leaf("instructions", ns::REGISTER, "Choose the nickname that shall be yours in this room.");
    w.open("x", ns::FORMS).attr("type", "form").open("field", ns::FORMS);
    w.attr("var", "FORM_TYPE").attr("type", "hidden").leaf("value", ns::FORMS, ns::MUC_REGISTER).close();
    w.open("field", ns::FORMS).attr("var", "muc#register_roomnick").attr("type", "text-single");
    w.attr("label", "Nickname").leaf("required", ns::FORMS, "").close();
    w.close().close();
    Answer::Reply(w.finish())
}

fn wanted(here: &mut Here<'_>, iq: &Iq<'_>, affiliation: Affiliation) -> Result<(), StanzaError> {
    if affiliation == Affiliation::None && !here.room.config.register {
        return Err(Condition::NotAllowed.into());
    }
    let x = iq.payload.child("x", ns::FORMS).ok_or(Condition::BadRequest)?;
    let form = Submitted::read(x, ns::MUC_REGISTER).ok_or(Condition::BadRequest)?;
    let wanted = form.value("muc#register_roomnick").ok_or(Condition::BadRequest)?;
    let address = here.at.with_resource(wanted).map_err(|_| Condition::JidMalformed)?;
    let wanted = address.resource().unwrap_or_default();
    nick::free(here, iq.from(), wanted)?;
    if here.room.affiliations.len() >= limits::AFFILIATIONS_MAX {
        return Err(too_much("the lists of this room are full"));
    }
    let bare = iq.from().bare().text();
    if affiliation == Affiliation::None && here.room.config.members_only {
        if !here.room.people.of(&bare).invites.take(here.now_ms, limits::INVITES_MAX, limits::INVITES_MS) {
            return Err(too_much("you ask too often"));
        }
        ask_staff(here, iq, wanted);
        here.fx.route(iq.stanza.result(Default::default()));
        return Ok(());
    }
    let new = affiliation.max(Affiliation::Member);
    let change = Change::Affiliation {
        who: iq.from().bare().into(),
        affiliation: new,
        nick: Some(wanted.to_owned()),
        reason: None,
    };
    let outcome = admin::apply(here, vec![change], None);
    here.fx.route(iq.stanza.result(Default::default()));
    if affiliation != new {
        admin::tell(here, outcome, None);
    }
    Ok(())
}

/// Section 9.9.
fn ask_staff(here: &mut Here<'_>, iq: &Iq<'_>, nick: &str) {
    let jid = iq.from().bare();
    let fields = [
        ("muc#jid", "jid-single", "Address", jid.as_str()),
        ("muc#register_roomnick", "text-single", "Nickname", nick),
        ("muc#register_allow", "boolean", "Allow this person to register with the room?", "0"),
    ];
    let form = voice::form_of(ns::MUC_REGISTER, "Registration request", &fields);
    voice::to_staff(here, &form, Role::Moderator);
}

/// Somebody of the staff has decided about a registration.
pub(crate) fn decided(here: &mut Here<'_>, stanza: &Stanza, form: &Submitted) -> Result<(), StanzaError> {
    let Some(from) = &stanza.from else { return Err(Condition::BadRequest.into()) };
    let actor = Actor::of(here, from);
    let jid = form.value("muc#jid").ok_or(Condition::BadRequest)?;
    let who = address::Jid::parse(jid).map_err(|_| Condition::JidMalformed)?.bare();
    let nick = form.value("muc#register_roomnick").map(str::to_owned);
    affiliations::judge(here, &actor, who.jid(), Affiliation::Member, nick.as_deref())?;
    let unknown = here.affiliation(who.jid()) == Affiliation::None;
    if unknown && matches!(form.value("muc#register_allow"), Some("1" | "true")) {
        let member = Affiliation::Member;
        let change = Change::Affiliation { who: who.into(), affiliation: member, nick, reason: None };
        let outcome = admin::apply(here, vec![change], actor.nick.as_deref());
        admin::tell(here, outcome, actor.nick.as_deref());
    }
    Ok(())
}

/// XEP-0077 section 3.2: a member is none any more; staff only loses the reserved nickname.
fn removed(here: &mut Here<'_>, iq: &Iq<'_>, affiliation: Affiliation) -> Result<(), StanzaError> {
    let who = iq.from().bare();
    match affiliation {
        Affiliation::Member => {
            let none = Affiliation::None;
            let change = Change::Affiliation { who: who.into(), affiliation: none, nick: None, reason: None };
            let outcome = admin::apply(here, vec![change], None);
            here.fx.route(iq.stanza.result(Default::default()));
            admin::tell(here, outcome, None);
            here.after_leaving();
            return Ok(());
        }
        Affiliation::Admin | Affiliation::Owner => {
            let entry = here.room.affiliations.get(who.as_str()).cloned().unwrap_or_default();
            admin::put(here, who.text(), Some(Entry { nick: None, ..entry }));
        }
        _ => return Err(Condition::RegistrationRequired.into()),
    }
    here.fx.route(iq.stanza.result(Default::default()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};

    fn form(nick: &str) -> String {
        format!(
            "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
             <field var='muc#register_roomnick'><value>{nick}</value></field></x></query>"
        )
    }

    const ASK: &str = "<query xmlns='jabber:iq:register'/>";

    #[test]
    fn who_registers_is_a_member_with_a_nickname() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        assert!(stage.iq(HAG, "get", ASK)[0].contains("muc#register_roomnick"));
        for (payload, expected) in [
            (form("crone"), "conflict"),
            (form(""), "bad-request"),
            ("<query xmlns='jabber:iq:register'/>".to_owned(), "bad-request"),
            (form("toad"), "ok"),
        ] {
            assert_eq!(outcome(&stage.iq(HAG, "set", &payload)), expected, "{payload}");
        }
        assert!(stage.iq(HAG, "get", ASK)[0].contains("<registered/><username>toad</username>"));
        assert_eq!(outcome(&stage.enter(WITCH, "TOAD")), "conflict");
        let own = "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>";
        assert!(
            stage.iq(HAG, "get", own)[0]
                .contains("<identity category='conference' type='text' name='toad'/>")
        );
        assert!(!stage.iq(WITCH, "get", own)[0].contains("<identity"));
        let seen = stage.iq(HAG, "set", "<query xmlns='jabber:iq:register'><remove/></query>");
        assert!(to(&seen, CRONE)[0].contains("affiliation='none'"), "{seen:?}");
        assert_eq!(outcome(&stage.enter(WITCH, "toad")), "ok");
        stage.configure(&[("roomconfig_allowregister", "0")]);
        assert_eq!(outcome(&stage.iq(WITCH, "get", ASK)), "not-allowed");
        assert_eq!(outcome(&stage.iq(WITCH, "set", &form("x"))), "not-allowed");
    }

    #[test]
    fn in_a_room_for_members_the_staff_decides() {
        let mut stage = Stage::room(&[("roomconfig_membersonly", "1")]);
        let seen = stage.iq(HAG, "set", &form("hag"));
        let asked = to(&seen, CRONE)[0];
        assert!(
            asked.contains("muc#register_allow") && asked.contains("<value>hag@a.example</value>"),
            "{asked}"
        );
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "registration-required");
        let allow = |from: &str| {
            format!(
                "<message from='{from}' to='{ROOM}'><x xmlns='jabber:x:data' type='submit'>\
                 <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
                 <field var='muc#jid'><value>hag@a.example</value></field>\
                 <field var='muc#register_allow'><value>1</value></field></x></message>"
            )
        };
        assert_eq!(outcome(&stage.send(&allow(HAG))), "forbidden");
        assert_eq!(outcome(&stage.send(&allow(CRONE))), "ok");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "ok");
    }
}
