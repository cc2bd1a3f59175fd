//! The server's side of a SOCKS5 handshake, as far as bytestreams need it: no login, `CONNECT` to a name of 40 digits.
//!
//! RFC 1928 sections 3 to 6, XEP-0065 1.8.2 section 5.3.2
//!
//! Not here: what becomes of who passes (`hall.rs`).

use crate::Name;

/// Bytes that may wait for the rest of a message: a greeting has at most 257, a request for a name 262.
const BUFFER_BYTES_MAX: usize = 262;
const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const NOTHING_FITS: u8 = 0xff;
const CONNECT: u8 = 1;
const DOMAIN_NAME: u8 = 3;

/// Why a request is refused (RFC 1928 section 6).
const NOT_ALLOWED: u8 = 2;
const UNKNOWN_COMMAND: u8 = 7;
const UNKNOWN_ADDRESS: u8 = 8;

/// One connection's handshake.
#[derive(Debug, Default)]
pub struct Handshake {
    buffer: Vec<u8>,
    greeted: bool,
    over: bool,
}

/// What is to be done after some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing: more must come.
    More,
    /// These are to be sent; the request must come.
    Send([u8; 2]),
    /// It asks for this stream. The answer is [`granted`](Handshake::granted) or [`refused`].
    Asks(Name),
    /// These are to be sent, if any, and the connection is to be closed.
    Close(Vec<u8>),
}

impl Handshake {
    /// Takes bytes. After [`Said::Asks`] and [`Said::Close`] the handshake is over.
    pub fn handle(&mut self, bytes: &[u8]) -> Said {
        if self.over || self.buffer.len() + bytes.len() > BUFFER_BYTES_MAX {
            // Nothing may be sent before it is asked for, so whoever sends more is no client of ours.
            self.over = true;
            return Said::Close(Vec::new());
        }
        self.buffer.extend_from_slice(bytes);
        let said = if self.greeted { self.request() } else { self.greeting() };
        self.over = matches!(said, Said::Asks(_) | Said::Close(_));
        said
    }

    fn greeting(&mut self) -> Said {
        let (methods, length) = match self.buffer[..] {
            [version, ..] if version != VERSION => return Said::Close(Vec::new()),
            [_, count, ref rest @ ..] => (rest, usize::from(count)),
            _ => return Said::More,
        };
        if methods.len() < length {
            return Said::More;
        }
        if methods.len() > length {
            return Said::Close(Vec::new());
        }
        if !methods.contains(&NO_LOGIN) {
            return Said::Close(vec![VERSION, NOTHING_FITS]);
        }
        self.greeted = true;
        self.buffer.clear();
        Said::Send([VERSION, NO_LOGIN])
    }

    fn request(&self) -> Said {
        let (length, rest) = match self.buffer[..] {
            [version, ..] if version != VERSION => return Said::Close(Vec::new()),
            [_, command, ..] if command != CONNECT => return Said::Close(refused_with(UNKNOWN_COMMAND)),
            [_, _, _, kind, ..] if kind != DOMAIN_NAME => return Said::Close(refused_with(UNKNOWN_ADDRESS)),
            [_, _, _, _, length, ref rest @ ..] => (usize::from(length), rest),
            _ => return Said::More,
        };
        // The name, and a port that means nothing.
        match rest.len() {
            given if given < length + 2 => Said::More,
            given if given > length + 2 => Said::Close(Vec::new()),
            _ => Name::read(&rest[..length]).map_or(Said::Close(refused_with(NOT_ALLOWED)), Said::Asks),
        }
    }

    /// The answer to who may enter: it says the name again.
    pub fn granted(name: Name) -> Vec<u8> {
        let mut reply = vec![VERSION, 0, 0, DOMAIN_NAME, Name::TEXT_BYTES as u8];
        reply.extend_from_slice(name.to_string().as_bytes());
        reply.extend_from_slice(&[0, 0]);
        reply
    }
}

/// The answer to who may not enter.
pub fn refused() -> Vec<u8> {
    refused_with(NOT_ALLOWED)
}

fn refused_with(why: u8) -> Vec<u8> {
    vec![VERSION, why, 0, 1, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(start: &[u8], name: &[u8]) -> Vec<u8> {
        [start, &[name.len() as u8], name, &[0, 0]].concat()
    }

    #[test]
    fn two_messages_lead_in_however_they_are_cut() {
        let name = Name::of("sid", "a@b/c", "d@e/f");
        let wanted = request(&[5, 1, 0, 3], name.to_string().as_bytes());
        for size in 1..=wanted.len() {
            let mut handshake = Handshake::default();
            let mut said = Vec::new();
            for message in [&[5, 2, 2, 0][..], &wanted] {
                for piece in message.chunks(size) {
                    said.push(handshake.handle(piece));
                }
            }
            said.retain(|said| *said != Said::More);
            assert_eq!(said, [Said::Send([5, 0]), Said::Asks(name)], "pieces of {size}");
        }
        let granted = Handshake::granted(name);
        assert_eq!((granted.len(), &granted[..5], &granted[45..]), (47, &[5, 0, 0, 3, 40][..], &[0, 0][..]));
    }

    #[test]
    fn others_are_sent_away() {
        let close = |bytes: &[u8]| Said::Close(bytes.to_vec());
        for (bytes, want) in [
            (&[4, 1, 0, 80][..], close(&[])),
            (b"GET / HTTP/1.1\r\n", close(&[])),
            (&[5, 1, 2], close(&[5, 0xff])),
            (&[5, 0], close(&[5, 0xff])),
            (&[5, 1, 0, 5, 1, 0, 3], close(&[])),
            (&[5, 255], Said::More),
            (&[5], Said::More),
            (&[], Said::More),
            (&[5; 263], close(&[])),
        ] {
            assert_eq!(Handshake::default().handle(bytes), want, "{bytes:?}");
        }
        let digits = [b'a'; 40];
        for (bytes, want) in [
            (request(&[4, 1, 0, 3], &digits), close(&[])),
            (request(&[5, 2, 0, 3], &digits), Said::Close(refused_with(UNKNOWN_COMMAND))),
            (request(&[5, 3, 0, 3], &digits), Said::Close(refused_with(UNKNOWN_COMMAND))),
            (vec![5, 1, 0, 1, 127, 0, 0, 1, 0, 22], Said::Close(refused_with(UNKNOWN_ADDRESS))),
            ([&[5, 1, 0, 4][..], &[0; 18]].concat(), Said::Close(refused_with(UNKNOWN_ADDRESS))),
            (request(&[5, 1, 0, 3], b"localhost"), Said::Close(refused())),
            (request(&[5, 1, 0, 3], b""), Said::Close(refused())),
            (request(&[5, 1, 0, 3], &[b'g'; 40]), Said::Close(refused())),
            ([request(&[5, 1, 0, 3], &digits), vec![1]].concat(), close(&[])),
            (request(&[5, 1, 0, 3], &digits)[..46].to_vec(), Said::More),
        ] {
            let mut handshake = Handshake::default();
            assert_eq!(handshake.handle(&[5, 1, 0]), Said::Send([5, 0]));
            assert_eq!(handshake.handle(&bytes), want, "{bytes:?}");
            if want != Said::More {
                assert_eq!(handshake.handle(&[5, 1, 0]), close(&[]), "it is over");
            }
        }
    }
}
