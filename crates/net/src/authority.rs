//! Who answers the questions of streams about accounts.
//!
//! Not here: the answers (accounts), the questions (stream).

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use address::Bare;
use model::query::{AccountFound, AccountQuery};
use stream::{Answer, Ask};

use crate::files::Pending;

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The account store as connections see it.
pub trait Authority: Send + Sync + 'static {
    /// Answers a question. The future is dropped if the connection ends first; it must bound its own time.
    /// `peer` is the client's address as far as it can be trusted.
    fn answer(&self, ask: Ask, peer: IpAddr) -> Answering;

    /// A visitor of the pages of invitations asks: [`AccountQuery::LookUp`], `Redeem` and `Recover`, nothing else. Must
    /// bound how often one address may try.
    fn visitor(&self, query: AccountQuery, peer: IpAddr) -> Pending<'static, AccountFound> {
        let _ = (query, peer);
        Box::pin(std::future::ready(AccountFound::No))
    }

    /// A stream has authenticated.
    fn authenticated(&self, account: &Bare, peer: IpAddr) {
        let _ = (account, peer);
    }
}
