//! Memory per idle session: the server's processes before and after many logins.
//!
//! The kernel's socket memory is not in these figures.
//! Not here: reading the memory (`meter.rs`).

use super::contacts;
use crate::cli::{Cli, Idle};
use crate::{Outcome, report::Report, report::Spent, target::Target};
use std::sync::Arc;
use std::time::Duration;

/// Runs the work.
///
/// # Errors
/// Of any client, a session that does not answer at the end, or no `--server-pid`.
pub(super) async fn run(cli: &Cli, target: &Arc<Target>, work: &Idle) -> Outcome<Report> {
    let server = target.processes.ok_or("idle needs --server-pid")?;
    // One connection first, so that what the server loads once is not counted.
    target.leave(super::log_in_all(cli, target, 1, |_| "-".to_owned()).await?).await?;
    tokio::time::sleep(Duration::from_secs_f64(work.settle)).await;
    let before = server.memory()?;
    let mut sessions = super::log_in_all(cli, target, work.connections, |_| "-".to_owned()).await?;
    if work.roster > 0 && !target.relay {
        let group = work.roster + 1;
        sessions = contacts::befriend(target, sessions, |one, other| one / group == other / group).await?;
    }
    for session in sessions.iter_mut().filter(|_| work.sm && !target.relay) {
        target.patiently("enabling acks", session.enable_acks()).await?;
    }
    tokio::time::sleep(Duration::from_secs_f64(work.settle)).await;
    let spent = Spent::begin(Some(server))?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spent = spent.end(work.connections as u64)?;
    let after = server.memory()?;
    if !target.relay {
        for session in &mut sessions {
            target.patiently("a sign of life", session.fence(&target.domain)).await?;
        }
    }
    target.leave(sessions).await?;
    let mut report = Report::new("idle");
    report.set("connections", work.connections).set("sm", work.sm).set("roster", work.roster);
    report.memory(before, after, work.connections);
    // CPU of two idle seconds, per connection.
    report.spent("idle_2s_", &spent);
    Ok(report)
}
