//! the data's disk is full, and has room again.
//!
//! Not here: the log's disk (`log`).

use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;
use bench::account::Account;
use history::Direction;

use super::Stage;
use crate::crowd::{Crowd, Size, wait_for};
use crate::row::{Row, seconds};
use crate::volume::Volume;
use crate::{judge, paging};

const BOUND: Duration = Duration::from_secs(10);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("full")?;
    let data = world.data();
    let volume = match Volume::mount(&mut world, &data, 48)? {
        Ok(volume) => volume,
        Err(why) => return Ok(row.skip(why)),
    };
    let mut server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    row.bound = "works 10 s after there is room".into();
    let (mut slowest, mut busy) = (Duration::ZERO, (0, 0));
    for round in 0..stage.times(6, 2) {
        row.runs += 1;
        crowd.works(BOUND)?;
        crowd.shared.book.fault(&format!("disk full, number {round}"));
        volume.fill()?;
        let refusals = || crowd.shared.book.open().stream_errors.len();
        let before = refusals();
        // Until the journal needs more room than it has.
        wait_for("a refusal", Duration::from_secs(60), || refusals() > before)?;
        let told = crowd.shared.book.open().stream_errors[before].clone();
        row.must(told.contains("resource-constraint"), format_args!("INV-10: clients were told {told}"));
        for _ in 0..3 {
            sleep(Duration::from_secs(1));
            // One whose word is in the same batch as a write that fails is sent away too, and comes again.
            let read = (0..5).map(|_| reads(&crowd, "canary")).find(Result::is_ok);
            row.must(read.is_some(), "nobody can log in and read on a full disk");
            // All sessions of an account end when one of them writes in vain.
            busy.1 += 1;
            busy.0 += usize::from(reads(&crowd, "user0").is_ok());
        }
        row.must(server.is_running(), "the server ended on a full disk");
        crowd.shared.book.fault("room again");
        volume.free()?;
        slowest = slowest.max(crowd.works(2 * BOUND)?);
    }
    row.within("longest until it worked", slowest, BOUND);
    row.note(format_args!("{} of {} logins to an account with a busy device went well", busy.0, busy.1));
    let mut pings: Vec<Duration> = crowd.shared.book.open().pings.iter().map(|(_, took)| *took).collect();
    row.note(format_args!("ping p99 {}", seconds(crate::book::percentile(&mut pings, 99))));
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    server.kill()?;
    drop(volume);
    Ok(row)
}

/// Logs in anew and reads an archive.
fn reads(crowd: &Crowd, name: &str) -> Outcome<()> {
    let password = name.replace("user", "pw");
    let account = Account { name: name.into(), password };
    let target = &crowd.shared.target;
    crowd.runtime.block_on(target.patiently("login and reading", async {
        let mut session = target.authenticate(&account, "probe").await?;
        paging::read_all(&mut session, Direction::Forwards).await?;
        session.leave().await;
        Ok(())
    }))
}
