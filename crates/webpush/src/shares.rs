//! Shares of what all have together: how many notifications of one account, or for one host, may wait, and how many
//! connections it may have at once.
//!
//! No RFC: whose push service is slow waits for it, and nobody else does.
//!
//! Not here: what is waited for (`sender.rs`).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The shares of all who have something that waits.
pub(crate) struct Shares<K> {
    each: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
    waiting: usize,
    connections: usize,
}

/// One notification's part in somebody's share, until it is dropped.
pub(crate) struct Share<K: Eq + Hash> {
    key: K,
    room: Arc<Semaphore>,
    each: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// So many may wait, and have connections, of each.
    pub(crate) fn new(waiting: usize, connections: usize) -> Shares<K> {
        Shares { each: Arc::default(), waiting, connections }
    }

    /// One more waits; `None` if that is too many.
    pub(crate) fn join(&self, key: &K) -> Option<Share<K>> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let room =
            each.entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.connections))).clone();
        // One is the table's, and one is ours.
        (Arc::strong_count(&room) <= self.waiting + 1).then(|| Share {
            key: key.clone(),
            room,
            each: self.each.clone(),
        })
    }
}

impl<K: Eq + Hash> Share<K> {
    /// Waits until this share has a connection to give. `None`: never.
    pub(crate) async fn connection(&self) -> Option<SemaphorePermit<'_>> {
        self.room.acquire().await.ok()
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&self.room) <= 2 {
            each.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_share_and_nothing_is_left_of_it() {
        let shares = Shares::new(2, 1);
        let (first, second) = (shares.join(&"a"), shares.join(&"a"));
        assert!(first.is_some() && second.is_some() && shares.join(&"a").is_none());
        assert!(shares.join(&"b").is_some(), "another is not concerned");
        drop(first);
        assert!(shares.join(&"a").is_some());
        assert_eq!(shares.each.lock().unwrap().len(), 1);
        drop(second);
        assert!(shares.each.lock().unwrap().is_empty());
    }
}
