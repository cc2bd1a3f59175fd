//! Displayed synchronization with the server's help: a message says by the way what its sender has seen.
//!
//! XEP-0490 1.0.1 (complete)
//!
//! Not here: the node itself, which is one like others (`pep`).

use kernel::{Account, Card, Feature, Flow, Spec, Step, Turn, Way};
use stanza::{Kind, Stanza, ns};

use crate::own;

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0490", "1.0.1")],
    account_vars: &[ns::DISPLAYED_ASSIST],
    steps: &[(Way::Leave, Step::Stamp)],
    ..Card::named("displayed")
};

/// XEP-0490 section 5.
pub(crate) struct Displayed;

impl Feature for Displayed {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        if !matches!(stanza.kind, Kind::Message(_)) {
            return Flow::On;
        }
        let Some(said) = stanza.payload.child("displayed", ns::DISPLAYED) else { return Flow::On };
        if let Some(to) = &stanza.to {
            let (payload, chat) = (said.raw().to_vec(), to.clone());
            own::publish(turn, ns::DISPLAYED, chat.as_str(), &[], |w| {
                w.raw_from(&payload, ns::CLIENT);
            });
        }
        // It is not for the other side (section 8.2).
        stanza.payload = stanza.payload.without(|child| child.is("displayed", ns::DISPLAYED));
        Flow::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    #[test]
    fn is_published_and_not_passed_on() {
        let mut scene = Scene::one(Displayed);
        let displayed = "<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' id='1'/></displayed>";
        let seen =
            scene.send("phone", &format!("<message to='bob@a.example'><body>a</body>{displayed}</message>"));
        let request = format!(
            "-> <iq from='alice@example.org' to='alice@example.org' id='own' type='set'>\
             <pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:mds:displayed:0'>\
             <item id='bob@a.example'>{displayed}</item></publish></pubsub></iq>"
        );
        let message =
            "-> <message from='alice@example.org/phone' to='bob@a.example'><body>a</body></message>";
        assert_eq!(seen, [request.as_str(), message]);
    }
}
