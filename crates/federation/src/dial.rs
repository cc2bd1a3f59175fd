//! Opens a stream to another server, and carries it until it ends.
//!
//! RFC 6120 section 3.2, XEP-0220 1.1.1 section 2.1.2 (streams that only verify)
//!
//! Not here: when (`lane.rs`), what is said on it (s2s).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use s2s::{Connect, End, Pair, Purpose, Refusal, Resumption, Stream, Verdict, Verification};
use stanza::{Condition, StreamCondition};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::attempt::{Attempt, Notes, Noting, Tried};
use crate::carrier::{Carrier, Finish, Side};
use crate::connect::{Endpoint, Endpoints, Unreachable};
use crate::counters::Failure;
use crate::courier::{Command, Kept, Word};
use crate::limits;
use crate::resolve::Resolve;
use crate::shared::Shared;
use crate::targets::{self, NoTarget};
use crate::wire::Wire;

/// Opens a stream for a pair, and carries it. The lane hears of everything.
pub(crate) async fn run(shared: Arc<Shared>, pair: Pair, mut kept: Option<Box<Kept>>) {
    let mut found = Found::default();
    let outcome = attempt(&shared, &pair, &mut kept, &mut found).await;
    if outcome.is_err() {
        shared.recent.put(pair.remote.as_str(), found.into_attempt(outcome));
    }
    if let Some(kept) = kept {
        shared.again(kept.in_flight.into_values()).await;
    }
    shared.tell(&pair, Word::Dialled(outcome));
}

/// What is found out on the way.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) notes: Notes,
    pub(crate) tried: Vec<Tried>,
}

impl Found {
    /// All of it, in the end.
    pub(crate) fn into_attempt(self, outcome: Result<(), Failure>) -> Attempt {
        let Notes { srv, hosts } = self.notes;
        Attempt { at_ms: unix_ms(), srv, hosts, tried: self.tried, outcome }
    }

    fn unconnected(&mut self, endpoints: &mut Endpoints) {
        let failed = std::mem::take(&mut endpoints.failed).into_iter();
        self.tried.extend(failed.map(|(end, why)| Tried::unconnected(end.address, end.direct_tls, why)));
    }
}

/// What one connection came to.
pub(crate) fn tried(endpoint: Endpoint, finish: Finish) -> Tried {
    let Endpoint { address, direct_tls } = endpoint;
    let Finish { why, refusal, was_up, seen } = finish;
    Tried { address, direct_tls, unconnected: None, seen, up: was_up, why: Some(why), refusal }
}

async fn attempt(
    shared: &Arc<Shared>,
    pair: &Pair,
    kept: &mut Option<Box<Kept>>,
    found: &mut Found,
) -> Result<(), Failure> {
    if !shared.settings.now().rules.of(pair.remote.as_str()).allowed {
        return Err(Failure::Blocked);
    }
    let mut endpoints = find(shared, pair.remote.as_str(), &mut found.notes).await?;
    let mut worst = Failure::Unreachable;
    loop {
        let connected = next(shared, &mut endpoints).await;
        found.unconnected(&mut endpoints);
        let Ok((tcp, endpoint)) = connected else { return Err(worst) };
        let side = Side::Out { pair: pair.clone(), direct_tls: endpoint.direct_tls };
        // Only the first one tries to resume: after that, what was in flight is sent anew.
        let (resume, left) = match kept.take().map(|kept| *kept) {
            Some(Kept { resumption, in_flight, ledger }) => (Some(resumption), Some((in_flight, ledger))),
            None => (None, None),
        };
        let stream = open(shared, pair, Purpose::Stanzas, &endpoint, resume);
        let Some(mut carrier) =
            stream.and_then(|stream| Carrier::new(shared.clone(), stream, Wire::new(tcp, Vec::new()), side))
        else {
            let in_flight = left.map(|(in_flight, _)| in_flight).unwrap_or_default();
            shared.again(in_flight.into_values()).await;
            return Err(worst);
        };
        if let Some((in_flight, ledger)) = left {
            carrier.inherit(in_flight, ledger);
        }
        let ended = Box::pin(carrier.run()).await;
        if ended.was_up {
            return Ok(());
        }
        match failure(&ended.why, ended.refusal) {
            Failure::Unreachable => {}
            why => worst = why,
        }
        tracing::debug!(remote = pair.remote.as_str(), address = %endpoint.address, "no stream: {:?}", ended.why);
        found.tried.push(tried(endpoint, ended));
    }
}

/// Where a domain's servers are.
pub(crate) async fn find(shared: &Shared, remote: &str, notes: &mut Notes) -> Result<Endpoints, Failure> {
    let resolver = Noting::new(&*shared.resolver);
    let found = places(shared, &resolver, remote).await;
    *notes = resolver.into_notes();
    found
}

async fn places(shared: &Shared, resolver: &dyn Resolve, remote: &str) -> Result<Endpoints, Failure> {
    let found = tokio::time::timeout(limits::DIAL, async {
        let mut lots = |sum| random(sum);
        let targets = targets::find(resolver, remote, &mut lots).await.map_err(|why| match why {
            NoTarget::NoDomain | NoTarget::NoService => Failure::NotFound,
            NoTarget::Unanswered => Failure::Unreachable,
        })?;
        let private = shared.settings.now().private_addresses;
        Endpoints::find(resolver, &targets, private).await.map_err(|why| match why {
            Unreachable::NoAddress => Failure::NotFound,
            Unreachable::Forbidden => Failure::Forbidden,
            Unreachable::Unanswered | Unreachable::NoConnection => Failure::Unreachable,
        })
    });
    found.await.unwrap_or(Err(Failure::Unreachable))
}

async fn next(shared: &Shared, endpoints: &mut Endpoints) -> Result<(TcpStream, Endpoint), Unreachable> {
    // Never closed. Who waits for his turn has not been tried yet, so the time does not run.
    let _permit = shared.dials.acquire().await.map_err(|_| Unreachable::NoConnection)?;
    tokio::time::timeout(limits::DIAL, endpoints.next()).await.unwrap_or(Err(Unreachable::NoConnection))
}

pub(crate) fn open(
    shared: &Shared,
    pair: &Pair,
    purpose: Purpose,
    endpoint: &Endpoint,
    resume: Option<Box<Resumption>>,
) -> Option<Stream> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).ok()?;
    let connect = Connect { pair: pair.clone(), purpose, direct_tls: endpoint.direct_tls, resume, seed };
    Some(Stream::outgoing(shared.settings.now().stream.clone(), connect, now()))
}

/// The clock of the streams.
pub(crate) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

/// The clock of operators.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A number from 0 up to and including `most`.
fn random(most: u32) -> u32 {
    let mut bytes = [0; 8];
    // Without random numbers the first one is always taken.
    let _ = getrandom::fill(&mut bytes);
    (u64::from_le_bytes(bytes) % (u64::from(most) + 1)) as u32
}

/// What the end of a stream says of its domain.
pub(crate) fn failure(why: &End, refusal: Option<Refusal>) -> Failure {
    match (why, refusal) {
        (_, Some(Refusal::Certificate)) | (End::Certificate, _) => Failure::Certificate,
        (_, Some(Refusal::Timeout)) => Failure::Unreachable,
        (_, Some(_)) | (End::NotAuthenticated(_), _) => Failure::NotAuthenticated,
        (End::NoTls, _) => Failure::NoTls,
        (End::PeerError { condition, .. }, _) => match condition {
            // DNS leads to a server that is not this domain's.
            StreamCondition::HostUnknown | StreamCondition::HostGone => Failure::NotFound,
            StreamCondition::NotAuthorized
            | StreamCondition::PolicyViolation
            | StreamCondition::InvalidFrom => Failure::NotAuthenticated,
            _ => Failure::Unreachable,
        },
        _ => Failure::Unreachable,
    }
}

/// Asks the authoritative server of a domain about a key, on a connection of its own.
pub(crate) async fn verify(shared: Arc<Shared>, verification: Verification) -> Verdict {
    let pair = verification.pair.clone();
    if !verification.dial {
        return Verdict::Failed(Condition::NotAuthorized);
    }
    let found = find(&shared, pair.remote.as_str(), &mut Notes::default()).await;
    let Ok(mut endpoints) = found else {
        return Verdict::Failed(match found {
            Err(Failure::NotFound | Failure::Forbidden) => Condition::RemoteServerNotFound,
            _ => Condition::RemoteServerTimeout,
        });
    };
    while let Ok((tcp, endpoint)) = next(&shared, &mut endpoints).await {
        let stream = open(&shared, &pair, Purpose::Verify, &endpoint, None);
        let side = Side::Out { pair: pair.clone(), direct_tls: endpoint.direct_tls };
        let Some(carrier) =
            stream.and_then(|stream| Carrier::new(shared.clone(), stream, Wire::new(tcp, Vec::new()), side))
        else {
            break;
        };
        let (tx, rx) = oneshot::channel();
        let _ = carrier.courier().to.send(Command::Verify(verification.clone(), tx));
        let task = tokio::spawn(Box::pin(carrier.run()));
        let verdict = rx.await;
        // The stream closes itself a little later; who is answered need not wait for that.
        drop(task);
        match verdict {
            Ok(Verdict::Failed(_)) | Err(_) => {}
            Ok(verdict) => return verdict,
        }
    }
    Verdict::Failed(Condition::RemoteServerTimeout)
}
