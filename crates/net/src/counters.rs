//! Counts of what happens on the sockets, for whoever shows metrics.
//!
//! Not here: how they are shown (admin).

use std::sync::atomic::{AtomicU64, Ordering};

use model::link::Transport;
use stream::Misbehaviour;

/// All counts of one server. They only grow, except those that say "open now".
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted, by [`crate::Kind`], in its order.
    pub accepted: [Count; 13],
    /// Streams open now, by transport: TCP, direct TLS, WebSocket, BOSH.
    pub streams: [Count; 4],
    /// Sockets open now.
    pub sockets: Count,
    /// Connections refused because the address has too many.
    pub refused_per_address: Count,
    /// Connections refused because the address connects too often.
    pub refused_rate: Count,
    /// Connections refused because the server is full.
    pub refused_full: Count,
    /// Times the accept loop had to wait because the system is out of something.
    pub accept_backoffs: Count,
    /// TLS handshakes that succeeded.
    pub handshakes: Count,
    /// TLS handshakes that failed, by [`HandshakeFault`].
    pub handshakes_failed: [Count; HandshakeFault::ALL.len()],
    /// Bytes read from sockets.
    pub bytes_in: Count,
    /// Bytes written to sockets.
    pub bytes_out: Count,
    /// Streams ended because the peer did not read for too long.
    pub stuck: Count,
    /// Successful authentications.
    pub authenticated: Count,
    /// HTTP requests answered, by hundreds of the status: 1xx to 5xx.
    pub http: [Count; 5],
    /// What peers did wrong, by [`misbehaviour_name`]; see [`Counters::misbehaved`].
    pub misbehaviour: [Count; MISBEHAVIOURS.len()],
}

/// One number that many tasks change.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn one(&self) {
        self.add(1);
    }

    /// Takes one off.
    pub fn less(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// The number now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a TLS handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFault {
    /// Not finished in time.
    Slow,
    /// The peer went away.
    Gone,
    /// No protocol in common (RFC 7301).
    Alpn,
    /// No version or cipher suite in common.
    Incompatible,
    /// The peer sent an alert: most often it does not trust our certificate.
    Alert,
    /// Not TLS, or broken TLS.
    Malformed,
    /// We have no certificate.
    NoCertificate,
}

impl HandshakeFault {
    /// All of them, in the order of [`Counters::handshakes_failed`].
    pub const ALL: [HandshakeFault; 7] = [
        HandshakeFault::Slow,
        HandshakeFault::Gone,
        HandshakeFault::Alpn,
        HandshakeFault::Incompatible,
        HandshakeFault::Alert,
        HandshakeFault::Malformed,
        HandshakeFault::NoCertificate,
    ];

    /// A short name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            HandshakeFault::Slow => "slow",
            HandshakeFault::Gone => "gone",
            HandshakeFault::Alpn => "alpn",
            HandshakeFault::Incompatible => "incompatible",
            HandshakeFault::Alert => "alert",
            HandshakeFault::Malformed => "malformed",
            HandshakeFault::NoCertificate => "no_certificate",
        }
    }
}

/// The names of [`Counters::misbehaviour`], in its order.
pub const MISBEHAVIOURS: [&str; 26] = [
    "xml",
    "improper_addressing",
    "unknown_host",
    "forged_from",
    "wrong_namespace",
    "wrong_version",
    "changed_address",
    "unexpected_header",
    "not_opened",
    "bad_frame",
    "not_authorized",
    "unsupported_element",
    "unexpected_starttls",
    "bytes_before_tls",
    "encryption_required",
    "early_data",
    "auth_failed",
    "too_many_failures",
    "too_slow",
    "silent",
    "unusable_stanza",
    "unexpected_management",
    "second_bind",
    "flood",
    "websocket",
    "bosh",
];

/// The name under which a misbehaviour is counted.
pub fn misbehaviour_name(what: &Misbehaviour) -> &'static str {
    match what {
        Misbehaviour::Xml(_) => "xml",
        Misbehaviour::ImproperAddressing => "improper_addressing",
        Misbehaviour::UnknownHost => "unknown_host",
        Misbehaviour::ForgedFrom => "forged_from",
        Misbehaviour::WrongNamespace => "wrong_namespace",
        Misbehaviour::WrongVersion => "wrong_version",
        Misbehaviour::ChangedAddress => "changed_address",
        Misbehaviour::UnexpectedHeader => "unexpected_header",
        Misbehaviour::NotOpened => "not_opened",
        Misbehaviour::BadFrame => "bad_frame",
        Misbehaviour::NotAuthorized => "not_authorized",
        Misbehaviour::UnsupportedElement => "unsupported_element",
        Misbehaviour::UnexpectedStartTls => "unexpected_starttls",
        Misbehaviour::BytesBeforeTls => "bytes_before_tls",
        Misbehaviour::EncryptionRequired => "encryption_required",
        Misbehaviour::EarlyData => "early_data",
        Misbehaviour::AuthFailed(_) => "auth_failed",
        Misbehaviour::TooManyFailures => "too_many_failures",
        Misbehaviour::TooSlow => "too_slow",
        Misbehaviour::Silent => "silent",
        Misbehaviour::UnusableStanza => "unusable_stanza",
        Misbehaviour::UnexpectedManagement => "unexpected_management",
        Misbehaviour::SecondBind => "second_bind",
        Misbehaviour::Flood => "flood",
    }
}

impl Counters {
    /// Counts a misbehaviour under its name.
    pub fn misbehaved(&self, name: &str) {
        if let Some(at) = MISBEHAVIOURS.iter().position(|known| *known == name) {
            self.misbehaviour[at].one();
        }
    }

    /// How often a misbehaviour was seen.
    pub fn misbehaviours(&self, name: &str) -> u64 {
        MISBEHAVIOURS.iter().position(|known| *known == name).map_or(0, |at| self.misbehaviour[at].value())
    }

    /// Counts a failed handshake.
    pub(crate) fn handshake_failed(&self, why: HandshakeFault) {
        self.handshakes_failed[why as usize].one();
    }

    /// The number of streams open now on `transport`.
    pub fn streams(&self, transport: Transport) -> &Count {
        &self.streams[match transport {
            Transport::Tcp => 0,
            Transport::DirectTls => 1,
            Transport::WebSocket => 2,
            Transport::Bosh => 3,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_and_misbehaviour_has_its_own_place() {
        let counters = Counters::default();
        for fault in HandshakeFault::ALL {
            counters.handshake_failed(fault);
            assert_eq!(counters.handshakes_failed[fault as usize].value(), 1, "{}", fault.name());
        }
        for name in MISBEHAVIOURS {
            counters.misbehaved(name);
            assert_eq!(counters.misbehaviours(name), 1, "{name}");
        }
        let note = misbehaviour_name(&Misbehaviour::Flood);
        assert!(MISBEHAVIOURS.contains(&note));
    }
}
