//! Nodes: publish and subscribe, on accounts and as a service of its own.
//!
//! XEP-0060, XEP-0163
//!
//! The logic of nodes is written once, for any [`home::Home`]; accounts (`pep`) and services (`service`) are homes.
//!
//! Not here: what anybody publishes means, but for the few nodes that older protocols must agree with.

mod access;
mod arriving;
mod avatar;
mod bookmarks;
mod config;
mod defaults;
mod disco;
mod displayed;
mod error;
mod form;
mod graph;
mod home;
mod indexed;
mod items;
pub mod limits;
mod lists;
mod node;
mod notify;
mod options;
mod own;
mod owner;
mod pending;
mod pep;
pub mod portable;
mod publish;
mod request;
mod retract;
mod retrieve;
#[cfg(test)]
#[path = "../../features/src/scene.rs"]
mod scene;
mod service;
mod subscribe;

use kernel::{Feature, Spec};
use model::spec::Part;

pub use service::PubSub;

/// What the service implements besides what the features of accounts do.
pub const PARTS: &[Part] = &[Part {
    name: "pubsub",
    path: "crates/pubsub/src/service.rs",
    specs: &[
        Spec::partial("XEP-0060", "1.30.0", "as for accounts"),
        Spec::partial("XEP-0248", "0.5.0", "one collection for a node; the root cannot be subscribed to"),
    ],
}];

/// The features of accounts that stand here.
pub fn features() -> Vec<Box<dyn Feature>> {
    vec![
        Box::new(avatar::Avatar),
        Box::new(bookmarks::Bookmarks),
        Box::new(displayed::Displayed),
        Box::new(pep::Pep),
    ]
}
