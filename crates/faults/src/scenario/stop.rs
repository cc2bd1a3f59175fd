//! SIGTERM with thousands of sessions; then a start, and all of them come back at once.
//!
//! Not here: a stop that is not told (`kill`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::account::Account;
use rustix::process::Signal;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Stage;
use crate::crowd::{Crowd, Shared, Size, wait_for};
use crate::judge;
use crate::row::Row;
use crate::world::World;

const BOUND: Duration = Duration::from_secs(30);
/// The server allows 16.
const PER_ACCOUNT: usize = 15;

#[derive(Default)]
struct Counts {
    here: AtomicUsize,
    told: AtomicUsize,
    untold: AtomicUsize,
    /// What one of them heard instead.
    instead: Mutex<String>,
}

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("stop")?;
    let mut server = world.start()?;
    let crowd =
        Crowd::gather(&world, Size { seed: stage.seed, messages_per_second: 200.0, ..Size::default() })?;
    crowd.patience(Duration::from_secs(60));
    let sessions = stage.times(5_000, 900);
    row.bound = "stopped in 30 s, all back in 60 s".into();
    accounts(&world, sessions)?;
    for _ in 0..stage.times(2, 1) {
        row.runs += 1;
        let counts = Arc::new(Counts::default());
        let idle = crowd.runtime.spawn(come(crowd.shared.clone(), counts.clone(), sessions));
        let here = || counts.here.load(Ordering::Relaxed);
        wait_for("all sessions", Duration::from_secs(300), || here() == sessions)?;
        crowd.shared.book.fault("SIGTERM");
        server.signal(Signal::TERM)?;
        let (code, took) = server.wait(2 * BOUND)?;
        row.must(code == Some(0), format_args!("exit code {code:?}"));
        row.within(&format!("stop with {sessions} sessions"), took, BOUND);
        crowd.runtime.block_on(idle)?;
        let (told, untold) = (counts.told.load(Ordering::Relaxed), counts.untold.load(Ordering::Relaxed));
        let instead = counts.instead.lock().unwrap_or_else(PoisonError::into_inner).clone();
        row.must(
            untold == 0,
            format_args!(
                "{untold} of {} sessions were not told system-shutdown, but: {instead}",
                told + untold
            ),
        );
        server = world.start()?;
        // All at once.
        let (begin, counts) = (Instant::now(), Arc::new(Counts::default()));
        let idle = crowd.runtime.spawn(come(crowd.shared.clone(), counts.clone(), sessions));
        wait_for("all sessions back", Duration::from_secs(300), || {
            counts.here.load(Ordering::Relaxed) == sessions
        })?;
        row.within("all back", begin.elapsed(), Duration::from_secs(60));
        crowd.works(BOUND)?;
        idle.abort();
    }
    judge::finish(&mut world, crowd, &mut row, Duration::from_secs(10))?;
    Ok(row)
}

fn accounts(world: &World, sessions: usize) -> Outcome<()> {
    (0..sessions.div_ceil(PER_ACCOUNT)).try_for_each(|n| world.add(&format!("idle{n}"), "pw"))
}

/// Sessions that do nothing, until the server ends them.
async fn come(shared: Arc<Shared>, counts: Arc<Counts>, sessions: usize) {
    // As many logins at a time; the rest of the crowd must get a turn on this machine too.
    let turn = Arc::new(Semaphore::new(100));
    let mut all = JoinSet::new();
    for n in 0..sessions {
        let (shared, counts, turn) = (shared.clone(), counts.clone(), turn.clone());
        all.spawn(async move {
            let account = Account { name: format!("idle{}", n / PER_ACCOUNT), password: "pw".into() };
            let mut session = loop {
                // It is never closed.
                let _turn = turn.acquire().await;
                match enter(&shared, &account, n % PER_ACCOUNT).await {
                    Ok(session) => break session,
                    Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            };
            counts.here.fetch_add(1, Ordering::Relaxed);
            let end = loop {
                match session.next().await {
                    Ok(_) => {}
                    Err(end) => break end.to_string(),
                }
            };
            if end.contains("system-shutdown") {
                counts.told.fetch_add(1, Ordering::Relaxed);
            } else {
                counts.untold.fetch_add(1, Ordering::Relaxed);
                *counts.instead.lock().unwrap_or_else(PoisonError::into_inner) = end;
            }
        });
    }
    while all.join_next().await.is_some() {}
}

async fn enter(shared: &Shared, account: &Account, n: usize) -> Outcome<bench::session::Session> {
    let mut session = shared.target.authenticate(account, &format!("r{n}")).await?;
    session.enable_acks().await?;
    session.queue("<presence/>");
    session.wire.flush().await?;
    Ok(session)
}
