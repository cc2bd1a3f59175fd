//! What each peer address does: how many connections it has, how often it connects, how often it fails to log in.
//!
//! An IPv6 address counts as its /64, which is what one customer gets. Addresses that are quiet are forgotten.
//!
//! Not here: limits of one stream (stream).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Current, Limits};
use crate::counters::Counters;

/// Addresses remembered at once, before quiet ones are looked for.
const REMEMBERED: usize = 65_536;

/// All addresses.
pub(crate) struct Peers {
    limits: Current<Limits>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    peers: HashMap<IpAddr, Peer>,
    open: usize,
    sweep_at: usize,
}

struct Peer {
    open: u32,
    connects: Bucket,
    failures: Bucket,
    /// Logins under way, each of which may become a failure.
    trying: u32,
}

/// Whether an address may try to log in.
pub(crate) enum Chance {
    /// It may.
    Now(Attempt),
    /// Not before some of those under way are over: all of them together could be one guess too many.
    Later,
    /// Not for a while.
    Never,
}

/// A login under way; over when dropped, after its failure was counted.
pub(crate) struct Attempt {
    peers: Arc<Peers>,
    of: IpAddr,
}

/// A connection counted against its address; ends when dropped.
pub struct Permit {
    peers: Arc<Peers>,
    of: Option<IpAddr>,
}

/// Tokens that come back with time. Holds how many are used, so that a fresh one is all zero.
struct Bucket {
    used: f32,
    at: Instant,
}

impl Bucket {
    fn new(now: Instant) -> Bucket {
        Bucket { used: 0.0, at: now }
    }

    fn refill(&mut self, size: u32, per: Duration, now: Instant) {
        let back = now.duration_since(self.at).as_secs_f32() / per.as_secs_f32().max(0.001) * size as f32;
        (self.used, self.at) = ((self.used - back).max(0.0), now);
    }

    /// Whether there is a token left at a rate of `size` each `per`.
    fn free(&mut self, size: u32, per: Duration, now: Instant) -> bool {
        self.refill(size, per, now);
        self.used + 1.0 <= size as f32
    }
}

impl Peers {
    pub(crate) fn new(limits: Current<Limits>) -> Arc<Peers> {
        Arc::new(Peers { limits, table: Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Counters only: a panic between two of them cannot make them unsafe to use.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a new connection in, or counts why not. `proxy`: the address stands for many peers.
    pub(crate) fn admit(
        self: &Arc<Self>,
        ip: IpAddr,
        proxy: bool,
        counters: &Counters,
        now: Instant,
    ) -> Option<Permit> {
        let limits = &*self.limits.now();
        let mut table = self.table();
        if table.open >= limits.connections {
            counters.refused_full.one();
            return None;
        }
        if !proxy {
            table.sweep(limits, now);
            let peer = table.peer(ip, now);
            if peer.open >= limits.connections_per_address {
                counters.refused_per_address.one();
                return None;
            }
            if !peer.connects.free(limits.connects_per_address, limits.connects_window, now) {
                counters.refused_rate.one();
                return None;
            }
            peer.connects.used += 1.0;
            peer.open += 1;
        }
        table.open += 1;
        Some(Permit { peers: self.clone(), of: (!proxy).then(|| network(ip)) })
    }

    /// Whether an address may try to authenticate.
    pub(crate) fn may_try(&self, ip: IpAddr, now: Instant) -> bool {
        let limits = self.limits.now();
        let (size, window) = (limits.failures_per_address, limits.failures_window);
        let mut table = self.table();
        table.peers.get_mut(&network(ip)).is_none_or(|peer| peer.failures.free(size, window, now))
    }

    /// Begins a login. Counting only those that have failed would let any number through at once (C-27).
    pub(crate) fn attempt(self: &Arc<Self>, ip: IpAddr, now: Instant) -> Chance {
        let (limits, of) = (self.limits.now(), network(ip));
        let (size, window) = (limits.failures_per_address, limits.failures_window);
        let mut table = self.table();
        table.sweep(&limits, now);
        let peer = table.peer(of, now);
        if !peer.failures.free(size, window, now) {
            return Chance::Never;
        }
        // The first may always try: `used` need not be a whole number.
        if peer.trying > 0 && peer.failures.used + peer.trying as f32 + 1.0 > size as f32 {
            return Chance::Later;
        }
        peer.trying += 1;
        Chance::Now(Attempt { peers: self.clone(), of })
    }

    /// An authentication from there failed.
    pub(crate) fn failed(&self, ip: IpAddr, now: Instant) {
        let limits = self.limits.now();
        let mut table = self.table();
        table.sweep(&limits, now);
        let failures = &mut table.peer(ip, now).failures;
        failures.refill(limits.failures_per_address, limits.failures_window, now);
        failures.used = (failures.used + 1.0).min(limits.failures_per_address as f32);
    }
}

impl Table {
    fn peer(&mut self, ip: IpAddr, now: Instant) -> &mut Peer {
        self.peers.entry(network(ip)).or_insert_with(|| Peer {
            open: 0,
            connects: Bucket::new(now),
            failures: Bucket::new(now),
            trying: 0,
        })
    }

    /// Forgets addresses without connections and without history, when there are many. If few can be forgotten it
    /// waits until the table has doubled, so that the work stays in proportion.
    fn sweep(&mut self, limits: &Limits, now: Instant) {
        if self.peers.len() < self.sweep_at.max(REMEMBERED) {
            return;
        }
        self.peers.retain(|_, peer| {
            peer.connects.refill(limits.connects_per_address, limits.connects_window, now);
            peer.failures.refill(limits.failures_per_address, limits.failures_window, now);
            peer.open > 0 || peer.trying > 0 || peer.connects.used > 0.0 || peer.failures.used > 0.0
        });
        self.sweep_at = self.peers.len() * 2;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut table = self.peers.table();
        table.open -= 1;
        if let Some(peer) = self.of.and_then(|ip| table.peers.get_mut(&ip)) {
            peer.open -= 1;
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(peer) = self.peers.table().peers.get_mut(&self.of) {
            peer.trying -= 1;
        }
    }
}

/// What counts as one peer.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { connections_per_address: 2, connects_per_address: 3, connections: 5, ..Limits::default() }
    }

    #[test]
    fn an_address_has_so_many_connections_and_gets_them_back() {
        let (peers, counters, now) =
            (Peers::new(Current::new(limits())), Counters::default(), Instant::now());
        let admit = |ip: &str, now| peers.admit(ip.parse().unwrap(), false, &counters, now);
        let first = admit("192.0.2.1", now).unwrap();
        let _second = admit("192.0.2.1", now).unwrap();
        assert!(admit("192.0.2.1", now).is_none());
        assert!(admit("::ffff:192.0.2.1", now).is_none(), "the same address in another dress");
        let _other = admit("192.0.2.2", now).unwrap();
        drop(first);
        let _third = admit("192.0.2.1", now).unwrap();
        assert_eq!((counters.refused_per_address.value(), counters.refused_rate.value()), (2, 0));
    }

    #[test]
    fn connecting_again_and_again_is_slowed_and_a_64_is_one() {
        let (peers, counters, now) =
            (Peers::new(Current::new(limits())), Counters::default(), Instant::now());
        let admit = |ip: &str, now| peers.admit(ip.parse().unwrap(), false, &counters, now).is_some();
        for n in 0..3 {
            assert!(admit(&format!("2001:db8::{n}"), now));
        }
        assert!(!admit("2001:db8::9", now));
        assert!(admit("2001:db8:0:1::", now), "another network");
        assert!(admit("2001:db8::9", now + limits().connects_window));
    }

    #[test]
    fn the_server_is_full_also_for_proxies() {
        let (peers, counters, now) =
            (Peers::new(Current::new(limits())), Counters::default(), Instant::now());
        let admit = || peers.admit("192.0.2.1".parse().unwrap(), true, &counters, now);
        let all: Vec<_> = (0..5).map(|_| admit().unwrap()).collect();
        assert!(admit().is_none());
        drop(all);
        assert!(admit().is_some());
        assert_eq!(counters.refused_full.value(), 1);
    }

    #[test]
    fn failed_logins_block_the_address_for_a_while() {
        let (peers, now, ip) =
            (Peers::new(Current::new(limits())), Instant::now(), "192.0.2.1".parse().unwrap());
        for _ in 0..limits().failures_per_address {
            assert!(peers.may_try(ip, now));
            peers.failed(ip, now);
        }
        assert!(!peers.may_try(ip, now));
        assert!(peers.may_try("192.0.2.2".parse().unwrap(), now));
        assert!(peers.may_try(ip, now + limits().failures_window));
    }

    #[test]
    fn new_limits_hold_for_addresses_that_are_known() {
        let (now, ip) = (Instant::now(), "192.0.2.1".parse().unwrap());
        let current = Current::new(limits());
        let (peers, counters) = (Peers::new(current.clone()), Counters::default());
        let _open: Vec<_> = (0..2).map(|_| peers.admit(ip, false, &counters, now).unwrap()).collect();
        assert!(peers.admit(ip, false, &counters, now).is_none());
        current.replace(Limits { connections_per_address: 3, failures_per_address: 1, ..limits() });
        let _third = peers.admit(ip, false, &counters, now).unwrap();
        peers.failed(ip, now);
        assert!(!peers.may_try(ip, now));
        current.replace(Limits { failures_per_address: 2, ..limits() });
        assert!(peers.may_try(ip, now));
    }

    #[test]
    fn c27_logins_at_once_are_no_more_than_logins_one_by_one() {
        let limits = Limits { failures_per_address: 3, ..limits() };
        let (peers, now, ip) =
            (Peers::new(Current::new(limits)), Instant::now(), "192.0.2.1".parse().unwrap());
        let attempt = || peers.attempt(ip, now);
        let mut all: Vec<Attempt> = Vec::new();
        while let Chance::Now(one) = attempt() {
            all.push(one);
        }
        assert!(all.len() == 3 && matches!(attempt(), Chance::Later));
        // One succeeds, and another may try.
        all.pop();
        let Chance::Now(again) = attempt() else { panic!("there is room") };
        all.push(again);
        assert!(matches!(attempt(), Chance::Later));
        // All fail.
        for one in all {
            peers.failed(ip, now);
            drop(one);
        }
        assert!(matches!(attempt(), Chance::Never));
    }

    #[test]
    fn quiet_addresses_are_forgotten() {
        let (peers, counters, now) =
            (Peers::new(Current::new(Limits::default())), Counters::default(), Instant::now());
        for n in 0..REMEMBERED as u32 {
            drop(peers.admit(IpAddr::V4(n.into()), false, &counters, now));
        }
        let later = now + Duration::from_secs(3600);
        let _one = peers.admit("192.0.2.1".parse().unwrap(), false, &counters, later).unwrap();
        assert_eq!(peers.table().peers.len(), 1);
    }
}
