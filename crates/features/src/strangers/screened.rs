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

/// Stanzas whose senders are being looked up, in the order in which they came; those that wait for others have their verdict.
#[derive(Default)]
pub(super) struct Line {
    first: u64,
    waiting: VecDeque<Option<(Stanza, bool)>>,
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
    let account = turn.place.jid.clone();
    let Some(read) = banned::look_up(&turn.place.facts.safety, account.domain(), who) else { return false };
    let (line, stanza) = (&mut turn.place.slots.of::<State>().line, stanza.clone());
    let number = line.first + line.waiting.len() as u64;
    line.waiting.push_back(None);
    turn.fx.ask(&account, Query::Read(read), move |turn, found| {
        // A list that cannot be read bans nobody.
        let banned = found.is_ok_and(|found| banned::is_banned(found.into_loaded()));
        let line = &mut turn.place.slots.of::<State>().line;
        // The account may have left memory and come back: then there is no line, and nothing before this one.
        match number.checked_sub(line.first).and_then(|at| line.waiting.get_mut(at as usize)) {
            Some(place) => *place = Some((stanza, banned)),
            None => return verdict(turn, stanza, banned),
        }
        while let Some(Some(_)) = turn.place.slots.of::<State>().line.waiting.front() {
            let line = &mut turn.place.slots.of::<State>().line;
            let next = line.waiting.pop_front().flatten();
            line.first += 1;
            if let Some((stanza, banned)) = next {
                verdict(turn, stanza, banned);
            }
        }
    });
    true
}

fn verdict(turn: &mut Turn<'_, Account>, stanza: Stanza, banned: bool) {
    if banned {
        Tally::count(&turn.place.facts.safety.tally.banned);
        return turn.refuse(&stanza, Condition::PolicyViolation);
    }
    again(turn, stanza, Pass::Clean);
}
