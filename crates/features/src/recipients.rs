//! How many people who did not ask for it one session may write to in a minute.
//!
//! XEP-0205 1.0 section 3.4
//!
//! Not here: limits on connections (net), bytes and stanzas (stream), devices (engine).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use address::Jid;
use kernel::{Account, Card, Feature, Flow, Spec, Step, Turn, Way};
use stanza::{Condition, ErrorType, IqType, Kind, Stanza, StanzaError, ns};

/// How many, unless the operator says otherwise.
pub const RECIPIENTS_PER_MINUTE: u32 = 500;
const MINUTE_MS: u64 = 60_000;

static CARD: Card = Card {
    specs: &[Spec::partial("XEP-0205", "1.0", "too many recipients; other limits stand elsewhere")],
    steps: &[(Way::Leave, Step::Screen)],
    ..Card::named("recipients")
};

/// XEP-0205 section 3.4, with the number that is allowed; 0 allows any. It may change while the server runs.
pub struct Recipients(pub Arc<AtomicU32>);

/// To whom a session has written in this minute.
#[derive(Default)]
struct Minute {
    began_ms: u64,
    /// Hashes of bare addresses, with a key that nobody knows. Boxed: most sessions have none.
    seen: Option<Box<(RandomState, HashSet<u64>)>>,
    /// It was refused something, and the log says so.
    told: bool,
}

impl Minute {
    /// Counts a recipient. `false`: there were `most` others before.
    fn admit(&mut self, to: &Jid, now_ms: u64, most: usize) -> bool {
        // Also when the clock was put back.
        if now_ms.checked_sub(self.began_ms).is_none_or(|passed| passed >= MINUTE_MS) {
            *self = Minute { began_ms: now_ms, ..Minute::default() };
        }
        let (hasher, seen) = &mut **self.seen.get_or_insert_default();
        let hash = hasher.hash_one(to.bare_str());
        seen.contains(&hash) || (seen.len() < most && seen.insert(hash))
    }
}

impl Feature for Recipients {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let most = self.0.load(Ordering::Relaxed) as usize;
        let Some(to) = stanza.to.as_ref().filter(|_| most > 0) else { return Flow::On };
        if is_answer(stanza.kind) || is_known(turn.place, to) {
            return Flow::On;
        }
        let now_ms = turn.now.unix_ms;
        let Some(session) = turn.session.and_then(|id| turn.place.session_mut(id)) else { return Flow::On };
        let minute = session.slots.of::<Minute>();
        if minute.admit(to, now_ms, most) {
            return Flow::On;
        }
        if !std::mem::replace(&mut minute.told, true) {
            tracing::warn!(session = %session.jid, most, "writes to too many strangers; the rest is refused for a minute");
        }
        let error = StanzaError::new(Condition::UnexpectedRequest, ErrorType::Wait);
        Flow::Refuse(error.app("too-many-stanzas", ns::ERRORS))
    }
}

/// Somebody asked for it.
fn is_answer(kind: Kind) -> bool {
    kind.is_error() || kind == Kind::Iq(IqType::Result)
}

/// The account itself, its server, and contacts who have agreed to be one.
fn is_known(account: &Account, to: &Jid) -> bool {
    let bare = to.bare_str();
    bare == account.jid.as_str()
        || bare == account.jid.domain()
        || account.roster.item(bare).is_some_and(|item| item.seen())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;
    use kernel::Direction::{Active, None as No};

    fn stage(most: u32) -> Scene {
        Scene::one(Recipients(Arc::new(AtomicU32::new(most))))
    }

    fn write(scene: &mut Scene, to: &str) -> bool {
        let seen =
            scene.send("phone", &format!("<message to='{to}' type='chat' id='1'><body>a</body></message>"));
        let refusal = "<error type='wait'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
                       <too-many-stanzas xmlns='urn:xmpp:errors'/></error>";
        assert_eq!(seen.len(), 1, "{seen:?}");
        !seen[0].contains(refusal)
    }

    /// E-17.
    #[test]
    fn a_storm_to_strangers_is_refused_and_friends_are_not_concerned() {
        let mut scene = stage(RECIPIENTS_PER_MINUTE);
        scene.contact("friend@a.example", Active, No);
        scene.contact("claimed@a.example", No, Active);
        let passed = (0..1_000).filter(|n| write(&mut scene, &format!("u{n}@a.example"))).count();
        assert_eq!(passed, RECIPIENTS_PER_MINUTE as usize);
        for (to, passes) in [
            ("u7@a.example/other", true),
            ("u999@a.example", false),
            ("friend@a.example", true),
            ("claimed@a.example", false),
            ("alice@example.org/laptop", true),
            ("example.org", true),
        ] {
            assert_eq!(write(&mut scene, to), passes, "{to}");
        }
        let answer = scene.send("phone", "<iq to='new@a.example/x' type='result' id='1'/>");
        assert!(answer[0].starts_with("-> <iq"), "{answer:?}");
        // Another device has its own minute; and a minute later all is forgotten, or when the clock is put back.
        scene.open("laptop");
        let other = scene.send("laptop", "<message to='new@a.example' type='chat'><body>a</body></message>");
        assert!(other[0].starts_with("-> <message from"), "{other:?}");
        scene.now_ms += MINUTE_MS;
        assert!(write(&mut scene, "u999@a.example"));
        scene.now_ms -= 10 * MINUTE_MS;
        assert!(write(&mut scene, "u998@a.example"));
    }

    #[test]
    fn nothing_is_counted_if_the_operator_says_so() {
        let mut scene = stage(0);
        assert!((0..1_000).all(|n| write(&mut scene, &format!("u{n}@a.example"))));
    }
}
