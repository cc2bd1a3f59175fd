//! The machine as clients, peers and attackers see it.
//!
//! Not here: sockets (crate `relay`).

mod limits;
mod relaying;
mod requests;
mod vectors;

use core::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::attribute::{self as a, Attribute, Class, Method};
use crate::credentials::{Credentials, issue};
use crate::message::Message;
use crate::peers::Peers;
use crate::{Builder, Client, Key, Limits, Output, Ports, Server, Settings, Time, long_term_key};

pub(super) const SECRET: &[u8] = b"secret";
pub(super) const NOW: u64 = 1_800_000_000;

/// Sockets that are only noted.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) open: Vec<SocketAddr>,
    pub(super) none: bool,
}

impl Ports for Sockets {
    fn open(&mut self, relay: SocketAddr) -> bool {
        assert!(!self.open.contains(&relay));
        if !self.none {
            self.open.push(relay);
        }
        !self.none
    }

    fn close(&mut self, relay: SocketAddr) {
        let before = self.open.len();
        self.open.retain(|known| *known != relay);
        assert_eq!(self.open.len() + 1, before);
    }
}

pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) sockets: Sockets,
    pub(super) time: Time,
    nonce: Vec<u8>,
    count: u8,
}

pub(super) fn ip(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn phone() -> Client {
    Client::Udp(0, ip("198.51.100.7:40000"))
}

impl Stage {
    pub(super) fn new(limits: Limits) -> Stage {
        let settings = Settings {
            secret: SECRET.to_vec(),
            realm: "example.org".into(),
            external: vec!["203.0.113.1".parse().unwrap(), "2a00::1".parse().unwrap()],
            ports: 50_000..=50_099,
            peers: Peers { allowed: Vec::new(), denied: vec!["203.0.113.1".parse().unwrap()] },
            limits,
            seed: [7; 32],
        };
        let time = Time { now: Instant::now(), unix: NOW };
        Stage {
            server: Server::new(settings),
            sockets: Sockets::default(),
            time,
            nonce: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.time =
            Time { now: self.time.now + Duration::from_secs(seconds), unix: self.time.unix + seconds };
        self.server.handle_time(self.time.now, &mut self.sockets);
    }

    pub(super) fn send(&mut self, client: Client, bytes: &[u8]) -> Option<Vec<u8>> {
        match self.server.handle(self.time, client, bytes, &mut self.sockets)? {
            Output::Client(to, bytes) => {
                assert_eq!(to, client);
                Some(bytes)
            }
            Output::Peer(..) => panic!("to a peer"),
        }
    }

    /// A request without anything that shows who asks.
    pub(super) fn plain(
        &mut self,
        client: Client,
        method: Method,
        with: &[(Attribute, &[u8])],
    ) -> Option<Vec<u8>> {
        let request = self.builder(method, with).finish();
        self.send(client, &request)
    }

    pub(super) fn builder(&mut self, method: Method, with: &[(Attribute, &[u8])]) -> Builder {
        self.count += 1;
        let builder = Builder::new(method, Class::Request, [self.count; 12]);
        with.iter().fold(builder, |builder, (number, value)| builder.put(*number, value))
    }

    /// A request as a client makes it that was told realm and nonce.
    pub(super) fn signed(
        &mut self,
        credentials: &Credentials,
        method: Method,
        with: &[(Attribute, &[u8])],
    ) -> Vec<u8> {
        let builder = self.builder(method, with);
        let builder = builder.put(a::USERNAME, credentials.username.as_bytes());
        let builder = builder.put(a::REALM, b"example.org").put(a::NONCE, &self.nonce);
        builder.sign(&key(credentials)).fingerprint().finish()
    }

    /// Asks; `Ok` with the answer, `Err` with the code.
    pub(super) fn ask(
        &mut self,
        client: Client,
        credentials: &Credentials,
        method: Method,
        with: &[(Attribute, &[u8])],
    ) -> Result<Vec<u8>, u16> {
        if self.nonce.is_empty() {
            let challenge = self.plain(client, a::ALLOCATE, &[]).unwrap();
            self.nonce = Message::parse(&challenge).unwrap().find(a::NONCE).unwrap().to_vec();
        }
        let request = self.signed(credentials, method, with);
        let answer = self.send(client, &request).unwrap();
        match code(&answer) {
            Some(code) => Err(code),
            None => {
                assert!(Message::parse(&answer).unwrap().is_signed_with(&key(credentials)));
                Ok(answer)
            }
        }
    }

    /// A relay for that client.
    pub(super) fn allocate(&mut self, client: Client, credentials: &Credentials) -> Result<SocketAddr, u16> {
        let answer = self.ask(client, credentials, a::ALLOCATE, UDP)?;
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.address(a::XOR_MAPPED_ADDRESS), Some(client.remote()));
        Ok(message.address(a::XOR_RELAYED_ADDRESS).unwrap())
    }

    pub(super) fn permit(
        &mut self,
        client: Client,
        credentials: &Credentials,
        peer: &str,
    ) -> Result<Vec<u8>, u16> {
        let address = self.xored(ip(peer));
        self.ask(client, credentials, a::CREATE_PERMISSION, &[(a::XOR_PEER_ADDRESS, &address)])
    }

    pub(super) fn bind(
        &mut self,
        client: Client,
        credentials: &Credentials,
        number: u16,
        peer: &str,
    ) -> Result<Vec<u8>, u16> {
        let address = self.xored(ip(peer));
        let number = (u32::from(number) << 16).to_be_bytes();
        self.ask(
            client,
            credentials,
            a::CHANNEL_BIND,
            &[(a::CHANNEL_NUMBER, &number), (a::XOR_PEER_ADDRESS, &address)],
        )
    }

    /// For the next request.
    pub(super) fn xored(&self, address: SocketAddr) -> Vec<u8> {
        crate::xored(address, &[self.count + 1; 12])
    }

    pub(super) fn forget_nonce(&mut self) {
        self.nonce.clear();
    }
}

pub(super) const UDP: &[(Attribute, &[u8])] = &[(a::REQUESTED_TRANSPORT, &[17, 0, 0, 0])];

pub(super) fn key(credentials: &Credentials) -> Key {
    long_term_key(&credentials.username, "example.org", &credentials.password)
}

pub(super) fn romeo() -> Credentials {
    issue(SECRET, "romeo", NOW + 3_600)
}

/// The code of an error; `None`: it is none.
pub(super) fn code(answer: &[u8]) -> Option<u16> {
    let message = Message::parse(answer).unwrap();
    let value = message.find(a::ERROR_CODE)?;
    assert_eq!(message.class, Class::Error);
    Some(u16::from(value[2]) * 100 + u16::from(value[3]))
}
