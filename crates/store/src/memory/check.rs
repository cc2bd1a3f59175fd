//! Whether a batch may be written, found out before the first write: that makes it all or nothing.
//!
//! Not here: the writing itself (`state`).

use std::collections::{HashMap, HashSet};

use model::storage::{Batch, Owner, Write};

use super::state::{Place, State};
use crate::Fault;

pub(super) fn check(state: &State, batch: &Batch) -> Result<(), Fault> {
    let mut last_ids: HashMap<Place, u64> = HashMap::new();
    let mut purged: HashSet<&Owner> = HashSet::new();
    for write in &batch.0 {
        match write {
            Write::Purge { owner } => {
                last_ids.retain(|place, _| place.1 != *owner);
                purged.insert(owner);
            }
            Write::LogAppend { space, owner, entry } => {
                let place = (*space, owner.clone());
                let stored = || match purged.contains(owner) {
                    true => 0,
                    false => state.logs.get(&place).map_or(0, |log| log.last()),
                };
                let last = last_ids.get(&place).copied().unwrap_or_else(stored);
                crate::check_entry(entry, last)?;
                last_ids.insert(place, entry.id);
            }
            Write::MapPut { key, .. } => crate::check_key(key)?,
            _ => {}
        }
    }
    Ok(())
}
