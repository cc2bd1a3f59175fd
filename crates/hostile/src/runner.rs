//! Runs rows against servers started for the purpose, and looks at the three side conditions.
//!
//! Not here: the rows (`rows/`), what one execution does (`stage.rs`).

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::Transport;
use crate::row::Row;
use crate::server::{Options, PASSWORD, Server};
use crate::stage::Stage;
use crate::witness::Witness;
use crate::{Outcome, login, meter};

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What fits into a minute; rows in parallel, budgets in sum.
    Short,
    /// Everything; one row after the other, budgets for each.
    Whole,
}

/// What came of a row.
pub struct Tried {
    /// As in the list.
    pub id: &'static str,
    /// Executions.
    pub runs: usize,
    /// Whatever was not as it must be.
    pub faults: Vec<String>,
    /// Time that the row took, processor time of the server, most memory beyond what there was before in KiB, slowest
    /// message of the witnesses. Only [`Depth::Whole`].
    pub(crate) used: Option<(Duration, Duration, u64, Duration)>,
}

/// What came of all.
pub struct Summary {
    /// One for each row that ran.
    pub rows: Vec<Tried>,
    /// What was wrong after all of them.
    pub faults: Vec<String>,
    /// Messages that the witnesses exchanged meanwhile.
    pub messages: u64,
    /// Processor time of all servers.
    pub cpu: Duration,
}

impl Summary {
    /// Whether everything was as it must be.
    pub fn passed(&self) -> bool {
        self.faults.is_empty() && self.rows.iter().all(|row| row.faults.is_empty())
    }
}

/// A server with its witnesses.
struct World {
    server: Server,
    witness: Witness,
    options: Options,
    files: usize,
    kib: u64,
}

/// Work for one thread.
struct Job {
    row: usize,
    check: usize,
    transport: Transport,
}

/// How many executions at once.
fn lanes(depth: Depth) -> usize {
    if depth == Depth::Short { 8 } else { 4 }
}

/// How slow the program is allowed to be: one without optimisation is much slower.
fn slowness() -> u32 {
    if cfg!(debug_assertions) { 4 } else { 1 }
}

/// How long a message of the witnesses may take.
fn bearable(depth: Depth) -> Duration {
    match depth {
        // Everything at once, on a machine that may do other things too.
        Depth::Short => Duration::from_secs(10),
        Depth::Whole => Duration::from_millis(500) * (slowness() * 2 - 1),
    }
}

/// Runs the rows of that depth whose id begins with `only` (any, if empty) against `program`.
///
/// # Errors
/// No server can be started.
pub fn attack(program: &Path, rows: &[Row], depth: Depth, only: &str) -> Outcome<Summary> {
    let wanted =
        |row: &&Row| row.id.starts_with(only) && (depth == Depth::Whole || row.depth == Depth::Short);
    let rows: Vec<&Row> = rows.iter().filter(wanted).collect();
    let mut summary = Summary { rows: Vec::new(), faults: Vec::new(), messages: 0, cpu: Duration::ZERO };
    for options in [Options::Calm, Options::Hasty, Options::Federating] {
        let here: Vec<&Row> = rows.iter().copied().filter(|row| row.options == options).collect();
        if here.is_empty() {
            continue;
        }
        let mut world = World::begin(program, options)?;
        match depth {
            Depth::Whole => {
                for row in here {
                    summary.rows.push(alone(&world, row));
                }
            }
            Depth::Short => summary.rows.extend(together(&world, &here, &mut summary.faults)),
        }
        world.end(depth, &mut summary);
    }
    summary.rows.sort_by_key(|row| row.id);
    Ok(summary)
}

impl World {
    fn begin(program: &Path, options: Options) -> Outcome<World> {
        let server = Server::start(program, options)?;
        server.make("juliet", &server.target.domain)?;
        let witness = Witness::begin(&server)?;
        let files = meter::files(server.pid());
        let kib = meter::memory(server.pid()).0;
        Ok(World { server, witness, options, files, kib })
    }

    /// Looks at what can only be seen in the end.
    fn end(&mut self, depth: Depth, summary: &mut Summary) {
        let mut faults = Vec::new();
        if let Err(fault) = self.witness.worst().and_then(|worst| in_time(worst, depth)) {
            faults.push(fault);
        }
        if !self.server.is_alive() {
            faults.push("the server has ended".into());
        }
        let until = Instant::now() + Duration::from_secs(20);
        while meter::files(self.server.pid()) > self.files && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        let files = meter::files(self.server.pid());
        if files > self.files {
            faults.push(format!("{files} files are open, {} were before", self.files));
        }
        faults.extend(log_faults(&self.server.log.text()));
        summary.messages += self.witness.messages();
        summary.cpu += meter::cpu(self.server.pid());
        summary.faults.extend(faults.into_iter().map(|fault| format!("{:?}: {fault}", self.options)));
    }
}

fn in_time(worst: Duration, depth: Depth) -> Outcome {
    match worst <= bearable(depth) {
        true => Ok(()),
        false => Err(format!("a message of the witnesses took {worst:?}")),
    }
}

/// The third side condition, over all rows.
fn log_faults(log: &str) -> Vec<String> {
    let secrets = [PASSWORD.to_owned(), login::base64(PASSWORD)];
    let mut faults = Vec::new();
    for line in log.lines() {
        let told = |what: &str| format!("{what} in the log: {line}");
        if line.contains("panicked") || line.contains("ERROR") {
            faults.push(told("a failure"));
        }
        if secrets.iter().any(|secret| line.contains(secret)) {
            faults.push(told("a secret"));
        }
        if line.len() > 1_000 || line.contains("hostile-payload") {
            faults.push(told("payload"));
        }
    }
    faults
}

fn jobs(number: usize, row: &Row) -> impl Iterator<Item = Job> {
    row.checks.iter().enumerate().flat_map(move |(check, what)| {
        let fitting = Transport::ALL.into_iter().filter(|transport| what.fits(*transport));
        fitting.map(move |transport| Job { row: number, check, transport })
    })
}

/// Runs jobs on some threads; gives faults with the number of their row.
fn run(server: &Server, rows: &[&Row], jobs: &[Job], lanes: usize) -> Vec<(usize, String)> {
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..lanes.min(jobs.len()) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = rows[job.row];
                    let stage = Stage::new(server, job.transport);
                    if let Err(fault) = stage.run(row, &row.checks[job.check]) {
                        let told = format!("{} {} #{}: {fault}", row.id, job.transport.name(), job.check);
                        faults.lock().unwrap_or_else(PoisonError::into_inner).push((job.row, told));
                    }
                }
            });
        }
    });
    faults.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn cpu_budget(rows: &[&Row], jobs: &[Job]) -> Duration {
    let each = jobs.iter().map(|job| rows[job.row].budget_of(&rows[job.row].checks[job.check]).cpu);
    each.sum::<Duration>() * slowness()
}

/// As many of the largest as run at once.
fn kib_budget(rows: &[&Row], jobs: &[Job], depth: Depth) -> u64 {
    let each = jobs.iter().map(|job| rows[job.row].budget_of(&rows[job.row].checks[job.check]).kib);
    each.max().unwrap_or(0) * jobs.len().min(lanes(depth)) as u64
}

/// One row, with its own budgets.
fn alone(world: &World, row: &Row) -> Tried {
    let (server, pid) = (&world.server, world.server.pid());
    let jobs: Vec<Job> = jobs(0, row).collect();
    let _ = world.witness.worst();
    meter::forget_peak(pid);
    let (start, cpu, kib) = (Instant::now(), meter::cpu(pid), meter::memory(pid).0);
    let mut faults: Vec<String> =
        run(server, &[row], &jobs, lanes(Depth::Whole)).into_iter().map(|(_, fault)| fault).collect();
    let used_cpu = meter::cpu(pid).saturating_sub(cpu);
    let used_kib = meter::memory(pid).1.saturating_sub(kib);
    let budget = cpu_budget(&[row], &jobs);
    if used_cpu > budget {
        faults.push(format!("{} took {used_cpu:?} of the processor, not {budget:?}", row.id));
    }
    let budget = kib_budget(&[row], &jobs, Depth::Whole);
    if used_kib > budget {
        faults.push(format!("{} took {used_kib} KiB, not {budget}", row.id));
    }
    let worst = match world.witness.worst() {
        Ok(worst) => worst,
        Err(fault) => {
            faults.push(fault);
            Duration::MAX
        }
    };
    if let Err(fault) = in_time(worst, Depth::Whole) {
        faults.push(format!("{}: {fault}", row.id));
    }
    let used = Some((start.elapsed(), used_cpu, used_kib, worst));
    // It takes minutes: somebody may be waiting.
    eprintln!("{:<6} {:>6} ms  {} faults", row.id, start.elapsed().as_millis(), faults.len());
    Tried { id: row.id, runs: jobs.len(), faults, used }
}

/// Many rows at once, with budgets for all of them.
fn together(world: &World, rows: &[&Row], overall: &mut Vec<String>) -> Vec<Tried> {
    let pid = world.server.pid();
    let jobs: Vec<Job> = rows.iter().enumerate().flat_map(|(number, row)| jobs(number, row)).collect();
    let cpu = meter::cpu(pid);
    meter::forget_peak(pid);
    let found = run(&world.server, rows, &jobs, lanes(Depth::Short));
    let used = meter::cpu(pid).saturating_sub(cpu);
    let budget = cpu_budget(rows, &jobs);
    if used > budget {
        overall.push(format!("all rows took {used:?} of the processor, not {budget:?}"));
    }
    let most = kib_budget(rows, &jobs, Depth::Short);
    let peak = meter::memory(pid).1.saturating_sub(world.kib);
    // All accounts that ever were stay in memory for a while.
    if peak > most + 32 * 1024 {
        overall.push(format!("all rows took {peak} KiB, not {most}"));
    }
    let mut tried: Vec<Tried> =
        rows.iter().map(|row| Tried { id: row.id, runs: 0, faults: Vec::new(), used: None }).collect();
    jobs.iter().for_each(|job| tried[job.row].runs += 1);
    for (row, fault) in found {
        tried[row].faults.push(fault);
    }
    tried
}
