//! What push services are told, one thing at a time, and what becomes of their answers.
//!
//! XEP-0357 0.4.1 section 7
//!
//! Not here: to whom (`mod.rs`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use kernel::{Account, Turn};
use serde::Serialize;
use stanza::{Condition, IqType, Kind, Stanza, ns};
use xml::Writer;

use super::registration::Registration;
use super::worth::{Notice, Weight, beginning};
use super::{Content, Push};

/// How long a push service may take to answer before it is told the next thing all the same, in milliseconds.
const ANSWER_MS_MAX: u64 = 60_000;
/// After so many failures in a row, which might pass, a registration ends.
const FAILURES_MAX: u32 = 10;
/// What is said of a message whose content is nobody's business. Services take a text for a sign of urgency.
const NEW_MESSAGE: &str = "New message";

/// How a registration is served: one notification on its way, and the last that came meanwhile.
#[derive(Default)]
pub(super) struct Pace {
    /// Messages of which the client was told and that it has not come for.
    count: u64,
    way: Option<OnItsWay>,
    next: Option<Summary>,
    failures: u32,
}

/// What a service was told and has not answered.
struct OnItsWay {
    id: String,
    /// Since when, in Unix milliseconds.
    since: u64,
    weight: Weight,
}

/// What there is to say.
pub(super) struct Summary {
    weight: Weight,
    sender: Option<String>,
    body: Option<String>,
    /// What is sealed for the client, instead of all that.
    secret: Option<Secret>,
}

/// What is sealed for the client, as Tigase's clients read it.
#[derive(Serialize)]
struct Secret {
    unread: u64,
    sender: String,
    #[serde(rename = "type")]
    ty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    media: Vec<String>,
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
    }
}

impl Push {
    /// What the registration's service, or its client, shall learn.
    pub(super) fn summary(&self, registration: &Registration, notice: &Notice<'_>) -> Summary {
        let shown = |least| self.content >= least;
        let text = notice.body.as_deref().map(beginning);
        let secret = registration.key.is_some().then(|| {
            let call = notice.call();
            let (room, called) = (notice.is_groupchat(), notice.weight == Weight::Call);
            let sender = if called { notice.from.as_str() } else { notice.from.bare_str() };
            let (sid, media) = call.map_or((None, Vec::new()), |(sid, media)| (Some(sid), media));
            Secret {
                unread: 0,
                sender: sender.to_owned(),
                ty: if called {
                    "call"
                } else if room {
                    "groupchat"
                } else {
                    "chat"
                },
                nickname: notice.from.resource().filter(|_| room).map(str::to_owned),
                message: (!called).then(|| text.unwrap_or(NEW_MESSAGE).to_owned()),
                sid,
                media,
            }
        });
        Summary {
            weight: notice.weight,
            sender: shown(Content::Sender).then(|| notice.from.as_str().to_owned()),
            body: text.filter(|_| shown(Content::Body)).map(str::to_owned),
            secret,
        }
    }

    /// Section 7: the notification itself.
    fn write(&self, account: &Account, registration: &Registration, summary: &Summary) -> Option<Bytes> {
        let mut w = Writer::new(ns::CLIENT);
        w.open("pubsub", ns::PUBSUB)
            .open("publish", ns::PUBSUB)
            .attr_opt("node", registration.node.as_deref());
        w.open("item", ns::PUBSUB).open("notification", ns::PUSH);
        match registration.key.zip(summary.secret.as_ref()) {
            Some((key, secret)) => self.write_sealed(&mut w, &key, secret, registration.pace.count)?,
            None => write_summary(&mut w, account, summary, registration.pace.count),
        }
        if registration.priority {
            let level = if summary.weight >= Weight::Said { "high" } else { "low" };
            w.leaf("priority", ns::PUSH_PRIORITY, level);
        }
        w.close().close().close();
        if let Some(options) = &registration.options {
            w.open("publish-options", ns::PUBSUB).raw(options.as_bytes()).close();
        }
        w.close();
        Some(w.finish())
    }

    fn write_sealed(&self, w: &mut Writer, key: &[u8; 16], secret: &Secret, unread: u64) -> Option<()> {
        let mut plain = serde_json::to_value(secret).ok()?;
        plain["unread"] = unread.into();
        let (nonce, sealed) = self.seal.as_ref()?(key, plain.to_string().as_bytes())?;
        w.open("encrypted", ns::PUSH_ENCRYPT).attr("iv", BASE64_STANDARD.encode(nonce));
        // Telephones ring for this without asking what is in it.
        w.attr_opt("type", (secret.ty == "call").then_some("voip"));
        w.text(BASE64_STANDARD.encode(sealed)).close();
        Some(())
    }

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
            _ => self.send(turn, registration, at, &summary),
        }
    }

    fn send(
        &self,
        turn: &mut Turn<'_, Account>,
        registration: &mut Registration,
        at: usize,
        summary: &Summary,
    ) {
        let Some(payload) = self.write(turn.place, registration, summary) else { return };
        // Unique: the turn's own number, and which of its notifications.
        let id = format!("push-{}-{at}", turn.id);
        turn.fx.route(Stanza::iq_set(&id, payload).from(turn.place.jid.jid()).to(&registration.jid));
        registration.pace.way = Some(OnItsWay { id, since: turn.now.unix_ms, weight: summary.weight });
        registration.pace.next = None;
    }

    /// The service has answered what was on its way. Whether the registration is over.
    pub(super) fn take_answer(
        &self,
        turn: &mut Turn<'_, Account>,
        registration: &mut Registration,
        at: usize,
        answer: &Stanza,
    ) -> bool {
        registration.pace.way = None;
        match answer.kind == Kind::Iq(IqType::Result) {
            true => registration.pace.failures = 0,
            false => {
                let (condition, lasting) = failure(answer);
                // Who is busy for a while has not failed.
                registration.pace.failures += u32::from(condition != "resource-constraint");
                let over = lasting || registration.pace.failures >= FAILURES_MAX;
                let (account, service) = (&turn.place.jid, &registration.jid);
                if over {
                    tracing::info!(%account, %service, condition, "a push service refuses: the registration is ended");
                    return true;
                }
                tracing::debug!(%account, %service, condition, "a push service failed");
            }
        }
        if let Some(next) = registration.pace.next.take() {
            self.send(turn, registration, at, &next);
        }
        false
    }
}

fn write_summary(w: &mut Writer, account: &Account, summary: &Summary, count: u64) {
    let requests = account.roster.iter().filter(|(_, item)| item.request.is_some()).count();
    let said = (summary.weight >= Weight::Said).then(|| summary.body.as_deref().unwrap_or(NEW_MESSAGE));
    let fields = [
        ("FORM_TYPE", Some(ns::PUSH_SUMMARY.to_owned())),
        ("message-count", Some(count.to_string())),
        ("pending-subscription-count", (requests > 0).then(|| requests.to_string())),
        ("last-message-sender", summary.sender.clone()),
        ("last-message-body", said.map(str::to_owned)),
    ];
    w.open("x", ns::FORMS).attr("type", "submit");
    for (var, value) in fields.into_iter().filter_map(|(var, value)| Some((var, value?))) {
        w.open("field", ns::FORMS).attr("var", var);
        w.attr_opt("type", (var == "FORM_TYPE").then_some("hidden"));
        w.leaf("value", ns::FORMS, value).close();
    }
    w.close();
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
