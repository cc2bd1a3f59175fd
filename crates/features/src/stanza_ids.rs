//! Ids and delays that only we may give: forged ones are taken off what comes in.
//!
//! XEP-0359 0.7.0 (security considerations: an entity strips ids that claim to be its own), XEP-0203 2.0 (section 5: who
//! says that a message waited must be believed only as far as its sender)
//!
//! Not here: giving ids, which the archive does, since they are the archive's.

use kernel::{Account, Card, Feature, Flow, Spec, Step, Turn, Way};
use stanza::{Kind, Stanza, ns};

/// See the file's header.
pub(crate) struct StanzaIds;

/// Whether an element may name that address, before it is read: every message of a room has an id, and hardly any is forged.
/// Preparing an address of plain letters changes their case and takes the dot of the root off its end, and nothing else;
/// whatever is not plain is read.
fn may_name(by: Option<&str>, own: &str) -> bool {
    let Some(by) = by else { return true };
    let plain =
        by.is_ascii() && own.is_ascii() && !own.contains("xn--") && !by.contains('&') && !own.contains('[');
    !plain || by.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own))
}

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
            stanza.payload = stanza.payload.without(|child| {
                child.is("stanza-id", ns::SID)
                    && may_name(child.raw_attr("by"), own)
                    && forged(child.attr("by"))
            });
        }
        if matches!(stanza.kind, Kind::Message(_)) && stanza.payload.has("delay", ns::DELAY) {
            let (own, domain) = (turn.place.jid.as_str(), turn.place.jid.domain());
            let ours = |from: Option<String>| {
                from.and_then(|from| address::Jid::parse(&from).ok())
                    .is_some_and(|from| from.bare_str() == own || from.as_str() == domain)
            };
            stanza.payload =
                stanza.payload.without(|child| child.is("delay", ns::DELAY) && ours(child.attr("from")));
        }
        Flow::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_misses_nothing() {
        let read = |by: &str, own: &str| {
            let raw = format!("<stanza-id xmlns='urn:xmpp:sid:0'{by} id='1'/>");
            let payload = stanza::Payload::canonical(raw.into_bytes().into());
            may_name(payload.children().next().unwrap().raw_attr("by"), own)
        };
        for (by, own, expected) in [
            (" by='alice@example.org'", "alice@example.org", true),
            (" by='Alice@Example.ORG'", "alice@example.org", true),
            (" by='alice@example.org.'", "alice@example.org", true),
            (" by='\u{ff41}lice@example.org'", "alice@example.org", true),
            (" by='a&amp;b@example.org'", "alice@example.org", true),
            ("", "alice@example.org", true),
            (" by='alice@xn--mller-kva.example'", "alice@xn--mller-kva.example", true),
            (" by='orchard@conference.example.org'", "alice@example.org", false),
        ] {
            assert_eq!(read(by, own), expected, "{by} {own}");
        }
    }
}
