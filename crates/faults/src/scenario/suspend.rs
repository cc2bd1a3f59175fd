//! the process stands still for a while (SIGSTOP), as when a virtual machine is paused.
//!
//! Not here: a machine that is cloned.

use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;
use rustix::process::Signal;

use super::Stage;
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::row::Row;

const BOUND: Duration = Duration::from_secs(10);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("suspend")?;
    let server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    row.bound = "works 10 s after it goes on".into();
    // The clients' patience is 15 s: some breaks are shorter, one is longer.
    let breaks: &[u64] = if stage.short { &[3] } else { &[3, 10, 20, 60] };
    let mut slowest = Duration::ZERO;
    for seconds in breaks {
        row.runs += 1;
        crowd.works(BOUND)?;
        crowd.shared.book.fault(&format!("it stands still for {seconds} s"));
        server.signal(Signal::STOP)?;
        sleep(Duration::from_secs(*seconds));
        server.signal(Signal::CONT)?;
        slowest = slowest.max(crowd.works(3 * BOUND)?);
    }
    row.within("longest until it worked", slowest, BOUND);
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    Ok(row)
}
