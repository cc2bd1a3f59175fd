//! XMPP Ping: server and own account answer that they are there.
//!
//! XEP-0199 2.0.1 (complete)
//!
//! Not here: pings from us to a client (stream), and pings to full addresses, which the clients answer.

use kernel::{Account, Answer, Card, Feature, Host, Iq, IqRoute, Spec, Turn};
use stanza::{Condition, ns};

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0199", "2.0.1")],
    account_vars: &[ns::PING],
    host_vars: &[ns::PING],
    // Others could find out by a ping which accounts exist.
    iqs: &[IqRoute { set: false, ..IqRoute::own(ns::PING) }, IqRoute::host(ns::PING)],
    ..Card::named("ping")
};

/// XEP-0199.
pub struct Ping;

impl Feature for Ping {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn iq(&self, _: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        pong(iq)
    }

    fn host_iq(&self, _: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        pong(iq)
    }
}

fn pong<P>(iq: &Iq<'_>) -> Answer<P> {
    match iq.payload.name() {
        "ping" => Answer::done(),
        _ => Condition::BadRequest.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};

    #[test]
    fn answers_whom_it_concerns() {
        let mut scene = Scene::one(Ping);
        let ping = "<ping xmlns='urn:xmpp:ping'/></iq>";
        let pong = "phone: <iq to='alice@example.org/phone' id='1' type='result'/>";
        assert_eq!(scene.send("phone", &format!("<iq type='get' id='1'>{ping}")), [pong]);
        let refused =
            scene.get(&format!("<iq from='eve@a.example/x' to='alice@example.org' type='get' id='2'>{ping}"));
        assert!(refused[0].contains(&error("cancel", "service-unavailable")), "{refused:?}");
        assert_eq!(
            scene.host(&format!("<iq from='a.example' to='example.org' type='get' id='3'>{ping}")),
            ["-> <iq from='example.org' to='a.example' id='3' type='result'/>"]
        );
        let odd = scene.send("phone", "<iq type='get' id='1'><pong xmlns='urn:xmpp:ping'/></iq>");
        assert!(odd[0].contains(&error("modify", "bad-request")), "{odd:?}");
    }
}
