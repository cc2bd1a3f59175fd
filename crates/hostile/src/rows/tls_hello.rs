//! A handshake's first message, made by hand, and the first answer to it.
//!
//! RFC 5246 section 7.4, RFC 8446 section 4.
//!
//! Not here: what must be answered (`tls.rs`).

use std::time::Duration;

use crate::client::{Read, Socket};

/// What a client offers.
#[derive(Clone)]
pub(super) struct Hello {
    pub(super) version: u16,
    pub(super) suites: Vec<u16>,
    pub(super) compression: Vec<u8>,
    pub(super) extended_master_secret: bool,
    pub(super) tls13: bool,
    pub(super) name: Option<Vec<u8>>,
}

/// What is answered first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A failure, by its number.
    Alert(u8),
    /// Agreed.
    Hello { version: u16, suite: u16, compression: u8 },
    /// Nothing but the end.
    End,
    /// No TLS at all.
    Other(Vec<u8>),
}

/// Those that may be agreed to in TLS 1.2 (RFC 9325 section 4.2).
pub(super) const GOOD: [u16; 6] = [0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9];

impl Hello {
    /// A proper one of TLS 1.2.
    pub(super) fn proper() -> Hello {
        Hello {
            version: 0x0303,
            suites: GOOD.to_vec(),
            compression: vec![0],
            extended_master_secret: true,
            tls13: false,
            name: Some(b"a.example".to_vec()),
        }
    }

    /// As a record.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(0); // no session
        let suites: Vec<u8> = self.suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
        body.extend(long(&suites));
        body.push(self.compression.len() as u8);
        body.extend(&self.compression);
        body.extend(long(&self.extensions()));
        let length = (body.len() as u32).to_be_bytes();
        let message = [&[1], &length[1..], &body].concat();
        [&[0x16, 3, 1][..], &long(&message)].concat()
    }

    fn extensions(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |kind: u16, data: &[u8]| {
            out.extend(kind.to_be_bytes());
            out.extend(long(data));
        };
        if let Some(name) = &self.name {
            put(0, &long(&[&[0][..], &long(name)].concat()));
        }
        put(10, &long(&[0, 0x1d, 0, 0x17])); // x25519, secp256r1
        put(11, &[1, 0]);
        put(13, &long(&[4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 6, 3, 2, 3, 2, 1]));
        if self.extended_master_secret {
            put(23, &[]);
        }
        if self.tls13 {
            put(43, &[2, 3, 4]);
            // A point of x25519: the base point will do, since nothing is said with the key.
            let mut share = vec![0; 32];
            share[0] = 9;
            put(51, &long(&[&[0, 0x1d][..], &long(&share)].concat()));
        }
        out
    }
}

/// With its length in two bytes before it.
fn long(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_be_bytes()[..], data].concat()
}

/// Says something on a socket without TLS, and reads the first answer.
pub(super) fn shake(socket: &mut Socket, bytes: &[u8]) -> Reply {
    socket.write(bytes);
    let mut seen = Vec::new();
    while seen.len() < 7 || (seen[0] == 0x16 && seen.len() < 80) {
        match socket.read(Duration::from_secs(5)) {
            Read::Bytes(bytes) => seen.extend(bytes),
            Read::Nothing => return Reply::Other(seen),
            Read::End if seen.len() < 7 => return Reply::End,
            Read::End => break,
        }
    }
    let two = |at: usize| u16::from_be_bytes([seen[at], seen[at + 1]]);
    match seen[0] {
        0x15 => Reply::Alert(seen[6]),
        0x16 if seen.len() >= 80 && seen[5] == 2 => {
            let session = usize::from(seen[43]);
            if seen.len() < 47 + session {
                return Reply::Other(seen);
            }
            Reply::Hello { version: two(9), suite: two(44 + session), compression: seen[46 + session] }
        }
        _ => Reply::Other(seen),
    }
}
