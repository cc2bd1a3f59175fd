//! Requests: who may make them, and what they do.
//!
//! RFC 8489 sections 6.3 and 9.2.4, RFC 8656 sections 6 to 9 and 12
//!
//! Not here: data (`server.rs`), what an allocation remembers (`allocation.rs`).

use core::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::allocation::{Allocation, Client};
use crate::attribute::{self as a, Class, Fault};
use crate::frame::CHANNELS;
use crate::integrity::{Key, long_term_key};
use crate::limits::{ALLOCATION_AGE_MAX, LIFETIME_DEFAULT, LIFETIME_MAX, PORT_TRIES, REQUEST_BYTES_MAX};
use crate::message::Message;
use crate::pace::Pace;
use crate::server::{Ports, Server, Time, User};
use crate::write::Builder;
use crate::{credentials, nonce};

/// The number of UDP in REQUESTED-TRANSPORT.
const UDP: u8 = 17;

/// Who has shown that it is who it says.
struct Who {
    username: String,
    user: String,
    key: Key,
    /// Its credentials may begin something new.
    fresh: bool,
}

impl Server {
    /// The answer to a request; `None`: there is none.
    pub(crate) fn request(
        &mut self,
        time: Time,
        client: Client,
        message: &Message<'_>,
        length: usize,
        ports: &mut dyn Ports,
    ) -> Option<Vec<u8>> {
        let known = matches!(
            message.method,
            a::BINDING | a::ALLOCATE | a::REFRESH | a::CREATE_PERMISSION | a::CHANNEL_BIND
        );
        if !known || length > REQUEST_BYTES_MAX {
            return None;
        }
        if message.method == a::BINDING {
            let (answer, key) = (self.binding(client, message), None);
            return self.unauthenticated(time, client).then(|| finish(message, answer, key));
        }
        let who = match self.authenticate(time, client, message) {
            Ok(who) => who,
            Err(fault) => {
                let answer = self.challenge(time, client, message, fault);
                return self.unauthenticated(time, client).then(|| finish(message, answer, None));
            }
        };
        let done = match message.unknown().next() {
            Some(_) => Err(Fault::UnknownAttribute),
            None => self.authenticated(time, client, &who, message, ports),
        };
        let answer = done.unwrap_or_else(|fault| refuse(message, fault));
        Some(finish(message, answer, Some(&who.key)))
    }

    fn authenticated(
        &mut self,
        time: Time,
        client: Client,
        who: &Who,
        message: &Message<'_>,
        ports: &mut dyn Ports,
    ) -> Result<Builder, Fault> {
        let own = self.allocation(client, time.now);
        if message.method == a::ALLOCATE {
            return match own {
                Some(own) if own.transaction == message.transaction && own.username == who.username => {
                    let left = own.until.saturating_duration_since(time.now);
                    Ok(allocated(message, client, own.relay, left))
                }
                Some(_) => Err(Fault::AllocationMismatch),
                None => self.allocate(time, client, who, message, ports),
            };
        }
        match own {
            None => Err(Fault::AllocationMismatch),
            Some(own) if own.username != who.username => Err(Fault::WrongCredentials),
            Some(_) => match message.method {
                a::REFRESH => self.refresh(time, client, message, ports),
                a::CREATE_PERMISSION => self.create_permission(time, client, message),
                _ => self.bind_channel(time, client, message),
            },
        }
    }

    /// Whether somebody who has shown nothing gets an answer. Who has a connection has shown that it is there.
    fn unauthenticated(&mut self, time: Time, client: Client) -> bool {
        client.is_stream() || self.flood.admits(&self.settings.seed, client.remote().ip(), time.now)
    }

    fn binding(&self, client: Client, message: &Message<'_>) -> Builder {
        if message.unknown().next().is_some() {
            return refuse(message, Fault::UnknownAttribute);
        }
        success(message).address(a::XOR_MAPPED_ADDRESS, client.remote())
    }

    /// RFC 8489 section 9.2.4.
    fn authenticate(&self, time: Time, client: Client, message: &Message<'_>) -> Result<Who, Fault> {
        if !message.is_signed() {
            return Err(Fault::Unauthenticated);
        }
        let text = |number| message.text(number).ok_or(Fault::BadRequest);
        let (username, realm, nonce) = (text(a::USERNAME)?, text(a::REALM)?, text(a::NONCE)?);
        if !nonce::holds(&self.settings.seed, client.remote().ip(), time.unix, nonce) {
            return Err(Fault::StaleNonce);
        }
        let (until, user) = credentials::read(username).ok_or(Fault::Unauthenticated)?;
        let password = credentials::password(&self.settings.secret, username);
        let key = long_term_key(username, &self.settings.realm, &password);
        if realm != self.settings.realm || !message.is_signed_with(&key) {
            return Err(Fault::Unauthenticated);
        }
        let fresh = credentials::is_fresh(until, time.unix);
        Ok(Who { username: username.to_owned(), user: user.to_owned(), key, fresh })
    }

    fn challenge(&self, time: Time, client: Client, message: &Message<'_>, fault: Fault) -> Builder {
        let answer = refuse(message, fault);
        if fault == Fault::BadRequest {
            return answer;
        }
        let nonce = nonce::issue(&self.settings.seed, client.remote().ip(), time.unix);
        answer.put(a::REALM, self.settings.realm.as_bytes()).put(a::NONCE, nonce.as_bytes())
    }

    /// RFC 8656 section 7.2.
    fn allocate(
        &mut self,
        time: Time,
        client: Client,
        who: &Who,
        message: &Message<'_>,
        ports: &mut dyn Ports,
    ) -> Result<Builder, Fault> {
        // Whoever holds an allocation already may keep it: a call is not cut because it lasts long.
        if !who.fresh {
            return Err(Fault::Unauthenticated);
        }
        let asked = Asked::read(message)?;
        let external = self.settings.external.iter().find(|ip| ip.is_ipv6() == asked.v6);
        let external = *external.ok_or(Fault::AddressFamilyNotSupported)?;
        // One that has expired and was not let go yet.
        self.remove(client, ports);
        let limits = &self.settings.limits;
        if self.users.get(&who.user).is_some_and(|user| user.allocations >= limits.allocations_per_user) {
            return Err(Fault::QuotaReached);
        }
        if self.allocations.len() >= limits.allocations {
            return Err(Fault::InsufficientCapacity);
        }
        let burst = limits.bytes_per_second_per_user;
        let relay = self.open(external, asked.even, ports).ok_or(Fault::InsufficientCapacity)?;
        let pace = || User { allocations: 0, pace: Pace::new(burst, time.now) };
        self.users.entry(who.user.clone()).or_insert_with(pace).allocations += 1;
        let lifetime = lifetime(message);
        let names = (who.username.clone(), who.user.clone());
        let life = (time.now, time.now + lifetime);
        let new = Allocation::new(relay, names, message.transaction, life);
        self.allocations.insert(client, new);
        self.relays.insert(relay, client);
        let answer = allocated(message, client, relay, lifetime);
        // The second family: RFC 8656 section 7.2 lets us say that there is none.
        Ok(match asked.additional {
            true => answer.put(a::ADDRESS_ERROR_CODE, &[2, 0, 4, 40]),
            false => answer,
        })
    }

    /// A port that nobody can guess (RFC 6056).
    fn open(&mut self, external: IpAddr, even: bool, ports: &mut dyn Ports) -> Option<SocketAddr> {
        let (first, last) = (*self.settings.ports.start(), *self.settings.ports.end());
        let count = u32::from(last.checked_sub(first)?) + 1;
        for _ in 0..PORT_TRIES {
            let draw = self.draw();
            let at = u32::from_be_bytes([draw[0], draw[1], draw[2], draw[3]]) % count;
            let port = first + u16::try_from(at).ok()?;
            let relay = SocketAddr::new(external, if even { port & !1 } else { port });
            if relay.port() >= first && !self.relays.contains_key(&relay) && ports.open(relay) {
                return Some(relay);
            }
        }
        None
    }

    /// RFC 8656 section 8.2.
    fn refresh(
        &mut self,
        time: Time,
        client: Client,
        message: &Message<'_>,
        ports: &mut dyn Ports,
    ) -> Result<Builder, Fault> {
        let own = self.allocations.get_mut(&client).ok_or(Fault::AllocationMismatch)?;
        if let Some(v6) = family(message)?
            && v6 != own.relay.is_ipv6()
        {
            return Err(Fault::PeerAddressFamilyMismatch);
        }
        if message.number(a::LIFETIME) == Some(0) {
            self.remove(client, ports);
            return Ok(success(message).number(a::LIFETIME, 0));
        }
        own.until = (time.now + lifetime(message)).min(own.born + ALLOCATION_AGE_MAX);
        let left = own.until.saturating_duration_since(time.now);
        Ok(success(message).number(a::LIFETIME, seconds(left)))
    }

    /// RFC 8656 section 10.2.
    fn create_permission(
        &mut self,
        time: Time,
        client: Client,
        message: &Message<'_>,
    ) -> Result<Builder, Fault> {
        let peers: Result<Vec<SocketAddr>, ()> = message.addresses(a::XOR_PEER_ADDRESS).collect();
        let peers = peers.ok().filter(|peers| !peers.is_empty()).ok_or(Fault::BadRequest)?;
        for peer in &peers {
            self.judge(client, *peer)?;
        }
        let peers: Vec<IpAddr> = peers.iter().map(SocketAddr::ip).collect();
        self.allocations.get_mut(&client).ok_or(Fault::AllocationMismatch)?.permit(&peers, time.now)?;
        Ok(success(message))
    }

    /// RFC 8656 section 12.2.
    fn bind_channel(&mut self, time: Time, client: Client, message: &Message<'_>) -> Result<Builder, Fault> {
        let number = message.number(a::CHANNEL_NUMBER).map(|number| (number >> 16) as u16);
        let number = number.filter(|number| CHANNELS.contains(number)).ok_or(Fault::BadRequest)?;
        let peer = message.address(a::XOR_PEER_ADDRESS).filter(|peer| peer.port() != 0);
        let peer = peer.ok_or(Fault::BadRequest)?;
        self.judge(client, peer)?;
        self.allocations.get_mut(&client).ok_or(Fault::AllocationMismatch)?.bind(number, peer, time.now)?;
        Ok(success(message))
    }

    /// Whether a client may name this peer.
    fn judge(&self, client: Client, peer: SocketAddr) -> Result<(), Fault> {
        let own = self.allocations.get(&client).ok_or(Fault::AllocationMismatch)?;
        match () {
            () if own.relay.is_ipv6() != peer.is_ipv6() => Err(Fault::PeerAddressFamilyMismatch),
            () if !self.admits(peer.ip()) => Err(Fault::Forbidden),
            () => Ok(()),
        }
    }
}

/// What an Allocate request wants.
struct Asked {
    v6: bool,
    even: bool,
    additional: bool,
}

impl Asked {
    fn read(message: &Message<'_>) -> Result<Asked, Fault> {
        match message.find(a::REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(Fault::UnsupportedTransport),
            _ => return Err(Fault::BadRequest),
        }
        let (even, family) = (message.find(a::EVEN_PORT), family(message)?);
        let additional = message.find(a::ADDITIONAL_ADDRESS_FAMILY);
        if message.find(a::RESERVATION_TOKEN).is_some() {
            let alone = even.is_none() && family.is_none() && additional.is_none();
            return Err(if alone { Fault::InsufficientCapacity } else { Fault::BadRequest });
        }
        if additional.is_some_and(|value| family.is_some() || value.first() != Some(&2)) {
            return Err(Fault::BadRequest);
        }
        match even {
            // A second port cannot be reserved here.
            Some([flags, ..]) if flags & 0x80 != 0 => Err(Fault::InsufficientCapacity),
            Some([]) => Err(Fault::BadRequest),
            _ => Ok(Asked {
                v6: family.unwrap_or(false),
                even: even.is_some(),
                additional: additional.is_some(),
            }),
        }
    }
}

/// REQUESTED-ADDRESS-FAMILY: whether it is IPv6.
fn family(message: &Message<'_>) -> Result<Option<bool>, Fault> {
    match message.find(a::REQUESTED_ADDRESS_FAMILY) {
        None => Ok(None),
        Some([1, _, _, _]) => Ok(Some(false)),
        Some([2, _, _, _]) => Ok(Some(true)),
        Some(_) => Err(Fault::AddressFamilyNotSupported),
    }
}

/// What is asked for, within bounds (RFC 8656 section 7.2).
fn lifetime(message: &Message<'_>) -> Duration {
    let asked = message.number(a::LIFETIME).map(|seconds| Duration::from_secs(seconds.into()));
    asked.unwrap_or(LIFETIME_DEFAULT).clamp(LIFETIME_DEFAULT, LIFETIME_MAX)
}

fn seconds(duration: Duration) -> u32 {
    duration.as_secs().try_into().unwrap_or(u32::MAX)
}

fn allocated(message: &Message<'_>, client: Client, relay: SocketAddr, lifetime: Duration) -> Builder {
    success(message)
        .address(a::XOR_RELAYED_ADDRESS, relay)
        .number(a::LIFETIME, seconds(lifetime))
        .address(a::XOR_MAPPED_ADDRESS, client.remote())
}

fn success(message: &Message<'_>) -> Builder {
    Builder::new(message.method, Class::Success, message.transaction)
}

fn refuse(message: &Message<'_>, fault: Fault) -> Builder {
    let answer = Builder::new(message.method, Class::Error, message.transaction).error(fault);
    if fault != Fault::UnknownAttribute {
        return answer;
    }
    let unknown: Vec<u8> = message.unknown().flat_map(u16::to_be_bytes).collect();
    answer.put(a::UNKNOWN_ATTRIBUTES, &unknown)
}

/// Signs the answer for who has a key, and ends it as the request ended.
fn finish(message: &Message<'_>, answer: Builder, key: Option<&Key>) -> Vec<u8> {
    let answer = match key {
        Some(key) => answer.sign(key),
        None => answer,
    };
    match message.has_fingerprint {
        true => answer.fingerprint(),
        false => answer,
    }
    .finish()
}
