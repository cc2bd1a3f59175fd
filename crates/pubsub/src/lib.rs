//! Nodes: publish and subscribe, on accounts and as a service of its own.
//!
//! Not here: what anybody publishes means, but for the few nodes that older protocols must agree with.

use kernel::Feature;

/// The features of accounts that stand here.
pub fn features() -> Vec<Box<dyn Feature>> {
    Vec::new()
}
