//! What has not reached its neighbour when the server starts: reading it.
//!
//! Not here: writing it and taking it out again (`away.rs`).

use model::spaces::SPOOL;
use model::storage::{Entry, LogQuery, Owner, Paging, Read};
use store::{Fault, Store};

use crate::limits;

/// How much is read at once.
const PAGE: u32 = 256;

/// All that waits for neighbours, the oldest first for each domain. What would be more than may be on its way at once is
/// left for the next start.
///
/// # Errors
/// If storage cannot be read.
pub async fn spooled(store: &dyn Store) -> Result<Vec<(Owner, Entry)>, Fault> {
    let (mut found, mut bytes, mut after) = (Vec::new(), 0, None);
    loop {
        let read = Read::Owners { space: SPOOL, after: after.clone(), limit: PAGE };
        let owners = store.read(read).await?.into_owners();
        let Some(last) = owners.last() else { return Ok(found) };
        after = Some(last.clone());
        for owner in owners {
            let mut at = None;
            loop {
                let query = LogQuery {
                    page: Paging::Forwards { after: at },
                    limit: PAGE,
                    bytes: limits::AWAY_DOMAIN_BYTES_MAX as u64,
                    ..LogQuery::new(SPOOL, owner.clone())
                };
                let page = store.read(query.into()).await?.into_page();
                let Some(end) = page.entries.last() else { break };
                at = Some(end.id);
                bytes += page.entries.iter().map(|entry| entry.value.len()).sum::<usize>();
                found.extend(page.entries.into_iter().map(|entry| (owner.clone(), entry)));
                if found.len() > limits::AWAY_MAX || bytes > limits::AWAY_BYTES_MAX {
                    tracing::warn!("more waits for other servers than can be sent at once");
                    return Ok(found);
                }
            }
        }
    }
}
