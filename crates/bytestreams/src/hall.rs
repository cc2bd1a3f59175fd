//! Where connections wait for their other end, and streams that pass bytes are known.
//!
//! XEP-0065 1.8.2 sections 6.3.3 to 6.3.5
//!
//! Not here: the bytes; times are given, none are read.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::limits::{HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX};
use crate::{Limits, Name};

/// Why a connection or a stream is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There are too many connections.
    Full,
    /// There are too many of this address, or streams of this account.
    TooMany,
    /// Both ends of that stream are here already.
    Taken,
    /// Only one of its ends is here.
    Alone,
    /// Nobody is here for it.
    Missing,
}

/// All connections of a mediator.
#[derive(Debug, Default)]
pub struct Hall {
    limits: Limits,
    last: u64,
    waiting: HashMap<Name, Waiting>,
    active: HashMap<u64, Stream>,
    connections: HashMap<u64, Place>,
    addresses: HashMap<IpAddr, usize>,
    /// Those that have not said yet what they want.
    handshakes: HashMap<IpAddr, usize>,
    handshakes_count: usize,
    accounts: HashMap<String, usize>,
}

#[derive(Debug)]
struct Waiting {
    ends: Vec<u64>,
    since_ms: u64,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    /// Where it waits; `None` once its stream is active.
    waits: Option<Name>,
    /// Its stream: the id of the stream's first end.
    stream: u64,
}

#[derive(Debug)]
struct Stream {
    ends: [u64; 2],
    account: String,
    since_ms: u64,
}

impl Hall {
    /// An empty one.
    pub fn new(limits: Limits) -> Hall {
        Hall { limits, ..Hall::default() }
    }

    /// A connection has come. Once it has asked for a stream, or has gone, [`Hall::greeted`] is to be called.
    ///
    /// # Errors
    /// It is to be closed at once: too many say nothing, of all or of its address.
    pub fn greet(&mut self, address: IpAddr) -> Result<(), Denied> {
        if self.handshakes_count >= HANDSHAKES_MAX {
            return Err(Denied::Full);
        }
        let of_address = self.handshakes.entry(network(address)).or_default();
        if *of_address >= HANDSHAKES_PER_ADDRESS_MAX {
            return Err(Denied::TooMany);
        }
        *of_address += 1;
        self.handshakes_count += 1;
        Ok(())
    }

    /// A connection that was greeted has said what it wants, or has gone.
    pub fn greeted(&mut self, address: IpAddr) {
        less(self.handshakes.entry(network(address)));
        self.handshakes_count = self.handshakes_count.saturating_sub(1);
    }

    /// A connection has asked for a stream; it gets a number.
    ///
    /// # Errors
    /// It is to be refused.
    pub fn enter(&mut self, name: Name, address: IpAddr, now_ms: u64) -> Result<u64, Denied> {
        let waiting = self.connections.len().saturating_sub(2 * self.active.len());
        // Anybody may wait, but a stream becomes active only for an account: those keep a part for themselves.
        let may_wait = (self.limits.connections / 2).max(2);
        if self.connections.len() >= self.limits.connections || waiting >= may_wait {
            return Err(Denied::Full);
        }
        let address = network(address);
        let of_address = self.addresses.get(&address).copied().unwrap_or_default();
        if of_address >= self.limits.connections_per_address {
            return Err(Denied::TooMany);
        }
        let waiting = self.waiting.entry(name).or_insert(Waiting { ends: Vec::new(), since_ms: now_ms });
        // A third one could only be somebody who listens.
        if waiting.ends.len() >= 2 {
            return Err(Denied::Taken);
        }
        self.last += 1;
        waiting.ends.push(self.last);
        self.addresses.insert(address, of_address + 1);
        self.connections.insert(self.last, Place { address, waits: Some(name), stream: 0 });
        Ok(self.last)
    }

    /// The requester, of this account, wants bytes to pass. The two connections that belong together.
    ///
    /// # Errors
    /// They are not both here, or the account has too many streams.
    pub fn activate(&mut self, name: Name, account: &str, now_ms: u64) -> Result<[u64; 2], Denied> {
        let ends = match self.waiting.get(&name).map(|waiting| &waiting.ends[..]) {
            Some(&[one, other]) => [one, other],
            Some(&[_]) => return Err(Denied::Alone),
            _ => return Err(Denied::Missing),
        };
        let of_account = self.accounts.get(account).copied().unwrap_or_default();
        if of_account >= self.limits.streams_per_account {
            return Err(Denied::TooMany);
        }
        self.waiting.remove(&name);
        self.accounts.insert(account.to_owned(), of_account + 1);
        for end in ends {
            if let Some(place) = self.connections.get_mut(&end) {
                (place.waits, place.stream) = (None, ends[0]);
            }
        }
        self.active.insert(ends[0], Stream { ends, account: account.to_owned(), since_ms: now_ms });
        Ok(ends)
    }

    /// A connection has ended. The other end of its stream, which is to be closed as well.
    pub fn leave(&mut self, connection: u64) -> Option<u64> {
        let place = self.connections.remove(&connection)?;
        less(self.addresses.entry(place.address));
        if let Some(name) = place.waits {
            let waiting = self.waiting.get_mut(&name)?;
            waiting.ends.retain(|end| *end != connection);
            if waiting.ends.is_empty() {
                self.waiting.remove(&name);
            }
            return None;
        }
        // Whoever ends first takes the stream along.
        let stream = self.active.remove(&place.stream)?;
        less(self.accounts.entry(stream.account));
        stream.ends.into_iter().find(|end| *end != connection)
    }

    /// A connection of each stream that passes bytes for this account.
    pub fn of_account(&self, account: &str) -> Vec<u64> {
        let own = self.active.iter().filter(|(_, stream)| stream.account == account);
        own.map(|(first, _)| *first).collect()
    }

    /// Connections whose time is over; each is to be closed, and [`Hall::leave`] called for it.
    pub fn expired(&self, now_ms: u64) -> Vec<u64> {
        let over = |since_ms: u64, most_ms: u64| now_ms.saturating_sub(since_ms) >= most_ms;
        let waiting = self.waiting.values().filter(|waiting| over(waiting.since_ms, self.limits.waiting_ms));
        let active = self.active.values().filter(|stream| over(stream.since_ms, self.limits.lasting_ms));
        let mut all: Vec<u64> = waiting.flat_map(|waiting| waiting.ends.clone()).collect();
        all.extend(active.flat_map(|stream| stream.ends));
        all.sort_unstable();
        all
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// How many streams pass bytes.
    pub fn streams(&self) -> usize {
        self.active.len()
    }
}

/// Who has one address of IPv6 has all of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

fn less<K>(entry: Entry<'_, K, usize>) {
    if let Entry::Occupied(mut entry) = entry {
        match entry.get_mut() {
            count @ 2.. => *count -= 1,
            _ => _ = entry.remove(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);

    fn name(sid: &str) -> Name {
        Name::of(sid, "a@b/c", "d@e/f")
    }

    fn is_empty(hall: &Hall) -> bool {
        hall.waiting.is_empty()
            && hall.active.is_empty()
            && hall.connections.is_empty()
            && hall.addresses.is_empty()
            && hall.handshakes.is_empty()
            && hall.handshakes_count == 0
            && hall.accounts.is_empty()
    }

    #[test]
    fn two_are_joined_and_part_together() {
        for first in [0, 1] {
            let mut hall = Hall::new(Limits::default());
            assert_eq!(hall.activate(name("1"), "a@b", 0), Err(Denied::Missing));
            let one = hall.enter(name("1"), HERE, 0).unwrap();
            assert_eq!(hall.activate(name("1"), "a@b", 0), Err(Denied::Alone));
            let two = hall.enter(name("1"), HERE, 0).unwrap();
            assert_eq!(hall.enter(name("1"), HERE, 0), Err(Denied::Taken));
            let ends = hall.activate(name("1"), "a@b", 0).unwrap();
            assert_eq!((ends, hall.streams()), ([one, two], 1));
            assert_eq!(hall.activate(name("1"), "a@b", 0), Err(Denied::Missing), "not twice");
            let (goes, stays) = (ends[first], ends[1 - first]);
            assert_eq!(hall.leave(goes), Some(stays));
            assert_eq!((hall.leave(stays), hall.leave(stays)), (None, None));
            assert!(is_empty(&hall), "{hall:?}");
        }
    }

    #[test]
    fn who_waits_too_long_goes() {
        let limits = Limits { waiting_ms: 10, lasting_ms: 100, ..Limits::default() };
        let mut hall = Hall::new(limits);
        let alone = hall.enter(name("1"), HERE, 0).unwrap();
        let ends = [hall.enter(name("2"), HERE, 5).unwrap(), hall.enter(name("2"), HERE, 9).unwrap()];
        hall.activate(name("2"), "a@b", 9).unwrap();
        for (now, want) in [(9, vec![]), (10, vec![alone]), (109, vec![alone, ends[0], ends[1]])] {
            assert_eq!(hall.expired(now), want, "{now}");
        }
        for connection in hall.expired(109) {
            hall.leave(connection);
        }
        assert!(is_empty(&hall), "{hall:?}");
    }

    #[test]
    fn everything_has_a_limit() {
        let limits = Limits {
            connections: 10,
            connections_per_address: 2,
            streams_per_account: 1,
            ..Limits::default()
        };
        let mut hall = Hall::new(limits);
        let ip = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        hall.enter(name("1"), ip(1), 0).unwrap();
        hall.enter(name("1"), ip(2), 0).unwrap();
        assert_eq!(hall.enter(name("2"), ip(3), 0), Err(Denied::TooMany), "of one network");
        hall.enter(name("2"), HERE, 0).unwrap();
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        hall.enter(name("2"), mapped, 0).unwrap();
        assert_eq!(hall.enter(name("3"), HERE, 0), Err(Denied::TooMany));
        hall.activate(name("1"), "a@b", 0).unwrap();
        assert_eq!(hall.activate(name("2"), "a@b", 0), Err(Denied::TooMany));
        hall.activate(name("2"), "c@b", 0).unwrap();
        let other = |last: u8| IpAddr::from([192, 0, 2, last]);
        (1..=5).for_each(|n| _ = hall.enter(name(&format!("of {n}")), other(n), 0).unwrap());
        assert_eq!(hall.enter(name("5"), other(6), 0), Err(Denied::Full));
        assert_eq!(hall.waiting.len(), 5, "who was refused leaves nothing");
    }

    #[test]
    fn who_only_waits_leaves_room_for_streams() {
        let mut hall = Hall::new(Limits { connections: 8, ..Limits::default() });
        let ends: Vec<u64> =
            (0..4).map(|n| hall.enter(name(&(n / 2).to_string()), HERE, 0).unwrap()).collect();
        assert_eq!(hall.enter(name("2"), HERE, 0), Err(Denied::Full));
        hall.activate(name("0"), "a@b", 0).unwrap();
        hall.enter(name("2"), HERE, 0).unwrap();
        hall.enter(name("2"), HERE, 0).unwrap();
        assert_eq!(hall.enter(name("3"), HERE, 0), Err(Denied::Full));
        hall.leave(ends[2]);
        hall.enter(name("3"), HERE, 0).unwrap();
    }

    #[test]
    fn who_says_nothing_has_little_room() {
        let mut hall = Hall::new(Limits::default());
        let ip = |net: u16, last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, net, 0, 0, 0, last));
        let most = HANDSHAKES_PER_ADDRESS_MAX as u16;
        (0..most).for_each(|n| hall.greet(ip(0, n)).unwrap());
        assert_eq!(hall.greet(ip(0, most)), Err(Denied::TooMany));
        hall.greeted(ip(0, 0));
        hall.greet(ip(0, most)).unwrap();
        let others = (HANDSHAKES_MAX as u16) - most;
        (1..=others).for_each(|n| hall.greet(ip(n, 0)).unwrap());
        assert_eq!(hall.greet(ip(others + 1, 0)), Err(Denied::Full));
        (1..=others).for_each(|n| hall.greeted(ip(n, 0)));
        (0..most).for_each(|n| hall.greeted(ip(0, n)));
        assert!(is_empty(&hall), "{hall:?}");
    }
}
