//! The relay as a machine: what came from whom becomes at most one thing to send.
//!
//! RFC 8656 sections 5, 10, 11 and 12
//!
//! Not here: requests and who may make them (`requests.rs`), sockets (crate `relay`).

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Instant;

use crate::allocation::{Allocation, Client};
use crate::attribute::{Class, DATA, DATA_METHOD, SEND, XOR_PEER_ADDRESS};
use crate::flood::Flood;
use crate::frame;
use crate::integrity::hmac;
use crate::limits::Limits;
use crate::message::Message;
use crate::pace::Pace;
use crate::peers::Peers;
use crate::write::Builder;

/// What it is told at the start.
#[derive(Clone)]
pub struct Settings {
    /// What credentials are made with.
    pub secret: Vec<u8>,
    /// What clients mix into their keys (RFC 8489 section 14.9): a domain, usually.
    pub realm: String,
    /// Our addresses as the Internet sees them, at most one of each family. Relays are told to clients with them.
    pub external: Vec<IpAddr>,
    /// Ports of relays.
    pub ports: RangeInclusive<u16>,
    /// Which peers may be reached.
    pub peers: Peers,
    /// Limits.
    pub limits: Limits,
    /// Random; for nonces and ports.
    pub seed: [u8; 32],
}

/// Now.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// For what lasts.
    pub now: Instant,
    /// Unix seconds, for credentials.
    pub unix: u64,
}

/// Whoever opens the sockets of relays.
pub trait Ports {
    /// Opens a socket for that relay address (the port is what counts); `false`: it cannot be had.
    fn open(&mut self, relay: SocketAddr) -> bool;
    /// It is needed no longer.
    fn close(&mut self, relay: SocketAddr);
}

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// To a client, by the way it came.
    Client(Client, Vec<u8>),
    /// From the socket of a relay to a peer.
    Peer(SocketAddr, SocketAddr, &'a [u8]),
}

/// What all allocations of one user use together.
pub(crate) struct User {
    pub(crate) allocations: u32,
    pub(crate) pace: Pace,
}

/// See the file's header.
pub struct Server {
    pub(crate) settings: Settings,
    pub(crate) allocations: HashMap<Client, Allocation>,
    pub(crate) relays: HashMap<SocketAddr, Client>,
    pub(crate) users: HashMap<String, User>,
    pub(crate) flood: Flood,
    pace: Option<Pace>,
    draws: u64,
}

impl Server {
    /// One without allocations.
    pub fn new(settings: Settings) -> Server {
        Server {
            settings,
            allocations: HashMap::new(),
            relays: HashMap::new(),
            users: HashMap::new(),
            flood: Flood::new(),
            pace: None,
            draws: 0,
        }
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// Whether a client has one.
    pub fn has_allocation(&self, client: Client) -> bool {
        self.allocations.contains_key(&client)
    }

    /// Something came from a client: one datagram, or one message of a stream.
    pub fn handle<'a>(
        &mut self,
        time: Time,
        client: Client,
        input: &'a [u8],
        ports: &mut dyn Ports,
    ) -> Option<Output<'a>> {
        if let Some((channel, data)) = frame::channel_data(input) {
            let peer = self.allocation(client, time.now)?.peer(channel, time.now)?;
            return self.relay(time.now, client, peer, data);
        }
        let message = Message::parse(input)?;
        match (message.class, message.method) {
            (Class::Request, _) => {
                let answer = self.request(time, client, &message, input.len(), ports)?;
                Some(Output::Client(client, answer))
            }
            (Class::Indication, SEND) if message.unknown().next().is_none() => {
                let (peer, data) = (message.address(XOR_PEER_ADDRESS)?, message.find(DATA)?);
                self.relay(time.now, client, peer, data)
            }
            _ => None,
        }
    }

    /// A datagram came to the socket of a relay.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        relay: SocketAddr,
        peer: SocketAddr,
        data: &[u8],
    ) -> Option<Output<'static>> {
        let client = *self.relays.get(&relay)?;
        let allocation = self.allocation(client, now)?;
        if !allocation.permits(peer.ip(), now) {
            return None;
        }
        let channel = allocation.channel(peer, now);
        if !self.passes(client, data.len(), now) {
            return None;
        }
        let bytes = match channel {
            Some(channel) => frame::write_channel_data(channel, data, client.is_stream())?,
            None => {
                let transaction = self.draw()[..12].try_into().ok()?;
                let message = Builder::new(DATA_METHOD, Class::Indication, transaction);
                message.address(XOR_PEER_ADDRESS, peer).put(DATA, data).finish()
            }
        };
        Some(Output::Client(client, bytes))
    }

    /// A client's connection is closed.
    pub fn handle_gone(&mut self, client: Client, ports: &mut dyn Ports) {
        self.remove(client, ports);
    }

    /// Lets go what has expired. To be called about every second.
    pub fn handle_time(&mut self, now: Instant, ports: &mut dyn Ports) {
        let expired = self.allocations.iter().filter(|(_, allocation)| allocation.until <= now);
        let expired: Vec<Client> = expired.map(|(client, _)| *client).collect();
        expired.into_iter().for_each(|client| self.remove(client, ports));
    }

    /// The live allocation of a client.
    pub(crate) fn allocation(&self, client: Client, now: Instant) -> Option<&Allocation> {
        self.allocations.get(&client).filter(|allocation| allocation.until > now)
    }

    pub(crate) fn remove(&mut self, client: Client, ports: &mut dyn Ports) {
        let Some(allocation) = self.allocations.remove(&client) else { return };
        self.relays.remove(&allocation.relay);
        if let Some(user) = self.users.get_mut(&allocation.user) {
            user.allocations = user.allocations.saturating_sub(1);
            if user.allocations == 0 {
                self.users.remove(&allocation.user);
            }
        }
        ports.close(allocation.relay);
    }

    /// Whether a client may have to do with that address at all. Our own is reached through us only: there are other relays.
    pub(crate) fn admits(&self, peer: IpAddr) -> bool {
        self.is_own(peer) || self.settings.peers.admit(peer)
    }

    fn is_own(&self, peer: IpAddr) -> bool {
        self.settings.external.contains(&peer)
    }

    fn relay<'a>(
        &mut self,
        now: Instant,
        client: Client,
        peer: SocketAddr,
        data: &'a [u8],
    ) -> Option<Output<'a>> {
        let allocation = self.allocation(client, now)?;
        let relay = allocation.relay;
        let permitted = allocation.permits(peer.ip(), now) && self.admits(peer.ip());
        if !permitted || peer.port() == 0 || !self.passes(client, data.len(), now) {
            return None;
        }
        match self.is_own(peer.ip()) {
            // Two clients of ours: nothing leaves the house, and nothing but relays is reached.
            true => self.handle_peer(now, peer, relay, data),
            false => Some(Output::Peer(relay, peer, data)),
        }
    }

    /// Counts what is relayed against its user's share and the whole.
    fn passes(&mut self, client: Client, bytes: usize, now: Instant) -> bool {
        let Limits { bytes_per_second, bytes_per_second_per_user, .. } = self.settings.limits;
        let Some(allocation) = self.allocations.get(&client) else { return false };
        let Some(user) = self.users.get_mut(&allocation.user) else { return false };
        let all = self.pace.get_or_insert_with(|| Pace::new(bytes_per_second, now));
        let each = bytes_per_second_per_user;
        user.pace.take(bytes as u64, each, each, now)
            && all.take(bytes as u64, bytes_per_second, bytes_per_second, now)
    }

    /// Something that cannot be guessed.
    pub(crate) fn draw(&mut self) -> [u8; 20] {
        self.draws += 1;
        hmac(&self.settings.seed, &[b"draw", &self.draws.to_be_bytes()])
    }
}
