//! Lists of banned addresses that others keep: followed, stored, and asked for strangers.
//!
//! XEP-0060 1.30.0 (a subscriber's side), XEP-0377 0.4.1 (reasons). No specification says what the items are; the field has
//! agreed on this: the id of an item is SHA-256 of a bare address or a domain, as hexadecimal digits.
//!
//! After a start, a change of the configuration and once a day the domain subscribes to each list and reads it whole.
//!
//! Not here: who is looked up (`strangers/`, muc), the question itself (kernel, `banned.rs`).

use std::collections::HashMap;

use kernel::banned::{BANNED, prefix};
use kernel::{BlockList, Card, Feature, Host, Turn};
use model::storage::{Owner, Write};
use stanza::{IqType, Kind, Stanza, ns};
use xml::{El, Writer};

/// Most items of one list; more are passed over.
pub const LIST_ITEMS_MAX: usize = 100_000;
/// Most lists of one domain; more are passed over.
pub const LISTS_MAX: usize = 8;
/// Most bytes of a reason that are kept; a longer one is cut off.
pub const REASON_BYTES_MAX: usize = 200;
/// How many items are asked for at once (XEP-0059).
const PAGE: usize = 500;
/// How long an item's id is.
const HASH_CHARS: usize = 64;
/// When all lists are read again, in milliseconds.
const AGAIN_MS: u64 = 86_400_000;
/// The same while one of them did not answer or refused.
const RETRY_MS: u64 = 600_000;

/// See the file's header.
pub(crate) struct Lists;

/// What a domain knows of the lists that it follows.
#[derive(Default)]
struct State {
    /// Questions that wait for an answer: which list, and what was asked.
    asked: HashMap<String, (usize, Asked)>,
    /// How many items there are of each, as far as they have been read.
    counts: HashMap<usize, usize>,
    /// One of them did not answer as it should: all are asked again soon.
    failed: bool,
    /// How many questions there were.
    number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Subscribe,
    /// A page, after so many items.
    Items {
        seen: usize,
    },
}

impl Feature for Lists {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card::named("lists");
        &CARD
    }

    fn host_woken(&self, turn: &mut Turn<'_, Host>) {
        let lists = turn.place.facts.safety.lists.len().min(LISTS_MAX);
        let state = turn.place.slots.of::<State>();
        state.asked.clear();
        state.failed = false;
        if lists == 0 {
            return;
        }
        (0..lists).for_each(|at| ask(turn, at, Asked::Subscribe, None));
        // Unless all answer.
        turn.fx.wake(RETRY_MS);
    }

    fn host_heard(&self, turn: &mut Turn<'_, Host>, stanza: &Stanza) -> bool {
        match stanza.kind {
            Kind::Iq(ty @ (IqType::Result | IqType::Error)) => answered(turn, stanza, ty == IqType::Result),
            Kind::Message(_) => told(turn, stanza),
            _ => false,
        }
    }
}

fn list(turn: &Turn<'_, Host>, at: usize) -> Option<BlockList> {
    turn.place.facts.safety.lists.get(at).filter(|_| at < LISTS_MAX).cloned()
}

/// Asks the service of a list.
fn ask(turn: &mut Turn<'_, Host>, at: usize, what: Asked, after: Option<&str>) {
    let Some(list) = list(turn, at) else { return };
    let domain = turn.place.domain.clone();
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB);
    let ty = match what {
        Asked::Subscribe => {
            w.open("subscribe", ns::PUBSUB).attr("node", &list.node).attr("jid", domain.as_str()).close();
            IqType::Set
        }
        Asked::Items { .. } => {
            w.open("items", ns::PUBSUB).attr("node", &list.node).close();
            w.open("set", ns::RSM).leaf("max", ns::RSM, PAGE.to_string());
            if let Some(after) = after {
                w.leaf("after", ns::RSM, after);
            }
            w.close();
            IqType::Get
        }
    };
    w.close();
    let state = turn.place.slots.of::<State>();
    state.number += 1;
    let id = format!("list-{:x}-{}", turn.id, state.number);
    state.asked.insert(id.clone(), (at, what));
    let iq = Stanza::new(Kind::Iq(ty)).id(&id).from(&domain).to(&list.service);
    turn.fx.route(iq.with_inner(w.finish()));
}

/// A service has answered.
fn answered(turn: &mut Turn<'_, Host>, stanza: &Stanza, well: bool) -> bool {
    let state = turn.place.slots.of::<State>();
    let Some((at, what)) = stanza.id.as_deref().and_then(|id| state.asked.get(id)).copied() else {
        return false;
    };
    let Some(list) = list(turn, at).filter(|list| stanza.from.as_ref() == Some(&list.service)) else {
        return false;
    };
    if let Some(id) = &stanza.id {
        turn.place.slots.of::<State>().asked.remove(&**id);
    }
    match (what, well) {
        (Asked::Subscribe, true) => ask(turn, at, Asked::Items { seen: 0 }, None),
        (Asked::Items { seen }, true) => page(turn, at, &list, stanza, seen),
        (_, false) => {
            turn.place.slots.of::<State>().failed = true;
            tracing::warn!(service = %list.service, node = list.node, "a list of banned addresses cannot be read now");
        }
    }
    true
}

/// A page of a list has come. The first one takes the place of all that was known.
fn page(turn: &mut Turn<'_, Host>, at: usize, list: &BlockList, stanza: &Stanza, seen: usize) {
    if seen == 0 {
        clear(turn, at, list);
    }
    let Ok(tree) = stanza.payload.tree() else { return };
    let pubsub = tree.root();
    let items = pubsub.and_then(|pubsub| pubsub.child("items", ns::PUBSUB));
    for item in items.into_iter().flat_map(|items| items.children_named("item", ns::PUBSUB)) {
        put(turn, at, list, item);
    }
    let set = pubsub.and_then(|pubsub| pubsub.child("set", ns::RSM));
    let text = |name| set.and_then(|set| set.child_text(name, ns::RSM)).map(|text| text.into_owned());
    let (last, total) = (text("last"), text("count").and_then(|count| count.parse::<usize>().ok()));
    let count = items.map_or(0, |items| items.children_named("item", ns::PUBSUB).count());
    let seen = seen + count;
    // What a service does not count goes on while its pages are full.
    let more = count > 0 && seen < LIST_ITEMS_MAX && total.map_or(count >= PAGE, |total| seen < total);
    match last.filter(|_| more) {
        Some(last) => ask(turn, at, Asked::Items { seen }, Some(&last)),
        None => whole(turn, at, list),
    }
}

/// All of a list is here.
fn whole(turn: &mut Turn<'_, Host>, at: usize, list: &BlockList) {
    let state = turn.place.slots.of::<State>();
    let count = state.counts.get(&at).copied().unwrap_or(0);
    tracing::info!(service = %list.service, node = list.node, count, "a list of banned addresses was read");
    if state.asked.is_empty() && !state.failed {
        turn.fx.wake(AGAIN_MS);
    }
}

fn clear(turn: &mut Turn<'_, Host>, at: usize, list: &BlockList) {
    turn.place.slots.of::<State>().counts.insert(at, 0);
    let owner = Owner::from(turn.place.domain.as_str());
    turn.fx.write(Write::MapClear { space: BANNED, owner, prefix: prefix(list).into() });
}

/// The key of an item, if its id is a hash.
fn key(list: &BlockList, item: El<'_>) -> Option<String> {
    let id = item.attr("id")?.to_ascii_lowercase();
    let fits = id.len() == HASH_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| format!("{}{id}", prefix(list)))
}

fn put(turn: &mut Turn<'_, Host>, at: usize, list: &BlockList, item: El<'_>) {
    let Some(key) = key(list, item) else { return };
    let count = turn.place.slots.of::<State>().counts.entry(at).or_default();
    if *count >= LIST_ITEMS_MAX {
        return;
    }
    *count += 1;
    let report = item.child("report", ns::REPORTING);
    let reason = report.and_then(|report| report.attr("reason")).unwrap_or_default();
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    turn.fx.put_map(BANNED, Owner::from(turn.place.domain.as_str()), &key, reason.into());
}

/// A message: something happened to a list.
fn told(turn: &mut Turn<'_, Host>, stanza: &Stanza) -> bool {
    let Some(event) = stanza.payload.child("event", ns::PUBSUB_EVENT) else { return false };
    let Ok(tree) = event.tree() else { return false };
    let from = |list: &BlockList| stanza.from.as_ref() == Some(&list.service);
    let facts = turn.place.facts.clone();
    let lists = facts.safety.lists.iter().enumerate().take(LISTS_MAX);
    let lists: Vec<(usize, &BlockList)> = lists.filter(|(_, list)| from(list)).collect();
    for what in tree.root().into_iter().flat_map(|event| event.children()) {
        let node = what.attr("node").unwrap_or_default();
        let Some((at, list)) = lists.iter().find(|(_, list)| list.node == node).copied() else { continue };
        match what.name() {
            "items" => changed(turn, at, list, what),
            "purge" | "delete" => clear(turn, at, list),
            _ => {}
        }
    }
    !lists.is_empty()
}

fn changed(turn: &mut Turn<'_, Host>, at: usize, list: &BlockList, items: El<'_>) {
    for item in items.children() {
        match (item.name(), key(list, item)) {
            ("item", _) => put(turn, at, list, item),
            ("retract", Some(key)) => {
                let owner = Owner::from(turn.place.domain.as_str());
                turn.fx.write(Write::MapDelete { space: BANNED, owner, key: key.into() });
                if let Some(count) = turn.place.slots.of::<State>().counts.get_mut(&at) {
                    *count = count.saturating_sub(1);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, jid};
    use kernel::banned::hash;
    use kernel::{HostFacts, SafetyFacts};

    fn scene() -> Scene {
        let mut scene = Scene::one(Lists);
        let lists = vec![BlockList { service: jid("lists.example"), node: "bans".into() }];
        scene
            .facts(HostFacts { safety: SafetyFacts { lists, ..Default::default() }, ..HostFacts::default() });
        scene
    }

    fn wake(scene: &mut Scene) -> Vec<String> {
        let mut fx = kernel::Effects::default();
        let now = kernel::Now { unix_ms: scene.now_ms };
        scene.next_id += 1;
        let mut turn = Turn::new(now, scene.next_id, &mut scene.host, None, &mut fx);
        scene.kernel.host_woken(&mut turn);
        scene.carry_out(fx)
    }

    fn id(line: &str) -> String {
        line.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned()
    }

    fn result(scene: &mut Scene, from: &str, asked: &str, inner: &str) -> Vec<String> {
        let id = id(asked);
        scene.host(&format!("<iq from='{from}' to='example.org' type='result' id='{id}'>{inner}</iq>"))
    }

    fn items(ids: &[String], rsm: &str) -> String {
        let items: String = ids.iter().map(|id| format!("<item id='{id}'/>")).collect();
        format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='bans'>{items}</items>{rsm}</pubsub>"
        )
    }

    fn event(inner: &str) -> String {
        format!(
            "<message from='lists.example' to='example.org' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>{inner}</event></message>"
        )
    }

    #[test]
    fn subscribes_reads_all_pages_and_follows() {
        let mut scene = scene();
        let asked = wake(&mut scene);
        assert!(
            asked.len() == 1 && asked[0].contains("<subscribe node='bans' jid='example.org'/>"),
            "{asked:?}"
        );
        assert_eq!(
            result(&mut scene, "eve@spam.example", &asked[0], ""),
            [""; 0],
            "only the service answers"
        );
        let asked = result(&mut scene, "lists.example", &asked[0], "");
        assert!(
            asked[0].contains("<items node='bans'/>") && asked[0].contains("<max>500</max>"),
            "{asked:?}"
        );
        let (eve, mallory) = (hash("eve@spam.example"), hash("spam.example"));
        let rsm = "<set xmlns='http://jabber.org/protocol/rsm'><last>x</last><count>2</count></set>";
        let seen = result(&mut scene, "lists.example", &asked[0], &items(std::slice::from_ref(&eve), rsm));
        assert_eq!(seen[0], "del banned of example.org lists.example bans *");
        assert_eq!(seen[1], format!("put banned of example.org lists.example bans {eve} = "));
        assert!(seen[2].contains("<after>x</after>"), "{seen:?}");
        let seen = result(&mut scene, "lists.example", &seen[2], &items(&[mallory.to_uppercase()], rsm));
        assert_eq!(seen, [format!("put banned of example.org lists.example bans {mallory} = ")]);
        let put = event(&format!(
            "<items node='bans'><item id='{eve}'><report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/></item></items>"
        ));
        assert_eq!(
            scene.host(&put),
            [format!("put banned of example.org lists.example bans {eve} = urn:xmpp:reporting:spam")]
        );
        let retract = event(&format!("<items node='bans'><retract id='{eve}'/></items>"));
        assert_eq!(scene.host(&retract), [format!("del banned of example.org lists.example bans {eve}")]);
        assert_eq!(
            scene.host(&event("<purge node='bans'/>")),
            ["del banned of example.org lists.example bans *"]
        );
    }

    #[test]
    fn what_is_no_list_changes_nothing() {
        let mut scene = scene();
        wake(&mut scene);
        let good = hash("eve@spam.example");
        for (inner, from) in [
            ("<items node='bans'><item id='short'/><item/><retract/></items>".to_owned(), "lists.example"),
            (format!("<items node='bans'><item id='{}'/></items>", "g".repeat(64)), "lists.example"),
            (format!("<items node='other'><item id='{good}'/></items>"), "lists.example"),
            (format!("<items><item id='{good}'/></items>"), "lists.example"),
        ] {
            let seen = scene.host(&event(&inner).replace("lists.example", from));
            assert_eq!(seen, [""; 0], "{inner}");
        }
        let foreign = event(&format!("<items node='bans'><item id='{good}'/></items>"))
            .replace("lists.example", "spam.example");
        let seen = scene.host(&foreign);
        assert!(seen.len() == 1 && seen[0].contains("service-unavailable"), "{seen:?}");
        let refused = wake(&mut scene);
        let id = id(&refused[0]);
        let error = format!(
            "<iq from='lists.example' to='example.org' type='error' id='{id}'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        );
        assert_eq!(scene.host(&error), [""; 0]);
        scene.facts(HostFacts::default());
        assert_eq!(wake(&mut scene), [""; 0], "no lists any more");
    }
}
