//! `detente-faults`: breaks disk, clock, network, memory and the process itself under the real server while clients
//! write to each other, and checks that nothing acknowledged was lost.
//!
//! Not here: what a history may hold (crate `history`), faults in virtual time (crate `sim`).

mod book;
mod chance;
mod crowd;
mod device;
mod heard;
mod judge;
mod paging;
mod power;
mod row;
mod scenario;
mod shim;
mod volume;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use row::{Row, Verdict};
use scenario::{SCENARIOS, Stage};

/// Real faults against the real server.
#[derive(Parser)]
#[command(name = "detente-faults", version)]
struct Cli {
    /// The server's program.
    #[arg(long, default_value = "target/release/detente")]
    detente: PathBuf,
    /// The server's program with the feature that lets tests break it from inside; without it that scenario is skipped.
    #[arg(long)]
    breakable: Option<PathBuf>,
    /// Fewer rounds and smaller crowds: minutes instead of an hour.
    #[arg(long)]
    short: bool,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the folders of all scenarios, not only of those that fail.
    #[arg(long)]
    keep: bool,
    /// Only show what there is.
    #[arg(long)]
    list: bool,
    /// Which scenarios; all if none is named.
    scenarios: Vec<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        for scenario in SCENARIOS {
            println!("{:14} {:10} {}", scenario.name, scenario.id, scenario.about);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) =
        cli.scenarios.iter().find(|name| !SCENARIOS.iter().any(|known| known.name == name.as_str()))
    {
        eprintln!("there is no scenario {unknown}; --list shows them");
        return ExitCode::from(2);
    }
    let Ok(program) = cli.detente.canonicalize() else {
        eprintln!("{}: no such program; name the server with --detente", cli.detente.display());
        return ExitCode::from(2);
    };
    end_with_us();
    let breakable = cli.breakable.and_then(|path| path.canonicalize().ok());
    let stage = Stage { program, breakable, short: cli.short, seed: cli.seed, keep: cli.keep };
    let rows = play(&stage, &cli.scenarios);
    println!("\n{}", row::table(&rows));
    let count = |wanted: fn(&Verdict) -> bool| rows.iter().filter(|row| wanted(&row.verdict())).count();
    let bad = count(|verdict| matches!(verdict, Verdict::Bad(_)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    if skipped > 0 {
        println!("{skipped} skipped");
    }
    println!("{} passed, {bad} failed", rows.len() - bad - skipped);
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// When this program is told to end, the server does too.
fn end_with_us() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let listen = |kind| signal(kind).ok();
            let (Some(mut term), Some(mut int)) =
                (listen(SignalKind::terminate()), listen(SignalKind::interrupt()))
            else {
                return;
            };
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            world::end_server();
            std::process::exit(130);
        });
    });
}

fn play(stage: &Stage, wanted: &[String]) -> Vec<Row> {
    let mut rows = Vec::new();
    for scenario in SCENARIOS {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == scenario.name) {
            continue;
        }
        eprintln!("== {}: {}", scenario.name, scenario.about);
        let began = Instant::now();
        let mut row = (scenario.run)(stage, scenario.row()).unwrap_or_else(|fault| {
            let mut row = scenario.row();
            row.must(false, fault);
            row
        });
        row.runs = row.runs.max(1);
        eprintln!("   {:.0} s: {:?}; {}", began.elapsed().as_secs_f64(), row.verdict(), row.measured);
        rows.push(row);
    }
    rows
}
