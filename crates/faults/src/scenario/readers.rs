//! clients that stop reading, or read a kilobyte a second, while much is sent to them.
//!
//! Not here: clients that never log in (`flood`).

use std::time::{Duration, Instant};

use bench::Outcome;
use bench::account::Account;
use bench::session::{Acks, Session};
use serde_json::{Value, json};

use super::Stage;
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::row::Row;
use crate::world::DOMAIN;

/// What one reader is sent: more than the server may keep for it (16 MiB) and the system's buffers hold.
const SENT_EACH: usize = 40 << 20;
const MESSAGE: usize = 8 << 10;
/// What the server may keep of each, with what the allocator adds.
const KEPT_EACH: u64 = 24 << 20;

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("readers")?;
    let server = world.start()?;
    let crowd =
        Crowd::gather(&world, Size { seed: stage.seed, messages_per_second: 100.0, ..Size::default() })?;
    let readers = stage.times(8, 3);
    (row.runs, row.bound) = (readers, "memory: 24 MiB for each reader".into());
    world.add("flooder", "pw")?;
    for n in 0..readers {
        world.add(&format!("reader{n}"), "pw")?;
    }
    crowd.works(Duration::from_secs(10))?;
    let before = server.memory();
    crowd.shared.book.fault("readers stop reading");
    let (mut peak, mut held) = (before, Vec::new());
    for n in 0..readers {
        // One of them reads slowly, the others nothing; half have stream management.
        let name = format!("reader{n}");
        let session = crowd.runtime.block_on(log_in(&crowd, &name, n % 2 == 0))?;
        held.push(crowd.runtime.spawn(read_slowly(session, n == 1)));
    }
    for n in 0..readers {
        let begin = Instant::now();
        crowd.runtime.block_on(flood(&crowd, &format!("reader{n}@{DOMAIN}")))?;
        peak = peak.max(server.memory());
        row.must(
            begin.elapsed() < Duration::from_secs(60),
            format_args!("flooding reader{n} took {:?}", begin.elapsed()),
        );
    }
    let growth = peak.saturating_sub(before);
    row.note(format_args!("memory grew by {} MiB", growth >> 20));
    let most = readers as u64 * KEPT_EACH + (64 << 20);
    row.must(growth < most, format_args!("INV-9: memory grew by {} MiB", growth >> 20));
    row.calm("", &crowd);
    let sessions = world.order("session list", &json!({}))?;
    let connected = |one: &Value| {
        one["connected"] == json!(true) && one["jid"].as_str().is_some_and(|jid| jid.starts_with("reader"))
    };
    let still =
        sessions["sessions"].as_array().map_or(0, |all| all.iter().filter(|one| connected(one)).count());
    held.iter().for_each(|task| task.abort());
    row.note(format_args!("{} of {readers} were cut off meanwhile", readers - still));
    judge::finish(&mut world, crowd, &mut row, Duration::from_secs(10))?;
    Ok(row)
}

async fn log_in(crowd: &Crowd, name: &str, sm: bool) -> Outcome<Session> {
    let account = Account { name: name.to_owned(), password: "pw".to_owned() };
    let mut session = crowd.shared.target.authenticate(&account, "slow").await?;
    if sm {
        session.enable_acks().await?;
    }
    session.queue("<presence/>");
    session.wire.flush().await?;
    Ok(session)
}

/// Reads a kilobyte a second or nothing, until the connection ends.
async fn read_slowly(session: Session, some: bool) {
    let mut pause = tokio::time::interval(Duration::from_secs(1));
    loop {
        pause.tick().await;
        if some {
            match session.wire.trickle(1024) {
                Ok(()) => {}
                Err(_) => return,
            }
        }
    }
}

/// Sends more than fits, waiting for the server's answer now and then, as a client that is itself well behaved.
async fn flood(crowd: &Crowd, to: &str) -> Outcome<()> {
    let account = Account { name: "flooder".to_owned(), password: "pw".to_owned() };
    let mut session = crowd.shared.target.authenticate(&account, "flood").await?;
    session.acks = None::<Acks>;
    let text = "x".repeat(MESSAGE);
    let message = format!(
        "<message to='{to}' type='chat'><body>{text}</body><no-store xmlns='urn:xmpp:hints'/></message>"
    );
    for n in 0..SENT_EACH / MESSAGE {
        session.queue(&message);
        if n % 32 == 31 {
            session.fence(DOMAIN).await?;
        }
    }
    session.leave().await;
    Ok(())
}
