//! Tries a domain for an operator: every address that DNS has for it, each with a connection of its own, which ends when
//! it is clear whether stanzas could go.
//!
//! RFC 6120 section 3.2
//!
//! Not here: streams for stanzas (`dial.rs`), words for people (`advice.rs`).

use std::sync::Arc;

use futures_util::StreamExt;
use s2s::{Pair, Purpose};

use crate::attempt::{Attempt, Tried};
use crate::carrier::{Carrier, Side};
use crate::connect::{self, Endpoint};
use crate::counters::Failure;
use crate::dial::{self, Found};
use crate::limits;
use crate::shared::Shared;
use crate::wire::Wire;

/// Tries it. `None`: too much is tried already.
pub(crate) async fn run(shared: &Arc<Shared>, pair: &Pair) -> Option<Attempt> {
    let _permit = shared.trials.try_acquire().ok()?;
    let mut found = Found::default();
    // Each step has a limit of its own; this one is for all of them together.
    let outcome = tokio::time::timeout(limits::TRIAL, all(shared, pair, &mut found)).await;
    Some(found.into_attempt(outcome.unwrap_or(Err(Failure::Unreachable))))
}

async fn all(shared: &Arc<Shared>, pair: &Pair, found: &mut Found) -> Result<(), Failure> {
    if !shared.settings.now().rules.of(pair.remote.as_str()).allowed {
        return Err(Failure::Blocked);
    }
    let endpoints = dial::find(shared, pair.remote.as_str(), &mut found.notes).await?;
    let mut trials = futures_util::stream::iter(endpoints.into_left())
        .map(|endpoint| one(shared.clone(), pair.clone(), endpoint))
        .buffered(limits::TRIAL_ADDRESSES_MAX);
    let mut outcome = Err(Failure::Unreachable);
    while let Some((tried, why)) = trials.next().await {
        found.tried.push(tried);
        outcome = match (outcome, why) {
            (Ok(()), _) | (_, Ok(())) => Ok(()),
            // What says more than that nobody was there.
            (worst, Err(Failure::Unreachable)) => worst,
            (_, Err(why)) => Err(why),
        };
    }
    outcome
}

async fn one(shared: Arc<Shared>, pair: Pair, endpoint: Endpoint) -> (Tried, Result<(), Failure>) {
    let Endpoint { address, direct_tls } = endpoint;
    let lost = |why: String| (Tried::unconnected(address, direct_tls, why), Err(Failure::Unreachable));
    let tcp = match connect::open(endpoint).await.1 {
        Ok(tcp) => tcp,
        Err(error) => return lost(error.to_string()),
    };
    let side = Side::Out { pair: pair.clone(), direct_tls };
    let stream = dial::open(&shared, &pair, Purpose::Stanzas, &endpoint, None);
    let wire = Wire::new(tcp, Vec::new());
    let Some(mut carrier) = stream.and_then(|stream| Carrier::new(shared, stream, wire, side)) else {
        return lost("there are too many streams already".to_owned());
    };
    carrier.trial = true;
    let finish = Box::pin(carrier.run()).await;
    let outcome = match finish.was_up {
        true => Ok(()),
        false => Err(dial::failure(&finish.why, finish.refusal)),
    };
    (dial::tried(endpoint, finish), outcome)
}
