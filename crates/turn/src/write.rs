//! Writing STUN messages.
//!
//! RFC 8489 sections 5 and 14
//!
//! Not here: reading (`message.rs`).

use core::net::SocketAddr;

use crate::attribute::{Attribute, Class, ERROR_CODE, FINGERPRINT, Fault, MESSAGE_INTEGRITY, Method};
use crate::message::{MAGIC_COOKIE, Transaction, join_type};
use crate::{Key, address, integrity};

/// A message being written.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    transaction: Transaction,
}

impl Builder {
    /// A message without attributes.
    pub fn new(method: Method, class: Class, transaction: Transaction) -> Builder {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&join_type(method, class).to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        bytes.extend_from_slice(&transaction);
        Builder { bytes, transaction }
    }

    /// Adds an attribute. Its value is cut at 65,535 bytes, which no caller has.
    pub fn put(mut self, number: Attribute, value: &[u8]) -> Builder {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.set_length(0);
        self
    }

    /// Adds a number of 32 bits.
    pub fn number(self, number: Attribute, value: u32) -> Builder {
        self.put(number, &value.to_be_bytes())
    }

    /// Adds an address, XORed (RFC 8489 section 14.2).
    pub fn address(self, number: Attribute, address: SocketAddr) -> Builder {
        let value = address::xored(address, &self.transaction);
        self.put(number, &value)
    }

    /// Adds ERROR-CODE (RFC 8489 section 14.8).
    pub fn error(self, fault: Fault) -> Builder {
        let (code, reason) = fault.code();
        let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
        value.extend_from_slice(reason.as_bytes());
        self.put(ERROR_CODE, &value)
    }

    /// Adds MESSAGE-INTEGRITY over all that is there (RFC 8489 section 14.5).
    pub fn sign(mut self, key: &Key) -> Builder {
        self.set_length(4 + integrity::BYTES);
        let code = integrity::sign(key, &self.bytes);
        self.put(MESSAGE_INTEGRITY, &code)
    }

    /// Adds FINGERPRINT, as the last (RFC 8489 section 14.7).
    pub fn fingerprint(mut self) -> Builder {
        self.set_length(8);
        let sum = integrity::fingerprint(&self.bytes);
        self.number(FINGERPRINT, sum)
    }

    /// The message.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes the length, with `more` bytes that are still to come.
    fn set_length(&mut self, more: usize) {
        let length = (self.bytes.len() - crate::message::HEADER + more) as u16;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
}
