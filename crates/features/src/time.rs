//! Entity Time: what time it is here, in UTC.
//!
//! XEP-0202 2.0 (complete), XEP-0082 1.1.1 (the format)
//!
//! Not here: the server's time zone, which is nobody's business.

use kernel::{Answer, Card, Feature, Host, Iq, IqRoute, Spec, Turn};
use stanza::{Condition, ns};
use xml::Writer;

use crate::when::stamp;

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0202", "2.0").note("always in UTC")],
    host_vars: &[ns::TIME],
    iqs: &[IqRoute::host(ns::TIME)],
    ..Card::named("time")
};

/// XEP-0202.
pub struct Time;

impl Feature for Time {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        if iq.payload.name() != "time" {
            return Condition::BadRequest.into();
        }
        let mut w = Writer::new(ns::CLIENT);
        w.open("time", ns::TIME)
            .leaf("tzo", ns::TIME, "+00:00")
            .leaf("utc", ns::TIME, stamp(turn.now.unix_ms))
            .close();
        Answer::Reply(w.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    #[test]
    fn tells_the_time() {
        let mut scene = Scene::one(Time);
        scene.now_ms = 1_709_164_800_000;
        let seen = scene.host(
            "<iq from='a.example' to='example.org' type='get' id='1'><time xmlns='urn:xmpp:time'/></iq>",
        );
        assert!(seen[0].contains("<tzo>+00:00</tzo><utc>2024-02-29T00:00:00Z</utc>"), "{seen:?}");
    }
}
