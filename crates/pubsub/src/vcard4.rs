//! vCard4: what is published at its node is the older visiting card, and the other way round.
//!
//! XEP-0292 0.12.0 (complete), XEP-0054 1.3.0
//!
//! What only one of the two forms can say stays where it is. The older card is for everybody to read, so what is published
//! for some only is not taken over.
//!
//! Not here: what each form says (`vcard_fields.rs`), the card itself (features), its photo (`avatar.rs`).

use kernel::{Account, Card, Feature, Flow, Spec, Step, Turn, Way};
use model::query::Query;
use model::spaces::VCARD;
use model::storage::{Loaded, Read};
use stanza::{IqType, Kind, Stanza, ns};
use xml::{Tree, Writer};

use crate::config::Access;
use crate::home::{Home, owner};
use crate::items::Item;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::own;
use crate::vcard_fields::{Said, read_new, read_old, write_new, write_old};

/// The id of the item, unless the owner's clients use another.
const ITEM: &str = "current";

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0292", "0.12.0").note("old clients see the same card")],
    steps: &[(Way::Leave, Step::Stamp)],
    ..Card::named("vcard4")
};

/// XEP-0292.
pub(crate) struct Vcard4;

/// How often the card was set, to see that it was while the node was being read.
#[derive(Debug, Default)]
struct Cards(u64);

impl Feature for Vcard4 {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == turn.place.jid.as_str());
        if stanza.kind == Kind::Iq(IqType::Set) && own && stanza.payload.has("vCard", ns::VCARD) {
            card_set(turn, stanza);
        }
        Flow::On
    }
}

/// A client sets its card: what it says is published, unless it is already.
fn card_set(turn: &mut Turn<'_, Account>, stanza: &Stanza) {
    let Ok(tree) = stanza.payload.tree() else { return };
    let Some(card) = tree.root() else { return };
    let said = read_old(card);
    turn.place.slots.of::<Cards>().0 += 1;
    let cards = turn.place.slots.of::<Cards>().0;
    let (account, read) = (turn.place.jid.clone(), Item::read_newest(&owner(turn.place), ns::VCARD4_NODE, 1));
    turn.fx.ask(&account, Query::Read(read), move |turn, found| {
        // Without an answer nothing is changed; a newer card has its own.
        let Ok(found) = found else { return };
        if turn.place.slots.of::<Cards>().0 == cards {
            publish(turn, &said, newest(found.into_loaded()));
        }
    });
}

fn newest(loaded: Loaded) -> Option<Item> {
    loaded.into_map().first().and_then(|(_, stored)| Item::hydrate(stored))
}

/// What an item says. One that is no card says nothing.
fn said_of(item: Option<&Item>) -> Said {
    let tree = item.and_then(|item| Tree::parse(&item.payload, "").ok());
    let root = tree.as_ref().and_then(|tree| tree.root()).filter(|root| root.is("vcard", ns::VCARD4));
    root.map(read_new).unwrap_or_default()
}

fn publish(turn: &mut Turn<'_, Account>, said: &Said, item: Option<Item>) {
    let held = said_of(item.as_ref());
    if held.agrees(said) {
        return;
    }
    let id = item.map_or_else(|| ITEM.to_owned(), |item| item.id);
    if said.fields.is_empty() && held.rest.is_empty() {
        return own::retract(turn, ns::VCARD4_NODE, &id);
    }
    // The card is for everybody to see.
    let open = [("pubsub#access_model", Access::Open.word())];
    let known = turn.place.peek().is_some_and(|nodes| nodes.get(ns::VCARD4_NODE).is_some());
    let options = if known { &[][..] } else { &open[..] };
    own::publish(turn, ns::VCARD4_NODE, &id, options, |w| write_new(w, &said.fields, &held.rest));
}

/// The node has changed: the card says the same, if everybody may see it.
pub(crate) fn published(turn: &mut Turn<'_, Account>) {
    let (account, owner) = (turn.place.jid.clone(), owner(turn.place));
    let cards = turn.place.slots.of::<Cards>().0;
    let reads =
        vec![Item::read_newest(&owner, ns::VCARD4_NODE, 1), Read::Doc { space: VCARD, owner: owner.clone() }];
    turn.fx.ask(&account, Query::Read(Read::Many(reads)), move |turn, found| {
        // What was set meanwhile is published in its turn.
        if turn.place.slots.of::<Cards>().0 != cards {
            return;
        }
        let Ok(found) = found else { return };
        let mut found = found.into_loaded().into_many().into_iter();
        let item = found.next().and_then(newest);
        let card = found.next().and_then(Loaded::into_doc);
        take_over(turn, item.as_ref(), card.as_deref());
    });
}

fn take_over(turn: &mut Turn<'_, Account>, item: Option<&Item>, card: Option<&[u8]>) {
    let node = turn.place.peek().and_then(|nodes| nodes.get(ns::VCARD4_NODE));
    if node.is_none_or(|node| node.config().access_model != Access::Open) {
        return;
    }
    let tree = card.and_then(|card| Tree::parse(card, ns::CLIENT).ok());
    let held = tree.as_ref().and_then(|tree| tree.root()).map(read_old).unwrap_or_default();
    let said = said_of(item);
    if held.agrees(&said) {
        return;
    }
    let mut w = Writer::new(ns::CLIENT);
    write_old(&mut w, &said.fields, &held.rest);
    let card = w.finish();
    if card.len() <= PAYLOAD_BYTES_MAX {
        // As a client would, so that whatever follows from a new card follows.
        let own = turn.place.jid.clone();
        turn.fx.route(Stanza::iq_set("own", card).from(&own).to(&own));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pep::Pep;
    use crate::scene::Scene;
    use kernel::{Answer, Iq, IqRoute};

    /// The card's own feature, as far as it matters here.
    struct Vcard;

    static VCARD_CARD: Card = Card { iqs: &[IqRoute::open(ns::VCARD).and_set()], ..Card::named("vcard") };

    impl Feature for Vcard {
        fn card(&self) -> &'static Card {
            &VCARD_CARD
        }

        fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
            let owner = owner(turn.place);
            if iq.is_set() {
                turn.fx.put_doc(VCARD, owner, iq.payload.raw(ns::CLIENT).into_owned());
                return Answer::done();
            }
            Answer::read(Read::Doc { space: VCARD, owner }, |_, found| {
                Answer::Reply(found.into_doc().unwrap_or_default())
            })
        }
    }

    fn stage() -> Scene {
        let mut scene = Scene::new(vec![Box::new(Vcard4), Box::new(Vcard), Box::new(Pep)]);
        scene.open("phone");
        scene
    }

    /// Sends an iq and brings what is routed to the account itself back to it, until nothing is left.
    fn send(scene: &mut Scene, inner: &str) -> Vec<String> {
        let mut seen = scene.send("phone", &format!("<iq type='set' id='1'>{inner}</iq>"));
        let mut at = 0;
        while at < seen.len() {
            if seen[at].starts_with("-> <iq from='alice@example.org' to='alice@example.org'")
                && seen[at].contains("type='set'")
            {
                let stanza = seen[at][3..].to_owned();
                seen.extend(scene.get(&stanza));
                assert!(seen.len() < 50, "to and fro for ever: {seen:?}");
            }
            at += 1;
        }
        seen
    }

    fn ask(scene: &mut Scene, inner: &str) -> String {
        scene.send("phone", &format!("<iq type='get' id='2'>{inner}</iq>")).remove(0)
    }

    fn old(scene: &mut Scene) -> String {
        ask(scene, "<vCard xmlns='vcard-temp'/>")
    }

    fn new(scene: &mut Scene) -> String {
        ask(
            scene,
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:vcard4'/></pubsub>",
        )
    }

    fn set_new(scene: &mut Scene, access: &str, inner: &str) -> Vec<String> {
        let options = format!(
            "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
             <field var='pubsub#access_model'><value>{access}</value></field></x></publish-options>"
        );
        let card = format!("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{inner}</vcard>");
        let publish = format!("<publish node='urn:xmpp:vcard4'><item id='mine'>{card}</item></publish>");
        send(scene, &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{publish}{options}</pubsub>"))
    }

    fn publishes(seen: &[String]) -> usize {
        seen.iter()
            .filter(|line| {
                line.starts_with("-> <iq ") && line.contains("type='set'") && line.contains("<publish ")
            })
            .count()
    }

    const PHOTO: &str = "<PHOTO><TYPE>image/png</TYPE><BINVAL>aGVsbG8=</BINVAL></PHOTO>";

    #[test]
    fn an_old_card_is_published() {
        let mut scene = stage();
        let card = format!("<vCard xmlns='vcard-temp'><FN>Alice</FN>{PHOTO}</vCard>");
        let seen = send(&mut scene, &card);
        assert_eq!(publishes(&seen), 1, "{seen:?}");
        assert!(new(&mut scene).contains(
            "<item id='current'><vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Alice</text></fn></vcard></item>"
        ));
        assert!(old(&mut scene).contains(&card), "it stays as it was set");
        assert_eq!(publishes(&send(&mut scene, &card)), 0, "nothing is new");
        let seen = send(&mut scene, "<vCard xmlns='vcard-temp'/>");
        assert!(seen.iter().any(|line| line.contains("<retract ")), "{seen:?}");
        assert!(!new(&mut scene).contains("<item "));
        assert!(old(&mut scene).contains("<vCard xmlns='vcard-temp'/>"));
    }

    #[test]
    fn what_is_published_is_the_old_card() {
        let mut scene = stage();
        send(&mut scene, &format!("<vCard xmlns='vcard-temp'>{PHOTO}<FN>Old</FN></vCard>"));
        let seen = set_new(&mut scene, "open", "<fn><text>Alice</text></fn><gender><sex>F</sex></gender>");
        assert_eq!(publishes(&seen), 0, "{seen:?}");
        assert!(
            old(&mut scene).contains(&format!("<vCard xmlns='vcard-temp'><FN>Alice</FN>{PHOTO}</vCard>"))
        );
        // An old client changes the name; what it does not know stays.
        send(&mut scene, &format!("<vCard xmlns='vcard-temp'><FN>Al</FN>{PHOTO}</vCard>"));
        let seen = new(&mut scene);
        assert!(
            seen.contains("<item id='mine'>")
                && seen.contains("<fn><text>Al</text></fn><gender><sex>F</sex></gender>"),
            "{seen}"
        );
    }

    #[test]
    fn what_is_for_some_only_is_not_for_everybody() {
        let mut scene = stage();
        set_new(&mut scene, "presence", "<fn><text>Alice</text></fn>");
        assert!(!old(&mut scene).contains("Alice"));
        // Nor does what is no card do any harm.
        let mut scene = stage();
        for odd in ["text", "<fn/>", "<x xmlns='urn:x'/>", "<n><surname/></n>"] {
            let seen = set_new(&mut scene, "open", odd);
            assert!(seen.iter().all(|line| !line.contains("type='error'")), "{seen:?}");
        }
        assert!(!old(&mut scene).contains("<vCard"), "{}", old(&mut scene));
    }
}
