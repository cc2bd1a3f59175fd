//! Asking for voice, and giving it.
//!
//! XEP-0045 1.35.5 sections 7.13 and 8.6
//!
//! Not here: giving voice unasked (`roles.rs`).

use std::sync::Arc;

use address::Jid;
use stanza::forms::Submitted;
use stanza::{Condition, MessageType, Payload, Stanza, StanzaError, ns};
use xml::Writer;

use crate::admin::{self, Actor, Outcome};
use crate::affiliation::Role;
use crate::here::{Here, too_much};
use crate::{limits, register, roles};

/// A form sent to the room as a message; whether it was one.
pub(crate) fn asked(here: &mut Here<'_>, stanza: &Stanza) -> bool {
    let Ok(tree) = stanza.payload.tree() else { return false };
    let Some(x) = tree.top().child("x", ns::FORMS).filter(|x| x.attr("type").as_deref() == Some("submit"))
    else {
        return false;
    };
    let outcome = match Submitted::read(x, ns::MUC_REQUEST) {
        Some(form) if form.field("muc#request_allow").is_some() => decided(here, stanza, &form),
        Some(form) => wanted(here, stanza, &form),
        None => match Submitted::read(x, ns::MUC_REGISTER) {
            Some(form) => register::decided(here, stanza, &form),
            None => return false,
        },
    };
    if let Err(error) = outcome {
        here.refuse(stanza, error);
    }
    true
}

/// A visitor asks; all moderators get the form.
fn wanted(here: &mut Here<'_>, stanza: &Stanza, form: &Submitted) -> Result<(), StanzaError> {
    let Some(from) = &stanza.from else { return Err(Condition::BadRequest.into()) };
    if !here.is_there_for(from) {
        return Err(Condition::ItemNotFound.into());
    }
    let Some(occupant) = here.room.occupants.of(from) else { return Err(Condition::NotAcceptable.into()) };
    let (nick, bare) = (occupant.nick.clone(), occupant.bare.text());
    if occupant.role != Role::Visitor || form.value("muc#role") != Some("participant") {
        return Err(Condition::BadRequest.into());
    }
    if !here.room.config.ask_voice {
        return Err(StanzaError::from(Condition::Forbidden).text("this room does not take such requests"));
    }
    if !here.room.people.of(&bare).invites.take(here.now_ms, limits::INVITES_MAX, limits::INVITES_MS) {
        return Err(too_much("you ask too often"));
    }
    let fields = [
        ("muc#role", "list-single", "Role", "participant"),
        ("muc#jid", "jid-single", "Address", from.as_str()),
        ("muc#roomnick", "text-single", "Nickname", &nick),
        ("muc#request_allow", "boolean", "Give voice to this person?", "false"),
    ];
    let form = form_of(ns::MUC_REQUEST, "Voice request", &fields);
    to_staff(here, &form, Role::Moderator);
    Ok(())
}

/// A form to be approved.
pub(crate) fn form_of(form_type: &str, title: &str, fields: &[(&str, &str, &str, &str)]) -> Payload {
    let mut w = Writer::new(ns::CLIENT);
    w.open("x", ns::FORMS).attr("type", "form").leaf("title", ns::FORMS, title);
    w.open("field", ns::FORMS).attr("var", "FORM_TYPE").attr("type", "hidden");
    w.leaf("value", ns::FORMS, form_type).close();
    for (var, ty, label, value) in fields {
        w.open("field", ns::FORMS).attr("var", var).attr("type", ty).attr("label", label);
        w.leaf("value", ns::FORMS, value).close();
    }
    w.close();
    Payload::canonical(w.finish())
}

/// Sends a form to all clients of those with that role.
pub(crate) fn to_staff(here: &mut Here<'_>, form: &Payload, role: Role) {
    let staff: Vec<Jid> = (here.room.occupants.iter().filter(|one| one.role >= role))
        .flat_map(|one| one.visits.iter().map(|visit| visit.jid.clone()))
        .collect();
    for client in staff {
        let asked = Stanza { payload: form.clone(), ..Stanza::message(MessageType::Normal) };
        here.fx.route(asked.from(here.at.jid()).to(&client));
    }
}

/// A moderator has filled it in.
fn decided(here: &mut Here<'_>, stanza: &Stanza, form: &Submitted) -> Result<(), StanzaError> {
    let Some(from) = &stanza.from else { return Err(Condition::BadRequest.into()) };
    let actor = Actor::of(here, from);
    let nick: Arc<str> = form.value("muc#roomnick").unwrap_or_default().into();
    roles::judge(here, &actor, &nick, Role::Participant)?;
    let asks = here.room.occupants.get(&nick).is_some_and(|occupant| occupant.role == Role::Visitor);
    if !asks || !matches!(form.value("muc#request_allow"), Some("1" | "true")) {
        return Ok(());
    }
    let mut outcome = Outcome::default();
    roles::set(here, &nick, Role::Participant, None, &mut outcome);
    admin::tell(here, outcome, actor.nick.as_deref());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};

    fn submit(from: &str, fields: &[(&str, &str)]) -> String {
        let fields: String = fields
            .iter()
            .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
            .collect();
        let ty = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>";
        format!(
            "<message from='{from}' to='{ROOM}'><x xmlns='jabber:x:data' type='submit'>{ty}{fields}</x></message>"
        )
    }

    #[test]
    fn visitors_ask_and_moderators_decide() {
        let mut stage = Stage::room(&[("roomconfig_moderatedroom", "1")]);
        stage.enter(HAG, "hag");
        stage.enter(WITCH, "witch");
        let ask = submit(HAG, &[("muc#role", "participant")]);
        let seen = stage.send(&ask);
        assert_eq!((seen.len(), to(&seen, CRONE).len()), (1, 1), "{seen:?}");
        assert!(
            seen[0]
                .contains("<field var='muc#roomnick' type='text-single' label='Nickname'><value>hag</value>")
        );
        let allow = |who| {
            submit(
                who,
                &[("muc#roomnick", "hag"), ("muc#request_allow", "true"), ("muc#role", "participant")],
            )
        };
        assert_eq!(outcome(&stage.send(&allow(WITCH))), "forbidden");
        let deny = submit(CRONE, &[("muc#roomnick", "hag"), ("muc#request_allow", "0")]);
        assert_eq!(stage.send(&deny), Vec::<String>::new());
        assert_eq!(outcome(&stage.say(HAG, "a")), "forbidden");
        let seen = stage.send(&allow(CRONE));
        assert!(to(&seen, WITCH)[0].contains("role='participant'"), "{seen:?}");
        assert_eq!(outcome(&stage.say(HAG, "a")), "ok");
        assert_eq!(outcome(&stage.send(&ask)), "bad-request", "it has a voice");
        stage.configure(&[("roomconfig_allowvoicerequests", "0")]);
        assert_eq!(outcome(&stage.send(&submit(WITCH, &[("muc#role", "participant")]))), "forbidden");
    }
}
