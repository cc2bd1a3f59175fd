//! Bookmarks: old clients keep them in private storage, new ones as items of a node; both see the same.
//!
//! XEP-0402 1.2.0, XEP-0048 1.2 (in private storage)
//!
//! The items are what counts. What an old client stores is compared with them, and what has changed is published; what it
//! asks for is made of them. Bookmarks of web pages, which items cannot be, stay in private storage.
//!
//! Not here: the rest of private storage (features); the node that held all bookmarks in one item.

use std::collections::BTreeMap;

use address::Jid;
use bytes::Bytes;
use kernel::{Account, Card, Feature, Flow, Spec, Step, Turn, Way};
use model::query::Query;
use model::spaces::PRIVATE;
use model::storage::{Loaded, Read};
use stanza::{IqType, Kind, Stanza, ns};
use xml::{El, Tree, Writer};

use crate::form::boolean;
use crate::home::{Home, owner};
use crate::items::Item;
use crate::limits::ITEMS_MAX;
use crate::own;

static CARD: Card = Card {
    specs: &[
        Spec::partial("XEP-0048", "1.2", "in private storage; not the node of one item"),
        Spec::complete("XEP-0402", "1.2.0").note("old clients in private storage see the same bookmarks"),
    ],
    account_vars: &[ns::BOOKMARKS_COMPAT],
    steps: &[(Way::Leave, Step::Stamp)],
    ..Card::named("bookmarks")
};

/// XEP-0402 section 5.
pub(crate) struct Bookmarks;

/// A bookmarked room.
#[derive(Clone, Debug, Default, PartialEq)]
struct Room {
    name: Option<String>,
    autojoin: bool,
    nick: Option<String>,
    password: Option<String>,
    /// What old clients do not know, as it stands in no namespace.
    extensions: Option<Vec<u8>>,
}

impl Feature for Bookmarks {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == turn.place.jid.as_str());
        let Kind::Iq(ty @ (IqType::Get | IqType::Set)) = stanza.kind else { return Flow::On };
        if !own || !stanza.payload.has("query", ns::PRIVATE) {
            return Flow::On;
        }
        let Ok(tree) = stanza.payload.tree() else { return Flow::On };
        let storage = tree.root().and_then(|query| query.child("storage", ns::BOOKMARKS_OLD));
        let there = turn.place.peek().is_some_and(|nodes| nodes.get(ns::BOOKMARKS).is_some());
        match (ty, storage) {
            (IqType::Set, Some(storage)) => compare(turn, rooms(storage)),
            (IqType::Get, Some(_)) if there => {
                give(turn, stanza.clone());
                return Flow::Stop;
            }
            _ => {}
        }
        Flow::On
    }
}

fn attr_true(el: El<'_>, name: &str) -> bool {
    el.attr(name).and_then(|value| boolean(&value)).unwrap_or(false)
}

fn room(conference: El<'_>) -> Room {
    let text = |name| conference.child_text(name, conference.ns()).map(|text| text.into_owned());
    let extensions = conference.child("extensions", ns::BOOKMARKS).map(|found| found.raw("").into_owned());
    Room {
        name: conference.attr("name").map(|name| name.into_owned()),
        autojoin: attr_true(conference, "autojoin"),
        nick: text("nick"),
        password: text("password"),
        extensions,
    }
}

/// The rooms that an old client names; of one that it names twice, the last. What is no address is no room.
fn rooms(storage: El<'_>) -> BTreeMap<Jid, Room> {
    let named = storage.children_named("conference", ns::BOOKMARKS_OLD).filter_map(|conference| {
        let jid = Jid::parse(&conference.attr("jid")?).ok()?;
        Some((jid, room(conference)))
    });
    named.take(ITEMS_MAX as usize).collect()
}

fn held(item: &Item) -> Option<Room> {
    let tree = Tree::parse(&item.payload, "").ok()?;
    tree.root().filter(|root| root.is("conference", ns::BOOKMARKS)).map(room)
}

fn read<P: Home>(place: &P) -> Read {
    Item::read_newest(&owner(place), ns::BOOKMARKS, ITEMS_MAX)
}

/// All items, the oldest first.
fn items(found: Loaded) -> Vec<Item> {
    found.into_map().iter().rev().filter_map(|(_, stored)| Item::hydrate(stored)).collect()
}

/// An old client has stored these: what is new or changed is published, what is gone is retracted, the rest is left as it
/// is (section 5.3).
fn compare(turn: &mut Turn<'_, Account>, mut wanted: BTreeMap<Jid, Room>) {
    let (account, query) = (turn.place.jid.clone(), Query::Read(read(turn.place)));
    turn.fx.ask(&account, query, move |turn, found| {
        // Without an answer nothing is changed.
        let Ok(found) = found else { return };
        for item in items(found.into_loaded()) {
            let Some(before) = held(&item) else { continue };
            match Jid::parse(&item.id).ok().and_then(|jid| wanted.remove_entry(&jid)) {
                None => own::retract(turn, ns::BOOKMARKS, &item.id),
                Some((_, after)) => {
                    let after = Room { extensions: before.extensions.clone(), ..after };
                    if after != before {
                        publish(turn, &item.id, &after);
                    }
                }
            }
        }
        for (jid, room) in &wanted {
            publish(turn, jid.as_str(), room);
        }
    });
}

fn publish(turn: &mut Turn<'_, Account>, jid: &str, room: &Room) {
    own::publish(turn, ns::BOOKMARKS, jid, &[], |w| write(w, ns::BOOKMARKS, None, room));
}

fn write(w: &mut Writer, ns: &str, jid: Option<&str>, room: &Room) {
    w.open("conference", ns).attr_opt("jid", jid).attr_opt("name", room.name.as_deref());
    w.attr_opt("autojoin", room.autojoin.then_some("true"));
    for (name, value) in [("nick", &room.nick), ("password", &room.password)] {
        if let Some(value) = value {
            w.leaf(name, ns, value);
        }
    }
    if let (Some(extensions), ns::BOOKMARKS) = (&room.extensions, ns) {
        w.raw_from(extensions, "");
    }
    w.close();
}

/// What an old client asks for, made of the items and of the web pages in private storage.
fn give(turn: &mut Turn<'_, Account>, request: Stanza) {
    let key = format!("{{{}}}storage", ns::BOOKMARKS_OLD).into();
    let private = Read::MapGet { space: PRIVATE, owner: owner(turn.place), key };
    let (account, query) = (turn.place.jid.clone(), Query::Read(Read::Many(vec![read(turn.place), private])));
    turn.fx.ask(&account, query, move |turn, found| {
        let mut found = match found {
            Ok(found) => found.into_loaded().into_many().into_iter(),
            Err(error) => return turn.refuse(&request, error),
        };
        let rooms = items(found.next().unwrap_or(Loaded::Map(Vec::new())));
        let stored = found.next().and_then(Loaded::into_doc).unwrap_or_default();
        let reply = request.result(collated(&rooms, &stored));
        if let Some(to) = &request.from {
            Account::send(turn, to, reply);
        }
    });
}

/// Section 5.2.
fn collated(items: &[Item], stored: &[u8]) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::PRIVATE).open("storage", ns::BOOKMARKS_OLD);
    for item in items {
        if let Some(room) = held(item) {
            write(&mut w, ns::BOOKMARKS_OLD, Some(&item.id), &room);
        }
    }
    if let Ok(tree) = Tree::parse(stored, ns::PRIVATE)
        && let Some(storage) = tree.root()
    {
        for url in storage.children_named("url", ns::BOOKMARKS_OLD) {
            w.raw(&url.raw(ns::BOOKMARKS_OLD));
        }
    }
    w.close().close();
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pep::Pep;
    use crate::scene::Scene;
    use kernel::{Answer, Iq, IqRoute};

    /// Private storage, as far as it matters here.
    struct Private;

    static PRIVATE_CARD: Card = Card { iqs: &[IqRoute::own(ns::PRIVATE)], ..Card::named("private") };

    impl Feature for Private {
        fn card(&self) -> &'static Card {
            &PRIVATE_CARD
        }

        fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
            if let Some(element) = iq.payload.children().next().filter(|_| iq.is_set()) {
                let value = element.raw(ns::PRIVATE).into_owned();
                turn.fx.put_map(PRIVATE, owner(turn.place), "{storage:bookmarks}storage", value);
            }
            Answer::done()
        }
    }

    /// Sends an iq and brings what is routed to the account itself back to it.
    fn send(scene: &mut Scene, xml: &str) -> Vec<String> {
        let mut seen = scene.send("phone", xml);
        let own = |line: &&String| line.starts_with("-> <iq from='alice@example.org' to='alice@example.org'");
        let routed: Vec<String> = seen.iter().filter(own).map(|line| line[3..].to_owned()).collect();
        for stanza in routed {
            seen.extend(scene.get(&stanza));
        }
        seen
    }

    fn set(scene: &mut Scene, inner: &str) -> Vec<String> {
        let storage = format!("<storage xmlns='storage:bookmarks'>{inner}</storage>");
        send(scene, &format!("<iq type='set' id='1'><query xmlns='jabber:iq:private'>{storage}</query></iq>"))
    }

    fn get(scene: &mut Scene) -> String {
        let ask = "<iq type='get' id='1'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query></iq>";
        scene.send("phone", ask).remove(0)
    }

    fn changes(seen: &[String]) -> (usize, usize) {
        let count = |what: &str| {
            seen.iter().filter(|line| line.contains("type='set'") && line.contains(what)).count()
        };
        (count("<publish "), count("<retract "))
    }

    #[test]
    fn old_and_new_clients_see_the_same() {
        let mut scene = Scene::new(vec![Box::new(Bookmarks), Box::new(Private), Box::new(Pep)]);
        scene.open("phone");
        let play =
            "<conference jid='play@rooms.example' name='Play' autojoin='1'><nick>JC</nick></conference>";
        let tea = "<conference jid='tea@rooms.example'/>";
        let url = "<url name='Works' url='https://a.example/'/>";
        assert_eq!(changes(&set(&mut scene, &format!("{play}{url}{tea}"))), (2, 0));
        let rooms = "<conference jid='play@rooms.example' name='Play' autojoin='true'><nick>JC</nick></conference>\
                     <conference jid='tea@rooms.example'/>";
        assert!(
            get(&mut scene).contains(&format!("<storage xmlns='storage:bookmarks'>{rooms}{url}</storage>")),
            "{}",
            get(&mut scene)
        );
        // A new client adds what old ones do not know; an old one changes the name and keeps it.
        let item = "<conference xmlns='urn:xmpp:bookmarks:1' name='Play'><extensions><x xmlns='urn:x'/></extensions></conference>";
        let publish = format!(
            "<publish node='urn:xmpp:bookmarks:1'><item id='play@rooms.example'>{item}</item></publish>"
        );
        send(
            &mut scene,
            &format!(
                "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{publish}</pubsub></iq>"
            ),
        );
        assert_eq!(
            changes(&set(&mut scene, &format!("<conference jid='play@rooms.example' name='Play'/>{tea}"))),
            (0, 0)
        );
        let seen = set(&mut scene, "<conference jid='play@rooms.example' name='The Play'/>");
        assert_eq!(changes(&seen), (1, 1), "{seen:?}");
        assert!(
            seen.iter()
                .any(|line| line.contains("name='The Play'><extensions><x xmlns='urn:x'/></extensions>")),
            "{seen:?}"
        );
        assert!(get(&mut scene).contains("<conference jid='play@rooms.example' name='The Play'/></storage>"));
    }
}
