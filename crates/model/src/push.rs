//! What may be asked about push by web and push that comes in, as plain data.
//!
//! RFC 8030, RFC 8291, RFC 8292.
//!
//! Not here: who sends it (crate `webpush`), who decides (crate `push`).

use address::{Bare, Jid};

/// Where a browser, or another program, is told something (RFC 8030 section 5, RFC 8291 section 2).
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The address of its push service.
    pub endpoint: String,
    /// Its public key: an uncompressed point on P-256.
    pub key: Vec<u8>,
    /// What it shares with us alone, 16 bytes.
    pub auth: Vec<u8>,
}

/// Whoever knows it can write to the browser: nobody shall read it in a log.
impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subscription(hidden)")
    }
}

/// A notification for the web.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// The service that sends it.
    pub service: Jid,
    /// Whose it is.
    pub account: Bare,
    /// The node that it was published to.
    pub node: String,
    /// Where it goes.
    pub to: Subscription,
    /// What it says, before encryption; at most [`TEXT_BYTES_MAX`].
    pub text: Vec<u8>,
    /// Whether it is for now (RFC 8030 section 5.3).
    pub urgent: bool,
}

/// Without what it says.
impl std::fmt::Debug for Notification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notification({} {})", self.service, self.account)
    }
}

/// Most bytes of a notification before encryption: what is left of the 4096 bytes that every push service takes (RFC 8030
/// section 7.2, RFC 8291 section 4).
pub const TEXT_BYTES_MAX: usize = 3_993;

/// A question or an order about push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushQuery {
    /// The public key by which push services know us (RFC 8292). Answer: [`PushFound::Key`].
    Key,
    /// Whether something can be sent there. Answer: [`PushFound::Done`] or [`PushFound::Refused`].
    Check(Subscription),
    /// Sends a notification, in time. Answer: [`PushFound::Done`] as soon as it waits to be sent, or
    /// [`PushFound::Full`].
    Send(Box<Notification>),
    /// A way in for a program: what is posted there goes to a client. Answer: [`PushFound::Way`].
    Open {
        /// The service that it comes by.
        service: Jid,
        /// The client.
        client: Jid,
        /// The program, as the client calls it.
        application: String,
        /// Which of its ways, as the client calls it.
        instance: String,
        /// Until when it holds, in Unix milliseconds.
        until_ms: u64,
    },
    /// A client has answered. Answer: [`PushFound::Done`].
    Answered {
        /// Who.
        client: Jid,
        /// Which question.
        id: String,
        /// What.
        outcome: Outcome,
    },
}

/// What became of something that was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client has it.
    Taken,
    /// It takes nothing more that comes this way.
    Gone,
    /// It could not be reached.
    Later,
}

/// The answer to a [`PushQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushFound {
    /// Done, or yes.
    Done,
    /// In base64url, without padding.
    Key(String),
    /// Too much waits to be sent.
    Full,
    /// No, and why, in words for the one who asked.
    Refused(&'static str),
    /// The address of a way in.
    Way(String),
    /// There is nothing of this here.
    Off,
}
