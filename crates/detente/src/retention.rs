//! Old messages leave the archives, a few archives at a time.
//!
//! Not here: how storage deletes many rows without holding others up (store-sqlite).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::spaces::ARCHIVE;
use model::storage::{Batch, Cull, Owner, Read, Write};
use store::{Fault, Store};

/// How often all archives are looked at.
const EVERY: Duration = Duration::from_secs(3_600);
/// The first time after the start.
const FIRST: Duration = Duration::from_secs(60);
/// Archives in one slice, and the pause after each.
const SLICE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);
const DAY_MS: u64 = 86_400_000;

/// Deletes what is older than `days`, as long as it is not dropped; with 0 nothing is. The number may change meanwhile.
pub(crate) async fn run(store: Arc<dyn Store>, days: Arc<AtomicU32>) {
    let mut wait = FIRST;
    loop {
        tokio::time::sleep(wait).await;
        wait = EVERY;
        let days = u64::from(days.load(Ordering::Relaxed));
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        if days == 0 {
            continue;
        }
        if let Err(fault) = sweep(&*store, now_ms.saturating_sub(days * DAY_MS)).await {
            tracing::error!(kind = fault.kind().name(), cause = fault.cause(), "old messages stay for now");
        }
    }
}

async fn sweep(store: &dyn Store, before_ms: u64) -> Result<(), Fault> {
    let (mut after, mut all) = (None, 0);
    loop {
        let (last, swept) = slice(store, after, before_ms).await?;
        all += swept;
        if last.is_none() {
            break;
        }
        after = last;
        tokio::time::sleep(PAUSE).await;
    }
    if all > 0 {
        tracing::info!(archives = all, "old messages were deleted");
    }
    Ok(())
}

/// The next few archives: the last of them, if there may be more, and from how many something was deleted.
async fn slice(
    store: &dyn Store,
    after: Option<Owner>,
    before_ms: u64,
) -> Result<(Option<Owner>, usize), Fault> {
    let read = Read::Owners { space: ARCHIVE, after, limit: SLICE };
    let owners = store.read(read).await?.into_owners();
    let bounds = |owner: &Owner| Read::LogBounds { space: ARCHIVE, owner: owner.clone(), count: false };
    let bounds = store.read(Read::Many(owners.iter().map(bounds).collect())).await?.into_many();
    let old = owners
        .iter()
        .zip(bounds)
        .filter(|(_, bounds)| bounds.clone().into_bounds().first.is_some_and(|(_, at_ms)| at_ms < before_ms));
    let delete = |owner: &Owner| Write::LogDelete {
        space: ARCHIVE,
        owner: owner.clone(),
        what: Cull::Before(before_ms),
    };
    let batch: Batch = old.map(|(owner, _)| delete(owner)).collect();
    let swept = batch.0.len();
    if swept > 0 {
        store.commit(batch).await?;
    }
    Ok((owners.last().filter(|_| owners.len() == SLICE as usize).cloned(), swept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::storage::{Entry, LogQuery};
    use store::block_on;
    use store::memory::Memory;

    #[test]
    fn what_is_older_goes_from_all_archives_and_nothing_else() {
        let store = Memory::new();
        let owners: Vec<Owner> = (0..25).map(|n| Owner::from(format!("u{n:02}@a.example"))).collect();
        let mut batch = Batch::new();
        for (n, owner) in owners.iter().enumerate() {
            // Every third is of today only.
            for at_ms in if n % 3 == 0 { 100..103 } else { 98..103 } {
                let entry =
                    Entry { id: at_ms, at_ms, with: None, resource: None, tag: 0, value: Default::default() };
                batch.push(Write::LogAppend { space: ARCHIVE, owner: owner.clone(), entry });
            }
        }
        block_on(store.commit(batch)).unwrap();
        let (mut after, mut slices, mut all) = (None, 0, 0);
        loop {
            let (last, swept) = block_on(slice(&store, after, 100)).unwrap();
            (slices, all) = (slices + 1, all + swept);
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        assert_eq!((slices, all), (3, 16));
        for owner in owners {
            let page = block_on(store.read(LogQuery::new(ARCHIVE, owner).into())).unwrap().into_page();
            assert_eq!(page.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [100, 101, 102]);
        }
    }
}
