//! Software Version: which program serves this domain.
//!
//! XEP-0092 1.1 (complete)
//!
//! Not here: the versions of clients, which they tell themselves.

use kernel::{Answer, Card, Feature, Host, Iq, IqRoute, Spec, Turn};
use stanza::ns;
use xml::Writer;

/// The program's name.
pub const NAME: &str = "Détente";

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0092", "1.1")],
    host_vars: &[ns::VERSION],
    iqs: &[IqRoute::host(ns::VERSION)],
    ..Card::named("version")
};

/// XEP-0092.
pub struct Version {
    /// The program's version, as the operator shall see it.
    pub version: &'static str,
    /// The operating system, told only where the operator wants it.
    pub os: &'static str,
}

impl Feature for Version {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, _: &Iq<'_>) -> Answer<Host> {
        let mut w = Writer::new(ns::CLIENT);
        w.open("query", ns::VERSION).leaf("name", ns::VERSION, NAME).leaf(
            "version",
            ns::VERSION,
            self.version,
        );
        // Section 4: it helps attackers, so the operator decides.
        if turn.place.facts.tell_os {
            w.leaf("os", ns::VERSION, self.os);
        }
        w.close();
        Answer::Reply(w.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};
    use kernel::HostFacts;

    const ASK: &str =
        "<iq from='a.example' to='example.org' type='get' id='1'><query xmlns='jabber:iq:version'/></iq>";

    #[test]
    fn tells_the_system_only_if_it_may() {
        let mut scene = Scene::one(Version { version: "1.2", os: "plan9" });
        let plain = "<name>Détente</name><version>1.2</version></query>";
        assert!(scene.host(ASK)[0].contains(plain));
        scene.facts(HostFacts { tell_os: true, ..HostFacts::default() });
        let os = "<version>1.2</version><os>plan9</os></query>";
        assert!(scene.host(ASK)[0].contains(os));
        let set = scene.host(&ASK.replace("'get'", "'set'"));
        assert!(set[0].contains(&error("cancel", "not-allowed")), "{set:?}");
    }
}
