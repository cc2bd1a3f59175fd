//! Blocking Command: who is blocked is not heard and hears nothing.
//!
//! XEP-0191 1.3 (complete)
//!
//! Polite blocking: subscriptions stay, the blocked see the user go offline.
//!
//! Not here: what becomes of reports of spam (`reports.rs`); the list in memory, which is a fact of the account (kernel).

use std::collections::BTreeSet;

use address::Jid;
use kernel::{Account, Answer, Card, Feature, Flow, Form, Iq, IqRoute, Kept, Spec, Step, Turn, Way};
use model::storage::{Loaded, Owner, Space, Write};
use stanza::{Condition, ErrorType, Kind, MessageType, PresenceType, Stanza, StanzaError, ns};
use xml::{El, Writer};

use crate::reports;

/// Most addresses that one account may block.
pub const BLOCKED_MAX: usize = 1_000;

pub(crate) const BLOCKLIST: Space = Space("blocklist");

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0191", "1.3")],
    account_vars: &[ns::BLOCKING],
    host_vars: &[ns::BLOCKING],
    steps: &[(Way::Leave, Step::Screen), (Way::Arrive, Step::Screen)],
    iqs: &[IqRoute::own(ns::BLOCKING)],
    kept: &[Kept { space: BLOCKLIST, form: Form::Map }],
    ..Card::named("blocking")
};

/// XEP-0191.
pub struct Blocking;

/// Who is blocked, before or after a change.
#[derive(Clone, Default)]
struct Blocked(BTreeSet<Jid>);

/// Whether a session asked for the list, and so hears of changes.
#[derive(Default)]
struct Listening(bool);

impl Blocked {
    /// Section 5: by full address, by bare address, by resource of a domain, by domain.
    fn covers(&self, jid: &Jid) -> bool {
        !self.0.is_empty()
            && [jid.as_str(), jid.bare_str(), jid.domain()].iter().any(|form| self.0.contains(*form))
    }
}

impl Feature for Blocking {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn hydrate(&self, account: &mut Account, _: Space, stored: Loaded) {
        for (key, _) in stored.into_map() {
            match Jid::parse(&key) {
                Ok(jid) => _ = account.blocked.insert(jid),
                Err(error) => {
                    tracing::error!(blocked = %key, %error, "a stored block is unreadable and left out")
                }
            }
        }
    }

    fn step(&self, way: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let other = if way == Way::Leave { &stanza.to } else { &stanza.from };
        if !other.as_ref().is_some_and(|other| turn.place.blocks(other)) {
            return Flow::On;
        }
        match (way, stanza.kind) {
            (Way::Leave, _) => {
                let error = StanzaError::new(Condition::NotAcceptable, ErrorType::Cancel);
                Flow::Refuse(error.app("blocked", ns::BLOCKING_ERRORS))
            }
            // Section 3.2: presence gets no answer; neither does what may never be answered.
            (Way::Arrive, Kind::Presence(_) | Kind::Message(MessageType::Error)) => Flow::Stop,
            (Way::Arrive, kind) if kind.is_request() => Flow::Refuse(Condition::ServiceUnavailable.into()),
            (Way::Arrive, Kind::Iq(_)) => Flow::Stop,
            (Way::Arrive, Kind::Message(_)) => Flow::Refuse(Condition::ServiceUnavailable.into()),
        }
    }

    fn hides(&self, account: &Account, from: &Jid) -> bool {
        account.blocks(from)
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        let items = match addresses(iq.payload) {
            Ok(items) => items,
            Err(condition) => return condition.into(),
        };
        match (iq.is_set(), iq.payload.name()) {
            (false, "blocklist") => list(turn),
            (true, "block") if !items.is_empty() => {
                let answer = change(turn, "block", &items);
                if let Answer::Reply(_) = &answer {
                    reported(turn, iq.payload, &items);
                }
                answer
            }
            (true, "unblock") => change(turn, "unblock", &items),
            _ => Condition::BadRequest.into(),
        }
    }
}

/// The addresses of all items, or the first thing that is wrong with them.
fn addresses(command: El<'_>) -> Result<Vec<Jid>, Condition> {
    let read = |item: El<'_>| {
        let jid = item.attr("jid").ok_or(Condition::BadRequest)?;
        Jid::parse(&jid).map_err(|_| Condition::JidMalformed)
    };
    command.children_named("item", ns::BLOCKING).map(read).collect()
}

/// XEP-0377: reports stand in the items of what was blocked.
fn reported(turn: &mut Turn<'_, Account>, command: El<'_>, items: &[Jid]) {
    let own = turn.place.jid.text();
    let each = command.children_named("item", ns::BLOCKING).zip(items);
    let found: Vec<_> = each.filter_map(|(item, jid)| reports::read(item, &own, jid)).collect();
    reports::file(turn, found);
}

fn write<'a>(name: &str, items: impl IntoIterator<Item = &'a Jid>) -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open(name, ns::BLOCKING);
    for item in items {
        w.open("item", ns::BLOCKING).attr("jid", item.as_str()).close();
    }
    w.close();
    w.finish()
}

fn list(turn: &mut Turn<'_, Account>) -> Answer<Account> {
    if let Some(session) = turn.session.and_then(|id| turn.place.session_mut(id)) {
        session.slots.of::<Listening>().0 = true;
    }
    Answer::Reply(write("blocklist", &turn.place.blocked))
}

/// Blocks or unblocks; without items unblocks all.
fn change(turn: &mut Turn<'_, Account>, command: &'static str, items: &[Jid]) -> Answer<Account> {
    let owner = Owner::from(turn.place.jid.text());
    let before = Blocked(turn.place.blocked.clone());
    let mut after = before.clone();
    match command {
        "block" => after.0.extend(items.iter().cloned()),
        _ if items.is_empty() => after.0.clear(),
        _ => after.0.retain(|jid| !items.contains(jid)),
    }
    if command == "block" && after.0.len() > BLOCKED_MAX {
        return StanzaError::from(Condition::ResourceConstraint).text("Too many blocked addresses").into();
    }
    for jid in after.0.difference(&before.0) {
        turn.fx.put_map(BLOCKLIST, owner.clone(), jid.as_str(), Vec::new());
    }
    for jid in before.0.difference(&after.0) {
        turn.fx.write(Write::MapDelete { space: BLOCKLIST, owner: owner.clone(), key: jid.as_str().into() });
    }
    // While the contacts are told, neither list may stand in the way.
    conceal(turn, &before, &after);
    reveal(turn, &before, &after);
    turn.place.blocked = after.0;
    push(turn, command, items);
    Answer::done()
}

/// Tells every session that asked for the list.
fn push(turn: &mut Turn<'_, Account>, command: &str, items: &[Jid]) {
    let payload = write(command, items);
    for session in &turn.place.sessions {
        if session.slots.peek::<Listening>().is_some_and(|listening| listening.0) {
            let id = format!("block-{}-{}", turn.id, session.id.0);
            turn.fx.send(session.id, Stanza::iq_set(&id, payload.clone()).to(&session.jid).into());
        }
    }
}

/// Those who see the account's presence and are covered by `now` but were not by `then`: contacts, and full
/// addresses of contacts.
fn newly(account: &Account, then: &Blocked, now: &Blocked) -> Vec<Jid> {
    let contacts = account.roster.iter().filter(|(_, item)| item.shown_to()).map(|(contact, _)| contact);
    let contacts = contacts.filter(|contact| now.covers(contact) && !then.covers(contact));
    let resources =
        now.0.difference(&then.0).filter(|jid| !jid.is_bare() && jid.bare_str() != account.jid.as_str());
    let seeing = resources.filter(|jid| account.shows_presence_to(jid) && !then.covers(jid));
    let apart = seeing.filter(|jid| !now.covers(&jid.bare()));
    contacts.chain(apart).cloned().collect()
}

/// Section 3.2: the newly blocked see the user's resources go, once each.
fn conceal(turn: &mut Turn<'_, Account>, before: &Blocked, after: &Blocked) {
    let gone = newly(turn.place, before, after);
    let own = turn.place.jid.clone();
    for session in &mut turn.place.sessions {
        let bye = Stanza::presence(PresenceType::Unavailable).from(&session.jid);
        let told = gone.iter().filter(|_| session.available.is_some());
        told.for_each(|jid| turn.fx.route(bye.clone().to(jid)));
        let blocked =
            |jid: &Jid| after.covers(jid) && jid.bare_str() != own.as_str() && jid.as_str() != own.domain();
        let directed: Vec<Jid> = session.directed.iter().filter(|jid| blocked(jid)).cloned().collect();
        for jid in directed {
            session.directed.remove(&jid);
            if session.available.is_none()
                || !gone.iter().any(|told| *told == jid || told.as_str() == jid.bare_str())
            {
                turn.fx.route(bye.clone().to(&jid));
            }
        }
    }
}

/// Section 3.3: those who are no longer blocked see the user again; and the user asks for theirs, which was dropped.
fn reveal(turn: &mut Turn<'_, Account>, before: &Blocked, after: &Blocked) {
    let back = newly(turn.place, after, before);
    let seen = turn.place.roster.iter().filter(|(_, item)| item.seen()).map(|(contact, _)| contact);
    let seen: Vec<_> = seen.filter(|contact| before.covers(contact) && !after.covers(contact)).collect();
    for (session, presence) in turn.place.available() {
        for jid in &back {
            turn.fx.route(Stanza::clone(&presence.stanza).to(jid));
        }
        for contact in &seen {
            turn.fx.route(Stanza::presence(PresenceType::Probe).from(&session.jid).to(contact));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};
    use kernel::Direction::{Active, None as Not};

    const BOB: &str = "bob@a.example";

    fn command(scene: &mut Scene, name: &str, jids: &[&str]) -> Vec<String> {
        let items: String = jids.iter().map(|jid| format!("<item jid='{jid}'/>")).collect();
        scene.send(
            "phone",
            &format!("<iq type='set' id='1'><{name} xmlns='urn:xmpp:blocking'>{items}</{name}></iq>"),
        )
    }

    fn get(scene: &mut Scene) -> String {
        scene.send("phone", "<iq type='get' id='1'><blocklist xmlns='urn:xmpp:blocking'/></iq>").remove(0)
    }

    #[test]
    fn keeps_a_list_and_pushes_changes() {
        let mut scene = Scene::one(Blocking);
        assert!(get(&mut scene).contains("<blocklist xmlns='urn:xmpp:blocking'/>"));
        scene.open("deaf");
        let push = |name, items: &str, id: u64| {
            let body = match items {
                "" => format!("<{name} xmlns='urn:xmpp:blocking'/>"),
                _ => format!("<{name} xmlns='urn:xmpp:blocking'>{items}</{name}>"),
            };
            format!("phone: <iq to='alice@example.org/phone' id='block-{id}-1' type='set'>{body}</iq>")
        };
        let done = "phone: <iq to='alice@example.org/phone' id='1' type='result'/>";
        let id = scene.next_id;
        let seen = command(&mut scene, "block", &["Bob@a.example", "b.example"]);
        let both = "<item jid='bob@a.example'/><item jid='b.example'/>";
        let stored = ["put blocklist b.example = ", "put blocklist bob@a.example = "].map(str::to_owned);
        assert_eq!(seen, [&stored[..], &[push("block", both, id), done.to_owned()]].concat());
        scene.reload();
        scene.open("phone");
        assert!(get(&mut scene).contains("<item jid='b.example'/><item jid='bob@a.example'/>"));
        assert_eq!(command(&mut scene, "unblock", &[BOB])[0], "del blocklist bob@a.example");
        let seen = command(&mut scene, "unblock", &[]);
        assert!(
            seen[0] == "del blocklist b.example" && seen[1].contains("<unblock xmlns='urn:xmpp:blocking'/>")
        );
        assert!(get(&mut scene).contains("<blocklist xmlns='urn:xmpp:blocking'/>"));
    }

    #[test]
    fn refuses_bad_commands_whole() {
        let mut scene = Scene::one(Blocking);
        for (name, items, condition) in [
            ("block", &[][..], "bad-request"),
            ("block", &[BOB, "a b@c"], "jid-malformed"),
            ("unblock", &[""], "jid-malformed"),
            ("blocklist", &[], "bad-request"),
            ("nonsense", &[BOB], "bad-request"),
        ] {
            let seen = command(&mut scene, name, items);
            assert!(seen.len() == 1 && seen[0].contains(condition), "{name}: {seen:?}");
        }
    }

    #[test]
    fn the_list_has_an_end() {
        let mut scene = Scene::one(Blocking);
        let many: Vec<String> = (0..=BLOCKED_MAX).map(|n| format!("u{n}@a.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (most, last) = many.split_at(BLOCKED_MAX);
        for part in most.chunks(500) {
            assert_eq!(command(&mut scene, "block", part).len(), 501);
        }
        let seen = command(&mut scene, "block", &[last[0], many[0]]);
        assert!(seen.len() == 1 && seen[0].contains("resource-constraint"), "{seen:?}");
        assert_eq!(command(&mut scene, "block", &many[..1]).len(), 1, "known already");
    }

    /// What is blocked, who talks, whether he is covered (section 5).
    #[test]
    fn matches_addresses() {
        for (blocked, other, covered) in [
            ("bob@a.example/x", "bob@a.example/x", true),
            ("bob@a.example/x", "bob@a.example/y", false),
            ("bob@a.example/x", "bob@a.example", false),
            (BOB, "bob@a.example/x", true),
            (BOB, BOB, true),
            (BOB, "bob2@a.example", false),
            ("a.example/x", "a.example/x", true),
            ("a.example/x", "bob@a.example/x", false),
            ("a.example", "bob@a.example/x", true),
            ("a.example", "a.example/x", true),
            ("a.example", "sub.a.example", false),
            ("alice@example.org", "alice@example.org/laptop", false),
            ("example.org", "alice@example.org", false),
            ("example.org", "example.org", false),
            ("example.org", "eve@example.org", true),
        ] {
            let mut scene = Scene::one(Blocking);
            command(&mut scene, "block", &[blocked]);
            assert_eq!(scene.account.blocks(&crate::scene::jid(other)), covered, "{blocked} {other}");
        }
    }

    #[test]
    fn lets_nothing_in_and_nothing_out() {
        let mut scene = Scene::one(Blocking);
        scene.available("phone", 0);
        command(&mut scene, "block", &[BOB]);
        let unavailable = error("cancel", "service-unavailable");
        for (head, answer) in [
            ("message type='chat'", Some(&unavailable)),
            ("message type='error'", None),
            ("presence", None),
            ("presence type='subscribe'", None),
            ("presence type='probe'", None),
            ("presence type='unavailable'", None),
            ("iq type='get' id='1'", Some(&unavailable)),
            ("iq type='set' id='1'", Some(&unavailable)),
            ("iq type='result' id='1'", None),
            ("iq type='error' id='1'", None),
        ] {
            let name = head.split(' ').next().unwrap();
            for to in ["alice@example.org", "alice@example.org/phone"] {
                let seen = scene
                    .get(&format!("<{head} from='bob@a.example/x' to='{to}'><q xmlns='urn:q'/></{name}>"));
                assert_eq!(seen.len(), usize::from(answer.is_some()), "{head}: {seen:?}");
                assert!(
                    answer.is_none_or(|answer| seen[0].starts_with("-> ") && seen[0].contains(answer)),
                    "{seen:?}"
                );
            }
            let seen =
                scene.send("phone", &format!("<{head} to='bob@a.example/y'><q xmlns='urn:q'/></{name}>"));
            let told = !head.contains("error") && !head.contains("result");
            assert_eq!(seen.len(), usize::from(told), "{head}: {seen:?}");
            let blocked = "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
                           <blocked xmlns='urn:xmpp:blocking:errors'/></error>";
            assert!(!told || seen[0].contains(blocked), "{head}: {seen:?}");
        }
        let other = scene.get(
            "<message from='carl@a.example/x' to='alice@example.org' type='chat'><body>a</body></message>",
        );
        assert!(other[0].starts_with("phone: "), "{other:?}");
    }

    #[test]
    fn the_blocked_see_the_user_go_and_come_once() {
        let mut scene = Scene::one(Blocking);
        scene.contact(BOB, Active, Active);
        scene.contact("carl@a.example", Active, Not);
        scene.contact("dora@b.example", Not, Active);
        scene.available("phone", 0);
        scene.send("phone", "<presence to='bob@a.example/x'/>");
        scene.send("phone", "<presence to='room@a.example/me'/>");
        let routed =
            |seen: Vec<String>| seen.into_iter().filter(|line| line.starts_with("->")).collect::<Vec<_>>();
        let gone =
            |to: &str| format!("-> <presence from='alice@example.org/phone' to='{to}' type='unavailable'/>");
        assert_eq!(routed(command(&mut scene, "block", &[BOB])), [gone(BOB)]);
        assert_eq!(routed(command(&mut scene, "block", &["a.example"])), [gone("room@a.example/me")]);
        assert_eq!(routed(command(&mut scene, "unblock", &[BOB])), [""; 0]);
        let seen = routed(command(&mut scene, "unblock", &["a.example"]));
        let probe =
            |to: &str| format!("-> <presence from='alice@example.org/phone' to='{to}' type='probe'/>");
        assert!(
            seen[0].starts_with("-> <presence from='alice@example.org/phone' to='bob@a.example'><priority>")
        );
        assert_eq!(seen[1..], [probe(BOB), probe("carl@a.example")]);
        assert_eq!(routed(command(&mut scene, "block", &["dora@b.example/x"])), [gone("dora@b.example/x")]);
        assert_eq!(routed(command(&mut scene, "block", &["eve@b.example", "b.example/x"])), [""; 0]);
        assert_eq!(routed(scene.close("phone")).len(), 2, "bob and dora; the room knows");
        scene.open("laptop");
        scene.send(
            "laptop",
            "<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='a.example'/></block></iq>",
        );
        assert_eq!(
            routed(scene.available("laptop", 0)).len(),
            1,
            "dora only: nobody blocked is told or probed"
        );
        assert_eq!(routed(scene.close("laptop")).len(), 1, "dora only");
    }
}
