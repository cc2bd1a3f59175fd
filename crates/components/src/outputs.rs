//! What a component's stream wants from its shell, and what becomes of it.
//!
//! XEP-0114 1.6, XEP-0356 0.4.1 section 3.2 (it is told of its rights)
//!
//! Not here: bytes and time (`carrier.rs`).

use std::time::{SystemTime, UNIX_EPOCH};

use engine::Input;
use model::away::Arrived;
use model::link::Up;
use s2s::{Answer, Ask, Misbehaviour, Output};
use stanza::Stanza;
use tokio::time::Instant;

use crate::carrier::{Carrier, OWN, now};
use crate::seats::Holder;
use crate::{limits, perms};

impl Carrier {
    /// Carries out what the stream wants, until it wants nothing more.
    pub(crate) async fn outputs(&mut self) {
        loop {
            self.send_waiting().await;
            let Some(output) = self.stream.poll_output() else { return };
            match output {
                Output::Ask(ask) => self.ask(ask),
                Output::Ready(pair) => self.ready(pair.remote.as_str()).await,
                Output::Stanza(stanza) => self.stanza(stanza).await,
                Output::Unusable(reply) => {
                    let receipt = self.ledger.receipt();
                    if let Some(reply) = reply {
                        self.shared.engine.send(Input::Inject(*reply)).await;
                    }
                    receipt(true);
                }
                Output::Acked(OWN) | Output::Written(OWN) => {}
                Output::Written(number) => {
                    self.unconfirmed.push_back((Instant::now() + limits::CONFIRM, number));
                }
                Output::Acked(number) => {
                    if self.in_flight.remove(&number).is_some() {
                        self.shared.delivered(number).await;
                    }
                }
                Output::Note(what) => self.note(what),
                Output::Closed(ended) => {
                    self.ended = Some(ended);
                    return;
                }
                // Said on streams between servers only.
                Output::StartTls
                | Output::Refused(..)
                | Output::Authenticated(..)
                | Output::Verified(..)
                | Output::Resumed
                | Output::NotResumed(_) => {}
            }
        }
    }

    fn ask(&mut self, ask: Ask) {
        let answer = match ask {
            Ask::Secret(domain) => {
                Answer::Secret(self.shared.component(domain.as_str()).map(|component| component.secret))
            }
            Ask::Attach(domain) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let holder = Holder {
                    id: self.id,
                    to: self.to.clone(),
                    ip: self.origin.ip,
                    tls: self.origin.tls,
                    since_ms: since.as_millis() as u64,
                };
                // From here on the seat may be ours; whatever happens, the end of this connection gives it back.
                self.component = self.shared.component(domain.as_str());
                let shared = self.shared.clone();
                return self.questions.push(Box::pin(async move {
                    Answer::Attached(shared.claim(domain.as_str(), holder).await)
                }));
            }
            Ask::Resume(..) => Answer::Resumable(None),
            Ask::Certificate(pair) => Answer::Certificate(pair.remote, None),
            Ask::Verify(number, _) => {
                Answer::Verified(number, s2s::Verdict::Failed(stanza::Condition::NotAllowed))
            }
        };
        self.stream.handle_answer(now(), answer);
    }

    /// The component is there.
    async fn ready(&mut self, domain: &str) {
        let Some(component) = self.component.clone() else { return };
        self.shared.counters.connected.one();
        let ip = self.origin.ip.map(|ip| ip.to_string()).unwrap_or_else(|| "a socket file".to_owned());
        tracing::info!(component = domain, from = ip, tls = self.origin.tls, "a component is there");
        for message in perms::messages(&component.domain, &component.rights) {
            self.say(message);
        }
        self.there = true;
        self.shared.list(&component).await;
        self.shared.engine.send(Input::Restored(domain.to_owned())).await;
    }

    /// A stanza of the component. While the engine does not take it nothing more is read, here and nowhere else.
    async fn stanza(&mut self, stanza: Stanza) {
        self.shared.counters.stanzas[1].one();
        let arrived = Arrived { stanza, inside: true, receipt: self.ledger.receipt() };
        self.share.send(Up::Arrived(Box::new(arrived))).await;
    }

    fn note(&mut self, what: Misbehaviour) {
        let counters = &self.shared.counters;
        counters.misbehaviour.one();
        match what {
            Misbehaviour::WrongHandshake | Misbehaviour::UnknownHost => counters.refused.one(),
            Misbehaviour::Conflict => counters.conflicts.one(),
            _ => {}
        }
        if let Some(left_out) = self.shared.refused.write(now()) {
            let ip = self.origin.ip.map(|ip| ip.to_string());
            tracing::info!(from = ip, left_out, "misbehaviour of a component: {what:?}");
        }
    }
}
