//! One device of one account: connects, resumes, sends, receives, catches up, and writes all of it down. It never gives up.
//!
//! RFC 6120, RFC 6121, XEP-0198 1.6, XEP-0280 1.0, XEP-0313 1.1
//!
//! Not here: what a stanza says (`heard`), pages of archives (`paging`), the crowd of devices (`crowd`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::account::Account;
use bench::scan::attribute;
use bench::session::{Acks, Session};
use history::{Key, What};

use crate::chance::Chance;
use crate::crowd::Shared;
use crate::heard::{self, Heard};
use crate::paging::{Asked, Turned};
use crate::world::DOMAIN;

/// Messages under way at once.
const WINDOW: usize = 40;
/// Between looks at the clock.
const TICK: Duration = Duration::from_millis(20);

/// A stanza that was sent with stream management and not acknowledged.
struct Sent {
    key: Option<Key>,
    xml: String,
}

/// What of a session outlives its connection.
struct Sm {
    id: String,
    session: u64,
    received: u32,
    acknowledged: u32,
}

/// A device.
pub(crate) struct Device {
    shared: Arc<Shared>,
    account: Account,
    bare: String,
    full: String,
    peers: Vec<String>,
    /// Between messages.
    pace: Duration,
    chance: Chance,
    counter: u64,
    sm: Option<Sm>,
    sent: VecDeque<Sent>,
    /// The newest id of the own archive that is known.
    newest: Option<String>,
    catching: Option<Asked>,
    asks: u64,
}

impl Device {
    pub(crate) fn new(
        shared: Arc<Shared>,
        account: Account,
        resource: &str,
        peers: Vec<String>,
        pace: Duration,
        seed: u64,
    ) -> Device {
        let bare = format!("{}@{DOMAIN}", account.name);
        Device {
            full: format!("{bare}/{resource}"),
            bare,
            account,
            peers,
            pace,
            chance: Chance::new(seed),
            counter: 0,
            sm: None,
            sent: VecDeque::new(),
            newest: None,
            catching: None,
            asks: 0,
            shared,
        }
    }

    /// Until the crowd is told to go home.
    pub(crate) async fn live(mut self) {
        while !self.shared.is_over() {
            let patience = self.shared.patience();
            let outcome = match tokio::time::timeout(patience, self.connect()).await {
                Ok(Ok(session)) => {
                    self.shared.book.open().online.insert(self.full.clone());
                    self.converse(session).await
                }
                Ok(Err(fault)) => Err(fault),
                Err(_) => Err("no connection in time".into()),
            };
            self.away(outcome);
            let pause = self.chance.between_ms(30, 300);
            tokio::time::sleep(pause).await;
        }
    }

    fn away(&mut self, outcome: Outcome<()>) {
        self.catching = None;
        let mut pages = self.shared.book.open();
        pages.online.remove(&self.full);
        if let Err(fault) = outcome {
            let text = fault.to_string();
            if text.contains("<stream:error") && pages.stream_errors.len() < 10_000 {
                pages.stream_errors.push(text);
            }
        }
    }

    async fn connect(&mut self) -> Outcome<Session> {
        let mut session = self.shared.target.prove(&self.account).await?;
        if self.resume(&mut session).await? {
            return Ok(session);
        }
        let resource = self.full.rsplit('/').next().unwrap_or_default();
        let bind = format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        );
        session.request("bind", &bind).await?;
        let number = self.shared.book.session(&self.full);
        session.queue("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        let enabled = session.next().await?;
        let id = attribute(&enabled, "id").filter(|_| enabled.starts_with(b"<enabled"));
        let id = id.ok_or("stream management was refused")?.to_owned();
        session.acks = Some(Acks::default());
        self.sm = Some(Sm { id, session: number, received: 0, acknowledged: 0 });
        self.say(
            &mut session,
            None,
            "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>".into(),
        );
        self.say(&mut session, None, "<presence/>".into());
        let number = self.next_ask();
        let asked = Asked::after(&self.bare, self.newest.clone(), number);
        self.say(&mut session, None, asked.request());
        self.catching = Some(asked);
        Ok(session)
    }

    /// Whether the old session goes on. If not, it is over.
    async fn resume(&mut self, session: &mut Session) -> Outcome<bool> {
        let Some(sm) = &self.sm else { return Ok(false) };
        session.queue(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{}' h='{}'/>", sm.id, sm.received));
        let answer = session.next().await?;
        let h = attribute(&answer, "h").and_then(|h| h.parse::<u32>().ok());
        let resumed = answer.starts_with(b"<resumed");
        let (received, number) = (sm.received, sm.session);
        if let Some(h) = h {
            self.covered(h)?;
        }
        if resumed {
            let acknowledged = h.ok_or("resumed without h")?;
            session.acks = Some(Acks { received, acknowledged });
            for sent in &self.sent {
                session.queue(&sent.xml);
            }
            self.shared.book.open().resumed += 1;
            return Ok(true);
        }
        self.sm = None;
        let given_up = self.sent.drain(..).filter(|sent| sent.key.is_some()).count() as u64;
        let mut pages = self.shared.book.open();
        pages.open -= given_up;
        pages.not_resumed += 1;
        pages.history.push(What::Over { session: number });
        Ok(false)
    }

    /// Queues a stanza of a session with stream management.
    fn say(&mut self, session: &mut Session, key: Option<Key>, xml: String) {
        session.queue(&xml);
        self.sent.push_back(Sent { key, xml });
    }

    async fn converse(&mut self, mut session: Session) -> Outcome<()> {
        let begin = Instant::now();
        let mut send_at = begin + self.chance.between_ms(0, self.pace.as_millis() as u64);
        let mut ask_at = begin;
        let mut heard_at = begin;
        loop {
            while session.advance()? {
                heard_at = Instant::now();
                self.take(&mut session)?;
            }
            self.progress(&session)?;
            let now = Instant::now();
            if self.shared.is_over() {
                self.bye(session).await;
                return Ok(());
            }
            if self.shared.may_send() && now >= send_at && self.sent.len() < WINDOW {
                self.message(&mut session);
                send_at = (send_at + self.pace).max(now - self.pace);
            }
            if now >= ask_at {
                ask_at = now + Duration::from_millis(200);
                if !self.sent.is_empty() {
                    session.queue("<r xmlns='urn:xmpp:sm:3'/>");
                }
            }
            if !self.sent.is_empty() && heard_at.elapsed() > self.shared.patience() {
                return Err("the server is silent".into());
            }
            let bytes = tokio::time::timeout(TICK, session.wire.fill()).await;
            if let Ok(done) = bytes {
                done?;
                heard_at = Instant::now();
            }
        }
    }

    /// Keeps the counters that a resumption needs.
    fn progress(&mut self, session: &Session) -> Outcome<()> {
        let Some(acks) = session.acks else { return Ok(()) };
        if let Some(sm) = &mut self.sm {
            sm.received = acks.received;
        }
        self.covered(acks.acknowledged)
    }

    /// The server says that it has handled so many.
    fn covered(&mut self, h: u32) -> Outcome<()> {
        let Some(sm) = &mut self.sm else { return Ok(()) };
        let count = h.wrapping_sub(sm.acknowledged) as usize;
        if count == 0 {
            return Ok(());
        }
        if count > self.sent.len() {
            return Err(format!("h={h} claims {count} stanzas, {} were sent", self.sent.len()).into());
        }
        sm.acknowledged = h;
        let keys: Vec<Key> = self.sent.drain(..count).filter_map(|sent| sent.key).collect();
        if !keys.is_empty() {
            let mut pages = self.shared.book.open();
            pages.acknowledged += keys.len() as u64;
            pages.open -= keys.len() as u64;
            pages.history.push(What::Ack { device: self.full.clone(), keys });
        }
        Ok(())
    }

    fn message(&mut self, session: &mut Session) {
        if self.peers.is_empty() {
            return;
        }
        let to = self.peers[self.chance.below(self.peers.len() as u64) as usize].clone();
        self.counter += 1;
        let key = Key::new(self.shared.run, &self.full, self.counter);
        let padding = self.shared.padding();
        let xml = format!(
            "<message to='{to}' type='chat' id='m{}'><body>{key}{padding}</body></message>",
            self.counter
        );
        let archives = vec![self.bare.clone(), to.clone()];
        let what =
            What::Send { device: self.full.clone(), session: self.number(), key: key.clone(), to, archives };
        let mut pages = self.shared.book.open();
        (pages.sent, pages.open) = (pages.sent + 1, pages.open + 1);
        pages.history.push(what);
        drop(pages);
        self.say(session, Some(key), xml);
    }

    fn number(&self) -> u64 {
        self.sm.as_ref().map_or(0, |sm| sm.session)
    }

    fn next_ask(&mut self) -> u64 {
        self.asks += 1;
        self.asks
    }

    fn take(&mut self, session: &mut Session) -> Outcome<()> {
        let stanza = session.stanza();
        if let Some(asked) = &mut self.catching {
            match asked.take(stanza)? {
                Turned::NotOurs => {}
                Turned::Message => return Ok(()),
                Turned::Done => return self.page_read(session),
            }
        }
        match heard::message(stanza, &self.bare) {
            Some(Heard::Message { key, from, stanza_id, via, delay }) => {
                if let Some(id) = &stanza_id {
                    let newer = |old: &String| heard::is_newer(id, old);
                    if self.catching.is_none() && self.newest.as_ref().is_none_or(newer) {
                        self.newest = Some(id.clone());
                    }
                }
                let (device, session) = (self.full.clone(), self.number());
                let mut pages = self.shared.book.open();
                pages.received += 1;
                pages.history.push(What::Recv { device, session, key, from, stanza_id, via, delay });
            }
            Some(Heard::Error { id, condition }) => {
                let counter = id.strip_prefix('m').and_then(|number| number.parse().ok());
                let key =
                    Key::new(self.shared.run, &self.full, counter.ok_or("an error for nothing of ours")?);
                let mut pages = self.shared.book.open();
                pages.refused += 1;
                pages.history.push(What::Err { device: self.full.clone(), key, condition });
            }
            None => {}
        }
        Ok(())
    }

    /// A page of the archive has been read: the next one, or the end.
    fn page_read(&mut self, session: &mut Session) -> Outcome<()> {
        let Some(asked) = self.catching.take() else { return Ok(()) };
        if asked.is_refused() {
            // Storage may be in trouble, or has lost what we know: from the beginning at the next session.
            self.newest = None;
            return Err("the archive could not be read".into());
        }
        if let Some(last) = asked.ids.last() {
            self.newest = Some(last.clone());
        }
        let complete = asked.complete;
        let next = asked.next(self.asks + 1);
        self.shared.book.write(asked.into_page(&self.full));
        if complete {
            self.shared.book.write(What::CaughtUp { device: self.full.clone() });
            return Ok(());
        }
        self.asks += 1;
        self.say(session, None, next.request());
        self.catching = Some(next);
        Ok(())
    }

    /// Leaves properly, so that nothing of this session lingers.
    async fn bye(&mut self, session: Session) {
        let _ = tokio::time::timeout(Duration::from_secs(10), session.leave()).await;
    }
}
