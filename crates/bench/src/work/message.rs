//! 1:1 messages between pairs of accounts: closed loop (a window of undelivered ones) or open loop (a rate).
//!
//! Not here: the stanzas themselves (`text.rs`), the course of time (`phase.rs`).

use super::text::{Order, Template, parse};
use crate::cli::{Cli, Message};
use crate::phase::Phase;
use crate::session::{Session, either};
use crate::{Outcome, report::Report, target::Target};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Stanzas between two acknowledgement requests.
const ACK_EVERY: u64 = 10;

struct Pair {
    phase: Arc<Phase>,
    sender: Session,
    receiver: Session,
    template: Template,
    window: u64,
    period: Option<Duration>,
    due: Instant,
    sent: u64,
    order: Order,
    latencies: Vec<u32>,
}

/// Runs the work.
///
/// # Errors
/// Of any client; messages lost, doubled or out of order.
pub(super) async fn run(cli: &Cli, target: &Arc<Target>, work: &Message) -> Outcome<Report> {
    let peer = |n: usize| {
        if n.is_multiple_of(2) { crate::account::Account::numbered(cli, n + 1).name } else { "-".to_owned() }
    };
    let mut sessions = super::log_in_all(cli, target, work.pairs * 2, peer).await?;
    for session in sessions.iter_mut().filter(|_| work.sm && !target.relay) {
        target.patiently("enabling acks", session.enable_acks()).await?;
    }
    let phase = Arc::new(Phase::new());
    let mut tasks = JoinSet::new();
    let mut sessions = sessions.into_iter();
    while let (Some(sender), Some(receiver)) = (sessions.next(), sessions.next()) {
        let period = work.rate.map(|rate| Duration::from_secs_f64(work.pairs as f64 / rate));
        let spread = period.map(|period| period.mul_f64(tasks.len() as f64 / work.pairs as f64));
        let pair = Pair {
            phase: phase.clone(),
            template: Template::new(receiver.bare(), "chat", work.store_hint),
            window: work.in_flight as u64,
            period,
            due: Instant::now() + spread.unwrap_or_default(),
            sent: 0,
            order: Order::default(),
            latencies: vec![],
            sender,
            receiver,
        };
        tasks.spawn(pair.run());
    }
    let (spent, pairs) = phase.conduct(target, (cli.warm_up, work.duration), tasks).await?;
    let mut report = Report::new("message");
    report.set("pairs", work.pairs).set("in_flight", work.in_flight).set("sm", work.sm);
    report.set("archived", work.store_hint == crate::cli::StoreHint::Default).set("rate", work.rate);
    report.spent("", &spent).set("verified", pairs.iter().map(|pair| pair.0).sum::<u64>());
    let mut latencies = vec![];
    target
        .leave(pairs.into_iter().flat_map(|(_, own, ends)| {
            latencies.extend(own);
            ends
        }))
        .await?;
    report.latencies(latencies);
    Ok(report)
}

impl Pair {
    /// Returns how many messages were verified, the latencies, and the sessions.
    async fn run(mut self) -> Outcome<(u64, Vec<u32>, [Session; 2])> {
        loop {
            self.send();
            if self.phase.stopped() && self.sent == self.order.next {
                break;
            }
            match self.period {
                None => either(&mut self.sender, &mut self.receiver).await?,
                Some(_) => {
                    let pause = Duration::from_millis(if self.phase.stopped() { 100 } else { 0 });
                    tokio::select! {
                        came = either(&mut self.sender, &mut self.receiver) => came?,
                        () = tokio::time::sleep_until(self.due.max(Instant::now() + pause)) => {}
                    }
                }
            }
            self.receive()?;
        }
        self.check_acks().await?;
        Ok((self.order.next, self.latencies, [self.sender, self.receiver]))
    }

    fn send(&mut self) {
        if self.phase.stopped() {
            return;
        }
        match self.period {
            None => {
                while self.sent - self.order.next < self.window {
                    self.send_one();
                }
            }
            Some(period) => {
                while self.due <= Instant::now() {
                    self.send_one();
                    self.due += period;
                }
            }
        }
    }

    fn send_one(&mut self) {
        let now = self.phase.now();
        self.template.write(self.sender.wire.out(), self.sent, now);
        self.sent += 1;
        if self.sender.acks.is_some() && self.sent.is_multiple_of(ACK_EVERY) {
            self.sender.queue("<r xmlns='urn:xmpp:sm:3'/>");
        }
    }

    fn receive(&mut self) -> Outcome<()> {
        let before = self.order.next;
        while self.receiver.advance()? {
            let Some((number, time)) = parse(self.receiver.stanza())? else { continue };
            self.order.take(&self.receiver.jid, number)?;
            if self.phase.measuring() {
                let micros = self.phase.now().saturating_sub(time) / 1000;
                self.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
        }
        self.phase.count(self.order.next - before);
        while self.sender.advance()? {
            parse(self.sender.stanza())?;
        }
        Ok(())
    }

    /// The server must have acknowledged exactly what was sent.
    async fn check_acks(&mut self) -> Outcome<()> {
        if self.sender.acks.is_none() {
            return Ok(());
        }
        self.sender.queue("<r xmlns='urn:xmpp:sm:3'/>");
        while self.sender.acks.is_some_and(|acks| u64::from(acks.acknowledged) != self.sent) {
            self.sender.wire.fill().await?;
            while self.sender.advance()? {}
            if self.sender.acks.is_some_and(|acks| u64::from(acks.acknowledged) > self.sent) {
                return Err("the server acknowledged more than was sent".into());
            }
        }
        Ok(())
    }
}
