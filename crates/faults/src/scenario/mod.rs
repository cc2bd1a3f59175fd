//! The scenarios, one file for each kind of fault.
//!
//! Not here: the parts that they use.

mod certificate;
mod clock;
mod disk;
mod files;
mod flood;
mod full;
mod kill;
mod log;
mod panic;
mod power;
mod readers;
mod start;
mod stop;
mod suspend;

use std::path::PathBuf;

use bench::Outcome;

use crate::row::Row;
use crate::shim::Shim;
use crate::world::World;

/// What all scenarios are given.
pub(crate) struct Stage {
    pub(crate) program: PathBuf,
    pub(crate) breakable: Option<PathBuf>,
    pub(crate) short: bool,
    pub(crate) seed: u64,
    pub(crate) keep: bool,
}

impl Stage {
    pub(crate) fn world(&self, name: &str) -> Outcome<World> {
        World::new(&self.program, name, self.keep)
    }

    /// A number for the long and one for the short form.
    pub(crate) fn times(&self, long: usize, short: usize) -> usize {
        if self.short { short } else { long }
    }
}

/// A scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) id: &'static str,
    pub(crate) about: &'static str,
    invariants: &'static str,
    pub(crate) run: fn(&Stage, Row) -> Outcome<Row>,
}

impl Scenario {
    pub(crate) fn row(&self) -> Row {
        Row::new(self.name, self.id, self.invariants)
    }
}

macro_rules! scenarios {
    ($($name:literal $id:literal $invariants:literal $run:path, $about:literal;)*) => {
        &[$(Scenario { name: $name, id: $id, about: $about, invariants: $invariants, run: $run }),*]
    };
}

/// All of them, in the order in which they run.
pub(crate) const SCENARIOS: &[Scenario] = scenarios![
    "kill" "R-01" "INV-6, 11" kill::run, "kill -9 at random moments under load";
    "start" "R-02" "INV-11" start::run, "kill -9 and loss of power while it starts, and while it makes its database";
    "power" "R-03" "INV-11" power::run, "loss of power under load: what was not synced is gone, sector by sector";
    "power-control" "R-03" "-" power::control, "the same on a disk that lies: the checker must see the loss";
    "full" "R-04" "INV-6, 10, 11, 12" full::run, "a full disk, and room again";
    "log-full" "R-04" "INV-12" log::full, "a full disk for the log";
    "log-stuck" "R-04" "INV-12" log::stuck, "nobody reads the log";
    "sync-error" "R-06" "INV-10, 11" disk::sync_error, "syncs fail now and then, and power is lost afterwards";
    "write-error" "R-06" "INV-10, 11" disk::write_error, "writes fail now and then, and power is lost afterwards";
    "slow-disk" "R-05" "INV-9, 11" disk::slow, "every sync takes half a second longer";
    "stalled-disk" "R-05" "INV-9, 11" disk::stalled, "no sync ends for a while";
    "readers" "R-14" "INV-9, 12" readers::run, "clients that read slowly or not at all";
    "flood" "R-19" "INV-9, 12" flood::run, "thousands of connections that say nothing, or one byte now and then";
    "files" "R-24" "INV-11, 12" files::run, "no file descriptors left";
    "panic" "R-26" "INV-12" panic::run, "a handler panics";
    "clock" "R-16" "INV-4, 12" clock::run, "the clock jumps by an hour and by ten years, forth and back";
    "suspend" "R-12" "INV-11" suspend::run, "the process stands still for a while";
    "stop" "R-22" "INV-11" stop::run, "SIGTERM with thousands of sessions, and all of them come back at once";
    "certificate" "R-17, R-27" "INV-12" certificate::run, "certificates change under load";
];

/// The sentence of a scenario that needs the shim where there is no compiler.
pub(crate) const NO_SHIM: &str = "no C compiler (cc) to build the shim";

/// A world with the shim under its server; `None` where it cannot be built.
pub(crate) fn shimmed(stage: &Stage, name: &str) -> Outcome<Option<(World, Shim)>> {
    let mut world = stage.world(name)?;
    Ok(Shim::install(&mut world)?.map(|shim| (world, shim)))
}
