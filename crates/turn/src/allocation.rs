//! One relay address of one client, and whom it may hear.
//!
//! RFC 8656 sections 5, 9 and 12
//!
//! Not here: who may have one (`requests.rs`).

use core::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::attribute::Fault;
use crate::limits::{CHANNEL_LIFETIME, CHANNELS_MAX, PERMISSION_LIFETIME, PERMISSIONS_MAX};
use crate::message::Transaction;

/// Who asks, and by which way: what RFC 8656 calls a 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Datagrams: to which of our sockets, and where from.
    Udp(usize, SocketAddr),
    /// A connection (TCP or TLS): a number that no other has had, and where from.
    Stream(u64, SocketAddr),
}

impl Client {
    /// Where it is.
    pub fn remote(&self) -> SocketAddr {
        match self {
            Client::Udp(_, remote) | Client::Stream(_, remote) => *remote,
        }
    }

    /// Whether it comes by a stream.
    pub fn is_stream(&self) -> bool {
        matches!(self, Client::Stream(..))
    }
}

/// A channel: a short name of a peer.
#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    until: Instant,
}

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) relay: SocketAddr,
    pub(crate) username: String,
    pub(crate) user: String,
    /// The request that made it: when it comes again, the answer was lost.
    pub(crate) transaction: Transaction,
    pub(crate) born: Instant,
    pub(crate) until: Instant,
    permissions: Vec<(IpAddr, Instant)>,
    channels: Vec<Channel>,
}

impl Allocation {
    pub(crate) fn new(
        relay: SocketAddr,
        (username, user): (String, String),
        transaction: Transaction,
        (born, until): (Instant, Instant),
    ) -> Allocation {
        let (permissions, channels) = Default::default();
        Allocation { relay, username, user, transaction, born, until, permissions, channels }
    }

    /// Whether this peer may be heard and spoken to.
    pub(crate) fn permits(&self, peer: IpAddr, now: Instant) -> bool {
        self.permissions.iter().any(|(ip, until)| *ip == peer && *until > now)
    }

    /// Permits all of these, or none.
    pub(crate) fn permit(&mut self, peers: &[IpAddr], now: Instant) -> Result<(), Fault> {
        self.permissions.retain(|(ip, until)| *until > now && !peers.contains(ip));
        let mut new: Vec<IpAddr> = peers.to_vec();
        new.sort();
        new.dedup();
        if self.permissions.len() + new.len() > PERMISSIONS_MAX {
            return Err(Fault::InsufficientCapacity);
        }
        self.permissions.extend(new.into_iter().map(|ip| (ip, now + PERMISSION_LIFETIME)));
        Ok(())
    }

    /// Binds a channel, or binds it again (RFC 8656 section 12.2); permits the peer, too.
    pub(crate) fn bind(&mut self, number: u16, peer: SocketAddr, now: Instant) -> Result<(), Fault> {
        self.channels.retain(|channel| channel.until > now);
        let same = |channel: &Channel| channel.number == number && channel.peer == peer;
        let taken = |channel: &Channel| (channel.number == number) != (channel.peer == peer);
        if self.channels.iter().any(taken) {
            return Err(Fault::BadRequest);
        }
        let known = self.channels.iter().position(same);
        if known.is_none() && self.channels.len() >= CHANNELS_MAX {
            return Err(Fault::InsufficientCapacity);
        }
        self.permit(&[peer.ip()], now)?;
        let until = now + CHANNEL_LIFETIME;
        match known {
            Some(at) => self.channels[at].until = until,
            None => self.channels.push(Channel { number, peer, until }),
        }
        Ok(())
    }

    /// Whom a channel means.
    pub(crate) fn peer(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        self.live(now).find(|channel| channel.number == number).map(|channel| channel.peer)
    }

    /// The channel of a peer.
    pub(crate) fn channel(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        self.live(now).find(|channel| channel.peer == peer).map(|channel| channel.number)
    }

    fn live(&self, now: Instant) -> impl Iterator<Item = &Channel> {
        self.channels.iter().filter(move |channel| channel.until > now)
    }
}
