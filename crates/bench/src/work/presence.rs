//! Presence broadcast (RFC 6121 section 4.4): every account tells every other, round after round.
//!
//! Nobody begins a round before having heard all of the last one, so at most two rounds mix.
//! Not here: making the subscriptions (`contacts.rs`).

use super::contacts;
use super::text::Order;
use crate::cli::{Cli, Presence};
use crate::phase::Phase;
use crate::scan::{attribute, text};
use crate::session::Session;
use crate::{Outcome, report::Report, target::Target};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the first presences may fly around before rounds begin.
const SETTLE: Duration = Duration::from_secs(1);

struct Member {
    phase: Arc<Phase>,
    session: Session,
    /// What came from each other account, by bare JID.
    heard: HashMap<String, Order>,
    /// The round begun last by anybody.
    newest: Arc<AtomicU64>,
    latencies: Vec<u32>,
}

/// Runs the work.
///
/// # Errors
/// Of any client; presence lost, doubled or out of order.
pub(super) async fn run(cli: &Cli, target: &Arc<Target>, work: &Presence) -> Outcome<Report> {
    let sessions = super::log_in_all(cli, target, work.roster, |_| String::new()).await?;
    let sessions = contacts::befriend(target, sessions, |_, _| true).await?;
    let bare: Vec<String> = sessions.iter().map(|session| session.bare().to_owned()).collect();
    let phase = Arc::new(Phase::new());
    let newest = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for session in sessions {
        let others = bare.iter().filter(|other| *other != session.bare());
        let heard = others.map(|other| (other.clone(), Order::default())).collect();
        let (phase, newest) = (phase.clone(), newest.clone());
        tasks.spawn(Member { phase, session, heard, newest, latencies: vec![] }.run());
    }
    let warm_up = cli.warm_up + SETTLE.as_secs_f64();
    let (spent, members) = phase.conduct(target, (warm_up, work.duration), tasks).await?;
    let mut report = Report::new("presence");
    report.set("roster", work.roster).spent("", &spent);
    report.set("verified", members.iter().map(|member| member.1).sum::<u64>());
    let mut latencies = vec![];
    target
        .leave(members.into_iter().map(|(session, _, own)| {
            latencies.extend(own);
            session
        }))
        .await?;
    report.latencies(latencies);
    Ok(report)
}

impl Member {
    /// Returns the session (so that nobody leaves early), how many were verified, and how long rounds took.
    async fn run(mut self) -> Outcome<(Session, u64, Vec<u32>)> {
        let settled = Instant::now() + SETTLE;
        while let Ok(came) = timeout(settled - Instant::now(), self.session.wire.fill()).await {
            came?;
            while self.session.advance()? {}
        }
        let others = self.heard.len() as u64;
        let mut round = 0;
        loop {
            if self.phase.stopped() && round >= self.newest.load(Ordering::Relaxed) {
                return Ok((self.session, round * others, self.latencies));
            }
            self.newest.fetch_max(round + 1, Ordering::Relaxed);
            self.session.queue(&format!("<presence><show>away</show><status>{round}</status></presence>"));
            let begin = Instant::now();
            round += 1;
            while self.heard.values().any(|order| order.next < round) {
                self.session.wire.fill().await?;
                self.hear()?;
            }
            if self.phase.measuring() {
                self.latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
        }
    }

    fn hear(&mut self) -> Outcome<()> {
        let mut count = 0;
        while self.session.advance()? {
            let stanza = self.session.stanza();
            if !stanza.starts_with(b"<presence") || attribute(stanza, "type").is_some() {
                continue;
            }
            let from = attribute(stanza, "from").unwrap_or_default();
            let from = from.split('/').next().unwrap_or_default();
            let Some(order) = self.heard.get_mut(from) else { continue };
            let number = text(stanza, "status").and_then(|status| status.parse().ok());
            order.take(from, number.ok_or("presence without a status")?)?;
            count += 1;
        }
        self.phase.count(count);
        Ok(())
    }
}
