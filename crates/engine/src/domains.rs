//! Domains that come and go while the server runs.
//!
//! RFC 6120 section 4.9.3.6 (`host-gone`)
//!
//! Not here: what is stored of a domain (it stays), streams that have no session yet (net), other servers (federation).

use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Host, HostFacts, Service};
use model::link::{Bind, Down};
use stanza::{Condition, StreamCondition, StreamError};

use crate::engine::Engine;

/// Why sessions of a domain end that is served no longer.
fn host_gone() -> StreamError {
    StreamError::new(StreamCondition::HostGone, "this domain is not served here any more")
}

impl Engine {
    /// From now on there are accounts of this domain, and these services. One that is there already hears its facts.
    pub(crate) fn host_added(
        &mut self,
        domain: &Jid,
        facts: Arc<HostFacts>,
        services: Vec<Arc<dyn Service>>,
    ) {
        if self.hosts.contains_key(domain.as_str()) {
            return self.facts_changed(domain, facts);
        }
        // What is in memory under such an address was nobody's, and is read anew.
        self.leave_domain(domain.as_str());
        // A domain of accounts has precedence over a service of that name.
        self.leave_service(domain.as_str());
        self.services.remove(domain.as_str());
        let busy = !facts.safety.lists.is_empty();
        self.hosts.insert(domain.as_str().to_owned(), Host::new(domain.clone(), facts));
        for service in services {
            self.services.insert(service.domain().as_str().to_owned(), service);
        }
        if busy {
            self.wake_host_in(domain.as_str(), 0);
        }
    }

    /// A domain is served no longer, nor are these services of it. Everybody who is connected is told, and so is who is
    /// in their places. What is stored stays.
    pub(crate) fn host_removed(&mut self, domain: &Jid, services: &[Jid]) {
        if !self.hosts.contains_key(domain.as_str()) {
            return;
        }
        for service in services {
            self.leave_service(service.as_str());
        }
        self.leave_domain(domain.as_str());
        // Contacts and occupants within the domain still hear of it.
        self.work_off();
        self.hosts.remove(domain.as_str());
        self.hosts_busy.remove(domain);
        self.host_wishes.0.remove(domain.as_str());
        for service in services {
            self.services.remove(service.as_str());
            self.leave_service(service.as_str());
        }
        self.leave_domain(domain.as_str());
    }

    /// Nobody binds at a domain that is not served. Whether that was so.
    pub(crate) fn refused_for_domain(&self, bind: &Bind) -> bool {
        let gone = !self.hosts.contains_key(bind.account.domain());
        if gone {
            bind.link.send(Down::Bound(Err(Condition::NotAllowed.into())));
            bind.link.send(Down::Close(Some(host_gone())));
        }
        gone
    }

    fn leave_domain(&mut self, domain: &str) {
        let own = self.accounts.keys().filter(|account| account.domain() == domain);
        let mut own: Vec<Bare> = own.cloned().collect();
        // What is in a hash map has no order of its own, and the same inputs shall have the same outputs.
        own.sort();
        own.iter().for_each(|account| self.drop_account(account, &host_gone()));
    }

    fn leave_service(&mut self, domain: &str) {
        let places = self.spots.of_domain(domain);
        places.iter().for_each(|place| self.drop_spot(place));
    }
}
