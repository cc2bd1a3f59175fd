//! Handshakes and logins: what a connection costs before the first message.
//!
//! Not here: what a login is made of (`login.rs` of the crate).

use super::contacts;
use crate::account::Account;
use crate::cli::{Cli, Count, Login};
use crate::report::{Report, Spent};
use crate::scan::attribute;
use crate::session::Session;
use crate::{Outcome, target::Target};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long the server may need to tidy up after the last connection; its CPU counts.
const SETTLE: Duration = Duration::from_millis(500);

/// Spreads `count` operations over workers and measures them.
async fn spread<R>(target: &Target, count: &Count, one: impl Fn(usize) -> R) -> Outcome<Report>
where
    R: Future<Output = Outcome<Vec<u32>>> + Send + 'static,
{
    let spent = Spent::begin(target.processes)?;
    let mut tasks = JoinSet::new();
    for worker in 0..count.at_a_time {
        tasks.spawn(one(worker));
    }
    let mut latencies = vec![];
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended??);
    }
    tokio::time::sleep(SETTLE).await;
    let mut report = Report::new("");
    report.spent("", &spent.end(latencies.len() as u64)?).latencies(latencies);
    Ok(report)
}

/// The share of worker number `worker`.
fn share(count: &Count, worker: usize) -> usize {
    count.count / count.at_a_time + usize::from(worker < count.count % count.at_a_time)
}

fn micros(begin: Instant) -> u32 {
    u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// TLS connect and close, full handshakes only.
///
/// # Errors
/// Of any connection.
pub(super) async fn handshake(target: &Arc<Target>, work: &Count) -> Outcome<Report> {
    let one = |worker| {
        let (target, share) = (target.clone(), share(work, worker));
        async move {
            let mut latencies = vec![];
            for _ in 0..share {
                let begin = Instant::now();
                let mut wire = target.patiently("connect", target.connect()).await?;
                latencies.push(micros(begin));
                wire.close().await?;
            }
            Ok(latencies)
        }
    };
    let mut report = spread(target, work, one).await?;
    report.set("work", "handshake");
    Ok(report)
}

/// Full logins and logouts; with `--roster`, each sees all its contacts come online.
///
/// # Errors
/// Of any login, or a contact's presence that is missing.
pub(super) async fn login(cli: &Cli, target: &Arc<Target>, work: &Login) -> Outcome<Report> {
    let (workers, roster) = (work.count.at_a_time, work.roster);
    let contacts = if roster > 0 { befriend(cli, target, workers, roster).await? } else { vec![] };
    let one = |worker| {
        let (target, account) = (target.clone(), Account::numbered(cli, worker));
        let share = share(&work.count, worker);
        async move {
            let mut latencies = vec![];
            for _ in 0..share {
                let begin = Instant::now();
                let mut session = target.log_in(&account, "bench", "-").await?;
                target.patiently("presence of contacts", online(&mut session, roster)).await?;
                latencies.push(micros(begin));
                target.leave([session]).await?;
            }
            Ok(latencies)
        }
    };
    // The first login of each account derives the client's keys; that is not measured.
    spread(target, &Count { count: workers, at_a_time: workers }, &one).await?;
    let readers = contacts::read_on(contacts);
    let mut report = spread(target, &work.count, &one).await?;
    drop(readers);
    report.set("work", "login").set("roster", roster).set("at_a_time", workers);
    Ok(report)
}

/// Makes `roster` contacts for each of the first `workers` accounts; they stay online.
async fn befriend(cli: &Cli, target: &Arc<Target>, workers: usize, roster: usize) -> Outcome<Vec<Session>> {
    let sessions = super::log_in_all(cli, target, workers + roster, |_| String::new()).await?;
    let befriended = move |one: usize, other: usize| (one < workers) != (other < workers);
    let mut sessions = contacts::befriend(target, sessions, befriended).await?;
    let contacts = sessions.split_off(workers);
    target.leave(sessions).await?;
    Ok(contacts)
}

async fn online(session: &mut Session, contacts: usize) -> Outcome<()> {
    let mut seen = std::collections::HashSet::new();
    while seen.len() < contacts {
        let stanza = session.next().await?;
        let from = attribute(&stanza, "from").unwrap_or_default();
        if stanza.starts_with(b"<presence")
            && attribute(&stanza, "type").is_none()
            && !from.starts_with(session.bare())
        {
            seen.insert(from.to_owned());
        }
    }
    Ok(())
}
