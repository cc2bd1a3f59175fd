//! Letting bytes pass between two connections that wait at the mediator of bytestreams, as plain data.
//!
//! XEP-0065 1.8.2 section 6.3.5
//!
//! Not here: who asks (crate `bytestreams`), who passes them (crate `mediator`).

use address::Bare;

/// An order: bytes shall pass between the two ends of a stream. Answer: [`Activated`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The stream's name: SHA-1 over its id, requester and target (section 5.3.2).
    pub stream: [u8; 20],
    /// On whose account.
    pub account: Bare,
}

/// What became of an [`Activation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activated {
    /// Bytes pass.
    Done,
    /// Nobody waits for that stream.
    Missing,
    /// Only one of the two is connected.
    Alone,
    /// The account has too many streams.
    TooMany,
    /// There is no mediator here.
    Off,
}
