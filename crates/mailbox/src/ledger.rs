//! Which stanzas of one stream are stored, without a gap: only those may be acknowledged.
//!
//! XEP-0198 1.6.3 section 4
//!
//! Not here: the acknowledgement itself (s2s), storing (engine).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::away::Receipt;
use tokio::sync::Notify;

/// Shared by a stream and the receipts of its stanzas; outlives the stream where it may be resumed.
#[derive(Default)]
pub struct Ledger {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// The number of the first of `open`.
    first: u64,
    /// For each stanza that is not settled without a gap: whether it is stored.
    open: VecDeque<bool>,
    /// Settled, and not yet taken.
    settled: usize,
    /// One could not be stored.
    failed: bool,
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, and the state is whole at every moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more stanza.
    pub fn receipt(self: &Arc<Self>) -> Receipt {
        let ledger = self.clone();
        let mut state = self.state();
        let number = state.first + state.open.len() as u64;
        state.open.push_back(false);
        Box::new(move |stored| ledger.settle(number, stored))
    }

    fn settle(&self, number: u64, stored: bool) {
        let mut state = self.state();
        state.failed |= !stored;
        let at = number.checked_sub(state.first).map(|at| at as usize);
        if let Some(slot) = at.and_then(|at| state.open.get_mut(at)).filter(|_| stored) {
            *slot = true;
        }
        while state.open.front() == Some(&true) {
            state.open.pop_front();
            (state.first, state.settled) = (state.first + 1, state.settled + 1);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// How many have been settled since the last time; `None`: one could not be stored, and so must come again.
    pub fn take(&self) -> Option<usize> {
        let mut state = self.state();
        (!state.failed).then(|| std::mem::take(&mut state.settled))
    }

    /// Waits until [`Ledger::take`] may have something.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_without_gaps_and_not_after_a_failure() {
        let ledger = Arc::new(Ledger::default());
        let [a, b, c] = [(); 3].map(|()| ledger.receipt());
        b(true);
        assert_eq!(ledger.take(), Some(0));
        a(true);
        assert_eq!(ledger.take(), Some(2));
        assert_eq!(ledger.take(), Some(0));
        c(false);
        assert_eq!(ledger.take(), None);
    }
}
