//! a disk that fails, and one that is slow.
//!
//! Not here: a full disk (`full`), loss of power alone (`power`).

use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;

use super::{NO_SHIM, Stage, shimmed};
use crate::chance::Chance;
use crate::crowd::{Crowd, Size, wait_for};
use crate::row::Row;
use crate::shim::{Knob, Shim};
use crate::{judge, power};

const BOUND: Duration = Duration::from_secs(30);
/// What the server's memory may grow by while its disk does nothing.
const GROWTH_MAX: u64 = 64 << 20;

pub(crate) fn sync_error(stage: &Stage, row: Row) -> Outcome<Row> {
    errors(stage, row, "sync-error", Shim::fail_syncs)
}

pub(crate) fn write_error(stage: &Stage, row: Row) -> Outcome<Row> {
    errors(stage, row, "write-error", Shim::fail_writes)
}

/// Errors come, go, and then the power is lost: what a failed sync has left out must not be missed.
fn errors(stage: &Stage, mut row: Row, name: &str, fail: fn(&Shim, u32) -> Outcome<()>) -> Outcome<Row> {
    let Some((mut world, shim)) = shimmed(stage, name)? else { return Ok(row.skip(NO_SHIM)) };
    let mut chance = Chance::new(stage.seed);
    let mut server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    row.bound = "works 30 s after the last error".into();
    let (mut slowest, mut ended) = (Duration::ZERO, 0);
    for round in 0..stage.times(25, 5) {
        row.runs += 1;
        // Sometimes a checkpoint meets the error, which comes after two quiet seconds.
        crowd.quiet(round % 5 == 4);
        sleep(chance.between_ms(100, 2500));
        let times = 1 + chance.below(4) as u32;
        let before = shim.value(Knob::Refused)?;
        crowd.shared.book.fault(&format!("{name}, {times} of them, number {round}"));
        fail(&shim, times)?;
        crowd.quiet(false);
        wait_for("the errors to be given", BOUND, || {
            shim.value(Knob::Refused).is_ok_and(|now| now >= before + times) || !server.is_running()
        })?;
        shim.heal()?;
        if !server.is_running() {
            // A supervisor starts it again.
            ended += 1;
            server = world.start()?;
        }
        slowest = slowest.max(crowd.works(2 * BOUND)?);
        if chance.below(3) == 0 {
            // A new process that reads what the old one could not sync.
            server.kill()?;
            server = world.start()?;
        }
        if chance.below(2) == 0 {
            sleep(chance.between_ms(0, 500));
            server.kill()?;
            let cut = power::cut(&world, &shim, &mut chance)?;
            crowd.shared.book.fault(&format!("loss of power: {cut:?}"));
            power::settle(&world, &shim)?;
            server = world.start()?;
            crowd.works(2 * BOUND)?;
        }
    }
    let log = world.log();
    row.must(
        log.contains("storage refuses writes") || ended > 0,
        "INV-10: the log does not say that storage refuses writes",
    );
    row.note(format_args!("the process ended by itself {ended} times"));
    row.within("longest until it worked", slowest, BOUND);
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    Ok(row)
}

pub(crate) fn slow(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let time = Duration::from_secs(stage.times(60, 6) as u64);
    row.bound = "works 30 s after the disk is fast again".into();
    sluggish(stage, row, "slow-disk", time, |shim| shim.set(Knob::DelayMs, 500))
}

pub(crate) fn stalled(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let time = Duration::from_secs(stage.times(30, 5) as u64);
    row.bound = "works 30 s after the disk goes on".into();
    sluggish(stage, row, "stalled-disk", time, |shim| shim.set(Knob::Stall, 1))
}

fn sluggish(
    stage: &Stage,
    mut row: Row,
    name: &str,
    time: Duration,
    slow: fn(&Shim) -> Outcome<()>,
) -> Outcome<Row> {
    let Some((mut world, shim)) = shimmed(stage, name)? else { return Ok(row.skip(NO_SHIM)) };
    let server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    crowd.patience(time + Duration::from_secs(30));
    crowd.works(BOUND)?;
    row.runs = 1;
    let (before, acknowledged) = (server.memory(), crowd.acknowledged());
    crowd.shared.book.fault(name);
    slow(&shim)?;
    let began = std::time::Instant::now();
    sleep(time);
    let growth = server.memory().saturating_sub(before);
    row.note(format_args!("{} acknowledged meanwhile", crowd.acknowledged() - acknowledged));
    row.note(format_args!("memory grew by {} MiB", growth >> 20));
    row.must(growth <= GROWTH_MAX, format_args!("INV-9: memory grew by {} MiB", growth >> 20));
    shim.heal()?;
    crowd.shared.book.fault("the disk is well again");
    row.within("until it worked", crowd.works(2 * BOUND)?, BOUND);
    row.worst_ping(&crowd, began);
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    Ok(row)
}
