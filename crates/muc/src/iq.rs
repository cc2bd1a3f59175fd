//! Requests to the service, to rooms and to occupants.
//!
//! XEP-0045 1.35.5 section 17.4
//!
//! Not here: answering them.

use std::sync::Arc;

use kernel::{Answer, Iq, Spot, Turn, answer};
use stanza::{Condition, Stanza, StanzaError, ns};

use crate::here::Here;
use crate::service::Shared;
use crate::{
    admin, archive, avatar, disco, forward, hats_commands, listing, operator, owner, register, retract,
    search,
};

/// Finds who answers, and answers.
pub(crate) fn asked(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
    if stanza.to.as_ref().is_some_and(|to| to.resource().is_some()) {
        return forward::asked(&mut Here::of(shared, turn), &stanza);
    }
    let said = match stanza.payload.tree() {
        Ok(tree) => match tree.root() {
            Some(payload) => dispatch(shared, turn, &Iq { stanza: &stanza, payload }),
            None => Some(Condition::BadRequest.into()),
        },
        Err(_) => Some(Condition::BadRequest.into()),
    };
    if let Some(said) = said {
        answer(turn, stanza, said);
    }
}

/// `None`: it has been answered already.
fn dispatch(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, iq: &Iq<'_>) -> Option<Answer<Spot>> {
    let set = iq.is_set();
    if turn.place.is_service() {
        return Some(match (iq.payload.ns(), set) {
            (ns::DISCO_INFO, false) => disco::service(shared, iq),
            (ns::DISCO_ITEMS, false) => listing::rooms(shared, iq),
            (ns::CHANNEL_SEARCH, false) => search::asked(shared, iq),
            (ns::PING, false) => Answer::done(),
            (ns::ROOMS, false) if shared.is_operator(iq.from()) => operator::rooms(shared, iq),
            _ => Condition::ServiceUnavailable.into(),
        });
    }
    let mut here = Here::of(shared, turn);
    let operates = shared.is_operator(iq.from());
    if !here.is_there_for(iq.from()) {
        if operates && set && iq.payload.is("create", ns::ROOMS) {
            return done(operator::create(&mut here, iq));
        }
        return Some(Condition::ItemNotFound.into());
    }
    Some(match (iq.payload.ns(), set) {
        (ns::DISCO_INFO, false) => disco::room(&here, iq),
        (ns::DISCO_ITEMS, false) => disco::items(&here, iq),
        (ns::PING, false) => Answer::done(),
        (ns::ROOMS, false) if operates => operator::room(&here),
        (ns::ROOMS, true) if operates => {
            StanzaError::from(Condition::Conflict).text("there is one already").into()
        }
        (ns::MUC_ADMIN, false) => admin::list(&here, iq),
        (ns::MUC_ADMIN, true) => return done(admin::change(&mut here, iq)),
        (ns::MUC_OWNER, false) => owner::form(&here, iq),
        (ns::MUC_OWNER, true) => return done(owner::set(&mut here, iq)),
        (ns::REGISTER, _) => return register::asked(&mut here, iq),
        (ns::VCARD, false) => avatar::shown(&here),
        (ns::VCARD, true) => avatar::set(&mut here, iq),
        (ns::COMMANDS, true) => return hats_commands::asked(&mut here, iq),
        (ns::MAM, _) => archive::asked(shared, turn, iq),
        (ns::MODERATE, true) => retract::moderate(shared, turn, iq),
        _ => Condition::ServiceUnavailable.into(),
    })
}

fn done(outcome: Result<(), StanzaError>) -> Option<Answer<Spot>> {
    outcome.err().map(Answer::from)
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH};
    use stanza::ns;

    /// RFC 6120 section 8.3: whatever is asked of whomever, there is one answer; nothing panics.
    #[test]
    fn every_request_is_answered_once() {
        let spaces = [
            ns::DISCO_INFO,
            ns::DISCO_ITEMS,
            ns::CHANNEL_SEARCH,
            ns::PING,
            ns::MUC_ADMIN,
            ns::MUC_OWNER,
            ns::REGISTER,
            ns::VCARD,
            ns::COMMANDS,
            ns::MAM,
            ns::MODERATE,
            "urn:nobody",
        ];
        let inners = [
            "",
            "text",
            "<item/>",
            "<item affiliation='x' role='y'/>",
            "<item jid='@' affiliation='member'/>",
            "<destroy jid='@'/>",
            "<x xmlns='jabber:x:data'><field/></x>",
            "<x xmlns='jabber:x:data' type='submit'><field var='a'/><field var='a'/></x>",
            "<set xmlns='http://jabber.org/protocol/rsm'><max>-1</max></set>",
            "<retract xmlns='urn:xmpp:message-retract:1'/>",
        ];
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
        stage.enter(HAG, "hag");
        let mut number = 0;
        for (name, space) in ["query", "x", "vCard", "command", "moderate", "search"]
            .into_iter()
            .flat_map(|name| spaces.map(|space| (name, space)))
        {
            for inner in inners {
                for to in ["rooms.example", ROOM, &format!("{ROOM}/hag"), "nowhere@rooms.example"] {
                    for from in [CRONE, HAG, WITCH] {
                        number += 1;
                        let ty = if number % 2 == 0 { "get" } else { "set" };
                        let payload = format!("<{name} xmlns='{space}' node='n' id='1'>{inner}</{name}>");
                        let seen = stage.send(&format!(
                            "<iq from='{from}' to='{to}' id='i{number}' type='{ty}'>{payload}</iq>"
                        ));
                        let answers = |line: &&String| {
                            line.contains(&format!("id='i{number}'"))
                                && line.contains(&format!("to='{from}'"))
                        };
                        let forwarded = seen.iter().any(|line| line.contains("id='muc-"));
                        let expected = usize::from(!forwarded);
                        assert_eq!(
                            seen.iter().filter(answers).count(),
                            expected,
                            "{from} {to} {ty} {payload} {seen:?}"
                        );
                        if seen.iter().any(|line| line.contains("<destroy")) {
                            stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
                            stage.enter(HAG, "hag");
                        }
                    }
                }
            }
            stage.pass(200_000);
        }
    }

    /// The same for messages and presence, which may be answered or not.
    #[test]
    fn nothing_else_does_harm() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        let inners = [
            "",
            "<x xmlns='http://jabber.org/protocol/muc#user'><invite/><decline/></x>",
            "<x xmlns='http://jabber.org/protocol/muc#user'><decline to=''/></x>",
            "<x xmlns='http://jabber.org/protocol/muc'><password/><history maxchars='x' since='x'/></x>",
            "<x xmlns='jabber:x:data' type='submit'><field var='muc#request_allow'/></x>",
            "<x xmlns='jabber:x:data' type='submit'/>",
            "<retract xmlns='urn:xmpp:message-retract:1' id='99999999999999999999'/>",
            "<error type='x'/>",
            "<subject/><subject xml:lang='en'>a</subject>",
        ];
        for kind in ["message", "presence"] {
            let types =
                ["", "error", "groupchat", "headline", "unavailable", "probe", "subscribe", "unsubscribed"];
            for ty in
                types.into_iter().filter(|ty| kind == "message" || !["groupchat", "headline"].contains(ty))
            {
                let attr = if ty.is_empty() { String::new() } else { format!(" type='{ty}'") };
                for inner in inners {
                    for to in [
                        "rooms.example",
                        "rooms.example/x",
                        ROOM,
                        &format!("{ROOM}/hag"),
                        "no@rooms.example/x",
                    ] {
                        for from in [CRONE, HAG, WITCH, "a.example"] {
                            stage.send(&format!("<{kind} from='{from}' to='{to}'{attr}>{inner}</{kind}>"));
                        }
                    }
                }
                stage.pass(10_000);
            }
        }
    }
}
