//! R-04, the log: its disk is full, or whoever should read it does not.
//!
//! Not here: what is logged.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;

use super::Stage;
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::row::Row;
use crate::volume::Volume;
use crate::world::World;

/// pipe(7): the default capacity.
const PIPE_BYTES: usize = 65_536;
const BOUND: Duration = Duration::from_secs(10);

pub(crate) fn full(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("log-full")?;
    let at = world.root.join("logs");
    let volume = match Volume::mount(&mut world, &at, 1)? {
        Ok(volume) => volume,
        Err(why) => return Ok(row.skip(why)),
    };
    volume.fill()?;
    let log = File::options().create(true).append(true).open(volume.path("log"))?;
    service_goes_on(stage, &mut world, log.into(), &mut row)?;
    volume.free()?;
    Ok(row)
}

pub(crate) fn stuck(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("log-stuck")?;
    let (reader, mut writer) = std::io::pipe()?;
    // As much as a pipe holds: the first line of the log waits already.
    writer.write_all(&vec![b'\n'; PIPE_BYTES])?;
    service_goes_on(stage, &mut world, writer.into(), &mut row)?;
    drop(reader);
    Ok(row)
}

fn service_goes_on(stage: &Stage, world: &mut World, log: Stdio, row: &mut Row) -> Outcome<()> {
    row.bound = "none: no pause at all".into();
    // Something to say.
    world.set("LOG__LEVEL", "debug");
    let mut server = world.start_with(Some(log))?;
    let crowd = Crowd::gather(world, Size { seed: stage.seed, ..Size::default() })?;
    for _ in 0..stage.times(10, 3) {
        row.runs += 1;
        crowd.works(BOUND)?;
        sleep(Duration::from_secs(1));
        row.must(server.is_running(), "the server ended");
    }
    row.calm("", &crowd);
    judge::finish(world, crowd, row, BOUND)?;
    server.signal(rustix::process::Signal::TERM)?;
    let (code, took) = server.wait(Duration::from_secs(40))?;
    row.must(code == Some(0), format_args!("exit code {code:?}"));
    row.within("stopped in", took, Duration::from_secs(30));
    Ok(())
}
