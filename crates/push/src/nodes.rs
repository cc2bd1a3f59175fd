//! What clients have registered: for each node a subscription, stored with the account.
//!
//! XEP-0357 0.4.1 sections 4.2 and 8
//!
//! Not here: how a client registers (`commands.rs`).

use std::sync::Arc;

use address::{Bare, Jid};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use kernel::{Spot, Turn};
use model::push::Subscription;
use model::storage::{Loaded, Owner, Read, Space, Write};
use serde::{Deserialize, Serialize};
use stanza::{MessageType, Stanza, ns};
use xml::Writer;

use crate::limits;

/// One entry for each node, with the account that owns it.
pub(crate) const SPACE: Space = Space("push-web");

/// A subscription as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    endpoint: String,
    p256dh: String,
    auth: String,
    /// When it was registered, in Unix milliseconds.
    at: u64,
}

/// A node that is known.
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) to: Subscription,
    at: u64,
}

/// Reads one entry; `None` if it is unreadable.
pub(crate) fn read(value: &[u8]) -> Option<(Subscription, u64)> {
    let stored: Stored = serde_json::from_slice(value)
        .inspect_err(|error| tracing::error!(%error, "a stored push subscription is unreadable"))
        .ok()?;
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let (key, auth) = (decode(&stored.p256dh)?, decode(&stored.auth)?);
    Some((Subscription { endpoint: stored.endpoint, key, auth }, stored.at))
}

/// All nodes of an account, as [`all`] brought them.
pub(crate) fn list(loaded: Loaded) -> Vec<Node> {
    let node = |(name, value): (Arc<str>, Bytes)| read(&value).map(|(to, at)| Node { name, to, at });
    loaded.into_map().into_iter().filter_map(node).collect()
}

/// Asks for all nodes of an account.
pub(crate) fn all(account: &Bare) -> Read {
    Read::Map { space: SPACE, owner: Owner::from(account.text()) }
}

/// Asks for one.
pub(crate) fn one(account: &Bare, node: &str) -> Read {
    Read::MapGet { space: SPACE, owner: Owner::from(account.text()), key: node.into() }
}

/// Stores a subscription besides those that are `known`: the same endpoint keeps its node.
pub(crate) fn add(
    turn: &mut Turn<'_, Spot>,
    account: &Bare,
    known: Vec<Node>,
    fresh: String,
    to: &Subscription,
) -> Arc<str> {
    let owner = Owner::from(account.text());
    let same = known.iter().find(|node| node.to.endpoint == to.endpoint).map(|node| node.name.clone());
    if same.is_none() && known.len() >= limits::SUBSCRIPTIONS_MAX {
        let oldest = known.iter().min_by_key(|node| node.at).map(|node| node.name.clone());
        oldest.into_iter().for_each(|node| remove(turn, account, node));
    }
    let name = same.unwrap_or_else(|| fresh.into());
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let stored = Stored {
        endpoint: to.endpoint.clone(),
        p256dh: encode(&to.key),
        auth: encode(&to.auth),
        at: turn.now.unix_ms,
    };
    // Texts and numbers are always writable as JSON.
    turn.fx.put_map(SPACE, owner, &name, serde_json::to_vec(&stored).unwrap_or_default());
    name
}

/// Forgets a node.
pub(crate) fn remove(turn: &mut Turn<'_, Spot>, account: &Bare, node: Arc<str>) {
    turn.fx.write(Write::MapDelete { space: SPACE, owner: Owner::from(account.text()), key: node });
}

/// An endpoint takes nothing more: the node ends, and the account hears of it (section 8).
pub(crate) fn gone(turn: &mut Turn<'_, Spot>, stanza: &Stanza) {
    let Some(gone) = stanza.payload.child("gone", ns::PUSH_DELIVERED) else { return };
    let account = gone.attr("account").and_then(|account| Bare::parse(&account).ok());
    let (Some(account), Some(node)) = (account, gone.attr("node")) else { return };
    remove(turn, &account, node.as_str().into());
    let service: &Jid = turn.place.address.jid();
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).attr("node", &node).open("affiliation", ns::PUBSUB);
    w.attr("jid", account.as_str()).attr("affiliation", "none").close().close();
    let message = Stanza::message(MessageType::Normal).with_inner(w.finish());
    turn.fx.route(message.from(service).to(account.jid()));
}
