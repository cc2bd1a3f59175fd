//! Who answers the questions of streams about accounts.
//!
//! Not here: the answers (accounts), the questions (stream).

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use address::Bare;
use stream::{Answer, Ask};

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The account store as connections see it.
pub trait Authority: Send + Sync + 'static {
    /// Answers a question. The future is dropped if the connection ends first; it must bound its own time.
    /// `peer` is the client's address as far as it can be trusted.
    fn answer(&self, ask: Ask, peer: IpAddr) -> Answering;

    /// A stream has authenticated.
    fn authenticated(&self, account: &Bare, peer: IpAddr) {
        let _ = (account, peer);
    }
}
