//! The two SASL profiles, where they differ only in names.
//!
//! RFC 6120 section 6.4, XEP-0388 version 1.0.
//!
//! Not here: what only one of them has (sasl1.rs, sasl2.rs).

use sasl::Condition;
use stanza::ns;

use crate::sasl2::Wishes;
use crate::state::Io;

/// Which XML carries the exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Sasl1,
    Sasl2,
}

/// What a peer asked for when it began.
pub(crate) struct Begin {
    pub(crate) mechanism: String,
    pub(crate) initial: Option<Vec<u8>>,
    pub(crate) wishes: Wishes,
}

impl Profile {
    pub(crate) fn ns(self) -> &'static str {
        match self {
            Profile::Sasl1 => ns::SASL,
            Profile::Sasl2 => ns::SASL2,
        }
    }

    /// Writes `<challenge/>`; an empty one is an empty element in both.
    pub(crate) fn put_challenge(self, io: &mut Io, data: &[u8]) {
        let mut w = io.wire.writer();
        w.open("challenge", self.ns()).text(sasl::encode_base64(data)).close();
        io.wire.put(&w.finish());
    }

    /// Writes `<failure/>`; both have the conditions in the namespace of RFC 6120.
    pub(crate) fn put_failure(self, io: &mut Io, condition: Condition) {
        let mut w = io.wire.writer();
        w.open("failure", self.ns()).open(condition.name(), ns::SASL).close().close();
        io.wire.put(&w.finish());
    }
}
