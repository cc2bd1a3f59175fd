//! How things stand with other servers, as operators are told: for people and for programs.
//!
//! Not here: the command line (`s2s.rs`), finding it out and what it means (federation).

use std::sync::Arc;

use admin::{Failure, FailureKind, Servers};
use federation::{
    Attempt, Federation, LaneStanding, Rules, Seen, Standing, StreamStanding, Tried, Unanswered, advice,
    step, why,
};
use s2s::Pair;
use serde_json::{Value, json};
use stanza::when;
use store::BoxFuture;

/// Federation, as commands see it.
struct Told(Federation);

/// The same, if there is any.
pub(crate) fn told(federation: Option<&Federation>) -> Option<Arc<dyn Servers>> {
    federation.map(|federation| Arc::new(Told(federation.clone())) as _)
}

impl Servers for Told {
    fn list(&self) -> BoxFuture<'_, Value> {
        Box::pin(async {
            let rules = self.0.rules();
            let mut found = self.0.standing(None).await;
            for domain in rules.barred.all() {
                found.entry(domain).or_default();
            }
            found.iter().map(|(domain, standing)| row(domain, standing, &rules)).collect()
        })
    }

    fn show<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Value> {
        Box::pin(async move {
            let standing = self.0.standing(Some(domain)).await.remove(domain).unwrap_or_default();
            let rules = self.0.rules();
            let mut all = row(domain, &standing, &rules);
            let policy = rules.of(domain);
            all["requires"] = json!({ "tls": policy.require_tls, "certificate": policy.require_certificate });
            all["pairs"] = standing.lanes.iter().map(lane).collect();
            all["streams"] = standing.streams.iter().map(stream).collect();
            all["last_failure"] =
                standing.failed.as_ref().map_or(Value::Null, |one| attempt(domain, one, &rules));
            all["advice"] = said(domain, &standing, &rules).into();
            all
        })
    }

    fn test<'a>(&'a self, local: &'a str, domain: &'a str) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let parsed = address::Bare::parse(local).ok().zip(address::Bare::parse(domain).ok());
            let found = match parsed {
                Some((local, remote)) => self.0.test(&Pair { local, remote }).await,
                None => None,
            };
            let busy = || {
                Failure::new(FailureKind::Refused, "other domains are being tested; try again in a minute")
            };
            let mut all = attempt(domain, &found.ok_or_else(busy)?, &self.0.rules());
            (all["domain"], all["from"]) = (domain.into(), local.into());
            Ok(all)
        })
    }

    fn bar(&self, domain: &str, barred: bool) {
        self.0.barred().set(domain, barred);
        self.0.enforce();
    }

    fn configured(&self, domain: &str) -> bool {
        self.0.rules().configured(domain)
    }
}

/// In a few words.
fn state(domain: &str, standing: &Standing, rules: &Rules) -> &'static str {
    let lanes = &standing.lanes;
    match () {
        () if !rules.of(domain).allowed => "blocked",
        () if lanes.iter().any(|lane| lane.connected) => "connected",
        () if !standing.streams.is_empty() => "connected to us",
        () if lanes.iter().any(|lane| lane.trying) => "connecting",
        () if lanes.iter().any(|lane| lane.failed.is_some()) => "failing",
        () if standing.failed.is_some() => "failed",
        () => "idle",
    }
}

fn row(domain: &str, standing: &Standing, rules: &Rules) -> Value {
    let blocked = match (rules.barred.of(domain), rules.configured(domain)) {
        (Some(_), _) => Some("command"),
        (None, false) => Some("configuration"),
        (None, true) => None,
    };
    let lanes = &standing.lanes;
    let waiting: usize = lanes.iter().map(|lane| lane.waiting).sum();
    let unacknowledged: usize = standing.streams.iter().map(|stream| stream.unacknowledged).sum();
    let incoming = standing.streams.iter().filter(|stream| stream.incoming).count();
    let oldest = lanes.iter().filter_map(|lane| lane.oldest).max();
    let retry = lanes.iter().filter_map(|lane| lane.retry_in).min();
    let error = standing.failed.as_ref().and_then(|failed| failed.outcome.err());
    json!({
        "domain": domain,
        "state": state(domain, standing, rules),
        "blocked_by": blocked,
        "out": standing.streams.len() - incoming,
        "in": incoming,
        "waiting": waiting,
        "oldest_seconds": oldest.map(|age| age.as_secs()),
        "unacknowledged": unacknowledged,
        "retry_in_seconds": retry.map(|left| left.as_secs()),
        "error": error.map(federation::Failure::name),
    })
}

fn lane(lane: &LaneStanding) -> Value {
    json!({
        "from": lane.local,
        "waiting": lane.waiting,
        "oldest_seconds": lane.oldest.map(|age| age.as_secs()),
        "connected": lane.connected,
        "connecting": lane.trying,
        "retry_in_seconds": lane.retry_in.map(|left| left.as_secs()),
        "failures": lane.failures,
        "error": lane.failed.map(federation::Failure::name),
    })
}

fn stream(stream: &StreamStanding) -> Value {
    let mut all = seen(&stream.seen);
    all["direction"] = match (stream.incoming, stream.both_ways) {
        (false, _) => "out",
        (true, false) => "in",
        (true, true) => "both",
    }
    .into();
    all["address"] = stream.address.map(|address| address.to_string()).into();
    all["direct_tls"] = stream.direct_tls.into();
    all["age_seconds"] = stream.age.as_secs().into();
    all["unacknowledged"] = stream.unacknowledged.into();
    all
}

fn seen(seen: &Seen) -> Value {
    let certificate = seen.certificate.as_ref().map(|shown| {
        json!({
            "names": shown.names,
            "issuer": shown.issuer,
            "self_made": shown.self_made,
            "expires": u64::try_from(shown.not_after).map(when::seconds).ok(),
        })
    });
    json!({
        "tls": seen.tls.as_ref().and_then(|tls| tls.as_ref().ok()),
        "certificate": certificate,
        "doubt": seen.doubt.map(federation::Doubt::name),
        "external": seen.external,
    })
}

/// What an attempt found out, and what to do.
fn attempt(domain: &str, attempt: &Attempt, rules: &Rules) -> Value {
    let failed = attempt.outcome.err();
    let srv = attempt.srv.iter().map(|(name, answer)| {
        let words = |srv: &federation::Srv| {
            let target = if srv.target.is_empty() { "." } else { &srv.target };
            format!("{} {} {} {target}", srv.priority, srv.weight, srv.port)
        };
        asked(name, answer, words)
    });
    let hosts = attempt.hosts.iter().map(|(name, answer)| asked(name, answer, ToString::to_string));
    json!({
        "at": when::seconds(attempt.at_ms / 1_000),
        "ok": failed.is_none(),
        "error": failed.map(federation::Failure::name),
        "why": failed.map(why),
        "srv": srv.collect::<Vec<_>>(),
        "hosts": hosts.collect::<Vec<_>>(),
        "tried": attempt.tried.iter().map(tried).collect::<Vec<_>>(),
        "advice": advice(domain, attempt, rules),
    })
}

fn asked<T>(name: &str, answer: &Result<Vec<T>, Unanswered>, words: impl Fn(&T) -> String) -> Value {
    let found = answer.as_ref().map(|all| all.iter().map(words).collect::<Vec<_>>());
    json!({ "name": name, "answered": answer.is_ok(), "found": found.unwrap_or_default() })
}

fn tried(tried: &Tried) -> Value {
    let mut all = seen(&tried.seen);
    all["address"] = tried.address.to_string().into();
    all["direct_tls"] = tried.direct_tls.into();
    all["connected"] = tried.unconnected.is_none().into();
    all["works"] = tried.up.into();
    all["result"] = step(tried).into();
    all
}

/// What to do now; what is over needs no advice.
fn said(domain: &str, standing: &Standing, rules: &Rules) -> Vec<String> {
    let blocked = !rules.of(domain).allowed;
    let now = Attempt {
        at_ms: 0,
        srv: Vec::new(),
        hosts: Vec::new(),
        tried: Vec::new(),
        outcome: Err(federation::Failure::Blocked),
    };
    match &standing.failed {
        _ if blocked => advice(domain, &now, rules),
        Some(failed) if !standing.lanes.iter().any(|lane| lane.connected) => advice(domain, failed, rules),
        _ => Vec::new(),
    }
}
