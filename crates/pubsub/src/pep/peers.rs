//! Who is there and wants to hear of what: resources of the account and of its contacts.
//!
//! XEP-0163 1.2.2 (section 4), XEP-0060 1.30.0 (section 9), XEP-0115 1.6.0 (section 6.2)
//!
//! A resource that comes says its capabilities by a hash. What the hash stands for is found at another resource of the
//! same hash, in storage, or by asking the resource, in that order. Then it gets the last items of what it wishes for.
//! One question to storage waits at a time, however many come at once.
//!
//! Not here: whether it may hear of a node (`access.rs`), what is verified (`caps.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use address::Jid;
use bytes::Bytes;
use kernel::{Account, Turn};
use model::query::{Found, Query};
use model::storage::{Loaded, Owner, Read};
use stanza::{IqType, Kind, Stanza, StanzaError, ns};
use xml::Writer;

use super::caps::{self, Caps};
use super::wishes::Wishes;
use crate::access::may_read;
use crate::config::SendLast;
use crate::home::{Home, owner};
use crate::items::Item;
use crate::limits::{CAPS_ASKED_MAX, CAPS_ASKED_SAME_MAX, PEERS_EACH_MAX, PEERS_MAX, STRANGERS_MAX};
use crate::notify::{last, tell_one};

/// What is known of the resources that are there.
#[derive(Default)]
pub(crate) struct Peers {
    list: Vec<Peer>,
    /// Hashes to look up, and whether storage is being asked.
    wanted: Vec<Arc<str>>,
    looking: bool,
    /// Questions to resources that wait for an answer.
    asked: Vec<Asked>,
    /// Who waits for the last items of which nodes, and whether they are being read.
    waiting: Vec<(Jid, Vec<Arc<str>>)>,
    greeting: bool,
}

struct Peer {
    jid: Jid,
    caps: Caps,
    wishes: Wishes,
    /// Whether the wishes are known.
    known: bool,
    stranger: bool,
}

struct Asked {
    id: String,
    jid: Jid,
}

fn peers(account: &mut Account) -> &mut Peers {
    account.slots.of::<Peers>()
}

/// The resources that wish to hear of a node.
pub(crate) fn listeners(account: &Account, node: &str) -> Vec<Jid> {
    let peers = account.slots.peek::<Peers>();
    let wishing = peers.into_iter().flat_map(|peers| &peers.list).filter(|peer| peer.wishes.has(node));
    wishing.map(|peer| peer.jid.clone()).collect()
}

/// Available presence that comes in. It counts if it is that of a contact, or was sent to the account as such; what rooms
/// send to a resource does not.
pub(crate) fn presence(turn: &mut Turn<'_, Account>, presence: &Stanza) {
    let Some(from) = presence.from.clone().filter(|from| !from.is_bare()) else { return };
    let item = turn.place.roster.item(from.bare_str());
    let contact = item.is_some_and(|item| item.seen() || item.shown_to());
    let to_all = presence.to.as_ref().is_none_or(Jid::is_bare);
    if (contact || to_all) && !presence.payload.has_ns(ns::MUC_USER) && !turn.place.owns(&from) {
        came(turn, &from, presence, !contact);
    }
}

/// A resource is there; what it says of its capabilities may be new.
pub(crate) fn came(turn: &mut Turn<'_, Account>, jid: &Jid, presence: &Stanza, stranger: bool) {
    // XEP-0115 section 8.4: presence without capabilities changes nothing.
    let Some(caps) = Caps::of(presence) else { return };
    let peers = peers(turn.place);
    let known = peers.list.iter().find(|peer| peer.caps == caps && peer.known && caps.hash.is_some());
    let wishes = known.map(|peer| peer.wishes.clone());
    let room = peers.has_room(jid, stranger);
    match peers.list.iter_mut().find(|peer| peer.jid == *jid) {
        Some(peer) if peer.caps == caps => return,
        Some(peer) => (peer.caps, peer.known, peer.stranger) = (caps.clone(), false, stranger),
        None if room => {
            let (jid, caps) = (jid.clone(), caps.clone());
            peers.list.push(Peer { jid, caps, wishes: Wishes::default(), known: false, stranger });
        }
        None => return,
    }
    match (wishes, &caps.hash) {
        (Some(wishes), _) => learn(turn, jid, &wishes),
        (None, Some(hash)) => {
            if !peers.wanted.contains(hash) && peers.wanted.len() < PEERS_MAX {
                peers.wanted.push(hash.clone());
            }
            look_up(turn);
        }
        (None, None) => ask(turn, jid),
    }
}

/// A resource is gone; from a bare address, all of them.
pub(crate) fn gone(turn: &mut Turn<'_, Account>, jid: &Jid) {
    let is_gone = |known: &Jid| known == jid || (jid.is_bare() && known.bare_str() == jid.as_str());
    let peers = peers(turn.place);
    let unknown = |peer: &&Peer| !peer.known && is_gone(&peer.jid);
    let unknown: Vec<_> =
        peers.list.iter().filter(unknown).filter_map(|peer| peer.caps.hash.clone()).collect();
    peers.list.retain(|peer| !is_gone(&peer.jid));
    peers.asked.retain(|asked| !is_gone(&asked.jid));
    peers.waiting.retain(|(waiting, _)| !is_gone(waiting));
    for hash in
        unknown.iter().filter(|hash| !self::peers(turn.place).wanted.contains(hash)).collect::<Vec<_>>()
    {
        ask_any(turn, hash);
    }
}

impl Peers {
    fn has_room(&self, jid: &Jid, stranger: bool) -> bool {
        let strangers = || self.list.iter().filter(|peer| peer.stranger).count();
        let own = self.list.iter().filter(|peer| peer.jid.bare_str() == jid.bare_str()).count();
        self.list.len() < PEERS_MAX && own < PEERS_EACH_MAX && (!stranger || strangers() < STRANGERS_MAX)
    }
}

/// Everybody of this domain shares what is known.
fn shared(account: &Account) -> Owner {
    Owner::from(account.jid.domain())
}

/// Asks storage what the hashes stand for, unless it is being asked.
fn look_up(turn: &mut Turn<'_, Account>) {
    let (shared, account) = (shared(turn.place), turn.place.jid.clone());
    let peers = peers(turn.place);
    if peers.looking || peers.wanted.is_empty() {
        return;
    }
    peers.looking = true;
    let count = peers.wanted.len().min(CAPS_ASKED_MAX);
    let hashes: Vec<Arc<str>> = peers.wanted.drain(..count).collect();
    let reads = hashes.iter().map(|hash| Caps::read(&shared, hash)).collect();
    turn.fx.ask(&account, Query::Read(Read::Many(reads)), move |turn, found| {
        looked_up(turn, &hashes, found);
    });
}

fn looked_up(turn: &mut Turn<'_, Account>, hashes: &[Arc<str>], found: Result<Found, StanzaError>) {
    peers(turn.place).looking = false;
    let Ok(found) = found else {
        // Their next presence is as if it were their first.
        let unknown =
            |peer: &Peer| !peer.known && peer.caps.hash.as_ref().is_some_and(|hash| hashes.contains(hash));
        return peers(turn.place).list.retain(|peer| !unknown(peer));
    };
    for (hash, stored) in hashes.iter().zip(found.into_loaded().into_many()) {
        match stored.into_doc().and_then(|stored| Caps::hydrate(hash, &stored)) {
            Some(wishes) => learn_all(turn, hash, &wishes),
            None => ask_any(turn, hash),
        }
    }
    look_up(turn);
}

/// Asks one more of the resources that have a hash, unless enough are being asked: one that never answers must not keep
/// the others from being known.
fn ask_any(turn: &mut Turn<'_, Account>, hash: &str) {
    let peers = peers(turn.place);
    let has = |peer: &&Peer| !peer.known && peer.caps.hash.as_deref() == Some(hash);
    let is_asked = |jid: &Jid| peers.asked.iter().any(|asked| asked.jid == *jid);
    let (asked, others): (Vec<&Peer>, Vec<&Peer>) =
        peers.list.iter().filter(has).partition(|peer| is_asked(&peer.jid));
    let next = others.first().filter(|_| asked.len() < CAPS_ASKED_SAME_MAX).map(|peer| peer.jid.clone());
    if let Some(jid) = next {
        ask(turn, &jid);
    }
}

/// Asks a resource what it can. Of those that never answer the oldest are forgotten.
fn ask(turn: &mut Turn<'_, Account>, jid: &Jid) {
    let peers = peers(turn.place);
    let Some(peer) = peers.list.iter().find(|peer| peer.jid == *jid) else { return };
    let node = peer.caps.node.clone();
    if peers.asked.len() >= CAPS_ASKED_MAX {
        peers.asked.remove(0);
    }
    let id = format!("caps-{:x}-{}", turn.id, peers.asked.len());
    peers.asked.push(Asked { id: id.clone(), jid: jid.clone() });
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).attr("node", &node).close();
    let mut stanza = Stanza::new(Kind::Iq(IqType::Get)).id(&id).from(&turn.place.jid).to(jid);
    stanza = stanza.with_inner(w.finish());
    Account::send(turn, jid, stanza);
}

/// An answer to an iq, perhaps to ours.
pub(crate) fn answered(turn: &mut Turn<'_, Account>, stanza: &Stanza) {
    let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == turn.place.jid.as_str());
    let (Some(from), Some(id), true) = (&stanza.from, stanza.id.as_deref(), own) else { return };
    let Some(peers) = turn.place.slots.peek::<Peers>() else { return };
    let Some(at) = peers.asked.iter().position(|asked| asked.id == id && asked.jid == *from) else { return };
    self::peers(turn.place).asked.remove(at);
    let found = (stanza.kind == Kind::Iq(IqType::Result)).then(|| {
        let query = stanza.payload.child("query", ns::DISCO_INFO)?;
        let tree = query.tree().ok()?;
        caps::examine(tree.root()?)
    });
    let found = found.flatten().unwrap_or(caps::Found { wishes: Wishes::default(), hash: None });
    let peers = self::peers(turn.place);
    let Some(peer) = peers.list.iter_mut().find(|peer| peer.jid == *from) else { return };
    let said = peer.caps.hash.clone();
    match said {
        Some(hash) if found.hash.as_deref() == Some(&*hash) => {
            let shared = shared(turn.place);
            turn.fx.write(Caps::write(&shared, &hash, &found.wishes));
            learn_all(turn, &hash, &found.wishes);
        }
        // Section 5.4: it is true of nobody else. The next is asked.
        said => {
            learn(turn, from, &found.wishes);
            if let Some(hash) = said {
                ask_any(turn, &hash);
            }
        }
    }
}

fn learn_all(turn: &mut Turn<'_, Account>, hash: &str, wishes: &Wishes) {
    let same = |peer: &&Peer| !peer.known && peer.caps.hash.as_deref() == Some(hash);
    let same: Vec<Jid> = peers(turn.place).list.iter().filter(same).map(|peer| peer.jid.clone()).collect();
    for jid in same {
        learn(turn, &jid, wishes);
    }
}

/// The wishes of a resource are known: it gets the last items of what it did not wish for before.
fn learn(turn: &mut Turn<'_, Account>, jid: &Jid, wishes: &Wishes) {
    let Some(peer) = peers(turn.place).list.iter_mut().find(|peer| peer.jid == *jid) else { return };
    let before = std::mem::replace(&mut peer.wishes, wishes.clone());
    peer.known = true;
    let new: Vec<&str> = wishes.nodes().filter(|node| !before.has(node)).collect();
    greet(turn, jid, &new);
}

/// The owner lets a contact see the account: what its resources wish for is sent to them.
pub(crate) fn admitted(turn: &mut Turn<'_, Account>, contact: &Jid) {
    let same = |peer: &&Peer| peer.jid.bare_str() == contact.bare_str();
    let there: Vec<(Jid, Wishes)> = peers(turn.place)
        .list
        .iter()
        .filter(same)
        .map(|peer| (peer.jid.clone(), peer.wishes.clone()))
        .collect();
    for (jid, wishes) in there {
        // Whether it may read is asked when the items are there; until then the roster has changed.
        enqueue(turn, &jid, &wishes.nodes().collect::<Vec<_>>());
    }
    deliver(turn);
}

fn greet(turn: &mut Turn<'_, Account>, jid: &Jid, wished: &[&str]) {
    enqueue(turn, jid, wished);
    deliver(turn);
}

/// Notes that a resource is to get the last items of those nodes that send them.
fn enqueue(turn: &mut Turn<'_, Account>, jid: &Jid, wished: &[&str]) {
    let sends = |account: &Account, name: &str| {
        let config = account.peek().and_then(|nodes| nodes.get(name)).map(|node| node.config());
        config.is_some_and(|config| {
            config.send_last == SendLast::OnSubAndPresence
                && config.persist_items
                && config.deliver_notifications
        })
    };
    let names: Vec<Arc<str>> =
        wished.iter().filter(|name| sends(turn.place, name)).map(|name| Arc::from(*name)).collect();
    if !names.is_empty() {
        peers(turn.place).waiting.push((jid.clone(), names));
    }
}

/// Reads the last items that are waited for, each once, unless some are being read.
fn deliver(turn: &mut Turn<'_, Account>) {
    let (owner, account) = (owner(turn.place), turn.place.jid.clone());
    let peers = peers(turn.place);
    if peers.greeting || peers.waiting.is_empty() {
        return;
    }
    peers.greeting = true;
    let waiting = std::mem::take(&mut peers.waiting);
    let names: BTreeSet<Arc<str>> = waiting.iter().flat_map(|(_, names)| names).cloned().collect();
    let reads = names.iter().map(|name| Item::read_newest(&owner, name, 1)).collect();
    turn.fx.ask(&account, Query::Read(Read::Many(reads)), move |turn, found| {
        self::peers(turn.place).greeting = false;
        if let Ok(found) = found {
            let newest = found.into_loaded().into_many().into_iter().map(newest);
            let items: Vec<(Arc<str>, Item)> = names
                .into_iter()
                .zip(newest)
                .filter_map(|(name, item)| item.map(|item| (name, item)))
                .collect();
            hand_out(turn, &waiting, &items);
        }
        deliver(turn);
    });
}

fn newest(found: Loaded) -> Option<Item> {
    found.into_map().first().and_then(|(_, stored)| Item::hydrate(stored))
}

fn hand_out(turn: &mut Turn<'_, Account>, waiting: &[(Jid, Vec<Arc<str>>)], items: &[(Arc<str>, Item)]) {
    let mut count = 0;
    for (name, item) in items {
        let mut written: Option<Bytes> = None;
        for (jid, _) in waiting.iter().filter(|(_, names)| names.contains(name)) {
            let Some(node) = turn.place.peek().and_then(|nodes| nodes.get(name)) else { break };
            let config = node.config();
            let over = config.item_expire.is_some_and(|seconds| {
                item.at_ms.saturating_add(seconds.saturating_mul(1_000)) < turn.now.unix_ms
            });
            let there = turn
                .place
                .slots
                .peek::<Peers>()
                .is_some_and(|peers| peers.list.iter().any(|p| p.jid == *jid));
            if over || !there || Account::blocks(turn.place, jid) || may_read(turn.place, node, jid).is_err()
            {
                continue;
            }
            let payload = written.get_or_insert_with(|| last(name, config, item)).clone();
            let style = config.style;
            count += 1;
            tell_one(turn, style, jid, payload, count);
        }
    }
}
