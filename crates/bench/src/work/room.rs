//! Room delivery (XEP-0045): one sender per room, every occupant checks every message.
//!
//! Not here: the stanzas themselves (`text.rs`).

use super::text::{Order, Template, parse};
use crate::cli::{Cli, Room, StoreHint};
use crate::phase::Phase;
use crate::scan::{attribute, has};
use crate::session::Session;
use crate::{Outcome, report::Report, target::Target};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The number of the message that says that no more will come.
const LAST: u64 = u64::MAX;

struct Occupant {
    phase: Arc<Phase>,
    session: Session,
    /// What to send, for the sender.
    template: Option<Template>,
    window: u64,
    sent: u64,
    order: Order,
    latencies: Vec<u32>,
}

/// Runs the work.
///
/// # Errors
/// Of any client; messages lost, doubled or out of order.
pub(super) async fn run(cli: &Cli, target: &Arc<Target>, work: &Room) -> Outcome<Report> {
    let run = format!("bench{}", std::process::id());
    let room = |n: usize| format!("{run}-{}@conference.{}", n / work.occupants, target.domain);
    let peer = |n: usize| format!("#{}", room(n));
    let mut sessions = super::log_in_all(cli, target, work.rooms * work.occupants, peer).await?;
    if !target.relay {
        for (n, session) in sessions.iter_mut().enumerate() {
            target.patiently("joining", join(session, &room(n), n, n.is_multiple_of(work.occupants))).await?;
        }
    }
    let phase = Arc::new(Phase::new());
    let mut tasks = JoinSet::new();
    for (n, session) in sessions.into_iter().enumerate() {
        let sender = n.is_multiple_of(work.occupants);
        let template = sender.then(|| Template::new(&room(n), "groupchat", work.store_hint));
        let (window, order) = (work.in_flight as u64, Order::default());
        let phase = phase.clone();
        tasks.spawn(Occupant { phase, session, template, window, sent: 0, order, latencies: vec![] }.run());
    }
    let (spent, occupants) = phase.conduct(target, (cli.warm_up, work.duration), tasks).await?;
    let mut report = Report::new("room");
    report.set("rooms", work.rooms).set("occupants", work.occupants).set("in_flight", work.in_flight);
    report.set("archived", work.store_hint == StoreHint::Default).spent("", &spent);
    report.set("verified", occupants.iter().map(|occupant| occupant.1).sum::<u64>());
    let mut latencies = vec![];
    target
        .leave(occupants.into_iter().map(|(session, _, own)| {
            latencies.extend(own);
            session
        }))
        .await?;
    report.latencies(latencies);
    Ok(report)
}

/// Joins without history; the first occupant unlocks the new room (XEP-0045 section 10.1.2).
async fn join(session: &mut Session, room: &str, n: usize, first: bool) -> Outcome<()> {
    session.queue(&format!(
        "<presence to='{room}/nick{n}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
    ));
    loop {
        let stanza = session.next().await?;
        if stanza.starts_with(b"<presence") && attribute(&stanza, "type") == Some("error") {
            return Err(String::from_utf8_lossy(&stanza).into_owned().into());
        }
        // The subject is the last thing that a joining client hears.
        if stanza.starts_with(b"<message") && has(&stanza, "<subject") {
            break;
        }
        if first && has(&stanza, "110") {
            break;
        }
    }
    if first {
        let unlock = format!(
            "<iq type='set' id='unlock' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'/></query></iq>"
        );
        session.request("unlock", &unlock).await?;
    }
    Ok(())
}

impl Occupant {
    /// Returns the session (so that nobody leaves early), how many were verified, and the latencies.
    async fn run(mut self) -> Outcome<(Session, u64, Vec<u32>)> {
        let mut closing = false;
        loop {
            if self.phase.stopped() && !closing && self.sent == self.order.next {
                closing = true;
                let now = self.phase.now();
                if let Some(template) = &self.template {
                    template.write(self.session.wire.out(), LAST, now);
                }
            }
            self.send();
            self.session.wire.fill().await?;
            if self.receive()? {
                return Ok((self.session, self.order.next, self.latencies));
            }
        }
    }

    fn send(&mut self) {
        let Some(template) = &self.template else { return };
        while !self.phase.stopped() && self.sent - self.order.next < self.window {
            template.write(self.session.wire.out(), self.sent, self.phase.now());
            self.sent += 1;
        }
    }

    /// Returns whether the last message has come.
    fn receive(&mut self) -> Outcome<bool> {
        let before = self.order.next;
        let mut last = false;
        while self.session.advance()? {
            let Some((number, time)) = parse(self.session.stanza())? else { continue };
            last = number == LAST;
            if last {
                break;
            }
            self.order.take(&self.session.jid, number)?;
            if self.phase.measuring() {
                let micros = self.phase.now().saturating_sub(time) / 1000;
                self.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
        }
        self.phase.count(self.order.next - before);
        Ok(last)
    }
}
