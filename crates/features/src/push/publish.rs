//! What push services are told.
//!
//! XEP-0357 0.4.1 section 7
//!
//! Not here: to whom (`mod.rs`), when, and what becomes of their answers (`pace.rs`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use kernel::Account;
use serde::Serialize;
use stanza::ns;
use xml::Writer;

use super::registration::Registration;
use super::worth::{Notice, Weight, beginning};
use super::{Content, Push};

/// What is said of a message whose content is nobody's business. Services take a text for a sign of urgency.
const NEW_MESSAGE: &str = "New message";

/// What there is to say.
pub(super) struct Summary {
    pub(super) weight: Weight,
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
    pub(super) fn write(
        &self,
        account: &Account,
        registration: &Registration,
        summary: &Summary,
    ) -> Option<Bytes> {
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
