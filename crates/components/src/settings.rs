//! What the operator decides about components.
//!
//! XEP-0114 1.6
//!
//! Not here: where the values come from (config).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use address::Jid;
use model::rights::Rights;
use s2s::{Domains, Rate, Secret};

use crate::limits;

/// All of it. A reload replaces it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Components by their domain.
    pub components: HashMap<String, Component>,
    /// How long a message waits for a component that is away.
    pub wait: Duration,
    /// How long a component may be silent when another connection wants its domain, before that one gets it.
    pub ping: Duration,
    /// How fast each may send.
    pub rate: Rate,
}

/// A component.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its domain.
    pub domain: Jid,
    /// What it must know.
    pub secret: Secret,
    /// What people read in lists.
    pub name: String,
    /// What it may do, and whose users it is for.
    pub rights: Arc<Rights>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            components: HashMap::new(),
            wait: Duration::from_secs(300),
            ping: limits::PING,
            rate: Rate { bytes_per_second: limits::BYTES_PER_SECOND, burst_bytes: limits::BURST_BYTES },
        }
    }
}

/// Streams of components ask nobody which domains are ours: their secret says who they are.
#[derive(Debug)]
struct Any;

impl Domains for Any {
    fn serves(&self, _: &str) -> bool {
        true
    }
}

impl Settings {
    /// For their streams.
    pub(crate) fn stream(&self) -> s2s::Settings {
        let default = s2s::Settings::new(Arc::new(Any));
        s2s::Settings {
            starttls: false,
            bidi: false,
            rate: self.rate,
            // A component that comes again begins anew: what it had not acknowledged is sent to it then.
            resume: Duration::ZERO,
            timeouts: s2s::Timeouts { authenticate: limits::AUTHENTICATE, ..default.timeouts },
            unacked_max: limits::UNACKED_MAX,
            unacked_bytes_max: limits::UNACKED_BYTES_MAX,
            unstored_max: limits::UNSTORED_MAX,
            ..default
        }
    }
}
