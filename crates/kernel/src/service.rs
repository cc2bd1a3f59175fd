//! The seam for hosted services: subdomains that own places which are no accounts, such as rooms and nodes.
//!
//! Not here: any service (muc, pubsub), and where their places live (engine).

use std::fmt;

use address::{Bare, Jid};
use model::storage::{Loaded, Read, Space};
use stanza::{Kind, MessageType, PresenceType, Stanza, ns};
use xml::Writer;

use crate::{Slots, Turn, limits};

/// A place of a service: a room, a node, or the service's own domain. Owned by one task and changed only inside a turn.
#[derive(Debug)]
pub struct Spot {
    /// Its address; without local part it is the service itself.
    pub address: Bare,
    /// The service's own state.
    pub slots: Slots,
}

impl Spot {
    /// A place without state.
    pub fn new(address: Bare) -> Spot {
        Spot { address, slots: Slots::default() }
    }

    /// Whether it is the service itself, not something in it.
    pub fn is_service(&self) -> bool {
        self.address.local().is_none()
    }
}

/// What keeps a place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It has state that is nowhere else: it stays.
    Needed,
    /// All of it is stored: it may go when room is wanted.
    Idle,
    /// There is nothing: it goes now.
    Nothing,
}

/// A hosted service. Everything is pure but for the turn that it is given; a service keeps no state of its own, only its
/// places do. What they share goes through storage or by stanzas.
pub trait Service: Send + Sync {
    /// Its address, for the router.
    fn domain(&self) -> &Jid;

    /// Its name for people, as service discovery shows it among the items of the domain that it belongs to.
    fn name(&self) -> &str;

    /// Whether a stanza for a place that is not in memory is worth loading it. Presence that joins nothing is not.
    fn wakes(&self, stanza: &Stanza) -> bool {
        use PresenceType::{Error, Probe, Unavailable};
        !matches!(stanza.kind, Kind::Presence(Error | Probe | Unavailable))
    }

    /// What to read before a place can be used; answered in this order.
    fn reads(&self, address: &Bare) -> Vec<Read>;

    /// Takes over what [`Service::reads`] brought. Broken data is to be treated as absent, after saying so.
    fn hydrate(&self, spot: &mut Spot, loaded: Vec<Loaded>);

    /// A stanza for a place; `from` and `to` are set and `from` is true.
    fn arrive(&self, turn: &mut Turn<'_, Spot>, stanza: Stanza);

    /// The time that [`crate::Effects::wake`] asked for has come.
    fn woken(&self, turn: &mut Turn<'_, Spot>) {
        let _ = turn;
    }

    /// The place is about to be forgotten, because memory may be ahead of storage: those who believe that they are in
    /// it must be told. Only what is routed happens.
    fn farewell(&self, turn: &mut Turn<'_, Spot>) {
        let _ = turn;
    }

    /// Where each of its places writes down who has rights in it: in a map, by bare address. A place that has something
    /// there of an account that is removed is told so ([`departed`]).
    fn rights(&self) -> Option<Space> {
        None
    }

    /// Most questions of one of its places that wait for an answer; what would ask one more hears
    /// `resource-constraint`.
    fn asks_max(&self) -> u32 {
        limits::ASKS_SPOT_MAX
    }

    /// What keeps a place in memory, asked after each turn.
    fn rest(&self, spot: &Spot) -> Rest;
}

/// What tells a place that an account is about to be removed. It comes from the service's own address, in whose name
/// nobody else can speak.
pub fn departed(service: &Jid, place: &Bare, account: &Bare) -> Stanza {
    let mut w = Writer::new(ns::CLIENT);
    w.open("departed", ns::DEPARTED).attr("account", account.as_str()).close();
    Stanza::message(MessageType::Normal).with_inner(w.finish()).from(service).to(place)
}

/// Whose account that is, if a stanza says so.
pub fn who_departed(service: &Jid, stanza: &Stanza) -> Option<Bare> {
    if stanza.kind != Kind::Message(MessageType::Normal) || stanza.from.as_ref() != Some(service) {
        return None;
    }
    Bare::parse(&stanza.payload.child("departed", ns::DEPARTED)?.attr("account")?).ok()
}

impl fmt::Debug for dyn Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}", self.domain())
    }
}
