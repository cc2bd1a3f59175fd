//! Stanzas that have been looked at and come again: where they may pass, and in which order they come.
//!
//! No XEP: there is none about strangers.
//!
//! Not here: the lists themselves (`lists.rs`).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use address::Bare;
use kernel::{Account, Tally, Turn, banned};
use model::query::Query;
use model::storage::Read;
use stanza::{Condition, Stanza};

use super::State;

/// How far a stanza may pass that comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It is on no list.
    Clean,
    /// The user has let it in.
    LetIn,
}

/// Stanzas that are on their way back here, by what is in them: one with the same content may as well take its place.
#[derive(Default)]
pub(super) struct Passes(Vec<(u64, Pass)>);

/// Whose senders are being looked up, in the order in which their stanzas came, and whether each has its verdict. A stanza
/// itself is never kept here: as long as a question is open its sender has not been told that it is safe.
#[derive(Default)]
pub(super) struct Line {
    first: u64,
    settled: VecDeque<bool>,
}

impl Line {
    fn join(&mut self) -> u64 {
        self.settled.push_back(false);
        self.first + self.settled.len() as u64 - 1
    }

    /// Whether somebody who came earlier has no verdict yet.
    fn is_behind(&self, number: u64) -> bool {
        number > self.first
    }

    fn leave(&mut self, number: u64) {
        let at = number.checked_sub(self.first).map(|at| at as usize);
        if let Some(settled) = at.and_then(|at| self.settled.get_mut(at)) {
            *settled = true;
        }
        while self.settled.front() == Some(&true) {
            self.settled.pop_front();
            self.first += 1;
        }
    }
}

fn print(stanza: &Stanza) -> u64 {
    let mut hasher = DefaultHasher::new();
    stanza.from.as_ref().map(address::Jid::as_str).hash(&mut hasher);
    stanza.to.as_ref().map(address::Jid::as_str).hash(&mut hasher);
    (&stanza.id, stanza.payload.inner().as_ref()).hash(&mut hasher);
    hasher.finish()
}

/// Sends a stanza to its account again.
pub(super) fn again(turn: &mut Turn<'_, Account>, stanza: Stanza, pass: Pass) {
    turn.place.slots.of::<State>().passes.0.push((print(&stanza), pass));
    turn.fx.route(stanza);
}

/// Whether it comes again, and then how far it may pass.
pub(super) fn pass(turn: &mut Turn<'_, Account>, stanza: &Stanza) -> Option<Pass> {
    if turn.place.slots.peek::<State>().is_none_or(|state| state.passes.0.is_empty()) {
        return None;
    }
    let (passes, print) = (&mut turn.place.slots.of::<State>().passes.0, print(stanza));
    let at = passes.iter().position(|(known, _)| *known == print)?;
    Some(passes.remove(at).1)
}

/// Looks the sender up in the lists of banned addresses, if there are any; the stanza comes again, or is refused.
pub(super) fn look_up(turn: &mut Turn<'_, Account>, who: &Bare, stanza: &Stanza) -> bool {
    let Some(read) = banned::look_up(&turn.place.facts.safety, turn.place.jid.domain(), who) else {
        return false;
    };
    let number = turn.place.slots.of::<State>().line.join();
    ask(turn, read, number, stanza.clone());
    true
}

fn ask(turn: &mut Turn<'_, Account>, read: Read, number: u64, stanza: Stanza) {
    let account = turn.place.jid.clone();
    turn.fx.ask(&account, Query::Read(read.clone()), move |turn, found| {
        let verdict = found.map(|found| banned::is_banned(found.into_loaded()));
        if verdict == Ok(false) && turn.place.slots.of::<State>().line.is_behind(number) {
            // An answer has overtaken another. Kept until then it would count as arrived; with a question it does not.
            return ask(turn, read, number, stanza);
        }
        turn.place.slots.of::<State>().line.leave(number);
        match verdict {
            Ok(false) => again(turn, stanza, Pass::Clean),
            Ok(true) => {
                Tally::count(&turn.place.facts.safety.tally.banned);
                turn.refuse(&stanza, Condition::PolicyViolation);
            }
            // Nobody passes because too many come at once: he may try again.
            Err(error) => turn.refuse(&stanza, error),
        }
    });
}
