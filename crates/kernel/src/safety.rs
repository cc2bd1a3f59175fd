//! What the operator says about people whom nobody here knows, and about those whom others have banned.
//!
//! Not here: what follows from it (features, muc).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use address::Jid;

/// What the operator says of a domain's safety.
#[derive(Clone, Debug, Default)]
pub struct SafetyFacts {
    /// What becomes of what strangers send, unless the user says otherwise.
    pub strangers: StrangerPolicy,
    /// Whether accounts of the same domain are strangers to one another, too.
    pub strangers_local: bool,
    /// Lists of banned addresses that others keep.
    pub lists: Vec<BlockList>,
    /// Who is found in the directory.
    pub directory: Directory,
    /// Who hears of reports of spam and abuse whose reporter agrees to that.
    pub reports_to: Vec<Jid>,
    /// Whether the server of who was reported hears of it, if the reporter agrees.
    pub reports_to_origin: bool,
    /// What is counted, for all domains together.
    pub tally: Arc<Tally>,
}

/// What is counted since the start.
#[derive(Debug, Default)]
pub struct Tally {
    /// Reports of spam and abuse that were filed.
    pub reports: AtomicU64,
    /// Messages of strangers that were held apart.
    pub held: AtomicU64,
    /// Messages and requests of strangers that were refused, by policy or because they were too many.
    pub refused: AtomicU64,
    /// Messages, requests and entries into rooms that were refused because of a list of banned addresses.
    pub banned: AtomicU64,
}

impl Tally {
    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What becomes of what a stranger sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrangerPolicy {
    /// It is delivered, within limits.
    #[default]
    Allow,
    /// Messages wait apart until the user lets them in. Requests for a subscription are shown.
    Hold,
    /// Messages and requests are refused.
    Refuse,
}

impl StrangerPolicy {
    /// All of them, with their names.
    pub const ALL: [(StrangerPolicy, &'static str); 3] = [
        (StrangerPolicy::Allow, "allow"),
        (StrangerPolicy::Hold, "hold"),
        (StrangerPolicy::Refuse, "refuse"),
    ];

    /// Its name, as in the configuration.
    pub fn name(self) -> &'static str {
        StrangerPolicy::ALL.iter().find(|(policy, _)| *policy == self).map_or("allow", |(_, name)| name)
    }

    /// The policy of that name.
    pub fn parse(name: &str) -> Option<StrangerPolicy> {
        StrangerPolicy::ALL.iter().find(|(_, known)| *known == name).map(|(policy, _)| *policy)
    }
}

/// A list of banned addresses at a node of a publish-subscribe service (XEP-0060).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockList {
    /// The service.
    pub service: Jid,
    /// The node.
    pub node: String,
}

/// Who is found in the directory (XEP-0055).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Directory {
    /// Nobody: there is none.
    #[default]
    Off,
    /// Who asked to be.
    OptIn,
    /// Everybody who has not asked not to be.
    All,
}
