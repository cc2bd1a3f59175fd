//! Requests from one occupant to another, and to oneself.
//!
//! XEP-0045 1.35.5 section 17.4, XEP-0410 1.1.0 (complete, with the server's optimisation), XEP-0199 2.0.1
//!
//! Neither side learns who the other is: the room asks in its own name and remembers for whom.
//!
//! Not here: requests to the room itself (`iq.rs`).

use std::collections::VecDeque;
use std::sync::Arc;

use address::Jid;
use stanza::{Condition, ErrorType, IqType, Kind, Payload, Stanza, StanzaError, ns};
use xml::Writer;

use crate::affiliation::Role;
use crate::here::{Here, too_much};
use crate::limits;

/// Requests that wait for an answer, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Forwarded(VecDeque<Waiting>);

#[derive(Debug)]
struct Waiting {
    /// What the room calls it.
    name: String,
    since_ms: u64,
    /// Who asks, and how he calls it.
    asker: Jid,
    id: Option<Arc<str>>,
    /// Of which occupant.
    target: Jid,
    /// Who was really asked.
    asked: Jid,
}

/// A request to the address of an occupant.
pub(crate) fn asked(here: &mut Here<'_>, stanza: &Stanza) {
    if let Err(error) = pass(here, stanza) {
        here.refuse(stanza, error);
    }
}

fn pass(here: &mut Here<'_>, stanza: &Stanza) -> Result<(), StanzaError> {
    let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return Err(Condition::BadRequest.into()) };
    // XEP-0410 section 3.2: who is not here is told so, whoever he asks for; he learns nothing of who is.
    let Some(sender) = here.room.occupants.of(from) else {
        return Err(StanzaError::new(Condition::NotAcceptable, ErrorType::Cancel));
    };
    let (address, visitor) = (sender.address.clone(), sender.role < Role::Participant);
    let own = sender.address == *to;
    let ns = stanza.payload.children().next().map(|child| child.ns().to_owned()).unwrap_or_default();
    if own && ns == ns::PING && stanza.kind == Kind::Iq(IqType::Get) {
        here.fx.route(stanza.result(Default::default()));
        return Ok(());
    }
    let Some(target) = to.resource().and_then(|nick| here.room.occupants.get(nick)) else {
        return Err(Condition::ItemNotFound.into());
    };
    if visitor && !own && !here.room.config.private.allows(Role::Visitor) {
        return Err(Condition::Forbidden.into());
    }
    let Some(client) = target.visits.last().map(|visit| visit.jid.clone()) else {
        return Err(Condition::ItemNotFound.into());
    };
    // What the account answers, whether or not a client is there (XEP-0054; avatars and keys over XEP-0060).
    let by_account = [ns::VCARD, ns::PUBSUB].contains(&&*ns);
    let client = if by_account { client.bare().into() } else { client };
    here.room.forwarded.expire(here.now_ms);
    if here.room.forwarded.0.len() >= limits::FORWARDED_MAX {
        return Err(too_much("too many requests wait in this room"));
    }
    let name = format!("muc-{}", here.id);
    let asked = Stanza {
        from: Some(address),
        to: Some(client.clone()),
        id: Some(name.as_str().into()),
        ..stanza.clone()
    };
    here.room.forwarded.0.push_back(Waiting {
        name,
        since_ms: here.now_ms,
        asker: from.clone(),
        id: stanza.id.clone(),
        target: to.clone(),
        asked: client,
    });
    here.fx.route(asked);
    Ok(())
}

impl Forwarded {
    fn expire(&mut self, now_ms: u64) {
        while self.0.front().is_some_and(|one| now_ms.saturating_sub(one.since_ms) > limits::FORWARDED_MS) {
            self.0.pop_front();
        }
    }
}

/// An answer to a request that the room passed on (or asked itself, see `ghosts.rs`).
pub(crate) fn answered(here: &mut Here<'_>, stanza: &Stanza) {
    let (Some(from), Some(id)) = (&stanza.from, &stanza.id) else { return };
    if crate::ghosts::answered(here, stanza) {
        return;
    }
    let known = here.room.forwarded.0.iter().position(|one| one.name == **id && one.asked == *from);
    let Some(waiting) = known.and_then(|at| here.room.forwarded.0.remove(at)) else { return };
    let payload = match stanza.kind {
        Kind::Iq(IqType::Error) => error_of(&stanza.payload),
        _ => stanza.payload.clone(),
    };
    let (from, to) = (Some(waiting.target), Some(waiting.asker));
    here.fx.route(Stanza { kind: stanza.kind, from, to, id: waiting.id, lang: None, payload });
}

/// An error without anything that gives away whose it is: its condition alone.
fn error_of(payload: &Payload) -> Payload {
    let condition = condition_of(payload).unwrap_or(Condition::UndefinedCondition);
    let mut w = Writer::new(ns::CLIENT);
    StanzaError::from(condition).write(&mut w);
    Payload::canonical(w.finish())
}

/// The condition of an error.
pub(crate) fn condition_of(payload: &Payload) -> Option<Condition> {
    let tree = payload.tree().ok()?;
    let error = tree.top().child("error", ns::CLIENT)?;
    error
        .children()
        .filter(|child| child.ns() == ns::STANZAS)
        .find_map(|child| Condition::parse(child.name()))
}

impl Here<'_> {
    /// An occupant is gone: whoever waits for an answer of his gets none.
    pub(crate) fn forsake(&mut self, address: &Jid) {
        let (mut kept, mut lost) = (VecDeque::new(), Vec::new());
        for waiting in self.room.forwarded.0.drain(..) {
            if waiting.target == *address { lost.push(waiting) } else { kept.push_back(waiting) }
        }
        self.room.forwarded.0 = kept;
        for waiting in lost {
            let mut w = Writer::new(ns::CLIENT);
            StanzaError::from(Condition::ItemNotFound).write(&mut w);
            let (from, to) = (Some(waiting.target), Some(waiting.asker));
            let error = Stanza { from, to, id: waiting.id, ..Stanza::new(Kind::Iq(IqType::Error)) };
            self.fx.route(error.with_inner(w.finish()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome};

    fn ask(from: &str, nick: &str, payload: &str) -> String {
        format!("<iq from='{from}' to='{ROOM}/{nick}' id='q' type='get'>{payload}</iq>")
    }

    const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

    /// XEP-0410 sections 3.2 and 3.3.
    #[test]
    fn pinging_oneself_tells_whether_one_is_here() {
        let mut stage = Stage::room(&[]);
        assert_eq!(outcome(&stage.send(&ask(HAG, "hag", PING))), "not-acceptable");
        assert_eq!(
            outcome(&stage.send(&ask(HAG, "crone", PING))),
            "not-acceptable",
            "and nothing about others"
        );
        stage.enter(HAG, "hag");
        let seen = stage.send(&ask(HAG, "hag", PING));
        assert_eq!(seen, [format!("<iq from='{ROOM}/hag' to='{HAG}' id='q' type='result'/>")]);
        assert_eq!(outcome(&stage.send(&ask(HAG, "nobody", PING))), "item-not-found");
    }

    /// XEP-0045 section 17.4; F-05 of the bar.
    #[test]
    fn nobody_learns_who_asks_and_who_answers() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        stage.enter(WITCH, "witch");
        let version = "<query xmlns='jabber:iq:version'/>";
        let seen = stage.send(&ask(HAG, "witch", version));
        assert!(seen[0].starts_with(&format!("<iq from='{ROOM}/hag' to='{WITCH}' id='muc-")), "{seen:?}");
        let name = seen[0].split("id='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let answer = |from: &str, ty: &str, inner: &str| {
            format!("<iq from='{from}' to='{ROOM}/hag' id='{name}' type='{ty}'>{inner}</iq>")
        };
        assert_eq!(stage.send(&answer(CRONE, "result", version)), Vec::<String>::new(), "nobody asked her");
        let error = "<error type='cancel' by='witch@a.example'>\
             <feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        let seen = stage.send(&answer(WITCH, "error", error));
        assert!(
            seen[0].starts_with(&format!("<iq from='{ROOM}/witch' to='{HAG}' id='q' type='error'>")),
            "{seen:?}"
        );
        assert!(seen[0].contains("feature-not-implemented") && !seen[0].contains("witch@"), "{seen:?}");
        assert_eq!(stage.send(&answer(WITCH, "result", version)), Vec::<String>::new(), "once");
        // vCards come from the account; who leaves leaves an answer.
        let seen = stage.send(&ask(HAG, "witch", "<vCard xmlns='vcard-temp'/>"));
        assert!(seen[0].contains("to='witch@a.example'"), "{seen:?}");
        let seen = stage.send(&format!("<presence from='{WITCH}' to='{ROOM}/witch' type='unavailable'/>"));
        assert!(seen[0].contains(&format!("to='{HAG}' id='q' type='error'")), "{seen:?}");
    }

    /// XEP-0045 section 18.1.2; F-11 of the bar.
    #[test]
    fn who_cannot_be_reached_is_out() {
        for (condition, gone) in [
            ("recipient-unavailable", true),
            ("remote-server-timeout", true),
            ("item-not-found", true),
            ("not-acceptable", false),
            ("resource-constraint", false),
        ] {
            let mut stage = Stage::room(&[]);
            stage.enter(HAG, "hag");
            let error = format!(
                "<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
            );
            let seen = stage
                .send(&format!("<message from='{HAG}' to='{ROOM}/crone' type='error'>{error}</message>"));
            assert_eq!(seen.iter().any(|line| line.contains("code='333'")), gone, "{condition} {seen:?}");
            assert_eq!(outcome(&stage.say(HAG, "a")) == "not-acceptable", gone);
        }
    }

    #[test]
    fn who_may_be_blocked_is_asked() {
        let unavailable =
            "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        for (answer, gone) in [("<iq type='result'", false), ("<iq type='error'", true)] {
            let mut stage = Stage::room(&[]);
            stage.enter(HAG, "hag");
            let bounce =
                format!("<message from='{HAG}' to='{ROOM}/crone' type='error'>{unavailable}</message>");
            let seen = stage.send(&bounce);
            assert!(seen.len() == 1 && seen[0].contains("<ping "), "{seen:?}");
            let id = seen[0].split("id='").nth(1).unwrap().split('\'').next().unwrap();
            let inner = if gone { unavailable } else { "" };
            stage.send(&format!("{answer} from='{HAG}' to='{ROOM}' id='{id}'>{inner}</iq>"));
            assert_eq!(outcome(&stage.say(HAG, "a")) == "not-acceptable", gone);
        }
    }
}
