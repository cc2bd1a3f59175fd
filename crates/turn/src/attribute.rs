//! Numbers of methods, classes, attributes and errors.
//!
//! RFC 8489 sections 5, 14 and 18, RFC 8656 sections 17 to 19
//!
//! Not here: how they are read and written (`message.rs`, `write.rs`).

/// A method, as in the type of a message.
pub type Method = u16;

/// RFC 8489.
pub const BINDING: Method = 0x001;
/// RFC 8656 section 17.
pub const ALLOCATE: Method = 0x003;
/// RFC 8656 section 17.
pub const REFRESH: Method = 0x004;
/// RFC 8656 section 17.
pub const SEND: Method = 0x006;
/// RFC 8656 section 17.
pub const DATA_METHOD: Method = 0x007;
/// RFC 8656 section 17.
pub const CREATE_PERMISSION: Method = 0x008;
/// RFC 8656 section 17.
pub const CHANNEL_BIND: Method = 0x009;

/// What a message is (RFC 8489 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It wants an answer.
    Request,
    /// It wants none.
    Indication,
    /// An answer: done.
    Success,
    /// An answer: not done.
    Error,
}

/// An attribute's number. Below 0x8000 who does not know it must not go on.
pub type Attribute = u16;

#[allow(missing_docs)]
mod numbers {
    use super::Attribute;
    pub const MAPPED_ADDRESS: Attribute = 0x0001;
    pub const USERNAME: Attribute = 0x0006;
    pub const MESSAGE_INTEGRITY: Attribute = 0x0008;
    pub const ERROR_CODE: Attribute = 0x0009;
    pub const UNKNOWN_ATTRIBUTES: Attribute = 0x000a;
    pub const CHANNEL_NUMBER: Attribute = 0x000c;
    pub const LIFETIME: Attribute = 0x000d;
    pub const XOR_PEER_ADDRESS: Attribute = 0x0012;
    pub const DATA: Attribute = 0x0013;
    pub const REALM: Attribute = 0x0014;
    pub const NONCE: Attribute = 0x0015;
    pub const XOR_RELAYED_ADDRESS: Attribute = 0x0016;
    pub const REQUESTED_ADDRESS_FAMILY: Attribute = 0x0017;
    pub const EVEN_PORT: Attribute = 0x0018;
    pub const REQUESTED_TRANSPORT: Attribute = 0x0019;
    pub const XOR_MAPPED_ADDRESS: Attribute = 0x0020;
    pub const RESERVATION_TOKEN: Attribute = 0x0022;
    pub const ADDITIONAL_ADDRESS_FAMILY: Attribute = 0x8000;
    pub const ADDRESS_ERROR_CODE: Attribute = 0x8001;
    pub const FINGERPRINT: Attribute = 0x8028;
}
pub use numbers::*;

/// Those below 0x8000 that requests may have here (RFC 8489 section 6.3.1).
pub(crate) const KNOWN: [Attribute; 13] = [
    MAPPED_ADDRESS,
    USERNAME,
    MESSAGE_INTEGRITY,
    CHANNEL_NUMBER,
    LIFETIME,
    XOR_PEER_ADDRESS,
    DATA,
    REALM,
    NONCE,
    REQUESTED_ADDRESS_FAMILY,
    EVEN_PORT,
    REQUESTED_TRANSPORT,
    RESERVATION_TOKEN,
];

/// Why a request fails: code and reason (RFC 8489 section 14.8, RFC 8656 section 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 400.
    BadRequest,
    /// 401: who asks has not shown that it may.
    Unauthenticated,
    /// 403: not to that peer.
    Forbidden,
    /// 420: an attribute is unknown that must be understood.
    UnknownAttribute,
    /// 437: there is an allocation already, or none.
    AllocationMismatch,
    /// 438: the nonce is too old.
    StaleNonce,
    /// 440: no address of that family here.
    AddressFamilyNotSupported,
    /// 441: the allocation is another user's.
    WrongCredentials,
    /// 442: relays are UDP only.
    UnsupportedTransport,
    /// 443: the peer is of another family than the relay.
    PeerAddressFamilyMismatch,
    /// 486: this user has enough.
    QuotaReached,
    /// 508: the server has enough.
    InsufficientCapacity,
}

impl Fault {
    /// Code and reason.
    pub fn code(self) -> (u16, &'static str) {
        match self {
            Fault::BadRequest => (400, "Bad Request"),
            Fault::Unauthenticated => (401, "Unauthenticated"),
            Fault::Forbidden => (403, "Forbidden"),
            Fault::UnknownAttribute => (420, "Unknown Attribute"),
            Fault::AllocationMismatch => (437, "Allocation Mismatch"),
            Fault::StaleNonce => (438, "Stale Nonce"),
            Fault::AddressFamilyNotSupported => (440, "Address Family not Supported"),
            Fault::WrongCredentials => (441, "Wrong Credentials"),
            Fault::UnsupportedTransport => (442, "Unsupported Transport Protocol"),
            Fault::PeerAddressFamilyMismatch => (443, "Peer Address Family Mismatch"),
            Fault::QuotaReached => (486, "Allocation Quota Reached"),
            Fault::InsufficientCapacity => (508, "Insufficient Capacity"),
        }
    }
}
