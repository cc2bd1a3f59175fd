//! How much anybody may have at once.
//!
//! Not here: bytes per second, which whoever passes them counts.

/// The limits of a mediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address.
    pub connections_per_address: usize,
    /// Streams that pass bytes, of one account.
    pub streams_per_account: usize,
    /// How long in milliseconds a connection may wait for the other one and for activation.
    pub waiting_ms: u64,
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
            lasting_ms: 6 * 3_600_000,
        }
    }
}
