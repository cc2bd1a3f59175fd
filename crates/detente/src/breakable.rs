//! A feature that panics when it is asked to: for the tests that break the server on purpose. Only with the cargo feature
//! `breakable`, which no release has.
//!
//! Not here: what must hold then (crate `faults`).

use kernel::{Account, Answer, Card, Feature, Host, Iq, IqRoute, Turn};

const NS: &str = "urn:detente:breakable";

/// Panics in an account's turn, or in a host's.
pub(crate) struct Breakable;

impl Feature for Breakable {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card { iqs: &[IqRoute::open(NS), IqRoute::host(NS)], ..Card::named("breakable") };
        &CARD
    }

    fn iq(&self, _: &mut Turn<'_, Account>, _: &Iq<'_>) -> Answer<Account> {
        panic!("asked to, at an account")
    }

    fn host_iq(&self, _: &mut Turn<'_, Host>, _: &Iq<'_>) -> Answer<Host> {
        panic!("asked to, at a host")
    }
}
