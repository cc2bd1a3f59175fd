//! Options of subscriptions.
//!
//! XEP-0060 1.30.0 (sections 6.3, 6.4 and 12.18), XEP-0248 0.5.0 (section 6.1)
//!
//! Not here: subscribing (`subscribe.rs`).

use address::Jid;
use kernel::{Answer, Turn};
use stanza::{StanzaError, ns};
use xml::{El, Writer};

use crate::access::find;
use crate::error::{FORBIDDEN, INVALID_OPTIONS, NO_SUBSCRIBER};
use crate::form::{self, Answered, Field, Submitted, boolean};
use crate::home::{Home, owner};
use crate::node::{Scope, Subscription};
use crate::request::node_of;
use crate::subscribe::jid_of;
use stanza::when;

/// The fields with their values.
pub(crate) fn fields(held: &Subscription) -> Vec<Field> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let field = |var, ty, label, value: Option<String>, choices| Field {
        var,
        label,
        ty,
        values: value.into_iter().collect(),
        choices,
    };
    let depth = held.depth.map_or_else(|| "all".to_owned(), |depth| depth.to_string());
    vec![
        field(
            "pubsub#deliver",
            "boolean",
            "Whether to notify",
            Some(u8::from(held.deliver).to_string()),
            Vec::new(),
        ),
        field("pubsub#expire", "text-single", "When it ends", held.until_ms.map(when::stamp), Vec::new()),
        field(
            "pubsub#subscription_type",
            "list-single",
            "What to hear of a collection",
            Some(held.scope.word().to_owned()),
            words(Scope::WORDS),
        ),
        field(
            "pubsub#subscription_depth",
            "text-single",
            "How far below a collection",
            Some(depth),
            Vec::new(),
        ),
    ]
}

/// The subscription with what was submitted; options that nobody knows change nothing.
///
/// # Errors
/// If an option has a value that it cannot have. Nothing is changed then.
pub(crate) fn apply(held: &Subscription, form: &Submitted, now_ms: u64) -> Result<Subscription, StanzaError> {
    let mut changed = held.clone();
    for (var, values) in &form.0 {
        let value = match values.as_slice() {
            [] => "",
            [value] => value,
            _ => "\n",
        };
        match var.as_str() {
            "pubsub#deliver" => changed.deliver = boolean(value).ok_or(INVALID_OPTIONS)?,
            "pubsub#expire" if value.is_empty() => changed.until_ms = None,
            "pubsub#expire" => {
                let until = when::parse(value).filter(|until| *until > now_ms);
                changed.until_ms = Some(until.ok_or(INVALID_OPTIONS)?);
            }
            "pubsub#subscription_type" => changed.scope = Scope::parse(value).ok_or(INVALID_OPTIONS)?,
            "pubsub#subscription_depth" if value == "all" => changed.depth = None,
            "pubsub#subscription_depth" => changed.depth = Some(value.parse().map_err(|_| INVALID_OPTIONS)?),
            _ => {}
        }
    }
    Ok(changed)
}

fn held<P: Home>(
    turn: &Turn<'_, P>,
    from: &Jid,
    options: El<'_>,
) -> Result<(String, Jid, Subscription), StanzaError> {
    let name = node_of(options)?;
    let jid = jid_of(options, from, FORBIDDEN)?;
    let held = find(turn.place, &name, from)?.subscriptions.get(&jid).cloned();
    let held = held.filter(|held| !held.is_over(turn.now.unix_ms)).ok_or(NO_SUBSCRIBER)?;
    Ok((name, jid, held))
}

/// `<options/>`, get.
pub(crate) fn get<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, options: El<'_>) -> Answer<P> {
    let (name, jid, held) = match held(turn, from, options) {
        Ok(held) => held,
        Err(error) => return error.into(),
    };
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("options", ns::PUBSUB).attr("node", &name).attr("jid", jid.as_str());
    form::write(&mut w, "form", ns::PUBSUB_SUBSCRIBE_OPTIONS, &fields(&held));
    w.close().close();
    Answer::Reply(w.finish())
}

/// `<options/>`, set.
pub(crate) fn set<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, options: El<'_>) -> Answer<P> {
    let changed = held(turn, from, options).and_then(|(name, jid, held)| {
        match form::read(options, ns::PUBSUB_SUBSCRIBE_OPTIONS)? {
            Answered::Cancelled => Ok(None),
            Answered::Submitted(form) => Ok(Some((name, jid, apply(&held, &form, turn.now.unix_ms)?))),
        }
    });
    match changed {
        Ok(Some((name, jid, changed))) => {
            let owner = owner(turn.place);
            turn.place.nodes().subscribe(&owner, &name, &jid, Some(changed), turn.fx);
            Answer::done()
        }
        Ok(None) => Answer::done(),
        Err(error) => error.into(),
    }
}

/// `<default/>` of subscriptions (section 6.4).
pub(crate) fn default<P: Home>(turn: &mut Turn<'_, P>, from: &Jid, asked: El<'_>) -> Answer<P> {
    let node = asked.attr("node").filter(|node| !node.is_empty());
    if let Some(Err(error)) = node.as_ref().map(|node| find(turn.place, node, from)) {
        return error.into();
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("default", ns::PUBSUB).attr_opt("node", node.as_deref());
    form::write(&mut w, "form", ns::PUBSUB_SUBSCRIBE_OPTIONS, &fields(&Subscription::default()));
    w.close().close();
    Answer::Reply(w.finish())
}
