//! People whom the user does not know: what they send is limited, and held apart or refused if the operator or the user
//! wants that.
//!
//! XEP-0191 1.3 names the blocked; here it is those who are not known yet. No specification says how.
//!
//! A message of theirs goes three stations: lists of banned addresses, how much strangers may send, the policy. What the
//! user lets in later comes again and passes them.
//!
//! Not here: who is a stranger (`known.rs`), what is held (`held.rs`), rates (`pace.rs`), lists (`lists.rs`), the commands
//! (`adhoc/strangers.rs`).

mod held;
mod known;
mod orders;
mod pace;
mod screened;

use std::collections::BTreeMap;

use address::Bare;
use kernel::{Account, Card, Feature, Flow, Form, Kept, Step, StrangerPolicy, Tally, Turn, Way};
use model::storage::{Loaded, Owner, Space, Write};
use stanza::{Kind, MessageType, PresenceType, Stanza, StanzaError, ns};

pub(crate) use held::HELD;
pub(crate) use orders::{Order, order};

/// One map per account: to whom it has written (when, in Unix milliseconds), and [`POLICY`].
pub(crate) const STRANGERS: Space = Space("strangers");
/// The key of the user's own policy. No address looks like that.
pub(crate) const POLICY: &str = "=policy";

static CARD: Card = Card {
    steps: &[(Way::Leave, Step::Stamp), (Way::Arrive, Step::Screen)],
    kept: &[Kept { space: STRANGERS, form: Form::Map }, Kept { space: HELD, form: Form::LogEnds }],
    ..Card::named("strangers")
};

/// See the file's header.
#[derive(Default)]
pub(crate) struct Strangers {
    domains: pace::Domains,
}

/// What an account knows of strangers.
#[derive(Default)]
struct State {
    /// What the user wants; else what the operator says.
    policy: Option<StrangerPolicy>,
    /// To whom the user has written, and when.
    spoken: BTreeMap<String, u64>,
    held: held::Held,
    passes: screened::Passes,
    line: screened::Line,
    pace: pace::Own,
    /// When the user was last told that something waits.
    told_ms: u64,
}

/// What a stanza of a stranger is, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Something that a person would read, or that rings.
    Message,
    /// What goes with messages, or says something by itself to clients: of no use to somebody who does not know the sender.
    Chatter,
    /// A request for a subscription.
    Request,
}

fn sort(stanza: &Stanza) -> Option<Sort> {
    match stanza.kind {
        Kind::Presence(PresenceType::Subscribe) => Some(Sort::Request),
        Kind::Message(MessageType::Chat | MessageType::Normal) if known::speaks(stanza) => {
            Some(Sort::Message)
        }
        // What a node says was asked for; clients pass over what was not.
        Kind::Message(_) if stanza.payload.has("event", ns::PUBSUB_EVENT) && !known::speaks(stanza) => None,
        Kind::Message(MessageType::Chat | MessageType::Normal | MessageType::Headline) => Some(Sort::Chatter),
        _ => None,
    }
}

impl Feature for Strangers {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn hydrate(&self, account: &mut Account, space: Space, stored: Loaded) {
        if space == HELD {
            return held::hydrate(account, &stored.into_bounds());
        }
        for (key, value) in stored.into_map() {
            let value = std::str::from_utf8(&value).unwrap_or_default();
            let state = account.slots.of::<State>();
            match &*key {
                POLICY => state.policy = StrangerPolicy::parse(value),
                _ => _ = state.spoken.insert(key.as_ref().to_owned(), value.parse().unwrap_or(0)),
            }
        }
    }

    fn step(&self, way: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        match way {
            Way::Leave => {
                known::leaves(turn, stanza);
                Flow::On
            }
            Way::Arrive => self.arrives(turn, stanza),
        }
    }
}

impl Strangers {
    fn arrives(&self, turn: &mut Turn<'_, Account>, stanza: &Stanza) -> Flow {
        if orders::given(turn, stanza) {
            return Flow::Stop;
        }
        let Some(from) = &stanza.from else { return Flow::On };
        // The blocked are another feature's, and so is who comes with an invitation until that has been looked at.
        let elsewhere = turn.place.blocks(from) || crate::pars::waits(turn.place, stanza);
        let Some(sort) = sort(stanza).filter(|_| !elsewhere) else { return Flow::On };
        let pass = screened::pass(turn, stanza);
        if pass == Some(screened::Pass::LetIn) {
            return Flow::On;
        }
        let who = known::sender(turn.place, stanza);
        if held::is_opening(turn.place, from, who.as_ref()) && sort == Sort::Message {
            // What came before it is on its way to the user.
            return held::keep(turn, &who.unwrap_or_else(|| from.bare()), stanza).unwrap_or(Flow::On);
        }
        let Some(who) = who else { return Flow::On };
        if pass.is_none() && sort != Sort::Chatter && screened::look_up(turn, &who, stanza) {
            return Flow::Stop;
        }
        self.judge(turn, &who, sort, stanza)
    }

    /// Rates, then the policy.
    fn judge(&self, turn: &mut Turn<'_, Account>, who: &Bare, sort: Sort, stanza: &Stanza) -> Flow {
        let policy = policy(turn.place);
        if sort == Sort::Chatter {
            return if policy == StrangerPolicy::Allow { Flow::On } else { Flow::Stop };
        }
        if policy != StrangerPolicy::Refuse
            && let Err(error) = self.domains.admit(turn, who, sort)
        {
            return refused(turn, error);
        }
        match (policy, sort) {
            (StrangerPolicy::Allow, _) | (StrangerPolicy::Hold, Sort::Request) => Flow::On,
            (StrangerPolicy::Hold, _) => match held::keep(turn, who, stanza) {
                Some(Flow::Refuse(error)) => refused(turn, error),
                flow => flow.unwrap_or(Flow::On),
            },
            (StrangerPolicy::Refuse, Sort::Request) => {
                Tally::count(&turn.place.facts.safety.tally.refused);
                let no = Stanza::presence(PresenceType::Unsubscribed).from(&turn.place.jid).to(who);
                turn.fx.route(no);
                Flow::Stop
            }
            // As from an account that is not there.
            (StrangerPolicy::Refuse, _) => refused(turn, stanza::Condition::ServiceUnavailable.into()),
        }
    }
}

fn refused(turn: &Turn<'_, Account>, error: StanzaError) -> Flow {
    Tally::count(&turn.place.facts.safety.tally.refused);
    Flow::Refuse(error)
}

/// What holds for the account.
fn policy(account: &Account) -> StrangerPolicy {
    let own = account.slots.peek::<State>().and_then(|state| state.policy);
    own.unwrap_or(account.facts.safety.strangers)
}

/// Stores what the user wants; `None`: what the operator says.
fn set_policy(turn: &mut Turn<'_, Account>, policy: Option<StrangerPolicy>) {
    turn.place.slots.of::<State>().policy = policy;
    let owner = Owner::from(turn.place.jid.text());
    match policy {
        Some(policy) => turn.fx.put_map(STRANGERS, owner, POLICY, policy.name().into()),
        None => turn.fx.write(Write::MapDelete { space: STRANGERS, owner, key: POLICY.into() }),
    }
}

#[cfg(test)]
mod tests;
