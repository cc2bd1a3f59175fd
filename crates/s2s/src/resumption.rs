//! What is left of a broken stream that another connection may continue.
//!
//! XEP-0198 version 1.6.3 section 5.
//!
//! Not here: the elements (`manage.rs`), how long it is kept (federation).

use std::collections::VecDeque;
use std::time::Duration;

use crate::io::Io;
use crate::sending::{Managed, Sent};
use crate::{End, Pair, Proof};

/// What is left of a broken stream that may be resumed by another connection (XEP-0198 section 5): the stanzas that were
/// sent and not acknowledged, which pairs were proven, and the counters. Who resumes must prove the pair of
/// [`Resumption::pair`] anew and know the secret name; the other pairs of the stream come with it.
#[derive(Debug)]
pub struct Resumption {
    pub(crate) id: String,
    pub(crate) lifetime: Duration,
    pub(crate) pair: Pair,
    pub(crate) bidi: bool,
    pub(crate) inbound: Vec<(Pair, Proof)>,
    pub(crate) outbound: Vec<Pair>,
    pub(crate) queue: VecDeque<Sent>,
    pub(crate) acked: u32,
    pub(crate) stored: u32,
    pub(crate) unstored: usize,
}

impl Resumption {
    /// The secret name of the stream: what [`Ask::Resume`](crate::Ask::Resume) will ask for.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The pair by which the stream was opened.
    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// How long after the break it is worth keeping.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// So many more stanzas that the stream had handed over are stored.
    pub fn handle_stored(&mut self, stanzas: usize) {
        let stanzas = stanzas.min(self.unstored);
        self.unstored -= stanzas;
        self.stored = self.stored.wrapping_add(stanzas as u32);
    }

    /// Stanzas that were handed over and are not yet stored. Resume when there are none: what is not stored then comes
    /// again.
    pub fn unstored(&self) -> usize {
        self.unstored
    }

    /// Tokens of the stanzas that are not acknowledged, in order: the resumption is given up.
    pub fn into_unacked(self) -> Vec<u64> {
        self.queue.into_iter().map(|sent| sent.token).collect()
    }
}

impl Io {
    /// What may be resumed of this stream, which ends for the reason `why`.
    pub(crate) fn resumption(&mut self, why: &End) -> Option<Box<Resumption>> {
        if let Some(resume) = self.resume.take() {
            // It broke again before anything was said about it.
            return Some(resume);
        }
        let (id, lifetime) = self.session.take()?;
        let broken = matches!(why, End::Broken | End::Silent);
        if !broken || self.sending.managed != Managed::On {
            return None;
        }
        let pair = self.session_pair()?;
        let sending = std::mem::take(&mut self.sending);
        Some(Box::new(Resumption {
            id,
            lifetime,
            pair,
            bidi: self.bidi,
            inbound: std::mem::take(&mut self.book.inbound),
            outbound: std::mem::take(&mut self.book.outbound),
            queue: sending.queue,
            acked: sending.acked,
            stored: self.receiving.stored,
            unstored: self.receiving.unstored,
        }))
    }

    /// The pair that stands for the stream as a whole: that of the header if it is proven, else the first proven.
    pub(crate) fn session_pair(&self) -> Option<Pair> {
        let main = self.book.main.as_ref();
        let proven = |pair: &&Pair| self.book.is_inbound(pair) || self.book.is_outbound(pair);
        let first = || self.book.inbound.first().map(|(pair, _)| pair);
        main.filter(proven).or_else(first).cloned()
    }
}
