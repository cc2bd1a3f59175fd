//! Nodes: publish and subscribe, on accounts and as a service of its own.
//!
//! XEP-0060, XEP-0163
//!
//! The logic of nodes is written once, for any [`home::Home`]; accounts (`pep`) and services (`service`) are homes.
//!
//! Not here: what anybody publishes means, but for the few nodes that older protocols must agree with.

mod access;
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
mod pep;
mod publish;
mod request;
mod retract;
mod retrieve;
#[cfg(test)]
#[path = "../../features/src/scene.rs"]
mod scene;
mod subscribe;

use kernel::Feature;

/// The features of accounts that stand here.
pub fn features() -> Vec<Box<dyn Feature>> {
    vec![
        Box::new(avatar::Avatar),
        Box::new(bookmarks::Bookmarks),
        Box::new(displayed::Displayed),
        Box::new(pep::Pep),
    ]
}
