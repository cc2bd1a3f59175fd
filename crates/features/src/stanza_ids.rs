//! Ids that only we may give: forged ones are taken off what comes in.
//!
//! XEP-0359 0.7.0 (security considerations: an entity strips ids that claim to be its own)
//!
//! Not here: giving ids, which the archive does, since they are the archive's.

use kernel::{Account, Card, Feature, Flow, Spec, Step, Turn, Way};
use stanza::{Kind, Stanza, ns};

/// See the file's header.
pub(crate) struct StanzaIds;

impl Feature for StanzaIds {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card {
            specs: &[Spec::complete("XEP-0359", "0.7.0")],
            account_vars: &[ns::SID],
            steps: &[(Way::Arrive, Step::Stamp)],
            ..Card::named("stanza_ids")
        };
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        if matches!(stanza.kind, Kind::Message(_)) && stanza.payload.has("stanza-id", ns::SID) {
            let own = turn.place.jid.as_str();
            let forged = |by: Option<String>| {
                by.is_none_or(|by| address::Jid::parse(&by).is_ok_and(|by| by.as_str() == own))
            };
            stanza.payload =
                stanza.payload.without(|child| child.is("stanza-id", ns::SID) && forged(child.attr("by")));
        }
        Flow::On
    }
}
