//! What a stream wants from its shell, and what becomes of it.
//!
//! XEP-0178 1.2, XEP-0198 1.6.3, XEP-0220 1.1.1, XEP-0288 1.0.1
//!
//! Not here: bytes and time (`carrier.rs`).

use std::sync::Arc;

use engine::Input;
use model::away::Arrived;
use model::link::Up;
use s2s::{Answer, Ask, Certificate, Misbehaviour, Output, Pair, Proof, Verdict};
use stanza::{Stanza, StreamCondition, StreamError};
use tokio::time::Instant;

use crate::carrier::{Answered, Carrier, Side};
use crate::certificate::Doubt;
use crate::courier::{Command, Word};
use crate::dial::{self, now};
use crate::limits;
use crate::probe;
use crate::shared::{Shared, pair_of};
use crate::wire::Wire;

impl Carrier {
    /// Carries out what the stream wants, until it wants nothing more.
    pub(crate) async fn outputs(&mut self) {
        while self.ended.is_none()
            && let Some(output) = self.stream.poll_output()
        {
            match output {
                Output::StartTls => {
                    if !(self.write_all().await && self.secure().await) {
                        self.stream.handle_eof(now());
                    }
                }
                Output::Ask(ask) => self.ask(ask),
                Output::Ready(pair) => self.ready(pair).await,
                Output::Refused(pair, refusal) => {
                    if let Some(left_out) = self.shared.log.refused.write(now()) {
                        let remote = pair.remote.as_str();
                        tracing::info!(remote, left_out, "another server refuses us: {refusal:?}");
                    }
                    if matches!(&self.side, Side::Out { pair: own, .. } if *own == pair) {
                        self.refusal = Some(refusal);
                        if !self.was_up {
                            self.stream.close(now(), None);
                        }
                    }
                }
                Output::Authenticated(pair, proof) => self.authenticated(pair, proof),
                Output::Stanza(stanza) => self.stanza(stanza).await,
                Output::Unusable(reply) => {
                    let receipt = self.ledger.receipt();
                    if let Some(reply) = reply {
                        self.shared.engine.send(Input::Inject(*reply)).await;
                    }
                    receipt(true);
                }
                Output::Acked(number) => {
                    if self.in_flight.remove(&number).is_some() {
                        self.shared.delivered(number).await;
                    }
                    self.send_pending().await;
                }
                Output::Written(number) => {
                    if let Some(one) = self.in_flight.get(&number) {
                        self.probe.written(number, !one.is_brief(), Instant::now());
                    }
                    self.send_pending().await;
                }
                Output::Verified(token, verdict) => {
                    if let Some(answer) = self.verifications.remove(&token) {
                        let _ = answer.send(verdict);
                    }
                }
                Output::Resumed => tracing::debug!("a broken stream goes on"),
                Output::NotResumed(numbers) => {
                    let lost = numbers.iter().filter_map(|number| self.in_flight.remove(number));
                    lost.collect::<Vec<_>>().into_iter().rev().for_each(|one| self.pending.push_front(one));
                    self.send_pending().await;
                }
                Output::Note(what) => self.note(what),
                Output::Closed(ended) => self.ended = Some(ended),
            }
        }
        self.ask_whether();
    }

    /// Asks a peer that acknowledges nothing whether it has what was written.
    fn ask_whether(&mut self) {
        let stanza = self.probe.open().and_then(|number| self.in_flight.get(&number));
        let Some(pair) = stanza.and_then(|one| pair_of(&one.away.stanza)) else { return };
        let id = self.shared.question(&pair, &self.me);
        // The number is none of the engine's: nobody waits for what becomes of the question itself.
        match self.stream.send(now(), u64::MAX - id, &probe::question(id, &pair)) {
            Ok(()) => self.probe.asked(id, Instant::now()),
            Err(_) => self.shared.forget(Some(id)),
        }
    }

    /// What is known of the peer's certificate at the end of the handshake.
    pub(crate) fn judged(&mut self) -> Certificate {
        if self.chain.is_empty() {
            self.doubt = Some(Doubt::None);
            return Certificate::None;
        }
        let Side::Out { pair, .. } = &self.side else {
            return Certificate::Presented; // whom it must prove is not known yet
        };
        match self.shared.prove(&self.chain, pair.remote.as_str()) {
            Ok(trust) => Certificate::Proven(trust),
            Err(doubt) => {
                self.doubt = Some(doubt);
                Certificate::Presented
            }
        }
    }

    fn ask(&mut self, ask: Ask) {
        let answer = match ask {
            Ask::Certificate(pair) => {
                let trust = self.shared.prove(&self.chain, pair.remote.as_str());
                self.doubt = trust.err();
                Answer::Certificate(pair.remote, trust.ok())
            }
            Ask::Verify(number, verification) => {
                // A certificate that names the domain is proof, whichever domain the stream began with.
                if !self.chain.is_empty()
                    && let Ok(trust) = self.shared.prove(&self.chain, verification.pair.remote.as_str())
                {
                    let verdict = Verdict::Valid(Proof::Certificate(trust));
                    return self.stream.handle_answer(now(), Answer::Verified(number, verdict));
                }
                let shared = self.shared.clone();
                return self.questions.push(Box::pin(async move {
                    let verdict = dial::verify(shared, verification).await;
                    (Answer::Verified(number, verdict), None)
                }));
            }
            Ask::Resume(pair, id) => {
                let (shared, me) = (self.shared.clone(), self.me.id);
                return self.questions.push(Box::pin(resumable(shared, pair, id, me)));
            }
            Ask::Secret(_) => Answer::Secret(None),
            Ask::Attach(_) => Answer::Attached(false),
        };
        self.stream.handle_answer(now(), answer);
    }

    async fn ready(&mut self, pair: Pair) {
        self.was_up = true;
        if self.trial {
            return self.stream.close(now(), None);
        }
        if matches!(self.wire, Wire::Plain(_)) {
            self.shared.counters.exceptions[0].one();
            self.exception(&pair, "a stream without encryption");
        }
        if !self.ready.contains(&pair) {
            self.ready.push(pair.clone());
        }
        let word = Word::Up(self.me.clone());
        match self.side {
            Side::Out { .. } => self.shared.tell(&pair, word),
            // There may be no lane yet; then it comes when the first stanza does, and must know of this stream.
            Side::In { .. } => {
                if self.shared.lane(&pair, word).is_err() {
                    self.ready.retain(|known| *known != pair);
                }
            }
        }
        self.send_pending().await;
    }

    fn authenticated(&mut self, pair: Pair, proof: Proof) {
        let how = match proof {
            Proof::Certificate(_) | Proof::Secret => 0,
            Proof::Dialback => 1,
        };
        self.shared.counters.proofs[how].one();
        if proof == Proof::Dialback {
            self.shared.counters.exceptions[1].one();
            self.exception(&pair, "believed by dialback, without a certificate");
        }
        if !matches!(self.side, Side::In { .. }) {
            return;
        }
        let (pairs, counted) = &mut self.proven;
        let first = !counted.contains(&pair.remote);
        if !self.shared.enter(&pair, &self.me, first) {
            let error = StreamError::new(StreamCondition::PolicyViolation, "too many streams of one domain");
            return self.stream.close(now(), Some(error));
        }
        if first {
            counted.push(pair.remote.clone());
        }
        self.shared.tell(&pair, Word::Alive);
        pairs.push(pair);
    }

    /// A stanza of the other server. While the engine does not take it nothing more is read, here and nowhere else.
    async fn stanza(&mut self, stanza: Stanza) {
        if self.shared.is_answer(&stanza) {
            return self.ledger.receipt()(true);
        }
        self.shared.counters.stanzas[1].one();
        let arrived = Arrived { stanza, inside: false, receipt: self.ledger.receipt() };
        self.share.send(Up::Arrived(Box::new(arrived))).await;
    }

    /// Says that an exception of the operator's was used.
    fn exception(&self, pair: &Pair, what: &str) {
        if let Some(left_out) = self.shared.log.exception.write(now()) {
            tracing::info!(remote = pair.remote.as_str(), left_out, "{what}");
        }
    }

    fn note(&self, what: Misbehaviour) {
        self.shared.counters.misbehaviour.one();
        tracing::debug!("misbehaviour of another server: {what:?}");
    }
}

/// Finds a broken stream that another server wants to go on with, and waits until all that came on it is stored.
async fn resumable(shared: Arc<Shared>, pair: Pair, id: String, me: u64) -> Answered {
    let found = match shared.kept(&id) {
        Some(kept) => Some(kept),
        None => {
            // We may not have noticed yet that it is broken.
            for other in shared.others(&pair, me) {
                let _ = other.to.send(Command::Detach);
            }
            let mut found = None;
            for _ in 0..limits::DETACH_LOOKS {
                tokio::time::sleep(limits::DETACH_WAIT).await;
                found = shared.kept(&id);
                if found.is_some() {
                    break;
                }
            }
            found
        }
    };
    let Some(mut kept) = found else { return (Answer::Resumable(None), None) };
    if kept.resumption.pair() != &pair {
        shared.keep(kept).await;
        return (Answer::Resumable(None), None);
    }
    let settled = async {
        loop {
            match kept.ledger.take() {
                Some(stanzas) => kept.resumption.handle_stored(stanzas),
                None => return false,
            }
            if kept.resumption.unstored() == 0 {
                return true;
            }
            kept.ledger.changed().await;
        }
    };
    match tokio::time::timeout(limits::HANDSHAKE, settled).await {
        Ok(true) => (Answer::Resumable(Some(kept.resumption)), Some((kept.in_flight, kept.ledger))),
        _ => {
            shared.again(kept.in_flight.into_values()).await;
            (Answer::Resumable(None), None)
        }
    }
}
