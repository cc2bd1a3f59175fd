//! Reading STUN messages: one pass over borrowed bytes, nothing is copied.
//!
//! RFC 8489 sections 5 and 14
//!
//! Not here: ChannelData and the framing of streams (`frame.rs`), writing (`write.rs`), what messages mean (`requests.rs`).

use core::net::SocketAddr;

use crate::address;
use crate::attribute::{Attribute, Class, FINGERPRINT, KNOWN, MESSAGE_INTEGRITY, Method};
use crate::integrity::{self, Key};
use crate::limits::ATTRIBUTES_MAX;

/// RFC 8489 section 5.
pub const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Bytes of a header.
pub const HEADER: usize = 20;

/// A transaction's id.
pub type Transaction = [u8; 12];

/// A message that has the form of one.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// What it is about.
    pub method: Method,
    /// Whether it asks or answers.
    pub class: Class,
    /// Which question and answer belong together.
    pub transaction: Transaction,
    /// Where MESSAGE-INTEGRITY begins; what follows it says nothing.
    integrity_at: Option<usize>,
    /// Whether it ends with a FINGERPRINT (which was right).
    pub has_fingerprint: bool,
}

/// An attribute of a message: number, value, and where it begins.
type Found<'a> = (Attribute, &'a [u8], usize);

impl<'a> Message<'a> {
    /// Reads a message; `None` if it is none, or its fingerprint is wrong (RFC 8489 section 7.3: dropped without answer).
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let (header, body) = bytes.split_first_chunk::<HEADER>()?;
        let ty = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let cookie = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        if ty & 0xc000 != 0 || !length.is_multiple_of(4) || length != body.len() || cookie != MAGIC_COOKIE {
            return None;
        }
        let mut transaction = [0; 12];
        transaction.copy_from_slice(&header[8..]);
        let (method, class) = split_type(ty);
        let mut message =
            Message { bytes, method, class, transaction, integrity_at: None, has_fingerprint: false };
        message.walk()?;
        Some(message)
    }

    /// Looks at the form of all attributes, and finds those that end the message.
    fn walk(&mut self) -> Option<()> {
        let (mut rest, mut count) = (self.bytes.get(HEADER..)?, 0);
        while !rest.is_empty() {
            let (number, value, after) = split(rest)?;
            let at = self.bytes.len() - rest.len();
            count += 1;
            if count > ATTRIBUTES_MAX || self.has_fingerprint {
                return None;
            }
            match number {
                MESSAGE_INTEGRITY if self.integrity_at.is_none() => {
                    if value.len() != integrity::BYTES {
                        return None;
                    }
                    self.integrity_at = Some(at);
                }
                FINGERPRINT => {
                    let given = u32::from_be_bytes(value.try_into().ok()?);
                    if !after.is_empty() || given != integrity::fingerprint(&self.bytes[..at]) {
                        return None;
                    }
                    self.has_fingerprint = true;
                }
                _ => {}
            }
            rest = after;
        }
        Some(())
    }

    /// All attributes that count: those before MESSAGE-INTEGRITY (RFC 8489 section 14.5).
    fn attributes(&self) -> impl Iterator<Item = Found<'a>> + use<'a> {
        let bytes = &self.bytes[..self.integrity_at.unwrap_or(self.bytes.len())];
        let mut rest = &bytes[HEADER..];
        std::iter::from_fn(move || {
            let (number, value, after) = split(rest)?;
            let at = bytes.len() - rest.len();
            rest = after;
            Some((number, value, at))
        })
    }

    /// The first attribute with that number.
    pub fn find(&self, number: Attribute) -> Option<&'a [u8]> {
        self.attributes().find(|(found, ..)| *found == number).map(|(_, value, _)| value)
    }

    /// An attribute that is text.
    pub fn text(&self, number: Attribute) -> Option<&'a str> {
        std::str::from_utf8(self.find(number)?).ok()
    }

    /// An attribute that is a number of 32 bits.
    pub fn number(&self, number: Attribute) -> Option<u32> {
        Some(u32::from_be_bytes(self.find(number)?.try_into().ok()?))
    }

    /// An address that is XORed (RFC 8489 section 14.2). `None`: there is none, or it is malformed.
    pub fn address(&self, number: Attribute) -> Option<SocketAddr> {
        address::read_xored(self.find(number)?, &self.transaction)
    }

    /// All addresses with that number; `Err`: one of them is malformed.
    pub fn addresses(&self, number: Attribute) -> impl Iterator<Item = Result<SocketAddr, ()>> + use<'a> {
        let transaction = self.transaction;
        self.attributes()
            .filter(move |(found, ..)| *found == number)
            .map(move |(_, value, _)| address::read_xored(value, &transaction).ok_or(()))
    }

    /// Attributes that must be understood and are not (RFC 8489 section 6.3.1).
    pub fn unknown(&self) -> impl Iterator<Item = Attribute> + use<'a> {
        self.attributes()
            .map(|(number, ..)| number)
            .filter(|number| *number < 0x8000 && !KNOWN.contains(number))
    }

    /// Whether it has a MESSAGE-INTEGRITY.
    pub fn is_signed(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// Whether its MESSAGE-INTEGRITY was made with this key (RFC 8489 section 14.5). Takes the same time if not.
    pub fn is_signed_with(&self, key: &Key) -> bool {
        let Some(at) = self.integrity_at else { return false };
        let given = self.bytes.get(at + 4..at + 4 + integrity::BYTES);
        given.is_some_and(|given| integrity::verify(key, &self.bytes[..at], given))
    }
}

/// The first attribute and what follows it with its padding.
fn split(bytes: &[u8]) -> Option<(Attribute, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let number = u16::from_be_bytes([head[0], head[1]]);
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let value = rest.get(..length)?;
    Some((number, value, rest.get(length.next_multiple_of(4)..)?))
}

/// RFC 8489 section 5: the bits of the class stand between those of the method.
fn split_type(ty: u16) -> (Method, Class) {
    let method = (ty & 0x000f) | ((ty & 0x00e0) >> 1) | ((ty & 0x3e00) >> 2);
    let class = match (ty & 0x0100 != 0, ty & 0x0010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::Success,
        (true, true) => Class::Error,
    };
    (method, class)
}

/// The other way.
pub(crate) fn join_type(method: Method, class: Class) -> u16 {
    let class = match class {
        Class::Request => 0,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2) | class
}
