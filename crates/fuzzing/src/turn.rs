//! Target 23, `turn`: clients, peers and time at the relay for calls.
//!
//! Oracles: nothing is sent to a peer in a denied range or to ourselves, whatever was asked; what is sent to a client has
//! a form; without credentials an answer is short; every allocation has a socket and every socket an allocation, no more
//! than the limit.
//!
//! Not here: sockets (crate `relay`).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ::turn::attribute::{self as a, Attribute, Class, Method};
use ::turn::credentials::{Credentials, issue};
use ::turn::message::Message;
use ::turn::peers::Peers;
use ::turn::{Builder, Client, Limits, Output, Ports, Server, Settings, Time, frame, long_term_key, xored};

use crate::source::Source;

const SECRET: &[u8] = b"secret";
const REALM: &str = "example.org";
const ALLOCATIONS_MAX: usize = 3;
/// Inputs of one run.
const STEPS_MAX: usize = 64;
/// Bytes of the longest answer to who has shown nothing and asked for little.
const CHALLENGE_MAX: usize = 128;
const METHODS: [Method; 5] = [a::ALLOCATE, a::CREATE_PERMISSION, a::CHANNEL_BIND, a::REFRESH, a::BINDING];
const ATTRIBUTES: [Attribute; 9] = [
    a::REQUESTED_TRANSPORT,
    a::XOR_PEER_ADDRESS,
    a::CHANNEL_NUMBER,
    a::LIFETIME,
    a::REQUESTED_ADDRESS_FAMILY,
    a::EVEN_PORT,
    a::RESERVATION_TOKEN,
    a::ADDITIONAL_ADDRESS_FAMILY,
    a::DATA,
];
const PEERS: [&str; 10] = [
    "8.8.8.8:53",
    "127.0.0.1:53",
    "10.0.0.1:1",
    "203.0.113.1:50000",
    "203.0.113.1:22",
    "[2a00::2]:53",
    "[::1]:53",
    "[::ffff:127.0.0.1]:53",
    "[64:ff9b::7f00:1]:53",
    "[2a00::1]:50001",
];

#[derive(Default)]
struct Sockets(Vec<SocketAddr>);

impl Ports for Sockets {
    fn open(&mut self, relay: SocketAddr) -> bool {
        assert!(!self.0.contains(&relay), "opened twice: {relay}");
        self.0.push(relay);
        true
    }

    fn close(&mut self, relay: SocketAddr) {
        let at = self.0.iter().position(|known| *known == relay);
        self.0.remove(at.unwrap_or_else(|| panic!("closed, but not open: {relay}")));
    }
}

struct Stage {
    server: Server,
    sockets: Sockets,
    time: Time,
    external: [core::net::IpAddr; 2],
}

fn address(text: &str) -> SocketAddr {
    // Ours, and right.
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn clients() -> [Client; 4] {
    let (v4, v6) = (address("198.51.100.7:4"), address("[2a00::7]:4"));
    [Client::Udp(0, v4), Client::Udp(1, v6), Client::Stream(1, v4), Client::Stream(2, v6)]
}

impl Stage {
    fn new() -> Stage {
        let external = ["203.0.113.1:1", "[2a00::1]:1"].map(|text| address(text).ip());
        let settings = Settings {
            secret: SECRET.to_vec(),
            realm: REALM.into(),
            external: external.to_vec(),
            ports: 50_000..=50_007,
            peers: Peers::default(),
            limits: Limits { allocations: ALLOCATIONS_MAX, ..Limits::default() },
            seed: [1; 32],
        };
        let time = Time { now: Instant::now(), unix: 1_800_000_000 };
        Stage { server: Server::new(settings), sockets: Sockets::default(), time, external }
    }

    fn credentials(&self) -> Credentials {
        issue(SECRET, "romeo", self.time.unix + 60)
    }

    fn input(&mut self, client: Client, bytes: &[u8]) -> Option<Vec<u8>> {
        let output = self.server.handle(self.time, client, bytes, &mut self.sockets)?;
        self.judge(&output);
        match output {
            Output::Client(to, bytes) if to == client => Some(bytes),
            _ => None,
        }
    }

    fn judge(&self, output: &Output<'_>) {
        match output {
            Output::Peer(relay, peer, _) => {
                assert!(self.sockets.0.contains(relay), "from a relay that is not open");
                assert!(Peers::default().admit(peer.ip()), "to {peer}");
                assert!(!self.external.contains(&peer.ip()), "to ourselves: {peer}");
            }
            Output::Client(_, bytes) => {
                assert!(Message::parse(bytes).is_some() || frame::channel_data(bytes).is_some());
            }
        }
    }

    /// A request with all that shows who asks.
    fn request(&mut self, client: Client, source: &mut Source<'_>) {
        let transaction = [source.byte(); 12];
        let plain = Builder::new(a::ALLOCATE, Class::Request, transaction).finish();
        let challenge = self.input(client, &plain);
        let nonce =
            challenge.as_deref().and_then(Message::parse).and_then(|m| m.find(a::NONCE).map(<[u8]>::to_vec));
        let mut builder = Builder::new(METHODS[source.below(METHODS.len())], Class::Request, transaction);
        for _ in 0..source.below(6) {
            let number = match source.below(ATTRIBUTES.len() + 1) {
                at if at < ATTRIBUTES.len() => ATTRIBUTES[at],
                _ => source.short(),
            };
            let peer = xored(address(PEERS[source.below(PEERS.len())]), &transaction);
            builder = match (number, source.below(4)) {
                (a::XOR_PEER_ADDRESS, 0..3) => builder.put(number, &peer),
                (a::REQUESTED_TRANSPORT, 0..3) => builder.put(number, &[17, 0, 0, 0]),
                (a::CHANNEL_NUMBER, 0..3) => builder.put(number, &[0x40, source.byte() & 1, 0, 0]),
                _ => {
                    let length = source.below(12);
                    builder.put(number, source.bytes(length))
                }
            };
        }
        let credentials = self.credentials();
        let key = long_term_key(&credentials.username, REALM, &credentials.password);
        let builder =
            builder.put(a::USERNAME, credentials.username.as_bytes()).put(a::REALM, REALM.as_bytes());
        let request = builder.put(a::NONCE, &nonce.unwrap_or_default()).sign(&key).finish();
        self.input(client, &request);
    }

    fn raw(&mut self, client: Client, source: &mut Source<'_>) {
        let length = usize::from(source.short() % 2_100);
        let bytes = source.bytes(length);
        let _ = frame::length(bytes);
        let answer = self.input(client, bytes);
        if let Some(answer) = answer.filter(|_| !client.is_stream()) {
            assert!(answer.len() <= CHALLENGE_MAX + bytes.len(), "{} for {}", answer.len(), bytes.len());
        }
    }

    fn data(&mut self, client: Client, source: &mut Source<'_>) {
        let peer = address(PEERS[source.below(PEERS.len())]);
        let send = Builder::new(a::SEND, Class::Indication, [7; 12]);
        let length = source.below(100);
        let send = send.address(a::XOR_PEER_ADDRESS, peer).put(a::DATA, source.bytes(length)).finish();
        self.input(client, &send);
        let channel = [0x40, source.byte() & 1, 0, 1, 0, 0, 0, 0];
        self.input(client, &channel);
        let relay = self.sockets.0.get(source.below(4)).copied();
        if let Some(relay) = relay
            && let Some(output) = self.server.handle_peer(self.time.now, relay, peer, b"data")
        {
            self.judge(&output);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.time.now += Duration::from_secs(seconds);
        self.time.unix += seconds;
        self.server.handle_time(self.time.now, &mut self.sockets);
    }
}

/// The target.
///
/// # Panics
/// If an oracle finds a difference.
pub fn turn(data: &[u8]) {
    let (mut source, mut stage) = (Source::new(data), Stage::new());
    for _ in 0..STEPS_MAX {
        if source.is_empty() {
            break;
        }
        let choice = source.byte();
        let client = clients()[usize::from(choice >> 6)];
        match choice % 5 {
            0 => stage.raw(client, &mut source),
            1 | 2 => stage.request(client, &mut source),
            3 => stage.data(client, &mut source),
            _ if choice & 8 == 0 => stage.pass(u64::from(source.short() % 1_000)),
            _ => stage.server.handle_gone(client, &mut stage.sockets),
        }
        assert_eq!(stage.server.allocations(), stage.sockets.0.len());
        assert!(stage.sockets.0.len() <= ALLOCATIONS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps that reach what must not happen: allocations, permissions for every peer, data to all of them.
    #[test]
    fn random_steps_hold() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        for _ in 0..500 {
            let input: Vec<u8> = (0..1_000).map(|_| next()).collect();
            turn(&input);
        }
    }
}
