//! What the operator decides about other servers.
//!
//! RFC 7590 (what is required by default)
//!
//! Not here: where the values come from (config), what one stream does with them (s2s).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use s2s::{Domains, Policy};

/// All of it. A reload replaces it; streams that are open keep what they began with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For streams.
    pub stream: Arc<s2s::Settings>,
    /// Who may be talked with, and how. The same as in `stream`.
    pub rules: Arc<Rules>,
    /// Whether connections to addresses that are not public may be opened: loopback, private networks.
    pub private_addresses: bool,
    /// How long a message waits for a domain that cannot be reached.
    pub give_up: Duration,
}

/// Which domains are ours, and what is wanted of others. A rule for a domain holds for those below it, too, unless they
/// have one.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Domains of accounts and services here, prepared.
    pub ours: HashSet<String>,
    /// For all that are not in `domains`.
    pub policy: Policy,
    /// What differs for some.
    pub domains: HashMap<String, Policy>,
    /// If there are any, only these are talked with.
    pub allowed: HashSet<String>,
    /// These are not talked with.
    pub blocked: HashSet<String>,
    /// Nor with these.
    pub barred: Barred,
}

/// Domains that the operator blocks by command, not in the configuration. All that are cloned from one are the same.
#[derive(Clone, Debug, Default)]
pub struct Barred(Arc<RwLock<BTreeSet<String>>>);

impl Barred {
    /// Domains, prepared.
    pub fn new(domains: impl IntoIterator<Item = String>) -> Barred {
        Barred(Arc::new(RwLock::new(domains.into_iter().collect())))
    }

    /// Adds or removes one.
    pub fn set(&self, domain: &str, barred: bool) {
        let mut domains = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match barred {
            true => domains.insert(domain.to_owned()),
            false => domains.remove(domain),
        };
    }

    /// All of them.
    pub fn all(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The one that holds for a domain, if there is any: itself or one above it.
    pub fn of<'a>(&self, domain: &'a str) -> Option<&'a str> {
        let domains = self.0.read().unwrap_or_else(PoisonError::into_inner);
        upwards(domain).find(|domain| domains.contains(*domain))
    }
}

impl Rules {
    /// Whether the configuration lets us talk with a domain.
    pub fn configured(&self, domain: &str) -> bool {
        let listed = |list: &HashSet<String>| upwards(domain).any(|domain| list.contains(domain));
        (self.allowed.is_empty() || listed(&self.allowed)) && !listed(&self.blocked)
    }

    /// What is wanted of a domain.
    pub fn of(&self, domain: &str) -> Policy {
        let policy = upwards(domain).find_map(|domain| self.domains.get(domain)).copied();
        let allowed = self.configured(domain) && self.barred.of(domain).is_none();
        let policy = policy.unwrap_or(self.policy);
        Policy { allowed: policy.allowed && allowed, ..policy }
    }
}

impl Domains for Rules {
    fn serves(&self, domain: &str) -> bool {
        self.ours.contains(domain)
    }

    fn policy(&self, _: &str, remote: Option<&str>) -> Policy {
        match remote {
            Some(remote) => self.of(remote),
            // Not known yet: what all that could come have in common.
            None => {
                let all = || self.domains.values().chain([&self.policy]);
                Policy {
                    allowed: true,
                    require_tls: all().all(|policy| policy.require_tls),
                    require_certificate: all().all(|policy| policy.require_certificate),
                }
            }
        }
    }
}

impl Settings {
    /// The defaults: TLS and certificates are required, only public addresses are connected to.
    pub fn new(rules: Rules) -> Settings {
        let rules = Arc::new(rules);
        Settings {
            stream: Arc::new(s2s::Settings::new(rules.clone())),
            rules,
            private_addresses: false,
            give_up: Duration::from_secs(300),
        }
    }
}

/// The domain, and those that it is below of.
fn upwards(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, parent)| parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_downwards() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
        let lax = Policy { require_certificate: false, ..Policy::default() };
        let rules = Rules {
            domains: HashMap::from([("old.example".to_owned(), lax)]),
            blocked: set(&["bad.example"]),
            ..Rules::default()
        };
        for (domain, want) in [
            ("a.example", Policy::default()),
            ("old.example", lax),
            ("conference.old.example", lax),
            ("notold.example", Policy::default()),
            ("bad.example", Policy { allowed: false, ..Policy::default() }),
            ("x.bad.example", Policy { allowed: false, ..Policy::default() }),
        ] {
            assert_eq!(rules.of(domain), want, "{domain}");
        }
        assert_eq!(rules.policy("ours.example", None), lax);
        rules.barred.set("a.example", true);
        assert!(!rules.clone().of("x.a.example").allowed && rules.configured("x.a.example"));
        rules.barred.set("a.example", false);
        assert!(rules.of("x.a.example").allowed);
        let only = Rules { allowed: set(&["a.example"]), ..rules };
        assert!(only.of("a.example").allowed && !only.of("b.example").allowed);
    }
}
