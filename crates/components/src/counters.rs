//! Counts of what happens with components, for whoever shows metrics.
//!
//! Not here: how they are shown (admin).

use net::Count;

/// All counts. They only grow, except those that say "now".
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections open now, those that have not shown their secret included.
    pub connections: Count,
    /// Components connected now.
    pub connected: Count,
    /// Stanzas that wait for components now.
    pub waiting: Count,
    /// Stanzas that components have got, and that they sent.
    pub stanzas: [Count; 2],
    /// Stanzas that came back because a component was away for too long.
    pub bounced: Count,
    /// Connections that did not show the right secret.
    pub refused: Count,
    /// Connections that wanted a domain whose component is there.
    pub conflicts: Count,
    /// What components did wrong.
    pub misbehaviour: Count,
}
