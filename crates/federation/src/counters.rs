//! Counts of what happens between servers, for whoever shows metrics.
//!
//! Not here: how they are shown (admin), connections that were accepted (net).

use net::Count;

use crate::certificate::Doubt;

/// All counts. They only grow, except those that say "now".
#[derive(Debug, Default)]
pub struct Counters {
    /// Streams open now: outgoing, incoming.
    pub streams: [Count; 2],
    /// Pairs of domains that are looked after now.
    pub lanes: Count,
    /// Stanzas that wait for a stream now.
    pub waiting: Count,
    /// Stanzas that other servers have got, and that they sent.
    pub stanzas: [Count; 2],
    /// Stanzas that came back, by [`Failure`].
    pub bounced: [Count; Failure::ALL.len()],
    /// Attempts to reach a domain that failed, by [`Failure`].
    pub failed: [Count; Failure::ALL.len()],
    /// Certificates that proved nothing, by [`Doubt`].
    pub doubts: [Count; Doubt::ALL.len()],
    /// Domains that were believed: by their certificate, by dialback.
    pub proofs: [Count; 2],
    /// Streams that needed an exception of the operator's: without TLS, without certificate.
    pub exceptions: [Count; 2],
    /// How often presence was looked after because a stream had broken.
    pub repairs: Count,
    /// What peers did wrong.
    pub misbehaviour: Count,
}

/// Why a domain could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It has no servers.
    NotFound,
    /// It did not answer: DNS, connections, streams.
    Unreachable,
    /// All its servers are at addresses that the operator forbids.
    Forbidden,
    /// The operator does not want it.
    Blocked,
    /// No TLS, where it is required.
    NoTls,
    /// Its certificate does not prove it.
    Certificate,
    /// It did not believe us.
    NotAuthenticated,
    /// It waited too long.
    Expired,
    /// The stanza is larger than the peer takes.
    TooLarge,
    /// Too much is looked after already.
    Full,
}

impl Failure {
    /// All of them, in the order of the counters.
    pub const ALL: [Failure; 10] = [
        Failure::NotFound,
        Failure::Unreachable,
        Failure::Forbidden,
        Failure::Blocked,
        Failure::NoTls,
        Failure::Certificate,
        Failure::NotAuthenticated,
        Failure::Expired,
        Failure::TooLarge,
        Failure::Full,
    ];

    /// A short name for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Failure::NotFound => "not_found",
            Failure::Unreachable => "unreachable",
            Failure::Forbidden => "forbidden_address",
            Failure::Blocked => "blocked",
            Failure::NoTls => "no_tls",
            Failure::Certificate => "certificate",
            Failure::NotAuthenticated => "not_authenticated",
            Failure::Expired => "expired",
            Failure::TooLarge => "too_large",
            Failure::Full => "full",
        }
    }

    /// Whether to try again soon may help.
    pub(crate) fn may_pass(self) -> bool {
        matches!(self, Failure::Unreachable)
    }
}
