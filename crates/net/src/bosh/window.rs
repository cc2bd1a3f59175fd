//! The numbers of requests: which one is due, which comes early, which was answered already, and which cannot be.
//!
//! XEP-0124 version 1.11.2 sections 11 (overactivity), 14 (request ids) and 15 (keys).
//!
//! Not here: what a request contains, and when it is answered (`session.rs`).

use std::collections::{BTreeMap, VecDeque};

use aws_lc_rs::digest;
use bytes::Bytes;

/// How often the same request may be sent.
const REPEATS: u32 = 16;

/// The window of one session. `T` is a request that waits for its turn.
pub(crate) struct Window<T> {
    /// The number that is due.
    next: u64,
    /// How many requests the client may have open.
    requests: u64,
    early: BTreeMap<u64, T>,
    answered: VecDeque<(u64, Bytes)>,
    repeats: u32,
}

/// What a number means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is due.
    Due,
    /// It may come, but others come first.
    Early,
    /// It was answered with this.
    Answered(Bytes),
    /// It came already and is not answered yet.
    Open,
    /// Out of the window, or the answer is forgotten: the client must not learn which.
    Unknown,
    /// Sent too often.
    TooOften,
}

impl<T> Window<T> {
    /// A session whose creation had the number `rid`, which is due.
    pub(crate) fn new(rid: u64, requests: u64) -> Window<T> {
        Window { next: rid, requests, early: BTreeMap::new(), answered: VecDeque::new(), repeats: 0 }
    }

    /// Judges a number. `extra`: it pauses or ends the session, for which one more may be open.
    pub(crate) fn judge(&mut self, rid: u64, extra: bool) -> Verdict {
        if rid == self.next {
            return Verdict::Due;
        }
        if rid > self.next {
            let within = rid - self.next < self.requests + u64::from(extra);
            return if within { Verdict::Early } else { Verdict::Unknown };
        }
        self.repeats += 1;
        if self.repeats > REPEATS {
            return Verdict::TooOften;
        }
        match self.answered.iter().find(|(known, _)| *known == rid) {
            Some((_, body)) => Verdict::Answered(body.clone()),
            None => Verdict::Open,
        }
    }

    /// The due request is being handled. Gives the one that is due now, if it has come already.
    pub(crate) fn advance(&mut self) -> Option<T> {
        self.next += 1;
        self.repeats = 0;
        self.early.remove(&self.next)
    }

    /// Keeps a request that came early. Gives back the one with the same number that it replaces.
    pub(crate) fn keep(&mut self, rid: u64, request: T) -> Option<T> {
        self.early.insert(rid, request)
    }

    /// Takes all requests that came early.
    pub(crate) fn take_early(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(&mut self.early).into_values()
    }

    /// Remembers an answer, in case it gets lost.
    pub(crate) fn answered(&mut self, rid: u64, body: Bytes) {
        self.answered.push_back((rid, body));
        while self.answered.len() as u64 > self.requests {
            self.answered.pop_front();
        }
    }
}

/// XEP-0124 section 15: each request shows the next element of a chain of hashes, so that nobody else can send one.
#[derive(Default)]
pub(crate) struct Keys(Option<String>);

impl Keys {
    /// Whether a request has the right key. `new` begins another chain.
    pub(crate) fn accept(&mut self, key: Option<&str>, new: Option<&str>) -> bool {
        let right = match (&self.0, key) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(expected), Some(key)) => *expected == sha1_hex(key),
        };
        if right && (self.0.is_some() || new.is_some()) {
            self.0 = new.or(key).map(str::to_ascii_lowercase);
        }
        right
    }
}

fn sha1_hex(text: &str) -> String {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_ahead_and_closes_behind() {
        let mut window = Window::new(10, 2);
        for rid in 10..14 {
            assert_eq!(window.judge(rid, false), Verdict::Due);
            assert_eq!(window.advance(), None::<()>);
            window.answered(rid, format!("{rid}").into());
        }
        // 14 is due; 12 and 13 are remembered.
        for (rid, extra, want) in [
            (9, false, Verdict::Open),
            (11, false, Verdict::Open),
            (12, false, Verdict::Answered("12".into())),
            (13, false, Verdict::Answered("13".into())),
            (14, false, Verdict::Due),
            (15, false, Verdict::Early),
            (16, false, Verdict::Unknown),
            (16, true, Verdict::Early),
            (17, true, Verdict::Unknown),
            (1 << 53, false, Verdict::Unknown),
        ] {
            assert_eq!(window.judge(rid, extra), want, "{rid}");
        }
    }

    #[test]
    fn early_ones_come_in_order() {
        let mut window = Window::new(1, 2);
        assert_eq!(window.advance(), None);
        assert_eq!(window.judge(3, false), Verdict::Early);
        assert_eq!(window.keep(3, "three"), None);
        assert_eq!(window.keep(3, "three again"), Some("three"));
        assert_eq!(window.advance(), Some("three again"));
        assert_eq!(window.advance(), None);
    }

    #[test]
    fn nobody_repeats_for_ever() {
        let mut window = Window::<()>::new(1, 2);
        window.advance();
        let verdicts: Vec<_> = (0..17).map(|_| window.judge(1, false)).collect();
        assert_eq!(verdicts[15], Verdict::Open);
        assert_eq!(verdicts[16], Verdict::TooOften);
    }

    #[test]
    fn keys_follow_the_chain() {
        // K(3) = sha1(K(2)), K(2) = sha1(K(1)), K(1) = sha1(seed)
        let one = sha1_hex("seed");
        let two = sha1_hex(&one);
        let three = sha1_hex(&two);
        let mut keys = Keys::default();
        assert!(keys.accept(None, None), "no key is needed when none was begun");
        assert!(keys.accept(None, Some(&three)));
        assert!(!keys.accept(None, None));
        assert!(!keys.accept(Some(&one), None), "one was left out");
        assert!(keys.accept(Some(&two), None));
        assert!(!keys.accept(Some(&two), None), "each counts once");
        assert!(keys.accept(Some(&one), Some(&three)), "another chain begins");
        assert!(!keys.accept(Some("seed"), None));
        assert!(keys.accept(Some(&two), None));
    }
}
