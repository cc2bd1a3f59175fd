//! What the operator decides about streams between servers and those of components.
//!
//! XEP-0205 (limits), RFC 7590 (what is required).
//!
//! Not here: where the values come from (config), rates and counts over many streams (federation).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::rate::Rate;
use zeroize::Zeroizing;

/// Shared by all streams; a reload makes a new one for new streams.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which domains are ours, and what is wanted of others.
    pub domains: Arc<dyn Domains>,
    /// The secret that dialback keys are made of (XEP-0185), the same on all machines that share a domain; `None`
    /// switches dialback off on our side: we neither send nor confirm keys.
    pub dialback: Option<Secret>,
    /// Whether `<starttls/>` is offered to incoming streams: there is a certificate.
    pub starttls: bool,
    /// Whether bidirectional streams are offered and used (XEP-0288).
    pub bidi: bool,
    /// Whether stream management is offered and used (XEP-0198).
    pub stream_management: bool,
    /// How long a broken stream may be resumed; zero switches resumption off. At most a day.
    pub resume: Duration,
    /// Times.
    pub timeouts: Timeouts,
    /// XML limits until a peer is authenticated.
    pub limits_before_auth: xml::Limits,
    /// XML limits of an authenticated server or component.
    pub limits: xml::Limits,
    /// How fast a peer may send.
    pub rate: Rate,
    /// Domain pairs that may be proven or tried on one stream, for each direction.
    pub pairs_max: usize,
    /// Verifications that may be under way for one stream, for each direction.
    pub verifications_max: usize,
    /// Stanzas and bytes that may be taken and not acknowledged.
    pub unacked_max: usize,
    /// The same in bytes.
    pub unacked_bytes_max: usize,
    /// Stanzas that may be handed to the shell and not yet stored: more, and reading pauses.
    pub unstored_max: usize,
}

/// Which domains are ours, and what is wanted of others. Asked while a stream works, so it must answer at once.
pub trait Domains: Send + Sync + fmt::Debug {
    /// Whether `domain` (prepared) is ours and may be reached by other servers: an account domain or a service.
    fn serves(&self, domain: &str) -> bool;
    /// What is wanted of streams between `local` and `remote`. `remote` is `None` while it is not known.
    fn policy(&self, local: &str, remote: Option<&str>) -> Policy {
        let _ = (local, remote);
        Policy::default()
    }
}

/// What is wanted of a remote domain. The default is the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether there may be streams at all.
    pub allowed: bool,
    /// Whether there must be TLS before anything else.
    pub require_tls: bool,
    /// Whether its certificate must prove the domain. If not, dialback will do.
    pub require_certificate: bool,
}

/// How long a stream may take for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte to the first proven pair (or, of a stream for verifications, to its features).
    pub authenticate: Duration,
    /// How long one dialback, or another question, may take; meanwhile `authenticate` is extended to that.
    pub dialback: Duration,
    /// Silence (nothing received) after which the peer is asked for a sign of life.
    pub keepalive: Duration,
    /// How long it may take to answer that, and to acknowledge stanzas.
    pub answer: Duration,
    /// Without a stanza or a verification in either direction for this long, the stream is closed in peace.
    pub idle: Duration,
    /// How long we wait for the peer's side of a closing stream.
    pub close: Duration,
}

/// Something that only two sides know. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// The secret as it is configured, byte for byte.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(Arc::new(Zeroizing::new(bytes.into())))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Settings {
    /// The defaults of the security bar, without dialback and with TLS.
    pub fn new(domains: Arc<dyn Domains>) -> Settings {
        Settings {
            domains,
            dialback: None,
            starttls: true,
            bidi: true,
            stream_management: true,
            resume: Duration::from_secs(300),
            timeouts: Timeouts::default(),
            limits_before_auth: xml::Limits::BEFORE_AUTH,
            limits: xml::Limits::SERVER,
            rate: Rate::SERVER,
            pairs_max: 64,
            verifications_max: 16,
            unacked_max: 1_000,
            unacked_bytes_max: 4 * 1024 * 1024,
            unstored_max: 256,
        }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { allowed: true, require_tls: true, require_certificate: true }
    }
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            authenticate: Duration::from_secs(30),
            dialback: Duration::from_secs(60),
            keepalive: Duration::from_secs(120),
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            close: Duration::from_secs(5),
        }
    }
}
