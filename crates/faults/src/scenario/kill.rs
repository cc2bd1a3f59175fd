//! `kill -9` at random moments under load.
//!
//! Not here: loss of power (`power`).

use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;

use super::Stage;
use crate::chance::Chance;
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::row::Row;

const BOUND: Duration = Duration::from_secs(10);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("kill")?;
    let mut chance = Chance::new(stage.seed);
    let mut server = world.start()?;
    let crowd =
        Crowd::gather(&world, Size { messages_per_second: 1000.0, seed: stage.seed, ..Size::default() })?;
    row.runs = stage.times(50, 6);
    row.bound = "ready and all clients back in 10 s".into();
    let (mut ready, mut back) = (Duration::ZERO, Duration::ZERO);
    for round in 0..row.runs {
        sleep(chance.between_ms(50, 1500));
        crowd.shared.book.fault(&format!("kill -9, number {round}"));
        server.kill()?;
        server = world.start()?;
        ready = ready.max(server.ready);
        // Some are killed before everybody is back.
        if chance.below(3) > 0 {
            back = back.max(crowd.all_here(3 * BOUND)?);
        }
    }
    row.within("longest start", ready, BOUND);
    row.within("longest until all were back", back, BOUND);
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    Ok(row)
}
