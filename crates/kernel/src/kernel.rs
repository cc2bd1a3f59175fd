//! The staircase itself: the features, sorted by where they stand.
//!
//! Not here: what happens on the way out (`leave.rs`) and on the way in (`arrive.rs`).

use std::collections::HashMap;

use stanza::{Condition, Stanza};

use crate::{Account, Card, Feature, Flow, Step, Target, Turn, Way, card::IqRoute, feature::Event};

/// All features, and the ways of RFC 6121 between them.
pub struct Kernel {
    pub(crate) features: Vec<Box<dyn Feature>>,
    /// For each way and step the features that stand there, so that a stanza asks no others.
    steps: [[Vec<usize>; Step::ALL.len()]; 2],
    /// Which feature answers an iq: by target and namespace.
    iqs: HashMap<(bool, &'static str), (usize, IqRoute)>,
}

impl Kernel {
    /// A kernel with these features. Their order has no meaning.
    ///
    /// # Panics
    /// If two features claim the same iq: a mistake in the program, found when it starts.
    pub fn new(features: Vec<Box<dyn Feature>>) -> Kernel {
        let mut steps: [[Vec<usize>; Step::ALL.len()]; 2] = Default::default();
        let mut iqs = HashMap::new();
        for (at, feature) in features.iter().enumerate() {
            let card = feature.card();
            for (way, step) in card.steps {
                steps[*way as usize][*step as usize].push(at);
            }
            for route in card.iqs {
                let held = iqs.insert((route.target == Target::Host, route.ns), (at, *route));
                assert!(held.is_none(), "two features answer {} for {:?}", route.ns, route.target);
            }
        }
        Kernel { features, steps, iqs }
    }

    /// The cards of all features.
    pub fn cards(&self) -> impl Iterator<Item = &'static Card> {
        self.features.iter().map(|feature| feature.card())
    }

    /// Lets the features of a step see a stanza. On refusal the sender has been told.
    pub(crate) fn step(
        &self,
        way: Way,
        step: Step,
        turn: &mut Turn<'_, Account>,
        stanza: &mut Stanza,
    ) -> bool {
        for at in &self.steps[way as usize][step as usize] {
            match self.features[*at].step(way, step, turn, stanza) {
                Flow::On => {}
                Flow::Stop => return false,
                Flow::Refuse(error) => {
                    turn.fx.refuse(stanza, error);
                    return false;
                }
            }
        }
        true
    }

    /// Whether some feature hides the account's presence from that address.
    pub(crate) fn hidden(&self, account: &Account, from: &address::Jid) -> bool {
        self.features.iter().any(|feature| feature.hides(account, from))
    }

    /// Tells all features what happened.
    pub(crate) fn tell(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        for feature in &self.features {
            feature.event(turn, event);
        }
    }

    /// The feature that answers requests in that namespace.
    pub(crate) fn answerer(&self, host: bool, ns: &str) -> Option<(&dyn Feature, IqRoute)> {
        let (at, route) = self.iqs.get(&(host, ns))?;
        Some((self.features[*at].as_ref(), *route))
    }

    /// The answer to a stanza for an account of ours that nobody registered (RFC 6121 section 8.5.1).
    pub(crate) fn no_such_account(&self, turn: &mut Turn<'_, Account>, stanza: &Stanza) {
        // Presence is ignored; the others hear what they would hear of an account that is there but closed to them.
        if !matches!(stanza.kind, stanza::Kind::Presence(_)) {
            turn.fx.refuse(stanza, Condition::ServiceUnavailable);
        }
    }
}
