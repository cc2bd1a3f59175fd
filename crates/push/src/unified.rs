//! UnifiedPush: a client asks for an address to which other programs may post, and is given what was posted.
//!
//! The protocol is that of Conversations' distributor (namespace `http://gultsch.de/xmpp/drafts/unified-push`).
//!
//! Not here: the address and what comes there (crate `webpush`, the program).

use address::Jid;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kernel::{Answer, Iq, Spot, Turn};
use model::push::{Outcome, PushFound, PushQuery};
use model::query::{Found, Query};
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns, when};
use xml::Writer;

use crate::limits;

/// A client registers one of its programs.
pub(crate) fn register(service: &Jid, iq: &Iq<'_>) -> Answer<Spot> {
    let client = iq.from().clone();
    if client.is_bare() {
        return Condition::Forbidden.into();
    }
    // Both are hashes, so nobody learns which programs somebody has.
    let hash = |name: &str| {
        let text = iq.payload.attr(name)?;
        BASE64_STANDARD
            .decode(text.as_bytes())
            .ok()
            .filter(|hash| hash.len() == 32)
            .map(|_| text.into_owned())
    };
    let (Some(application), Some(instance)) = (hash("application"), hash("instance")) else {
        return StanzaError::from(Condition::BadRequest)
            .text("`application` and `instance` are SHA-256 hashes in base64")
            .into();
    };
    let service = service.clone();
    // The time of the turn is only known in one.
    Answer::ask(Query::Push(PushQuery::Key), move |turn, _| {
        let until_ms = turn.now.unix_ms.saturating_add(limits::WAY_MS);
        let open = PushQuery::Open { service, client, application, instance, until_ms };
        Answer::ask(Query::Push(open), move |_, found| match found {
            Found::Push(PushFound::Way(url)) => {
                let mut w = Writer::new(ns::CLIENT);
                w.open("registered", ns::UNIFIED_PUSH).attr("expiration", when::stamp(until_ms));
                w.attr("endpoint", url).close();
                Answer::Reply(w.finish())
            }
            Found::Push(PushFound::Refused(why)) => {
                StanzaError::from(Condition::ServiceUnavailable).text(why).into()
            }
            _ => Condition::ServiceUnavailable.into(),
        })
    })
}

/// A client has, or has not, taken what was posted.
pub(crate) fn answered(turn: &mut Turn<'_, Spot>, stanza: &Stanza) {
    let (Some(client), Some(id)) = (stanza.from.clone(), stanza.id.as_deref()) else { return };
    let outcome = match stanza.kind {
        Kind::Iq(IqType::Result) => Outcome::Taken,
        _ if is(stanza, Condition::ItemNotFound) || is(stanza, Condition::FeatureNotImplemented) => {
            Outcome::Gone
        }
        _ => Outcome::Later,
    };
    turn.ask(Query::Push(PushQuery::Answered { client, id: id.to_owned(), outcome }), |_, _| {});
}

fn is(stanza: &Stanza, condition: Condition) -> bool {
    let error = stanza.payload.child("error", ns::CLIENT);
    error.and_then(|error| error.tree().ok()).is_some_and(|tree| {
        tree.root().is_some_and(|error| error.child(condition.name(), ns::STANZAS).is_some())
    })
}
