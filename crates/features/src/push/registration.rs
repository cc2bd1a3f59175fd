//! A registration for push: which service, which node, on what terms, and whose.
//!
//! XEP-0357 0.4.1 section 5
//!
//! Not here: what is sent to it (`publish.rs`).

use std::borrow::Cow;

use address::Jid;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kernel::{Account, Session};
use serde::{Deserialize, Serialize};
use stanza::forms::Submitted;
use stanza::{Condition, StanzaError, ns};
use xml::El;

use super::filter::Filter;
use super::pace::Pace;

/// Most bytes of an `<enable/>`: with it is bounded what is kept of options and filters.
const ENABLE_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a node's name.
const NODE_BYTES_MAX: usize = 1_024;

/// All registrations of an account.
#[derive(Default)]
pub(super) struct Registrations(pub(super) Vec<Registration>);

/// One registration, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    /// The push service.
    #[serde(with = "jid")]
    pub(super) jid: Jid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<String>,
    /// The form for the service (`publish-options`), as canonical XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) options: Option<String>,
    /// The resource of the client that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// The installation that made it (XEP-0388), if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub(super) filter: Filter,
    /// The key for sealed summaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<[u8; 16]>,
    /// Whether it wants to know how urgent a notification is.
    #[serde(default)]
    pub(super) priority: bool,
    /// The id of the turn in which it was made or renewed.
    pub(super) renewed: u64,
    #[serde(skip)]
    pub(super) pace: Pace,
}

impl Registration {
    /// Reads `<enable/>`.
    ///
    /// # Errors
    /// It is too large, names no service, or asks for what is unknown.
    pub(super) fn read(
        enable: El<'_>,
        session: Option<&Session>,
        seals: bool,
    ) -> Result<Registration, StanzaError> {
        if enable.raw(ns::CLIENT).len() > ENABLE_BYTES_MAX {
            return Err(
                StanzaError::from(Condition::NotAcceptable).text("that is too much for a registration")
            );
        }
        let jid = service(enable)?;
        let node = enable.attr("node").map(Cow::into_owned).filter(|node| !node.is_empty());
        if node.as_ref().is_some_and(|node| node.len() > NODE_BYTES_MAX) {
            return Err(bad("`node` is too long"));
        }
        Ok(Registration {
            jid,
            node,
            options: options(enable)?,
            resource: session.and_then(|session| session.jid.resource()).map(str::to_owned),
            client: session.and_then(|session| session.about.client.id.clone()),
            filter: Filter::read(enable),
            key: key(enable, seals)?,
            priority: enable.child("priority", ns::PUSH_PRIORITY).is_some(),
            renewed: 0,
            pace: Pace::default(),
        })
    }

    /// What it is stored under: service and node, which are one registration however often they are enabled.
    pub(super) fn key(&self) -> String {
        // No address has a space at its end.
        format!("{} {}", self.jid, self.node.as_deref().unwrap_or_default())
    }

    /// Whether this session is of the client that made it.
    pub(super) fn is_of(&self, session: &Session) -> bool {
        let same = |own: &Option<String>, known: Option<&str>| own.is_some() && own.as_deref() == known;
        same(&self.client, session.about.client.id.as_deref()) || same(&self.resource, session.jid.resource())
    }

    /// Whether the client that made it has a session.
    pub(super) fn is_here(&self, account: &Account) -> bool {
        account.sessions.iter().any(|session| self.is_of(session))
    }
}

/// The push service that `<enable/>` or `<disable/>` names.
pub(super) fn service(element: El<'_>) -> Result<Jid, StanzaError> {
    let jid = element.attr("jid").filter(|jid| !jid.is_empty()).ok_or_else(|| bad("`jid` is missing"))?;
    Jid::parse(&jid).map_err(|_| Condition::JidMalformed.into())
}

/// What the service wants to see with each notification.
fn options(enable: El<'_>) -> Result<Option<String>, StanzaError> {
    let Some(form) = enable.child("x", ns::FORMS) else { return Ok(None) };
    if !matches!(form.attr("type").as_deref(), None | Some("submit")) {
        return Err(bad("the form is not one that was filled in"));
    }
    if Submitted::read(form, ns::PUBSUB_PUBLISH_OPTIONS).is_none() {
        return Err(bad("the form is none of `publish-options`"));
    }
    // What came through the parser is UTF-8.
    Ok(String::from_utf8(form.raw(ns::PUBSUB).into_owned()).ok())
}

fn key(enable: El<'_>, seals: bool) -> Result<Option<[u8; 16]>, StanzaError> {
    let Some(encrypt) = enable.child("encrypt", ns::PUSH_ENCRYPT) else { return Ok(None) };
    // To send in the open what the client wanted sealed would be worse than nothing.
    if !seals || encrypt.attr("alg").as_deref() != Some("aes-128-gcm") {
        return Err(StanzaError::from(Condition::FeatureNotImplemented).text("only aes-128-gcm is known"));
    }
    let key = BASE64_STANDARD.decode(encrypt.text().trim()).ok().and_then(|key| key.try_into().ok());
    key.map(Some).ok_or_else(|| bad("the key is not one of 16 bytes"))
}

fn bad(text: &'static str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).text(text)
}

/// Addresses as texts.
mod jid {
    use address::Jid;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(jid: &Jid, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(jid.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Jid, D::Error> {
        let text = String::deserialize(from)?;
        Jid::parse(&text).map_err(|_| D::Error::custom("no address"))
    }
}
