//! Sessions of ad-hoc commands: who may go on with which command, and until when.
//!
//! XEP-0050 1.3.0 (section 3.3)
//!
//! Not here: what the commands do.

use address::Jid;
use stanza::{Condition, StanzaError};

use super::refusal;

/// How long in milliseconds a form may be looked at.
pub(crate) const RUNNING_MS_MAX: u64 = 900_000;
/// Most forms that are open at one host.
pub(crate) const RUNNING_MAX: usize = 1_000;
/// Most forms that are open at one account; one more ends its oldest.
pub(crate) const RUNNING_PER_ACCOUNT_MAX: usize = 8;

/// The open sessions of a host, oldest first.
#[derive(Default)]
pub(crate) struct Running(Vec<Open>);

struct Open {
    id: String,
    who: Jid,
    node: &'static str,
    until_ms: u64,
}

impl Running {
    /// Opens a session.
    pub(crate) fn begin(
        &mut self,
        now: u64,
        id: String,
        who: &Jid,
        node: &'static str,
    ) -> Result<(), StanzaError> {
        self.0.retain(|open| open.until_ms > now);
        let own = |open: &&Open| open.who.bare_str() == who.bare_str();
        if self.0.iter().filter(own).count() >= RUNNING_PER_ACCOUNT_MAX {
            let oldest = self.0.iter().position(|open| own(&open));
            oldest.map(|at| self.0.remove(at));
        }
        if self.0.len() >= RUNNING_MAX {
            return Err(Condition::ResourceConstraint.into());
        }
        self.0.push(Open { id, who: who.clone(), node, until_ms: now.saturating_add(RUNNING_MS_MAX) });
        Ok(())
    }

    /// Whether this full address may go on with this session of this command (F-28).
    pub(crate) fn check(&self, now: u64, id: &str, who: &Jid, node: &str) -> Result<(), StanzaError> {
        match self.0.iter().find(|open| open.id == id && open.who == *who && open.node == node) {
            Some(open) if open.until_ms > now => Ok(()),
            Some(_) => Err(refusal(Condition::NotAllowed, "session-expired")),
            None => Err(refusal(Condition::BadRequest, "bad-sessionid")),
        }
    }

    /// Ends a session.
    pub(crate) fn end(&mut self, id: &str) {
        self.0.retain(|open| open.id != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::jid;

    #[test]
    fn has_bounds_in_number_and_time() {
        let mut running = Running::default();
        let alice = jid("alice@example.org/a");
        for n in 0..=RUNNING_PER_ACCOUNT_MAX {
            running.begin(0, n.to_string(), &alice, "n").unwrap();
        }
        let check = |running: &Running, now, id: &str| {
            running.check(now, id, &alice, "n").map_err(|e| e.app.unwrap().0)
        };
        assert_eq!(check(&running, 0, "0"), Err("bad-sessionid"), "the oldest has ended");
        assert_eq!(check(&running, RUNNING_MS_MAX - 1, "1"), Ok(()));
        assert_eq!(check(&running, RUNNING_MS_MAX, "1"), Err("session-expired"));
        assert!(running.check(0, "1", &jid("alice@example.org/b"), "n").is_err());
        assert!(running.check(0, "1", &alice, "m").is_err());
        let others = |n: usize| jid(&format!("user{n}@example.org/a"));
        let full = (0..=RUNNING_MAX).find(|n| running.begin(1, format!("o{n}"), &others(*n), "n").is_err());
        assert_eq!(full, Some(RUNNING_MAX - RUNNING_PER_ACCOUNT_MAX));
        assert!(
            running.begin(RUNNING_MS_MAX + 1, "late".into(), &alice, "n").is_ok(),
            "the expired make room"
        );
    }
}
