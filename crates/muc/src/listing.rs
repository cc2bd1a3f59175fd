//! The list of public rooms.
//!
//! XEP-0045 1.35.5 section 6.3, XEP-0059 1.0 (pages)
//!
//! Not here: what is listed (`index.rs`), searching in it (`search.rs`).

use std::sync::Arc;

use kernel::{Answer, Iq, Spot};
use model::storage::{Owner, Read};
use stanza::rsm::{self, Wanted};
use stanza::{Condition, StanzaError, ns};
use xml::Writer;

use crate::index::{LISTED, Listed};
use crate::limits;
use crate::service::Shared;

/// A page of the rooms of a service, by address.
pub(crate) fn rooms(shared: &Arc<Shared>, iq: &Iq<'_>) -> Answer<Spot> {
    match iq.payload.attr("node").filter(|node| !node.is_empty()).as_deref() {
        None => {}
        // Nobody's business but the client's; the service knows no such thing.
        Some(ns::MUC_ROOMS) | Some(_) => return Condition::ItemNotFound.into(),
    }
    let wanted = match Wanted::read(iq.payload) {
        Ok(wanted) => wanted,
        Err(error) => return error.into(),
    };
    if wanted.before.is_some() {
        let error = StanzaError::from(Condition::FeatureNotImplemented);
        return error.text("the list of rooms is read forwards").into();
    }
    let limit = wanted.max.unwrap_or(limits::LIST_MAX).min(limits::LIST_MAX);
    let owner = Owner::from(shared.settings.domain.as_str());
    let after = wanted.after.map(Arc::from);
    let first = after.is_none();
    // One more tells whether there is more.
    let read = Read::MapRange { space: LISTED, owner, prefix: "".into(), after, limit: limit + 1 };
    let shared = shared.clone();
    Answer::read(read, move |_, loaded| {
        let mut found = loaded.into_map();
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let ends =
            found.first().zip(found.last()).map(|((first, _), (last, _))| (first.clone(), last.clone()));
        let mut w = Writer::new(ns::CLIENT);
        w.open("query", ns::DISCO_ITEMS);
        for (local, value) in &found {
            let Some(listed) = Listed::read(value, shared.settings.started_ms) else { continue };
            let name = if listed.name.is_empty() { local } else { listed.name.as_str() };
            w.open("item", ns::DISCO_ITEMS).attr("jid", format!("{local}@{}", shared.settings.domain));
            w.attr("name", name).close();
        }
        if more || !first {
            rsm::write(&mut w, ends.as_ref().map(|(first, last)| (&**first, &**last)), None);
        }
        w.close();
        Answer::Reply(w.finish())
    })
}
