//! Shares of what is on its way to neighbours: no account can take all of it.
//!
//! While there is much room an account may have a part of what is free; the less there is, the less one may have, down to
//! what is everybody's. So a large roster can be told at once after a start, and who writes to thousands of domains that
//! nobody can reach leaves room for the others.
//!
//! What the user does, what he answers, and what the server does in his name are counted each for itself: what others cause
//! takes nothing from what he may do.
//!
//! Not here: what all have together (`away.rs`).

use std::collections::{BTreeMap, HashMap};

use address::Bare;
use stanza::{IqType, Kind, MessageType, PresenceType, Stanza};

use crate::limits;

/// Who sends a stanza, and in which of his shares it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sender {
    account: Bare,
    sort: Sort,
}

/// The shares of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sort {
    /// What its clients want of others.
    Own,
    /// Answers and errors of its clients: others cause them, or nobody does.
    Answer,
    /// What the server does in its name: mostly others cause it.
    Server,
}

/// What each account has on its way.
#[derive(Default)]
pub(crate) struct Shares(HashMap<Sender, Share>);

#[derive(Default)]
struct Share {
    /// How many stanzas to which domain.
    domains: BTreeMap<Box<str>, u32>,
    count: usize,
    bytes: usize,
}

/// How much all have on its way: domains, stanzas, bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) domains: usize,
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

/// In whose share a stanza is counted; `by_user`: a client of its account began it. Answers and errors that no client began are
/// nobody's: they go to who asked, and to no further domain.
pub(crate) fn sender(stanza: &Stanza, by_user: bool) -> Option<Sender> {
    let answer = matches!(
        stanza.kind,
        Kind::Iq(IqType::Result | IqType::Error)
            | Kind::Message(MessageType::Error)
            | Kind::Presence(PresenceType::Error)
    );
    let sort = match (answer, by_user) {
        (false, true) => Sort::Own,
        (true, true) => Sort::Answer,
        (false, false) => Sort::Server,
        (true, false) => return None,
    };
    let from = stanza.from.as_ref().filter(|from| from.local().is_some())?;
    Some(Sender { account: from.bare(), sort })
}

/// What one may have of what all have together.
fn part(most: usize, used: usize, least: usize) -> usize {
    (most.saturating_sub(used) / limits::AWAY_SHARE_PART).max(least)
}

impl Shares {
    /// Whether it may send so much more there.
    pub(crate) fn has_room(&self, sender: &Sender, domain: &str, bytes: usize, used: Used) -> bool {
        let Some(share) = self.0.get(sender) else { return true };
        let domains = part(limits::AWAY_DOMAINS_MAX, used.domains, limits::AWAY_DOMAINS_SHARE);
        let count = part(limits::AWAY_MAX, used.count, limits::AWAY_SHARE);
        let most = part(limits::AWAY_BYTES_MAX, used.bytes, limits::AWAY_BYTES_SHARE);
        (share.domains.contains_key(domain) || share.domains.len() < domains)
            && share.count < count
            && share.bytes + bytes <= most
    }

    pub(crate) fn add(&mut self, sender: &Sender, domain: &str, bytes: usize) {
        let share = self.0.entry(sender.clone()).or_default();
        *share.domains.entry(domain.into()).or_default() += 1;
        (share.count, share.bytes) = (share.count + 1, share.bytes + bytes);
    }

    pub(crate) fn take(&mut self, sender: &Sender, domain: &str, bytes: usize) {
        let Some(share) = self.0.get_mut(sender) else { return };
        (share.count, share.bytes) = (share.count.saturating_sub(1), share.bytes.saturating_sub(bytes));
        if let Some(count) = share.domains.get_mut(domain) {
            *count -= 1;
            if *count == 0 {
                share.domains.remove(domain);
            }
        }
        if share.count == 0 {
            self.0.remove(sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuller_it_is_the_less_one_may_have() {
        let mut shares = Shares::default();
        let used = |domains| Used { domains, count: 0, bytes: 0 };
        let bare = |text: &str| Sender { account: Bare::parse(text).unwrap(), sort: Sort::Own };
        for (free, may) in [(4_096, 1_024), (1_000, 250), (64, 64), (0, 64)] {
            let (who, used) = (bare(&format!("u{free}@a.example")), used(limits::AWAY_DOMAINS_MAX - free));
            let mut has = 0;
            while shares.has_room(&who, &format!("d{has}.example"), 1, used) {
                shares.add(&who, &format!("d{has}.example"), 1);
                has += 1;
            }
            assert_eq!(has, may, "{free}");
            assert!(shares.has_room(&who, "d0.example", 1, used), "a domain that he has already");
            shares.take(&who, "d0.example", 1);
            assert!(shares.has_room(&who, "other.example", 1, used));
            (1..has).for_each(|n| shares.take(&who, &format!("d{n}.example"), 1));
        }
        assert!(shares.0.is_empty(), "nothing is left of who has nothing");
        let (who, full) = (bare("u@a.example"), Used { domains: 0, count: 0, bytes: limits::AWAY_BYTES_MAX });
        shares.add(&who, "d", limits::AWAY_BYTES_SHARE);
        assert!(!shares.has_room(&who, "d", 1, full));
    }
}
