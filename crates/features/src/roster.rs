//! The roster as clients manage it.
//!
//! RFC 6121 sections 2.1 to 2.6, XEP-0237 1.3 (versioning, which the RFC took over)
//!
//! Not here: subscriptions and pushes that follow from them (kernel).

use address::Jid;
use kernel::{Account, Answer, Card, Feature, Flow, Iq, IqRoute, Kernel, Spec, Step, Turn, Way, limits};
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns};
use xml::{El, Writer};

/// See the file's header.
pub(crate) struct Roster;

impl Feature for Roster {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card {
            specs: &[
                Spec::complete("RFC 6121", "2, 3, 4, 8").note("section 2.6: a changed roster is sent whole"),
                Spec::complete("XEP-0237", "1.3").note("as RFC 6121 section 2.6 has it"),
            ],
            account_vars: &[ns::ROSTER],
            steps: &[(Way::Arrive, Step::Screen)],
            iqs: &[IqRoute::own(ns::ROSTER)],
            ..Card::named("roster")
        };
        &CARD
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        if iq.payload.name() != "query" {
            return Condition::BadRequest.into();
        }
        let outcome = if iq.is_set() { set(turn, iq.payload) } else { Ok(get(turn, iq.payload)) };
        outcome.unwrap_or_else(Answer::Refuse)
    }

    /// RFC 6121 section 2.1.6: a push is the server's own. A client that forgets to look at its sender shall not be
    /// given anybody else's to look at.
    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let Kind::Iq(ty) = stanza.kind else { return Flow::On };
        let own = stanza.from.as_ref().is_none_or(|from| from.bare_str() == turn.place.jid.as_str());
        if own || !stanza.payload.has_ns(ns::ROSTER) {
            return Flow::On;
        }
        match ty {
            IqType::Get | IqType::Set => Flow::Refuse(Condition::ServiceUnavailable.into()),
            IqType::Result | IqType::Error => Flow::Stop,
        }
    }
}

/// Section 2.2: from now on the resource is told of changes.
fn get(turn: &mut Turn<'_, Account>, query: El<'_>) -> Answer<Account> {
    let version = turn.place.roster.version();
    if let Some(session) = turn.session.and_then(|id| turn.place.session_mut(id)) {
        session.interested = true;
    }
    // Section 2.6.3: nothing to say if the client has it all.
    if query.attr("ver").is_some_and(|ver| *ver == *version) {
        return Answer::done();
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::ROSTER).attr("ver", &version);
    for (contact, item) in turn.place.roster.listed() {
        item.write(contact.as_str(), &mut w);
    }
    w.close();
    Answer::Reply(w.finish())
}

/// Sections 2.3 to 2.5.
fn set(turn: &mut Turn<'_, Account>, query: El<'_>) -> Result<Answer<Account>, StanzaError> {
    let mut items = query.children_named("item", ns::ROSTER);
    let (Some(item), None) = (items.next(), items.next()) else {
        return Err(StanzaError::from(Condition::BadRequest).text("exactly one item"));
    };
    let contact = item.attr("jid").ok_or(Condition::BadRequest)?;
    let contact = Jid::parse(&contact).map_err(|_| StanzaError::from(Condition::JidMalformed))?;
    if !contact.is_bare() {
        return Err(StanzaError::from(Condition::BadRequest).text("a contact is a bare address"));
    }
    if item.attr("subscription").as_deref() == Some("remove") {
        if turn.place.roster.item(contact.as_str()).is_some_and(|item| item.shared.is_some()) {
            let error = StanzaError::from(Condition::NotAllowed);
            return Err(error.text("the contact is in a group of the server"));
        }
        return match Kernel::remove_contact(turn, &contact) {
            true => Ok(Answer::done()),
            false => Err(Condition::ItemNotFound.into()),
        };
    }
    let known = turn.place.roster.item(contact.as_str()).is_some();
    if !known && turn.place.roster.len() >= limits::ROSTER_ITEMS_MAX {
        return Err(StanzaError::from(Condition::ResourceConstraint).text("the roster is full"));
    }
    let name = item.attr("name").map(|name| name.into_owned()).filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.len() > limits::ROSTER_NAME_BYTES_MAX) {
        return Err(StanzaError::from(Condition::NotAcceptable).text("the name is too long"));
    }
    match Kernel::set_contact(turn, &contact, name, groups(item)?) {
        true => Ok(Answer::done()),
        false => Err(StanzaError::from(Condition::ResourceConstraint).text("the roster is full")),
    }
}

fn groups(item: El<'_>) -> Result<Vec<String>, StanzaError> {
    let mut groups = Vec::new();
    for group in item.children_named("group", ns::ROSTER) {
        let group = group.text().into_owned();
        // Section 2.3.3 names both conditions.
        if group.is_empty() || group.len() > limits::ROSTER_GROUP_BYTES_MAX {
            return Err(
                StanzaError::from(Condition::NotAcceptable).text("a group's name is empty or too long")
            );
        }
        if groups.contains(&group) {
            return Err(StanzaError::from(Condition::BadRequest).text("the same group twice"));
        }
        groups.push(group);
        if groups.len() > limits::ROSTER_GROUPS_MAX {
            return Err(StanzaError::from(Condition::NotAcceptable).text("too many groups"));
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    #[test]
    fn a_roster_is_bounded_in_bytes() {
        let mut scene = Scene::one(Roster);
        let groups: String = (0..limits::ROSTER_GROUPS_MAX)
            .map(|n| format!("<group>{n:03}{}</group>", "x".repeat(limits::ROSTER_GROUP_BYTES_MAX - 3)))
            .collect();
        let set = |scene: &mut Scene, contact: &str, groups: &str| {
            let item = format!("<item jid='{contact}@a.example'>{groups}</item>");
            let iq = format!("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>");
            scene.send("phone", &iq).iter().any(|line| line.contains("resource-constraint"))
        };
        let one = limits::ROSTER_GROUPS_MAX * limits::ROSTER_GROUP_BYTES_MAX;
        let fits = limits::ROSTER_BYTES_MAX / (one + 20);
        for n in 0..fits {
            assert!(!set(&mut scene, &format!("c{n}"), &groups), "{n}");
        }
        assert!(set(&mut scene, "new", &groups));
        assert!(!set(&mut scene, "new", "<group>x</group>"), "a small one fits");
        assert!(set(&mut scene, "new", &groups), "and cannot grow");
        assert!(!set(&mut scene, "c0", &groups.replace("x<", "y<")), "what does not grow may change");
        let gone = "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>\
                    <item jid='c0@a.example' subscription='remove'/></query></iq>";
        scene.send("phone", gone);
        assert!(!set(&mut scene, "new", &groups));
        scene.reload();
        scene.open("phone");
        assert!(set(&mut scene, "more", &groups), "it is counted after a start too");
    }

    fn grouped(members: &[(&str, Option<&str>)]) -> kernel::HostFacts {
        let members =
            members.iter().map(|(jid, name)| (address::Bare::parse(jid).unwrap(), name.map(str::to_owned)));
        let group = kernel::Group { name: "Family".into(), members: members.collect() };
        kernel::HostFacts {
            groups: std::sync::Arc::new(kernel::Groups::new(vec![group])),
            ..Default::default()
        }
    }

    const GET: &str = "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>";

    #[test]
    fn those_of_a_group_are_contacts_without_asking() {
        let mut scene = Scene::one(Roster);
        let alone = scene.send("phone", GET);
        scene.facts(grouped(&[("alice@example.org", None), ("bob@example.org", Some("Bob"))]));
        let seen = scene.send("phone", GET);
        let item = "<item jid='bob@example.org' name='Bob' subscription='both'><group>Family</group></item>";
        assert!(seen[0].contains(item) && !alone[0].contains("item"), "{seen:?}");
        // What a client knows from before does not count as the same.
        let version = alone[0].split("ver='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let known = GET.replace("roster'", &format!("roster' ver='{version}'"));
        assert!(scene.send("phone", &known)[0].contains(item));
        let seen = scene.available("phone", 1);
        assert!(
            seen.iter().any(|l| l.starts_with("-> ") && l.contains("to='bob@example.org' type='probe'")),
            "{seen:?}"
        );
        // Nothing that either says ends it, and nothing is stored.
        for ty in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
            let seen = scene.send("phone", &format!("<presence to='bob@example.org' type='{ty}'/>"));
            assert_eq!(seen, [""; 0], "{ty}");
            let seen =
                scene.get(&format!("<presence from='bob@example.org' to='alice@example.org' type='{ty}'/>"));
            // Who asks all the same hears that it is so, and sees the user.
            assert_eq!(seen.len(), if ty == "subscribe" { 2 } else { 0 }, "{ty}: {seen:?}");
        }
        let remove = "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' subscription='remove'/></query></iq>";
        assert!(scene.send("phone", remove)[0].contains("not-allowed"));
        // The user's own name and groups lie over the operator's, and stay when the group goes.
        let rename = "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' name='Bobby'><group>Family</group><group>Chess</group></item></query></iq>";
        let seen = scene.send("phone", rename);
        let stored = r#"put roster bob@example.org = {"name":"Bobby","groups":["Chess"],"to":"none","from":"none","listed":true}"#;
        assert_eq!(seen[0], stored);
        let item = "<item jid='bob@example.org' name='Bobby' subscription='both'><group>Chess</group><group>Family</group></item>";
        assert!(scene.send("phone", GET)[0].contains(item));
        scene.reload();
        scene.open("phone");
        assert!(scene.send("phone", GET)[0].contains(item));
        scene.facts(kernel::HostFacts::default());
        let item = "<item jid='bob@example.org' name='Bobby' subscription='none'><group>Chess</group></item>";
        assert!(scene.send("phone", GET)[0].contains(item));
    }

    #[test]
    fn groups_change_while_people_are_there() {
        let mut scene = Scene::one(Roster);
        scene.send("phone", GET);
        scene.available("phone", 1);
        let mut change = |facts: kernel::HostFacts| {
            scene.account.facts = std::sync::Arc::new(facts);
            scene.play(None, |kernel, turn| kernel.facts_changed(turn))
        };
        let both = &[("alice@example.org", None), ("bob@example.org", None)];
        let seen = change(grouped(both));
        assert!(
            seen.iter().any(|l| l.starts_with("phone: <iq") && l.contains("subscription='both'")),
            "{seen:?}"
        );
        assert!(
            seen.iter()
                .any(|l| l.starts_with("-> <presence from='alice@example.org/phone' to='bob@example.org'>")),
            "{seen:?}"
        );
        let quiet: Vec<String> = change(grouped(both));
        assert_eq!(quiet, [""; 0], "nothing has changed");
        let seen = change(grouped(&[]));
        assert!(
            seen.iter().any(|l| l.starts_with("phone: <iq") && l.contains("subscription='remove'")),
            "{seen:?}"
        );
        assert!(seen.iter().any(|l| l.contains("to='bob@example.org' type='unavailable'")), "{seen:?}");
    }
}
