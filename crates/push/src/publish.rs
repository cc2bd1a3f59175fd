//! A notification comes in, and goes out to the web.
//!
//! XEP-0357 0.4.1 section 7
//!
//! Not here: sending it (crate `webpush`).

use address::Jid;
use kernel::{Answer, Iq, Spot};
use model::push::{Notification, PushFound, PushQuery, TEXT_BYTES_MAX};
use model::query::{Found, Query};
use serde_json::{Map, Value};
use stanza::forms::Submitted;
use stanza::{Condition, StanzaError, ns};
use xml::El;

use crate::{limits, nodes};

/// Section 7. Only the account itself publishes to its nodes, which no client can do in its name.
pub(crate) fn answer(service: &Jid, iq: &Iq<'_>) -> Answer<Spot> {
    if !iq.from().is_bare() {
        return Condition::Forbidden.into();
    }
    let Some(publish) = iq.payload.child("publish", ns::PUBSUB) else {
        return Condition::FeatureNotImplemented.into();
    };
    let node = publish.attr("node").filter(|node| !node.is_empty() && node.len() <= limits::NODE_BYTES_MAX);
    let Some(node) = node.map(std::borrow::Cow::into_owned) else { return Condition::ItemNotFound.into() };
    let item = publish.child("item", ns::PUBSUB);
    let Some(notification) = item.and_then(|item| item.child("notification", ns::PUSH)) else {
        return StanzaError::from(Condition::BadRequest)
            .app("invalid-payload", ns::PUBSUB_ERRORS)
            .text("there is no notification")
            .into();
    };
    let (text, urgent) = say(notification);
    let (service, account) = (service.clone(), iq.from().bare());
    Answer::read(nodes::one(&account, &node), move |_, loaded| {
        let Some((to, _)) = loaded.into_doc().and_then(|stored| nodes::read(&stored)) else {
            return Condition::ItemNotFound.into();
        };
        let notification = Notification { service, account, node, to, text, urgent };
        Answer::ask(Query::Push(PushQuery::Send(Box::new(notification))), |_, found| match found {
            Found::Push(PushFound::Done) => Answer::done(),
            Found::Push(PushFound::Full) => Condition::ResourceConstraint.into(),
            Found::Push(PushFound::Refused(_)) => Condition::ItemNotFound.into(),
            _ => Condition::ServiceUnavailable.into(),
        })
    })
}

/// What a browser gets: the fields of the summary as one object of JSON, and what is sealed for it.
fn say(notification: El<'_>) -> (Vec<u8>, bool) {
    let form = notification.child("x", ns::FORMS).and_then(|x| Submitted::read(x, ns::PUSH_SUMMARY));
    let mut said = Map::new();
    let fields = form.iter().flat_map(Submitted::fields).filter(|(var, _)| *var != "FORM_TYPE");
    for (var, values) in fields.take(limits::FIELDS_MAX) {
        if let Some(value) = values.first() {
            said.insert(var.to_owned(), Value::from(value.as_str()));
        }
    }
    if let Some(sealed) = notification.child("encrypted", ns::PUSH_ENCRYPT) {
        let texts = [("iv", sealed.attr("iv")), ("type", sealed.attr("type")), ("data", Some(sealed.text()))];
        let texts =
            texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into_owned().into())));
        said.insert("encrypted".into(), Value::Object(texts.collect()));
    }
    let low = notification.child_text("priority", ns::PUSH_PRIORITY).is_some_and(|level| level == "low");
    let urgent = !low && (said.contains_key("last-message-body") || said.contains_key("encrypted"));
    // The longest goes first: that there is something must be said in any case.
    for longest in ["last-message-body", "encrypted", "last-message-sender"] {
        if Value::from(said.clone()).to_string().len() <= TEXT_BYTES_MAX {
            break;
        }
        said.remove(longest);
    }
    let text = Value::from(said).to_string();
    (if text.len() <= TEXT_BYTES_MAX { text } else { "{}".into() }.into_bytes(), urgent)
}
