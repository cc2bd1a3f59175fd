//! Push: who has no client that reads is told through the push services of the clients.
//!
//! XEP-0357 0.4.1
//!
//! A registration belongs to the client that made it. While that client has a session, what the session gets is its own
//! affair, and only what nobody reads there ([`Event::Unread`]) is pushed; while it has none, every message of weight is.
//!
//! Not here: what a registration is (`registration.rs`), which messages are worth it (`worth.rs`), what clients do not
//! want to hear of (`filter.rs`), how it is said (`publish.rs`), when (`pace.rs`), any push service (crate `push`).

mod filter;
mod pace;
mod publish;
mod registration;
#[cfg(test)]
mod tests;
mod worth;

use std::sync::Arc;

use kernel::{Account, Answer, Card, Event, Feature, Flow, Form, Iq, IqRoute, Kept, Spec, Step, Turn, Way};
use model::storage::{Loaded, Owner, Space, Write};
use stanza::{Condition, IqType, Kind, MessageType, Stanza, StanzaError, ns};

use registration::{Registration, Registrations};
use worth::{Notice, Weight};

/// One entry for each registration of an account.
const SPACE: Space = Space("push");
/// Most registrations of one account; one more takes the place of that which was renewed the longest time ago.
const REGISTRATIONS_MAX: usize = 20;

/// Seals a summary for the client alone: AES-128-GCM with this key; gives the 12 bytes of its nonce, and the sealed
/// bytes with their tag. `None` if the system gives no random numbers.
pub type Seal = Arc<dyn Fn(&[u8; 16], &[u8]) -> Option<([u8; 12], Vec<u8>)> + Send + Sync>;

/// What a push service learns of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// That there is one.
    #[default]
    Nothing,
    /// Whose it is, too.
    Sender,
    /// What it says, too, unless it is encrypted.
    Body,
}

/// XEP-0357.
#[derive(Clone, Default)]
pub struct Push {
    /// What push services learn.
    pub content: Content,
    /// How summaries are sealed; `None`: they are not, and clients hear that.
    pub seal: Option<Seal>,
}

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0357", "0.4.1")
        .note("published by the account's bare address; with filters, priorities and sealed summaries as Tigase has them")],
    account_vars: &[
        ns::PUSH,
        ns::PUSH_IGNORE_UNKNOWN,
        ns::PUSH_MUTED,
        ns::PUSH_GROUPCHAT,
        ns::PUSH_PRIORITY,
    ],
    steps: &[(Way::Arrive, Step::Stamp), (Way::Arrive, Step::Copy)],
    iqs: &[IqRoute::own(ns::PUSH).only_set()],
    kept: &[Kept { space: SPACE, form: Form::Map }],
    ..Card::named("push")
};

/// The same for those who can seal.
static SEALING: Card = Card {
    account_vars: &[
        ns::PUSH,
        ns::PUSH_IGNORE_UNKNOWN,
        ns::PUSH_MUTED,
        ns::PUSH_GROUPCHAT,
        ns::PUSH_PRIORITY,
        ns::PUSH_JINGLE,
        ns::PUSH_ENCRYPT,
        ns::PUSH_ENCRYPT_AES_128_GCM,
    ],
    ..CARD
};

impl Feature for Push {
    fn card(&self) -> &'static Card {
        if self.seal.is_some() { &SEALING } else { &CARD }
    }

    fn hydrate(&self, account: &mut Account, _: Space, stored: Loaded) {
        let known = stored.into_map().into_iter().filter_map(|(key, value)| {
            let read = serde_json::from_slice(&value);
            read.inspect_err(
                |error| tracing::error!(%error, key = &*key, "a push registration is unreadable"),
            )
            .ok()
        });
        account.slots.of::<Registrations>().0 = known.collect();
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        let done = match iq.payload.name() {
            "enable" => self.enable(turn, iq),
            "disable" => disable(turn, iq),
            _ => Err(Condition::BadRequest.into()),
        };
        done.map_or_else(Answer::Refuse, |()| Answer::done())
    }

    fn step(&self, _: Way, step: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        if registrations(turn).0.is_empty() {
            return Flow::On;
        }
        match (step, stanza.kind) {
            (Step::Stamp, Kind::Iq(IqType::Result | IqType::Error)) => self.answered(turn, stanza),
            (Step::Stamp, Kind::Message(_)) => ended_by_service(turn, stanza),
            // What is said in a room comes to the session that is in it, and to no other.
            (Step::Copy, Kind::Message(ty)) if ty != MessageType::Groupchat => {
                let nobody = turn.delivered.is_empty();
                self.tell(turn, &[stanza], |account, registration| nobody || !registration.is_here(account));
                Flow::On
            }
            _ => Flow::On,
        }
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        match event {
            Event::Unread { session, stanzas } if !registrations(turn).0.is_empty() => {
                let stanzas: Vec<&Stanza> = stanzas.iter().map(|stanza| &**stanza).collect();
                self.tell(turn, &stanzas, |account, registration| {
                    account.session(*session).is_some_and(|session| registration.is_of(session))
                });
            }
            Event::Attentive(session) | Event::BecameAvailable { session, initial: true } => {
                let mut known = std::mem::take(registrations(turn));
                if let Some(session) = turn.place.session(*session) {
                    known.0.iter_mut().filter(|own| own.is_of(session)).for_each(|own| own.pace.reset());
                }
                *registrations(turn) = known;
            }
            Event::Woken => self.again(turn),
            _ => {}
        }
    }
}

impl Push {
    /// Section 5.
    fn enable(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Result<(), StanzaError> {
        let session = turn.session.and_then(|id| turn.place.session(id));
        let mut new = Registration::read(iq.payload, session, self.seal.is_some())?;
        if new.jid.as_str() == turn.place.jid.as_str() {
            return Err(StanzaError::from(Condition::NotAcceptable).text("an account is no push service"));
        }
        new.renewed = turn.id;
        let known = registrations(turn);
        let old = known.0.iter().position(|old| old.key() == new.key());
        let gone = match old {
            Some(at) => {
                new.pace = std::mem::take(&mut known.0.remove(at).pace);
                None
            }
            None if known.0.len() >= REGISTRATIONS_MAX => {
                let oldest = known.0.iter().enumerate().min_by_key(|(_, old)| old.renewed).map(|(at, _)| at);
                oldest.map(|at| known.0.remove(at).key())
            }
            None => None,
        };
        let (key, value) = (new.key(), serde_json::to_vec(&new).unwrap_or_default());
        known.0.push(new);
        let owner = Owner::from(turn.place.jid.text());
        if let Some(gone) = gone {
            turn.fx.write(Write::MapDelete { space: SPACE, owner: owner.clone(), key: gone.into() });
        }
        turn.fx.put_map(SPACE, owner, &key, value);
        Ok(())
    }

    /// Tells those registrations that `wanted` names of the messages that are worth it.
    fn tell(
        &self,
        turn: &mut Turn<'_, Account>,
        stanzas: &[&Stanza],
        wanted: impl Fn(&Account, &Registration) -> bool,
    ) {
        let notices =
            stanzas.iter().filter_map(|stanza| Notice::of(stanza, &turn.place.jid)).collect::<Vec<_>>();
        if notices.is_empty() {
            return;
        }
        let mut known = std::mem::take(registrations(turn));
        for (at, registration) in known.0.iter_mut().enumerate() {
            if !wanted(turn.place, registration) {
                continue;
            }
            let heard = notices.iter().filter(|notice| registration.filter.lets(turn.place, notice));
            let heard: Vec<&Notice<'_>> = heard.collect();
            // A call is more urgent than what was said after it.
            let worst = heard.iter().rev().max_by_key(|notice| notice.urgency()).copied();
            if let Some(notice) = worst {
                let summary = self.summary(registration, notice);
                let said = heard.iter().filter(|notice| notice.weight >= Weight::Said).count();
                self.pace(turn, registration, at, summary, said as u64);
            }
        }
        *registrations(turn) = known;
    }

    /// Section 7.1: an answer of a push service.
    fn answered(&self, turn: &mut Turn<'_, Account>, stanza: &Stanza) -> Flow {
        let mut known = std::mem::take(registrations(turn));
        let waits = |own: &Registration| {
            stanza.from.as_ref() == Some(&own.jid) && own.pace.waits_for(stanza.id.as_deref())
        };
        let at = known.0.iter().position(waits);
        let over = at.is_some_and(|at| self.take_answer(turn, &mut known.0[at], at, stanza));
        *registrations(turn) = known;
        if let Some(at) = at.filter(|_| over) {
            forget(turn, |index, _| index == at);
        }
        pace::alarm(turn);
        if at.is_some() { Flow::Stop } else { Flow::On }
    }
}

/// Section 6.
fn disable(turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Result<(), StanzaError> {
    let jid = registration::service(iq.payload)?;
    let node = iq.payload.attr("node");
    forget(turn, |_, own| {
        own.jid == jid && node.as_ref().is_none_or(|node| own.node.as_deref() == Some(node))
    });
    Ok(())
}

/// Section 8: a push service says that it takes nothing more for a node.
fn ended_by_service(turn: &mut Turn<'_, Account>, stanza: &Stanza) -> Flow {
    let Some(from) = stanza.from.clone() else { return Flow::On };
    if !registrations(turn).0.iter().any(|own| own.jid == from) {
        return Flow::On;
    }
    let Some(child) = stanza.payload.child("pubsub", ns::PUBSUB) else { return Flow::On };
    let Ok(tree) = child.tree() else { return Flow::On };
    let Some((node, affiliation)) =
        tree.root().and_then(|pubsub| Some((pubsub.attr("node")?, pubsub.child("affiliation", ns::PUBSUB)?)))
    else {
        return Flow::On;
    };
    let own = affiliation.attr("jid").is_none_or(|jid| jid == turn.place.jid.as_str());
    if own && affiliation.attr("affiliation").as_deref() == Some("none") {
        tracing::info!(account = %turn.place.jid, service = %from, "a push service has ended a registration");
        forget(turn, |_, own| own.jid == from && own.node.as_deref() == Some(&*node));
    }
    Flow::Stop
}

fn registrations<'a>(turn: &'a mut Turn<'_, Account>) -> &'a mut Registrations {
    turn.place.slots.of::<Registrations>()
}

/// Removes registrations.
fn forget(turn: &mut Turn<'_, Account>, which: impl Fn(usize, &Registration) -> bool) {
    let known = std::mem::take(&mut registrations(turn).0);
    let owner = Owner::from(turn.place.jid.text());
    let mut kept = Vec::with_capacity(known.len());
    for (at, registration) in known.into_iter().enumerate() {
        match which(at, &registration) {
            true => turn.fx.write(Write::MapDelete {
                space: SPACE,
                owner: owner.clone(),
                key: registration.key().into(),
            }),
            false => kept.push(registration),
        }
    }
    registrations(turn).0 = kept;
}
