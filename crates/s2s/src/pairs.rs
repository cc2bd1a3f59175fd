//! Which pairs of domains are proven on a stream, and which are about to be.
//!
//! XEP-0220 section 2.6 (several pairs on one stream), XEP-0288 section 2.2.
//!
//! Not here: how a pair is proven (`dialback.rs`, `incoming.rs`, `outgoing.rs`).

use std::time::Instant;

use address::Bare;

use crate::{Pair, Proof, Trust, Verification};

impl Pair {
    /// Both must be domains without anything else.
    pub fn new(local: Bare, remote: Bare) -> Pair {
        Pair { local, remote }
    }

    fn is(&self, local: &str, remote: &str) -> bool {
        self.local.as_str() == local && self.remote.as_str() == remote
    }
}

/// The pairs of one stream, in both directions. Each list is bounded by `Settings::pairs_max` or
/// `Settings::verifications_max`.
#[derive(Default)]
pub(crate) struct Book {
    /// That of the headers.
    pub(crate) main: Option<Pair>,
    /// The peer may send these.
    pub(crate) inbound: Vec<(Pair, Proof)>,
    /// We may send these.
    pub(crate) outbound: Vec<Pair>,
    /// We have sent a key for these, and wait until then.
    pub(crate) requested: Vec<(Pair, Instant)>,
    /// The peer has sent a key for these.
    pub(crate) asked: Vec<Asked>,
    /// We verify keys for others.
    pub(crate) verifying: Vec<Verifying>,
    /// Whom the peer's certificate proves.
    pub(crate) certified: Vec<(Bare, Trust)>,
    /// Whom it does not, although it should.
    pub(crate) doubted: Vec<Bare>,
    /// The number of the last question.
    number: u64,
}

/// A key that the shell judges.
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) pair: Pair,
    pub(crate) until: Instant,
}

/// A key that the peer shall judge.
pub(crate) struct Verifying {
    pub(crate) token: u64,
    pub(crate) verification: Verification,
    pub(crate) until: Instant,
    pub(crate) sent: bool,
}

impl Book {
    pub(crate) fn admit(&mut self, pair: Pair, proof: Proof) {
        match self.inbound.iter_mut().find(|(known, _)| *known == pair) {
            Some(known) => known.1 = proof,
            None => self.inbound.push((pair, proof)),
        }
    }

    pub(crate) fn is_inbound(&self, pair: &Pair) -> bool {
        self.inbound.iter().any(|(known, _)| known == pair)
    }

    pub(crate) fn is_outbound(&self, pair: &Pair) -> bool {
        self.outbound.contains(pair)
    }

    /// Whether we may send from `local` to `remote`.
    pub(crate) fn sends(&self, local: &str, remote: &str) -> bool {
        self.outbound.iter().any(|pair| pair.is(local, remote))
    }

    /// How `remote` was proven on this stream, for whichever domain of ours; for `local` itself if that is possible.
    pub(crate) fn proof(&self, local: &str, remote: &str) -> Option<(Proof, bool)> {
        let exact =
            self.inbound.iter().find(|(pair, _)| pair.is(local, remote)).map(|(_, proof)| (*proof, true));
        exact.or_else(|| {
            let of_remote = |(pair, _): &&(Pair, Proof)| pair.remote.as_str() == remote;
            self.inbound.iter().find(of_remote).map(|(_, proof)| (*proof, false))
        })
    }

    pub(crate) fn certify(&mut self, remote: Bare, trust: Trust) {
        if !self.certified.iter().any(|(domain, _)| *domain == remote) {
            self.certified.push((remote, trust));
        }
    }

    pub(crate) fn is_asked(&self, pair: &Pair) -> bool {
        self.asked.iter().any(|asked| asked.pair == *pair)
    }

    pub(crate) fn ask(&mut self, pair: Pair, until: Instant) -> u64 {
        self.number += 1;
        self.asked.push(Asked { number: self.number, pair, until });
        self.number
    }

    /// The pair of that question, which is no longer open.
    pub(crate) fn answered(&mut self, number: u64) -> Option<Pair> {
        let at = self.asked.iter().position(|asked| asked.number == number)?;
        Some(self.asked.swap_remove(at).pair)
    }

    /// Whether a key was sent for this pair; forgets it.
    pub(crate) fn requested(&mut self, pair: &Pair) -> bool {
        let at = self.requested.iter().position(|(known, _)| known == pair);
        at.map(|at| self.requested.swap_remove(at)).is_some()
    }

    pub(crate) fn is_requested(&self, pair: &Pair) -> bool {
        self.requested.iter().any(|(known, _)| known == pair)
    }

    /// The verification that such an answer is for; forgets it (XEP-0220 section 3.1).
    pub(crate) fn verified(&mut self, pair: &Pair, stream: &str) -> Option<u64> {
        let is_it = |v: &Verifying| v.sent && v.verification.pair == *pair && v.verification.stream == stream;
        let at = self.verifying.iter().position(is_it)?;
        Some(self.verifying.remove(at).token)
    }

    /// The first time at which something is given up.
    pub(crate) fn next(&self) -> Option<Instant> {
        let requested = self.requested.iter().map(|(_, until)| *until);
        let asked = self.asked.iter().map(|asked| asked.until);
        requested.chain(asked).chain(self.verifying.iter().map(|v| v.until)).min()
    }

    /// Whether a proof is under way, so that the time to authenticate is not over yet.
    pub(crate) fn is_proving(&self) -> bool {
        !self.requested.is_empty() || !self.asked.is_empty()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_proving() && self.verifying.is_empty()
    }
}
