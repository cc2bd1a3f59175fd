//! How much anybody may have at once.
//!
//! Not here: bytes per second, which whoever passes them counts.

/// Most bytes of the id of a stream (the XEP sets no limit; clients take about twenty).
pub const SID_BYTES_MAX: usize = 1_024;

/// Connections at once that have not said yet what they want.
pub const HANDSHAKES_MAX: usize = 200;
/// The same of one address (IPv6: /64).
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 10;

/// The limits of a mediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. Half of them at most wait: the others are kept for streams that are active.
    pub connections: usize,
    /// Connections of one address.
    pub connections_per_address: usize,
    /// Streams that pass bytes, of one account.
    pub streams_per_account: usize,
    /// How long in milliseconds a connection may wait for the other one and for activation.
    pub waiting_ms: u64,
    /// How long in milliseconds a stream may last in which nothing passes, in either direction.
    pub idle_ms: u64,
    /// How long in milliseconds a stream may last.
    pub lasting_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1_000,
            connections_per_address: 20,
            streams_per_account: 5,
            waiting_ms: 60_000,
            idle_ms: 300_000,
            lasting_ms: 6 * 3_600_000,
        }
    }
}
