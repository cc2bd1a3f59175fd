//! How much strangers may send: to one account, and from one domain to all accounts.
//!
//! No XEP: there is none about strangers.
//!
//! Not here: who is a stranger (`known.rs`).

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use address::Bare;
use kernel::{Account, Turn};
use stanza::{Condition, ErrorType, StanzaError};

use super::{Sort, State};

/// Most messages of strangers, all together, for one account in a minute.
pub(crate) const STRANGER_MESSAGES_PER_MINUTE: u32 = 30;
/// Most requests for a subscription from strangers, all together, for one account in an hour.
pub(crate) const STRANGER_REQUESTS_PER_HOUR: u32 = 30;
/// Most messages from strangers of one other domain, for all accounts together, in a minute.
pub(crate) const DOMAIN_MESSAGES_PER_MINUTE: u32 = 300;
/// Most requests for a subscription from strangers of one other domain, for all accounts together, in an hour. An account
/// of the own domain counts as one.
pub(crate) const DOMAIN_REQUESTS_PER_HOUR: u32 = 200;
/// How many counters there are for domains; two that meet in one count together.
const COUNTERS: usize = 4_096;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

/// How much came to one account.
#[derive(Default)]
pub(super) struct Own {
    messages: (u64, u32),
    requests: (u64, u32),
}

/// How much came from domains: counters that know their period, found by a hash with a key that nobody knows. They never
/// grow, whoever makes up however many names.
pub(super) struct Domains {
    key: RandomState,
    counters: Box<[AtomicU64]>,
}

impl Default for Domains {
    fn default() -> Domains {
        Domains { key: RandomState::new(), counters: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Domains {
    /// Counts what comes from `who`.
    pub(super) fn admit(
        &self,
        turn: &mut Turn<'_, Account>,
        who: &Bare,
        sort: Sort,
    ) -> Result<(), StanzaError> {
        let (now, local) = (turn.now.unix_ms, who.domain() == turn.place.jid.domain());
        let name = if local { who.as_str() } else { who.domain() };
        let own = &mut turn.place.slots.of::<State>().pace;
        let (window, own_most, all_most, period) = match sort {
            Sort::Request => {
                (&mut own.requests, STRANGER_REQUESTS_PER_HOUR, DOMAIN_REQUESTS_PER_HOUR, HOUR_MS)
            }
            _ => (&mut own.messages, STRANGER_MESSAGES_PER_MINUTE, DOMAIN_MESSAGES_PER_MINUTE, MINUTE_MS),
        };
        // One sender who is too fast shall not use up what others may send.
        let admitted = self.take(name, sort, now / period, all_most) && {
            if window.0 != now / period {
                *window = (now / period, 0);
            }
            window.1 += 1;
            window.1 <= own_most
        };
        let error = StanzaError::new(Condition::ResourceConstraint, ErrorType::Wait);
        if admitted { Ok(()) } else { Err(error.text("too much comes from people who are not known here")) }
    }

    /// Whether there is room in that period. A counter is the period (upper half) and how many came in it.
    fn take(&self, name: &str, sort: Sort, period: u64, most: u32) -> bool {
        let at = self.key.hash_one((name, sort == Sort::Request)) as usize % self.counters.len();
        let counter = &self.counters[at];
        let (tag, held) = ((period as u32 as u64) << 32, counter.load(Ordering::Relaxed));
        let count = if held & !0xffff_ffff == tag { held & 0xffff_ffff } else { 0 };
        counter.store(tag | (count + 1), Ordering::Relaxed);
        count < u64::from(most)
    }
}
