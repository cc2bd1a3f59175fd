//! Service Discovery: what a hosted domain and an account are and can.
//!
//! XEP-0030 2.5.0 (complete), XEP-0115 1.6.0 (the server's own), XEP-0157 1.1.1 (complete),
//! XEP-0455 0.4.0 (complete)
//!
//! Not here: the capabilities of clients, which pass through; what features there are, which their cards say.

use kernel::{Account, Answer, Card, Feature, Host, HostFacts, Iq, IqRoute, Spec, Turn};
use stanza::{Condition, ns};
use xml::Writer;

use crate::{adhoc, caps, directory, external, upload};

static CARD: Card = Card {
    specs: &[
        Spec::complete("XEP-0030", "2.5.0"),
        Spec::complete("XEP-0115", "1.6.0")
            .note("the server's own capabilities; those of clients pass through"),
        Spec::complete("XEP-0157", "1.1.1"),
        Spec::complete("XEP-0455", "0.4.0"),
    ],
    account_vars: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
    host_vars: &[ns::DISCO_INFO, ns::DISCO_ITEMS, ns::CAPS],
    iqs: &[
        IqRoute::open(ns::DISCO_INFO),
        IqRoute::open(ns::DISCO_ITEMS),
        IqRoute::host(ns::DISCO_INFO),
        IqRoute::host(ns::DISCO_ITEMS),
    ],
    ..Card::named("disco")
};

/// XEP-0030. Build it from the cards of all other features.
pub struct Disco {
    account_vars: Vec<&'static str>,
    account_identities: Vec<(&'static str, &'static str)>,
    host_vars: Vec<&'static str>,
}

impl Disco {
    /// Advertises what these cards and its own say.
    pub fn new(cards: &[&'static Card]) -> Disco {
        let all = || cards.iter().copied().chain([&CARD]);
        let unique = |mut vars: Vec<&'static str>| {
            vars.sort_unstable();
            vars.dedup();
            vars
        };
        Disco {
            account_identities: all().flat_map(|card| card.account_identities).copied().collect(),
            account_vars: unique(all().flat_map(|card| card.account_vars).copied().collect()),
            host_vars: unique(all().flat_map(|card| card.host_vars).copied().collect()),
        }
    }

    /// What a hosted domain is, for `disco#info` and for the hash of XEP-0115.
    pub(crate) fn host_info(&self, facts: &HostFacts) -> Info {
        let mut contacts: Vec<(String, Vec<String>)> = facts.contacts.clone();
        contacts.retain(|(_, uris)| !uris.is_empty());
        contacts.sort();
        let mut info = Info {
            identities: vec![Identity { category: "server", ty: "im", name: crate::version::NAME }],
            vars: self.host_vars.clone(),
            forms: Vec::new(),
        };
        if !contacts.is_empty() {
            info.forms.push(Form { form_type: ns::SERVER_INFO, ty: "list-multi", fields: contacts });
        }
        if !facts.outage.is_empty() {
            let fields = vec![("external-status-addresses".to_owned(), facts.outage.clone())];
            info.forms.push(Form { form_type: ns::OUTAGE, ty: "list-multi", fields });
        }
        directory::advertise(facts, &mut info);
        upload::advertise(facts, &mut info);
        external::advertise(facts, &mut info);
        info.vars.sort_unstable();
        info.forms.sort_by_key(|form| form.form_type);
        info
    }
}

/// Who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) category: &'static str,
    pub(crate) ty: &'static str,
    pub(crate) name: &'static str,
}

/// The content of an answer to `disco#info`.
pub(crate) struct Info {
    /// Sorted.
    pub(crate) identities: Vec<Identity>,
    /// Sorted.
    pub(crate) vars: Vec<&'static str>,
    /// XEP-0128, sorted by type.
    pub(crate) forms: Vec<Form>,
}

/// A form of XEP-0128.
pub(crate) struct Form {
    /// Its `FORM_TYPE`.
    pub(crate) form_type: &'static str,
    /// The type of its fields.
    pub(crate) ty: &'static str,
    /// Sorted by name.
    pub(crate) fields: Vec<(String, Vec<String>)>,
}

impl Info {
    /// Writes it as `<query/>`.
    pub(crate) fn write(&self, node: Option<&str>) -> bytes::Bytes {
        let mut w = Writer::new(ns::CLIENT);
        w.open("query", ns::DISCO_INFO).attr_opt("node", node);
        for id in &self.identities {
            w.open("identity", ns::DISCO_INFO).attr("category", id.category).attr("type", id.ty);
            w.attr_opt("name", (!id.name.is_empty()).then_some(id.name)).close();
        }
        for var in &self.vars {
            w.open("feature", ns::DISCO_INFO).attr("var", var).close();
        }
        self.forms.iter().for_each(|form| form.write(&mut w));
        w.close();
        w.finish()
    }
}

impl Form {
    fn write(&self, w: &mut Writer) {
        w.open("x", ns::FORMS).attr("type", "result").open("field", ns::FORMS);
        w.attr("var", "FORM_TYPE").attr("type", "hidden").leaf("value", ns::FORMS, self.form_type).close();
        for (var, values) in &self.fields {
            w.open("field", ns::FORMS).attr("var", var).attr("type", self.ty);
            for value in values {
                w.leaf("value", ns::FORMS, value);
            }
            w.close();
        }
        w.close();
    }
}

fn items_of<'a>(services: impl IntoIterator<Item = &'a (address::Jid, String)>) -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_ITEMS);
    for (jid, name) in services {
        w.open("item", ns::DISCO_ITEMS).attr("jid", jid.as_str()).attr("name", name).close();
    }
    w.close();
    w.finish()
}

impl Feature for Disco {
    fn card(&self) -> &'static Card {
        &CARD
    }

    /// RFC 6121 section 8.5.1 and XEP-0030 section 8: strangers hear what they hear of an account that is not there.
    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        if !turn.place.shows_presence_to(iq.from()) {
            return Condition::ServiceUnavailable.into();
        }
        if iq.payload.attr("node").is_some_and(|node| !node.is_empty()) {
            return Condition::ItemNotFound.into();
        }
        if iq.payload.ns() == ns::DISCO_ITEMS {
            return Answer::Reply(items_of(&[]));
        }
        let identity = Identity { category: "account", ty: "registered", name: "" };
        let mut identities = vec![identity];
        let more = self.account_identities.iter();
        identities.extend(more.map(|(category, ty)| Identity { category, ty, name: "" }));
        Answer::Reply(Info { identities, vars: self.account_vars.clone(), forms: Vec::new() }.write(None))
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        let node = iq.payload.attr("node").filter(|node| !node.is_empty());
        let items = iq.payload.ns() == ns::DISCO_ITEMS;
        let Some(node) = node else {
            return Answer::Reply(if items {
                items_of(turn.place.facts.services.iter().chain(&turn.place.components))
            } else {
                self.host_info(&turn.place.facts).write(None)
            });
        };
        if items {
            return adhoc::items(turn, iq, &node);
        }
        let info = self.host_info(&turn.place.facts);
        if node == caps::of(&info).node() {
            return Answer::Reply(info.write(Some(&node)));
        }
        adhoc::info(turn, iq, &node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};
    use kernel::Direction::{Active, None as Not};

    static OTHER: Card =
        Card { account_vars: &["urn:b", "urn:a"], host_vars: &["urn:a", "urn:z"], ..Card::named("other") };

    fn scene() -> Scene {
        Scene::one(Disco::new(&[&OTHER, &OTHER]))
    }

    fn host(scene: &mut Scene, which: &str, node: &str) -> String {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#{which}'{node}/>");
        scene
            .host(&format!("<iq from='eve@a.example/x' to='example.org' type='get' id='1'>{query}</iq>"))
            .remove(0)
    }

    #[test]
    fn the_host_tells_what_the_cards_say() {
        let mut scene = scene();
        let features = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='server' type='im' name='Détente'/>\
            <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
            <feature var='http://jabber.org/protocol/disco#items'/><feature var='urn:a'/><feature var='urn:z'/>";
        assert!(host(&mut scene, "info", "").contains(&format!("{features}</query>")));
        let uris = |uri: &str| vec![uri.to_owned()];
        let contacts = vec![
            ("support-addresses".into(), uris("xmpp:help@example.org")),
            ("abuse-addresses".into(), uris("mailto:abuse@example.org")),
            ("feedback-addresses".into(), vec![]),
        ];
        scene.facts(HostFacts { contacts, ..HostFacts::default() });
        let form = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
            <value>http://jabber.org/network/serverinfo</value></field><field var='abuse-addresses' \
            type='list-multi'><value>mailto:abuse@example.org</value></field><field var='support-addresses' \
            type='list-multi'><value>xmpp:help@example.org</value></field></x></query>";
        let seen = host(&mut scene, "info", "");
        assert!(seen.contains(&(features.to_owned() + form)), "{seen}");
        let node = caps::of(&Disco::new(&[&OTHER]).host_info(&scene.host.facts)).node();
        let seen = host(&mut scene, "info", &format!(" node='{node}'"));
        assert!(seen.contains(&format!("node='{node}'>")) && seen.contains(form), "{seen}");
    }

    #[test]
    fn the_host_tells_where_to_read_of_an_outage() {
        let mut scene = scene();
        assert!(!host(&mut scene, "info", "").contains("urn:xmpp:sos:0"));
        let outage = vec!["https://elsewhere.example/status.json".to_owned()];
        scene.facts(HostFacts { outage, ..HostFacts::default() });
        let form = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
            <value>urn:xmpp:sos:0</value></field><field var='external-status-addresses' type='list-multi'>\
            <value>https://elsewhere.example/status.json</value></field></x>";
        let seen = host(&mut scene, "info", "");
        assert!(seen.contains(form), "{seen}");
    }

    #[test]
    fn the_host_has_its_services_and_no_other_nodes() {
        let mut scene = scene();
        assert!(
            host(&mut scene, "items", "").contains("<query xmlns='http://jabber.org/protocol/disco#items'/>")
        );
        let services = vec![(address::Jid::parse("rooms.example.org").unwrap(), "Rooms".to_owned())];
        scene.facts(HostFacts { services, ..HostFacts::default() });
        let seen = host(&mut scene, "items", "");
        assert!(seen.contains("<item jid='rooms.example.org' name='Rooms'/></query>"), "{seen}");
        for which in ["info", "items"] {
            assert!(host(&mut scene, which, " node='x'").contains(&error("cancel", "item-not-found")));
        }
    }

    #[test]
    fn accounts_are_closed_to_strangers() {
        let mut scene = scene();
        scene.contact("bob@a.example", Not, Active);
        scene.contact("carl@a.example", Active, Not);
        for which in ["info", "items"] {
            let query =
                |node: &str| format!("<query xmlns='http://jabber.org/protocol/disco#{which}'{node}/></iq>");
            let mut ask = |from: &str, node: &str| {
                let head = format!("<iq from='{from}' to='alice@example.org' type='get' id='1'>");
                scene.get(&(head + &query(node))).remove(0)
            };
            for stranger in ["eve@a.example/x", "carl@a.example/x"] {
                assert!(ask(stranger, "").contains(&error("cancel", "service-unavailable")));
            }
            assert!(ask("bob@a.example/x", " node='x'").contains(&error("cancel", "item-not-found")));
            assert!(ask("bob@a.example/x", "").contains("type='result'"));
            let own = scene.send("phone", &format!("<iq type='get' id='1'>{}", query("")));
            let told = match which {
                "info" => {
                    "<identity category='account' type='registered'/>\
                    <feature var='http://jabber.org/protocol/disco#info'/>\
                    <feature var='http://jabber.org/protocol/disco#items'/>\
                    <feature var='urn:a'/><feature var='urn:b'/></query>"
                }
                _ => "<query xmlns='http://jabber.org/protocol/disco#items'/>",
            };
            assert!(own[0].contains(told), "{own:?}");
        }
    }
}
