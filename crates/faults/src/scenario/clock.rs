//! the time of day jumps, while it runs and between two runs.
//!
//! Not here: the monotonic clock, which does not jump.

use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;

use super::{NO_SHIM, Stage, shimmed};
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::row::Row;

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;
const BOUND: Duration = Duration::from_secs(10);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let Some((mut world, shim)) = shimmed(stage, "clock")? else { return Ok(row.skip(NO_SHIM)) };
    let mut server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    row.bound = "none: no pause at all".into();
    let pause = Duration::from_millis(stage.times(4000, 800) as u64);
    for shift in [HOUR, -HOUR, 10 * YEAR, 0, -10 * YEAR, 0] {
        row.runs += 1;
        crowd.shared.book.fault(&format!("the clock is off by {} h", shift / HOUR));
        shim.clock(shift)?;
        row.must(
            crowd.works(BOUND).is_ok(),
            format_args!("nothing went on with the clock off by {} h", shift / HOUR),
        );
        sleep(pause);
    }
    let pages = crowd.shared.book.open();
    let (resumed, anew) = (pages.resumed, pages.not_resumed);
    drop(pages);
    row.must(resumed + anew == 0, format_args!("{} sessions lost their connection", resumed + anew));
    row.calm("", &crowd);
    // The next run begins before the last one ended, by its clock.
    for shift in [HOUR, 0, 10 * YEAR, 0] {
        row.runs += 1;
        shim.clock(shift)?;
        crowd.works(3 * BOUND)?;
        sleep(pause);
        crowd.shared.book.fault("killed and started again, and the clock jumps meanwhile");
        server.kill()?;
        shim.clock(0)?;
        server = world.start()?;
        crowd.works(3 * BOUND)?;
    }
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    Ok(row)
}
