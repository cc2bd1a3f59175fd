//! The limits of components, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: how much may wait for one (engine), limits of one stream (s2s), of listeners (net).

use std::time::Duration;

/// Connections of components that are open at once, those that have not shown their secret included.
pub const CONNECTIONS_MAX: usize = 256;
/// How long a connection may take until its component is known.
pub const AUTHENTICATE: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a component may take nothing of what we write.
pub const WRITE: Duration = Duration::from_secs(30);
/// Bytes that may wait to be written to who has not shown a secret; with more, nothing is read from it.
pub const UNPROVEN_BYTES_MAX: usize = 64 << 10;
/// The same of a component.
pub const UNSENT_BYTES_MAX: usize = 8 << 20;
/// How long a request or presence waits for a component that is away.
pub const BRIEF: Duration = Duration::from_secs(30);
/// How long a component must have lived after something was written to it, for that to count as delivered, where it
/// acknowledges nothing.
pub const CONFIRM: Duration = Duration::from_secs(5);
/// Stanzas that wait for that time; the oldest of more count as delivered at once. Fewer than may be on their way to one
/// domain, or a peer that reads fast would get no more than those in that time.
pub const UNCONFIRMED_MAX: usize = 500;
/// How long a component may be silent when another connection wants its domain, before that one gets it.
pub const PING: Duration = Duration::from_secs(5);
/// How long streams may take to close when the server stops.
pub const CLOSE: Duration = Duration::from_secs(5);
/// What a component may send, in bytes each second.
pub const BYTES_PER_SECOND: u32 = 1024 * 1024;
/// What it may send at once, in bytes.
pub const BURST_BYTES: u32 = 4 * 1024 * 1024;
/// Stanzas of one component that may wait to be stored before nothing more is read from it.
pub const UNSTORED_MAX: usize = 256;
/// Stanzas that a component may leave unacknowledged before it gets no more.
pub const UNACKED_MAX: usize = 1_000;
/// The same in bytes.
pub const UNACKED_BYTES_MAX: usize = 4 * 1024 * 1024;
