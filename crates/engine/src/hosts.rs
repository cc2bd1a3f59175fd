//! Hosted domains: their alarms, and changes of what the operator says of them.
//!
//! Not here: their turns with stanzas (turns, route).

use std::sync::Arc;

use address::Jid;
use kernel::HostFacts;

use crate::engine::Engine;
use crate::places::Place;
use crate::timers::Due;

impl Engine {
    /// Those with something to do without being asked are woken as soon as the engine runs.
    pub(crate) fn begin_hosts(&mut self) {
        let busy = self.hosts.iter().filter(|(_, host)| !host.facts.safety.lists.is_empty());
        let busy: Vec<String> = busy.map(|(domain, _)| domain.clone()).collect();
        busy.iter().for_each(|domain| self.wake_host_in(domain, 0));
    }

    /// The operator says something else of a host. Its accounts hear of it.
    pub(crate) fn facts_changed(&mut self, domain: &Jid, facts: Arc<HostFacts>) {
        let Some(host) = self.hosts.get_mut(domain.as_str()) else { return };
        let relisted = host.facts.safety.lists != facts.safety.lists;
        let regrouped = host.facts.groups != facts.groups;
        host.facts = facts.clone();
        let mut told = Vec::new();
        let own = self.accounts.iter_mut().filter(|(account, _)| account.domain() == domain.as_str());
        for (account, place) in own {
            if let Place::Ready(place) = place {
                place.account.facts = facts.clone();
                told.push(account.clone());
            }
        }
        if regrouped {
            told.sort();
            for account in told {
                self.own_turn(&account, None, |kernel, turn| kernel.facts_changed(turn));
            }
        }
        if relisted {
            self.host_wakes(domain.as_str());
        }
    }

    /// A host wants to be woken.
    pub(crate) fn wake_host_in(&mut self, domain: &str, after_ms: u64) {
        let (wishes, last) = &mut self.host_wishes;
        *last += 1;
        wishes.insert(domain.to_owned(), *last);
        let due = Due::WakeHost(domain.to_owned(), *last);
        self.timers.set(self.time.mono_ms.saturating_add(after_ms), due);
    }

    /// A host wanted to be woken now, unless it has changed its mind.
    pub(crate) fn wake_host(&mut self, domain: &str, wish: u64) {
        if self.host_wishes.0.get(domain) == Some(&wish) {
            self.host_wishes.0.remove(domain);
            self.host_wakes(domain);
        }
    }

    fn host_wakes(&mut self, domain: &str) {
        let cause = self.new_cause();
        self.host_turn(domain, None, cause, None, |kernel, turn| kernel.host_woken(turn));
    }
}
