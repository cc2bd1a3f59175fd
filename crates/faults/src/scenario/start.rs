//! killed, and without power, while it starts: on a new folder (the schema is made), on a journal to be recovered.
//!
//! Not here: the single steps of a migration (crate `store-sqlite`).

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench::Outcome;

use super::{NO_SHIM, Stage, shimmed};
use crate::chance::Chance;
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::power;
use crate::row::Row;
use crate::shim::Shim;
use crate::world::World;

const BOUND: Duration = Duration::from_secs(10);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let Some((mut world, shim)) = shimmed(stage, "start")? else { return Ok(row.skip(NO_SHIM)) };
    let mut chance = Chance::new(stage.seed);
    row.bound = "ready in 10 s".into();
    // On nothing: the folder and the schema are made.
    let usual = usual_start(&world)?;
    power::settle(&world, &shim)?;
    for _ in 0..stage.times(20, 4) {
        std::fs::remove_dir_all(world.data())?;
        DirBuilder::new().mode(0o700).create(world.data())?;
        power::settle(&world, &shim)?;
        for _ in 0..3 {
            row.runs += 1;
            broken_start(&world, &shim, usual, &mut chance)?;
        }
        let server = world.start()?;
        row.must(server.ready <= BOUND, format_args!("a start took {:?}", server.ready));
        server.kill()?;
    }
    // On a journal: what was acknowledged before must survive each start that did not come to its end.
    power::settle(&world, &shim)?;
    let mut server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    let mut slowest = Duration::ZERO;
    for _ in 0..stage.times(15, 4) {
        sleep(chance.between_ms(200, 800));
        server.kill()?;
        power::cut(&world, &shim, &mut chance)?;
        power::settle(&world, &shim)?;
        for _ in 0..3 {
            row.runs += 1;
            broken_start(&world, &shim, usual, &mut chance)?;
        }
        server = world.start()?;
        slowest = slowest.max(server.ready);
        crowd.works(3 * BOUND)?;
    }
    row.within("longest start", slowest, BOUND);
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    Ok(row)
}

fn usual_start(world: &World) -> Outcome<Duration> {
    let server = world.start()?;
    let ready = server.ready;
    server.kill()?;
    Ok(ready)
}

/// Starts, kills somewhere on the way to ready, and cuts the power every second time.
fn broken_start(world: &World, shim: &Shim, usual: Duration, chance: &mut Chance) -> Outcome<()> {
    let begin = Instant::now();
    let mut child = world.spawn(None)?;
    let after = chance.between_ms(0, usual.as_millis() as u64);
    sleep(after.saturating_sub(begin.elapsed()));
    child.kill()?;
    child.wait()?;
    if chance.below(2) == 0 {
        power::cut(world, shim, chance)?;
        power::settle(world, shim)?;
    }
    Ok(())
}
