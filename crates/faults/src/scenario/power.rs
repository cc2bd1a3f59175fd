//! loss of power under load. The control shows that the checker would see a sync that is none.
//!
//! Not here: how a cut works (`crate::power`).

use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;
use history::Kind;

use super::{NO_SHIM, Stage, shimmed};
use crate::chance::Chance;
use crate::crowd::{Crowd, Size};
use crate::row::{Row, Verdict};
use crate::shim::Knob;
use crate::{judge, power};

const BOUND: Duration = Duration::from_secs(30);

pub(crate) fn run(stage: &Stage, row: Row) -> Outcome<Row> {
    Ok(cuts(stage, row, "power", stage.times(40, 6), false)?.0)
}

pub(crate) fn control(stage: &Stage, row: Row) -> Outcome<Row> {
    let (inner, lost) = cuts(stage, row.clone(), "power-control", 3, true)?;
    if matches!(inner.verdict(), Verdict::Skipped(_)) {
        return Ok(inner);
    }
    let mut row = row;
    (row.runs, row.bound) = (inner.runs, "the loss is found".into());
    row.note(format_args!("{lost} lost messages found"));
    row.must(lost > 0, "a disk that lies was not noticed: this test shows nothing");
    Ok(row)
}

/// Gives the number of messages that were acknowledged and lost, too.
fn cuts(stage: &Stage, mut row: Row, name: &str, rounds: usize, lie: bool) -> Outcome<(Row, usize)> {
    let Some((mut world, shim)) = shimmed(stage, name)? else { return Ok((row.skip(NO_SHIM), 0)) };
    let mut chance = Chance::new(stage.seed);
    let mut server = world.start()?;
    let crowd =
        Crowd::gather(&world, Size { seed: stage.seed, messages_per_second: 600.0, ..Size::default() })?;
    row.bound = "ready and working in 30 s".into();
    let (mut slowest, mut lost, mut unsynced) = (Duration::ZERO, 0, 0);
    for round in 0..rounds {
        row.runs += 1;
        if lie {
            shim.set(Knob::Lie, 1)?;
        }
        // Long enough for checkpoints too, now and then.
        let long = if round % 5 == 4 { 5000 } else { 1200 };
        sleep(chance.between_ms(100, long));
        server.kill()?;
        let cut = match lie {
            // All of it, so that what remains is old and sound.
            true => power::cut_keeping(&world, &shim, &mut chance, 0)?,
            false => power::cut(&world, &shim, &mut chance)?,
        };
        crowd.shared.book.fault(&format!("loss of power, number {round}: {cut:?}"));
        (lost, unsynced) = (lost + cut.lost, unsynced + cut.unsynced);
        shim.heal()?;
        power::settle(&world, &shim)?;
        server = match world.start() {
            Ok(server) => server,
            Err(fault) => {
                row.must(false, format_args!("no start after a loss of power: {fault}"));
                if !lie {
                    world.keep();
                }
                return Ok((row, 0));
            }
        };
        slowest = slowest.max(server.ready + crowd.works(2 * BOUND)?);
    }
    row.note(format_args!("{unsynced} sectors were not synced, {lost} of them lost"));
    row.within("longest until it worked", slowest, BOUND);
    let kept = world.is_kept();
    let report = judge::finish(&mut world, crowd, &mut row, BOUND)?;
    if lie && !kept {
        world.release();
    }
    let lost = report.findings.iter().filter(|finding| finding.kind == Kind::Lost).count();
    Ok((row, lost))
}
