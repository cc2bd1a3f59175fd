//! When push services are told: one thing at a time for each registration, and again what a service had no room for.
//!
//! XEP-0357 0.4.1 section 7
//!
//! Not here: what they are told (`publish.rs`), to whom (`mod.rs`).

use kernel::{Account, Turn};
use stanza::{Condition, IqType, Kind, Stanza, ns};

use super::publish::Summary;
use super::registration::Registration;
use super::worth::Weight;
use super::{Push, registrations};

/// How long a push service may take to answer before it is told the next thing all the same, in milliseconds.
const ANSWER_MS_MAX: u64 = 60_000;
/// After so many failures in a row, which might pass, a registration ends.
const FAILURES_MAX: u32 = 10;
/// After which time a service that has no room (`resource-constraint`) is told again, in milliseconds; twice as much after
/// each further time.
const AGAIN_MS: u64 = 5_000;
/// After so many times in a row what it is to be told is given up: a service that never has room shall not keep an account
/// in memory for ever. What comes next is told as ever.
const CROWDED_MAX: u32 = 20;
/// The longest of these times.
const AGAIN_MS_MAX: u64 = 640_000;

/// How a registration is served: one notification on its way, and the last that came meanwhile.
#[derive(Default)]
pub(super) struct Pace {
    /// Messages of which the client was told and that it has not come for.
    pub(super) count: u64,
    way: Option<OnItsWay>,
    next: Option<Summary>,
    failures: u32,
    /// How often in a row there was no room for it.
    crowded: u32,
    /// When what is next is told, in Unix milliseconds, if nothing else happens before.
    again_ms: Option<u64>,
}

/// What a service was told and has not answered.
struct OnItsWay {
    id: String,
    /// Since when, in Unix milliseconds.
    since: u64,
    weight: Weight,
    /// What it was told; `None`: the client has come since.
    summary: Option<Summary>,
}

impl Pace {
    /// Whether this is the name of what is on its way.
    pub(super) fn waits_for(&self, id: Option<&str>) -> bool {
        self.way.as_ref().is_some_and(|way| Some(&way.id[..]) == id)
    }

    /// The client is there, and has what it was told of.
    pub(super) fn reset(&mut self) {
        self.count = 0;
        self.next = None;
        self.again_ms = None;
        if let Some(way) = &mut self.way {
            way.summary = None;
        }
    }

    /// There was no room for what was on its way: it is told again, or what has taken its place.
    fn later(&mut self, turn: &Turn<'_, Account>, lost: Option<Summary>) {
        if self.crowded >= CROWDED_MAX {
            // What came meanwhile, if anything did, has not been told so often.
            self.crowded = 0;
        } else if let Some(lost) =
            lost.filter(|lost| self.next.as_ref().is_none_or(|next| next.weight < lost.weight))
        {
            self.next = Some(lost);
        }
        if self.next.is_some() {
            let pause = (AGAIN_MS << self.crowded.min(16)).min(AGAIN_MS_MAX);
            // Those that were told at once shall not come back at once.
            self.again_ms = Some(turn.now.unix_ms + pause + turn.id % pause);
            self.crowded += 1;
        }
    }
}

impl Push {
    /// Tells the service of so many more messages now, or when it has answered.
    pub(super) fn pace(
        &self,
        turn: &mut Turn<'_, Account>,
        registration: &mut Registration,
        at: usize,
        summary: Summary,
        more: u64,
    ) {
        registration.pace.count += more;
        let now = turn.now.unix_ms;
        let waits = |way: &OnItsWay| {
            let recent = now.checked_sub(way.since).is_some_and(|passed| passed < ANSWER_MS_MAX);
            // Who calls does not wait behind what was said.
            recent && (summary.weight < Weight::Call || way.weight == Weight::Call)
        };
        match &registration.pace.way {
            Some(way) if waits(way) => {
                let pace = &mut registration.pace;
                if pace.next.as_ref().is_none_or(|next| next.weight <= summary.weight) {
                    pace.next = Some(summary);
                }
            }
            _ => self.send(turn, registration, at, summary),
        }
    }

    fn send(
        &self,
        turn: &mut Turn<'_, Account>,
        registration: &mut Registration,
        at: usize,
        summary: Summary,
    ) {
        let Some(payload) = self.write(turn.place, registration, &summary) else { return };
        // Unique: the turn's own number, and which of its notifications.
        let id = format!("push-{}-{at}", turn.id);
        turn.fx.route(Stanza::iq_set(&id, payload).from(turn.place.jid.jid()).to(&registration.jid));
        let (since, weight) = (turn.now.unix_ms, summary.weight);
        registration.pace.way = Some(OnItsWay { id, since, weight, summary: Some(summary) });
        registration.pace.next = None;
        registration.pace.again_ms = None;
    }

    /// The service has answered what was on its way. Whether the registration is over.
    pub(super) fn take_answer(
        &self,
        turn: &mut Turn<'_, Account>,
        registration: &mut Registration,
        at: usize,
        answer: &Stanza,
    ) -> bool {
        let told = registration.pace.way.take().and_then(|way| way.summary);
        if answer.kind == Kind::Iq(IqType::Result) {
            (registration.pace.failures, registration.pace.crowded) = (0, 0);
        } else {
            let (condition, lasting) = failure(answer);
            // Who is busy for a while has not failed.
            let crowded = condition == Condition::ResourceConstraint.name() && !lasting;
            registration.pace.failures += u32::from(!crowded);
            let over = lasting || registration.pace.failures >= FAILURES_MAX;
            let (account, service) = (&turn.place.jid, &registration.jid);
            if over {
                tracing::info!(%account, %service, condition, "a push service refuses: the registration is ended");
                return true;
            }
            tracing::debug!(%account, %service, condition, "a push service failed");
            if crowded {
                registration.pace.later(turn, told);
                return false;
            }
        }
        if let Some(next) = registration.pace.next.take() {
            self.send(turn, registration, at, next);
        }
        false
    }

    /// Tells again what there was no room for, as far as it is time.
    pub(super) fn again(&self, turn: &mut Turn<'_, Account>) {
        let mut known = std::mem::take(registrations(turn));
        for (at, registration) in known.0.iter_mut().enumerate() {
            let (pace, now) = (&mut registration.pace, turn.now.unix_ms);
            if pace.again_ms.take_if(|at| *at <= now).is_some()
                && let Some(next) = pace.next.take()
            {
                self.send(turn, registration, at, next);
            }
        }
        *registrations(turn) = known;
        alarm(turn);
    }
}

/// Wants to be woken when the next service is to be told again.
pub(super) fn alarm(turn: &mut Turn<'_, Account>) {
    if let Some(at) = registrations(turn).0.iter().filter_map(|own| own.pace.again_ms).min() {
        turn.fx.wake(at.saturating_sub(turn.now.unix_ms));
    }
}

/// What a service says went wrong, and whether that will stay so (section 7.1).
fn failure(answer: &Stanza) -> (&'static str, bool) {
    let known = || {
        let error = answer.payload.child("error", ns::CLIENT)?;
        let tree = error.tree().ok()?;
        let error = tree.root()?;
        let mut conditions = error.children().filter(|child| child.ns() == ns::STANZAS);
        let condition = conditions.find_map(|child| Condition::parse(child.name()))?;
        Some((condition, error.attr("type").as_deref() == Some("wait")))
    };
    // Without a word of why, it may pass.
    let Some((condition, wait)) = known() else { return ("none", false) };
    use Condition::{
        InternalServerError, RecipientUnavailable, RemoteServerNotFound, RemoteServerTimeout,
        ResourceConstraint, ServiceUnavailable,
    };
    let passing = [
        InternalServerError,
        RecipientUnavailable,
        RemoteServerNotFound,
        RemoteServerTimeout,
        ResourceConstraint,
        ServiceUnavailable,
    ];
    (condition.name(), !wait && !passing.contains(&condition))
}
