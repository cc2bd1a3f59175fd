//! What the operator decides about client streams.
//!
//! Not here: where the values come from (config), and rates per address, which need to see many streams (net).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use address::Bare;
use model::grant::Grant;
use model::rate::Rate;
use sasl::Mechanism;

/// Shared by all streams; a reload makes a new one for new streams.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which domains are ours.
    pub domains: Arc<dyn Domains>,
    /// What the operator allows, tokens (XEP-0484) included. What a stream cannot do (`-PLUS` without channel data,
    /// `PLAIN` without TLS) is left out there; `EXTERNAL` and `ANONYMOUS` are never offered to clients.
    pub mechanisms: Vec<Mechanism>,
    /// Whether `<starttls/>` is offered on [`Transport::Tcp`](model::link::Transport::Tcp): there is a certificate.
    pub starttls: bool,
    /// Whether a peer on a loopback address may authenticate without TLS, also with `PLAIN`.
    pub plain_on_loopback: bool,
    /// Whether stream management, and with it resumption, is offered (XEP-0198).
    pub stream_management: bool,
    /// Times.
    pub timeouts: Timeouts,
    /// XML limits until authenticated.
    pub limits_before_auth: xml::Limits,
    /// XML limits of an authenticated client.
    pub limits: xml::Limits,
    /// How fast an authenticated client may send.
    pub rate: Rate,
    /// Failed authentications after which the stream ends; 2 to 5 (RFC 6120 section 6.4.5).
    pub auth_failures_max: u8,
}

/// Which domains are ours. Asked while a stream opens, so it must answer at once.
pub trait Domains: Send + Sync + fmt::Debug {
    /// Whether accounts live at `domain` (already prepared).
    fn serves(&self, domain: &str) -> bool;
    /// Whether anybody may create an account there (XEP-0077).
    fn registers(&self, domain: &str) -> bool {
        let _ = domain;
        false
    }
    /// Whether who holds an invitation may create an account there (XEP-0445).
    fn invites(&self, domain: &str) -> bool {
        let _ = domain;
        false
    }
    /// The capabilities of `domain` (XEP-0115 section 6.3), as a canonical `<c/>`; empty if there are none to tell.
    fn capabilities(&self, domain: &str) -> Arc<[u8]> {
        let _ = domain;
        Arc::default()
    }
    /// The right that `account` is about to prove, as things stand.
    fn grant(&self, account: &Bare) -> Grant {
        let _ = account;
        Grant::default()
    }
    /// Where a client of `domain` shall reconnect to resume its session, as host and perhaps port (XEP-0198 section 3).
    fn resume_location(&self, domain: &str) -> Option<Arc<str>> {
        let _ = domain;
        None
    }
}

/// How long a stream may take for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte to authentication; white space does not extend it.
    pub authenticate: Duration,
    /// From authentication to a bound resource.
    pub bind: Duration,
    /// Silence after which an active client is asked whether it is still there.
    pub idle: Duration,
    /// How long it may take to answer that.
    pub answer: Duration,
    /// How long we wait for the peer's side of a closing stream.
    pub close: Duration,
    /// Delay before the first failed authentication is answered; doubles with each further one.
    pub failure: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            authenticate: Duration::from_secs(30),
            bind: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            answer: Duration::from_secs(30),
            close: Duration::from_secs(5),
            failure: Duration::from_millis(250),
        }
    }
}
