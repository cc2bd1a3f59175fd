//! A hosted domain as a place: what is asked of the server itself.
//!
//! Not here: accounts and their data.

use std::sync::Arc;

use address::Jid;

use crate::{Groups, SafetyFacts, Slots};

/// A domain that this server serves.
#[derive(Debug)]
pub struct Host {
    /// Its address.
    pub domain: Jid,
    /// What the operator says about it.
    pub facts: Arc<HostFacts>,
    /// Components that are connected now (XEP-0030 items): address and name.
    pub components: Vec<(Jid, String)>,
    /// Features' own state.
    pub slots: Slots,
}

/// What the operator says about a domain.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    /// XEP-0157 contact addresses: field name such as `abuse-addresses`, and URIs.
    pub contacts: Vec<(String, Vec<String>)>,
    /// Whether accounts may be made in-band (XEP-0077).
    pub registration: bool,
    /// XEP-0401: who may invite, and where the pages for invitations are; `None`: nobody.
    pub invites: Option<InviteFacts>,
    /// When the server started, in Unix milliseconds.
    pub started_ms: u64,
    /// XEP-0363: what may be uploaded; `None` if nothing.
    pub upload: Option<UploadFacts>,
    /// Services that belong to it (XEP-0030 items): address and name.
    pub services: Vec<(Jid, String)>,
    /// The service with its rooms, if it has one.
    pub rooms: Option<Jid>,
    /// XEP-0215: services that do not speak XMPP, in the order in which they are told.
    pub external: Vec<ExternalService>,
    /// XEP-0092: whether to tell the operating system.
    pub tell_os: bool,
    /// Strangers, reports, block lists.
    pub safety: SafetyFacts,
    /// Groups whose members see one another.
    pub groups: Arc<Groups>,
}

/// What the operator says about invitations (XEP-0401).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteFacts {
    /// Whether every user may invite, or operators only.
    pub users: bool,
    /// How long an invitation holds, in seconds.
    pub seconds: u64,
    /// What stands before the token in the address of its page; `None`: there are no pages.
    pub page: Option<String>,
}

/// What the operator says about uploads (XEP-0363).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadFacts {
    /// Largest file in bytes.
    pub file_bytes: u64,
    /// Whether files may stay for good.
    pub permanent: bool,
}

/// A service that does not speak XMPP (XEP-0215), such as a relay for calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalService {
    /// `stun`, `stuns`, `turn`, `turns`, or another registered type.
    pub ty: String,
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// `udp` or `tcp`.
    pub transport: Option<String>,
    /// How a client shows that it may.
    pub access: Access,
}

/// How a client shows an external service that it may use it.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// It need not.
    Open,
    /// The same for all.
    Fixed {
        /// Name.
        username: String,
        /// Password.
        password: String,
    },
    /// By credentials that are made for it and expire.
    Expiring {
        /// What the service and we know.
        secret: Arc<[u8]>,
        /// How long they hold, in seconds.
        seconds: u64,
    },
}

/// Without what nobody shall read in a log.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Access::Open => "Open",
            Access::Fixed { .. } => "Fixed(..)",
            Access::Expiring { .. } => "Expiring(..)",
        })
    }
}

impl Host {
    /// A host without state.
    pub fn new(domain: Jid, facts: Arc<HostFacts>) -> Host {
        Host { domain, facts, components: Vec::new(), slots: Slots::default() }
    }
}
