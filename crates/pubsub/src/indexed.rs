//! Going on when it is known which items a node has.
//!
//! Not here: how items are stored (`items.rs`).

use kernel::{Answer, Turn};

use crate::error::NOT_FOUND;
use crate::home::{Home, owner};
use crate::items::Index;

/// Calls `then` when the node's index is in memory: at once, or after it was read. What was read is used only if nothing
/// has changed meanwhile; so of two that want to change a node, each sees what the other did. `then` checks anew whatever
/// it had checked before.
pub(crate) fn indexed<P: Home>(
    turn: &mut Turn<'_, P>,
    node: String,
    then: impl FnOnce(&mut Turn<'_, P>) -> Answer<P> + Send + 'static,
) -> Answer<P> {
    if is_indexed(turn, &node) {
        return then(turn);
    }
    let Some(before) = changes(turn, &node) else { return NOT_FOUND.into() };
    Answer::read(Index::read(&owner(turn.place), &node), move |turn: &mut Turn<'_, P>, loaded| {
        if !is_indexed(turn, &node) && changes(turn, &node) == Some(before) {
            turn.place.nodes().indexes.insert(node.as_str().into(), Index::hydrate(loaded));
            expire(turn, &node);
        }
        indexed(turn, node, then)
    })
}

fn changes<P: Home>(turn: &Turn<'_, P>, node: &str) -> Option<u64> {
    turn.place.peek()?.get(node).map(|node| node.changes)
}

/// Whether the node's index is in memory; if so, without items whose time is over.
pub(crate) fn is_indexed<P: Home>(turn: &mut Turn<'_, P>, node: &str) -> bool {
    let held = turn.place.nodes().indexes.get(node).is_some();
    if held {
        expire(turn, node);
    }
    held
}

fn expire<P: Home>(turn: &mut Turn<'_, P>, node: &str) {
    let owner = owner(turn.place);
    let nodes = turn.place.nodes();
    let Some(seconds) = nodes.get(node).and_then(|node| node.config().item_expire) else { return };
    let before_ms = turn.now.unix_ms.saturating_sub(seconds.saturating_mul(1_000));
    if let Some(index) = nodes.indexes.get(node) {
        index.expire(&owner, node, before_ms, turn.fx);
    }
}
