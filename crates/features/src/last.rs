//! Last Activity: how long an account has been away, and how long the server has been up.
//!
//! XEP-0012 2.0 (complete)
//!
//! Not here: idle times of devices, which clients tell themselves.

use kernel::{Account, Answer, Card, Event, Feature, Flow, Host, Iq, IqRoute, Spec, Step, Turn, Way};
use model::storage::{Owner, Read, Space};
use serde::{Deserialize, Serialize};
use stanza::{Condition, IqType, Kind, Stanza, ns};
use xml::Writer;

/// Most bytes of a parting status that are kept; of a longer one nothing is.
pub const STATUS_BYTES_MAX: usize = 1_023;

/// One [`Left`] per account.
pub(crate) const LAST: Space = Space("last");

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0012", "2.0")],
    account_vars: &[ns::LAST],
    host_vars: &[ns::LAST],
    steps: &[(Way::Arrive, Step::Screen)],
    iqs: &[IqRoute::open(ns::LAST), IqRoute::host(ns::LAST)],
    ..Card::named("last")
};

/// XEP-0012.
pub struct Last;

/// When an account's last device went away, and with which words.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Left {
    /// In Unix seconds.
    pub(crate) at: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    status: String,
}

impl Left {
    /// Reads what was stored; `None` if it is unreadable.
    pub(crate) fn read(stored: &[u8]) -> Option<Left> {
        serde_json::from_slice(stored)
            .inspect_err(|error| tracing::error!(%error, "a stored last activity is unreadable"))
            .ok()
    }
}

impl Feature for Last {
    fn card(&self) -> &'static Card {
        &CARD
    }

    /// Section 4: devices must not be asked by those who may not see presence. The blocked are left to blocking.
    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let Some(from) = stanza.from.as_ref().filter(|_| stanza.kind == Kind::Iq(IqType::Get)) else {
            return Flow::On;
        };
        let Some(session) = stanza.to.as_ref().and_then(|to| turn.place.resource(to.resource()?)) else {
            return Flow::On;
        };
        let seen = turn.place.shows_presence_to(from) || session.directed.contains(from);
        if seen || !stanza.payload.has_ns(ns::LAST) || turn.place.blocks(from) {
            return Flow::On;
        }
        // As if nobody were there.
        Flow::Refuse(Condition::ServiceUnavailable.into())
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        if !turn.place.shows_presence_to(iq.from()) {
            // XEP-0012 has `forbidden`, which would tell that there is such an account.
            return Condition::ServiceUnavailable.into();
        }
        if turn.place.available().next().is_some() {
            return tell(0, "");
        }
        let owner = Owner::from(turn.place.jid.text());
        Answer::read(Read::Doc { space: LAST, owner }, |turn, found| {
            match found.into_doc().and_then(|stored| Left::read(&stored)) {
                Some(left) => tell((turn.now.unix_ms / 1_000).saturating_sub(left.at), &left.status),
                // It has never been here: there is nothing to tell.
                None => Condition::ItemNotFound.into(),
            }
        })
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, _: &Iq<'_>) -> Answer<Host> {
        tell(turn.now.unix_ms.saturating_sub(turn.place.facts.started_ms) / 1_000, "")
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        let Event::BecameUnavailable { presence, .. } = event else { return };
        if turn.place.available().next().is_some() {
            return;
        }
        let status =
            presence.payload.text_of("status", ns::CLIENT).filter(|text| text.len() <= STATUS_BYTES_MAX);
        let left = Left { at: turn.now.unix_ms / 1_000, status: status.unwrap_or_default() };
        // A number and a text are always writable as JSON.
        #[allow(clippy::unwrap_used)]
        turn.fx.put_doc(LAST, Owner::from(turn.place.jid.text()), serde_json::to_vec(&left).unwrap());
    }
}

fn tell<P>(seconds: u64, status: &str) -> Answer<P> {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::LAST).attr_of("seconds", seconds).text(status).close();
    Answer::Reply(w.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};
    use kernel::{Direction::*, HostFacts};

    fn ask(scene: &mut Scene, from: &str, to: &str) -> String {
        let seen = scene.get(&format!(
            "<iq from='{from}' to='{to}' type='get' id='1'><query xmlns='jabber:iq:last'/></iq>"
        ));
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    #[test]
    fn tells_contacts_since_when() {
        let mut scene = Scene::one(Last);
        scene.contact("bob@a.example", None, Active);
        scene.contact("carl@a.example", Active, None);
        let bob = |scene: &mut Scene| ask(scene, "bob@a.example/x", "alice@example.org");
        assert!(bob(&mut scene).contains(&error("cancel", "item-not-found")));
        scene.open("laptop");
        scene.available("phone", 0);
        scene.available("laptop", 0);
        assert!(bob(&mut scene).contains("<query xmlns='jabber:iq:last' seconds='0'/>"));
        let lines = scene.send("phone", "<presence type='unavailable'/>");
        assert!(!lines.iter().any(|line| line.starts_with("put")), "{lines:?}");
        let lines = scene
            .send("laptop", "<presence type='unavailable'><status>Heading &lt; Home</status></presence>");
        assert!(
            lines.contains(&r#"put last = {"at":1000000000,"status":"Heading < Home"}"#.to_owned()),
            "{lines:?}"
        );
        scene.now_ms += 903_999;
        assert!(bob(&mut scene).contains("seconds='903'>Heading &lt; Home</query>"));
        for stranger in ["carl@a.example/x", "eve@a.example"] {
            assert!(
                ask(&mut scene, stranger, "alice@example.org")
                    .contains(&error("cancel", "service-unavailable"))
            );
        }
        scene.now_ms = 0; // a clock that jumps back
        assert!(bob(&mut scene).contains("seconds='0'"));
    }

    #[test]
    fn devices_are_asked_only_by_those_who_see_them() {
        let mut scene = Scene::one(Last);
        scene.contact("bob@a.example", None, Active);
        let phone = "alice@example.org/phone";
        assert!(ask(&mut scene, "bob@a.example/x", phone).starts_with("phone: <iq from='bob"));
        assert!(ask(&mut scene, "eve@a.example/x", phone).contains(&error("cancel", "service-unavailable")));
        scene.send("phone", "<presence to='eve@a.example/x'/>");
        assert!(ask(&mut scene, "eve@a.example/x", phone).starts_with("phone: <iq from='eve"));
        assert!(ask(&mut scene, "eve@a.example/x", "alice@example.org/x").contains("service-unavailable"));
    }

    #[test]
    fn the_host_tells_its_uptime() {
        let mut scene = Scene::one(Last);
        scene.facts(HostFacts { started_ms: scene.now_ms - 123_456_000, ..HostFacts::default() });
        let seen = scene.host(
            "<iq from='a.example' to='example.org' type='get' id='1'><query xmlns='jabber:iq:last'/></iq>",
        );
        assert!(seen[0].contains("seconds='123456'"), "{seen:?}");
    }
}
