//! Message Carbons: every device of an account sees both sides of a chat.
//!
//! XEP-0280 1.0.1, XEP-0297 1.0 (wrapping), XEP-0334 1.0.0 (`no-copy`)
//!
//! Not here: which devices get the original (the kernel chooses that).

use address::Jid;
use kernel::{Account, Answer, Card, Event, Feature, Flow, Iq, IqRoute, Spec, Step, Turn, Way};
use model::link::SessionId;
use stanza::{Condition, Kind, MessageType, Stanza, ns};
use xml::Writer;

/// See the file's header.
pub(crate) struct Carbons;

/// Whether a session wants copies.
#[derive(Default)]
struct Wanted(bool);

impl Feature for Carbons {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card {
            specs: &[
                Spec::complete("XEP-0280", "1.0.1")
                    .note("errors are not copied, so `rules:0` is not advertised"),
                Spec::complete("XEP-0297", "1.0"),
                Spec::complete("XEP-0334", "1.0.0"),
            ],
            account_vars: &[ns::CARBONS],
            host_vars: &[ns::CARBONS],
            steps: &[(Way::Leave, Step::Copy), (Way::Arrive, Step::Copy)],
            iqs: &[IqRoute::own(ns::CARBONS).only_set()],
            ..Card::named("carbons")
        };
        &CARD
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        let wanted = match iq.payload.name() {
            "enable" => true,
            "disable" => false,
            _ => return Condition::BadRequest.into(),
        };
        if let Some(session) = turn.session.and_then(|id| turn.place.session_mut(id)) {
            session.slots.of::<Wanted>().0 = wanted;
        }
        Answer::done()
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        if let Event::SessionOpened { session, carbons: true } = event
            && let Some(session) = turn.place.session_mut(*session)
        {
            session.slots.of::<Wanted>().0 = true;
        }
    }

    fn step(&self, way: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        if !eligible(way, stanza) {
            return Flow::On;
        }
        // What is sent to oneself is copied where it arrives.
        let to_self = stanza.to.as_ref().is_some_and(|to| to.bare_str() == turn.place.jid.as_str());
        if way == Way::Leave && to_self {
            return Flow::On;
        }
        let has_it = |id: SessionId| Some(id) == turn.session || turn.delivered.contains(&id);
        let wants =
            |session: &&kernel::Session| session.slots.peek::<Wanted>().is_some_and(|wanted| wanted.0);
        // What was kept for later is given to a session that is not available yet when it becomes so: it is not told twice.
        let missed = way == Way::Arrive && turn.delivered.is_empty();
        let waits = |session: &&kernel::Session| missed && session.available.is_none();
        let targets = turn.place.sessions.iter().filter(wants).filter(|session| !has_it(session.id));
        let targets = targets.filter(|session| !waits(session));
        let targets: Vec<(SessionId, Jid)> =
            targets.map(|session| (session.id, session.jid.clone())).collect();
        if targets.is_empty() {
            return Flow::On;
        }
        let copy = wrap(way, turn, stanza);
        for (session, jid) in targets {
            turn.fx.send(session, copy.clone().to(&jid).into());
        }
        Flow::On
    }
}

/// Payloads that people miss where they do not see them, even without a body.
const SPEAKING: [&str; 5] =
    [ns::RECEIPTS, ns::CHAT_STATES, ns::MARKERS, ns::JINGLE_MESSAGE, ns::CALL_INVITES];

/// Section 6.1, and what must not be passed on as a carbon (CVE-2017-5589).
fn eligible(way: Way, stanza: &Stanza) -> bool {
    let Kind::Message(ty) = stanza.kind else { return false };
    let payload = &stanza.payload;
    let wanted = match ty {
        MessageType::Chat => way != Way::Arrive || !payload.has("x", ns::MUC_USER) || is_invitation(stanza),
        MessageType::Normal => {
            payload.has("body", ns::CLIENT)
                || is_invitation(stanza)
                || SPEAKING.iter().any(|ns| payload.has_ns(ns))
        }
        MessageType::Groupchat | MessageType::Headline | MessageType::Error => false,
    };
    wanted && !payload.has_ns(ns::CARBONS) && !payload.has("no-copy", ns::HINTS)
}

fn is_invitation(stanza: &Stanza) -> bool {
    let mediated = || {
        let child = stanza.payload.child("x", ns::MUC_USER)?;
        child.tree().ok()?.root()?.child("invite", ns::MUC_USER).map(|_| ())
    };
    stanza.payload.has("x", ns::CONFERENCE) || mediated().is_some()
}

fn wrap(way: Way, turn: &Turn<'_, Account>, stanza: &Stanza) -> Stanza {
    let mut original = stanza.clone();
    // A sent copy names the archive's id too, so that the device need not ask for what it has.
    if let (Way::Leave, Some(id)) = (way, turn.archived) {
        original.payload =
            original.payload.with(|w| crate::archive::write_id(w, turn.place.jid.as_str(), id));
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open(if way == Way::Leave { "sent" } else { "received" }, ns::CARBONS);
    w.open("forwarded", ns::FORWARD).raw(&original.to_stored()).close();
    w.close();
    Stanza::new(stanza.kind).from(&turn.place.jid).with_inner(w.finish())
}
