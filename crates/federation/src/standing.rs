//! How things stand with other servers, for operators: lanes and streams are asked, failures are remembered.
//!
//! Not here: trying a domain anew (`trial.rs`), words for people (`advice.rs`).

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::attempt::{Attempt, Seen};
use crate::counters::Failure;
use crate::courier::{Command, Courier, Word};
use crate::limits;
use crate::shared::Shared;

/// One domain.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What goes to it, for each domain of ours.
    pub lanes: Vec<LaneStanding>,
    /// Open streams with it.
    pub streams: Vec<StreamStanding>,
    /// The last attempt to reach it that failed.
    pub failed: Option<Attempt>,
}

/// What goes from one of our domains to another.
#[derive(Clone, Debug)]
pub struct LaneStanding {
    /// The domain of ours.
    pub local: String,
    /// Stanzas that wait for a stream.
    pub waiting: usize,
    /// How long the oldest of them has.
    pub oldest: Option<Duration>,
    /// Whether a stream takes them.
    pub connected: bool,
    /// Whether one is being opened.
    pub trying: bool,
    /// There is no attempt before that.
    pub retry_in: Option<Duration>,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// Why the last one did.
    pub failed: Option<Failure>,
}

/// One open stream.
#[derive(Clone, Debug)]
pub struct StreamStanding {
    /// Whether the other server has opened it.
    pub incoming: bool,
    /// Whether TLS came first.
    pub direct_tls: bool,
    /// Where the other server is.
    pub address: Option<SocketAddr>,
    /// How long it has been open.
    pub age: Duration,
    /// Incoming: whether it takes our stanzas, too (XEP-0288).
    pub both_ways: bool,
    /// Stanzas of ours that it has not acknowledged.
    pub unacknowledged: usize,
    /// TLS, certificate, authentication.
    pub seen: Seen,
}

/// What a lane tells.
pub(crate) struct Told {
    pub(crate) link: Option<Courier>,
    pub(crate) standing: LaneStanding,
}

/// The last failure of each of the domains that failed last.
#[derive(Default)]
pub(crate) struct Recent(Mutex<HashMap<String, Attempt>>);

impl Recent {
    /// Remembers one; the oldest makes room for it.
    pub(crate) fn put(&self, domain: &str, attempt: Attempt) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= limits::RECENT_MAX && !all.contains_key(domain) {
            let oldest =
                all.iter().min_by_key(|(_, attempt)| attempt.at_ms).map(|(domain, _)| domain.clone());
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        all.insert(domain.to_owned(), attempt);
    }

    fn of(&self, domain: &str) -> Option<Attempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
    }

    fn domains(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// Asks all, or those of one domain. Who does not answer in time is left out.
pub(crate) async fn ask(shared: &Shared, of: Option<&str>) -> BTreeMap<String, Standing> {
    let mut found: BTreeMap<String, Standing> = BTreeMap::new();
    let mut couriers: BTreeMap<u64, (String, Courier)> = BTreeMap::new();
    let visitors = shared.visitors(of).into_iter();
    couriers.extend(visitors.map(|(pair, one)| (one.id, (pair.remote.as_str().to_owned(), one))));
    let lanes = shared
        .lanes(of)
        .into_iter()
        .map(|(pair, lane)| answer(pair, move |reply| lane.send(Word::Tell(reply)).is_ok()));
    for (pair, told) in futures_util::future::join_all(lanes).await {
        let Some(Told { link, standing }) = told else { continue };
        let domain = pair.remote.as_str();
        couriers.extend(link.map(|link| (link.id, (domain.to_owned(), link))));
        found.entry(domain.to_owned()).or_default().lanes.push(standing);
    }
    let streams = couriers
        .into_values()
        .map(|(domain, courier)| answer(domain, move |reply| courier.to.send(Command::Tell(reply)).is_ok()));
    for (domain, told) in futures_util::future::join_all(streams).await {
        found.entry(domain).or_default().streams.extend(told);
    }
    let known: Vec<String> = match of {
        Some(domain) => vec![domain.to_owned()],
        None => shared.recent.domains(),
    };
    for domain in known {
        if let Some(attempt) = shared.recent.of(&domain) {
            found.entry(domain).or_default().failed = Some(attempt);
        }
    }
    found
}

/// What comes back for that, in time.
async fn answer<K, T>(key: K, ask: impl FnOnce(oneshot::Sender<T>) -> bool) -> (K, Option<T>) {
    let (tx, rx) = oneshot::channel();
    if !ask(tx) {
        return (key, None);
    }
    let told = tokio::time::timeout(limits::TELL, rx).await;
    (key, told.ok().and_then(Result::ok))
}
