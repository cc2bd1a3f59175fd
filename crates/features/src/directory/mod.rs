//! A directory of the domain's people, for the domain's people: who wants to be found is found by name.
//!
//! XEP-0055 1.3 (complete)
//!
//! Not here: asking to be in it (`adhoc/directory.rs`), rooms (muc).

pub(crate) mod card;
mod index;
mod query;

use std::collections::HashMap;

use kernel::{
    Answer, Card as FeatureCard, Directory as Policy, Feature, Host, HostFacts, Iq, IqRoute, Spec, Turn,
};
use model::storage::Space;
use stanza::{Condition, ErrorType, StanzaError, forms, ns};
use xml::Writer;

use crate::disco::{Identity, Info};
use index::Entry;
pub(crate) use index::forget;
use query::{FIELDS, Search};

/// One document for each account that has said whether it wants to be found: `1` or `0`.
pub(crate) const LISTED: Space = Space("directory");
/// Most people in one answer; of more the first are shown.
pub const RESULTS_MAX: usize = 50;
/// Most searches of one account in a minute.
pub const SEARCHES_PER_MINUTE: u32 = 20;
const MINUTE_MS: u64 = 60_000;

/// XEP-0055.
pub(crate) struct Directory;

/// Who searched how often in this minute.
#[derive(Default)]
struct Minute(u64, HashMap<String, u32>);

/// What a domain shows of it.
pub(crate) fn advertise(facts: &HostFacts, info: &mut Info) {
    if facts.safety.directory != Policy::Off {
        info.identities.insert(0, Identity { category: "directory", ty: "user", name: "User directory" });
        info.vars.push(ns::SEARCH);
    }
}

impl Feature for Directory {
    fn card(&self) -> &'static FeatureCard {
        static CARD: FeatureCard = FeatureCard {
            specs: &[Spec::complete("XEP-0055", "1.3")],
            iqs: &[IqRoute::host(ns::SEARCH).and_set()],
            ..FeatureCard::named("directory")
        };
        &CARD
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        if turn.place.facts.safety.directory == Policy::Off {
            return Condition::ServiceUnavailable.into();
        }
        let from = iq.from();
        if from.domain() != turn.place.domain.as_str() || from.local().is_none() {
            return StanzaError::from(Condition::Forbidden)
                .text("only people of this domain may search")
                .into();
        }
        if iq.payload.name() != "query" {
            return Condition::BadRequest.into();
        }
        if !iq.is_set() {
            return Answer::Reply(fields());
        }
        let search = match query::read(iq.payload) {
            Ok(search) => search,
            Err(error) => return error.into(),
        };
        if !admit(turn, from.bare_str()) {
            let error = StanzaError::new(Condition::ResourceConstraint, ErrorType::Wait);
            return error.text("you search too often").into();
        }
        index::people(turn, iq.stanza, Box::new(move |people| answer(&search, people)))
    }
}

fn admit(turn: &mut Turn<'_, Host>, who: &str) -> bool {
    let now = turn.now.unix_ms / MINUTE_MS;
    let minute = turn.place.slots.of::<Minute>();
    if minute.0 != now {
        *minute = Minute(now, HashMap::new());
    }
    let count = minute.1.entry(who.to_owned()).or_default();
    *count += 1;
    *count <= SEARCHES_PER_MINUTE
}

/// What may be searched for, in both forms.
fn fields() -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::SEARCH);
    let text = "Fill in one field or more. A star stands for anything.";
    w.leaf("instructions", ns::SEARCH, text);
    for field in &FIELDS[1..] {
        w.leaf(field.var, ns::SEARCH, "");
    }
    forms::ask(&mut w, "Search for people", ns::SEARCH, &FIELDS, &[]);
    w.close();
    w.finish()
}

fn answer(search: &Search, people: &[Entry]) -> bytes::Bytes {
    let found = people.iter().filter(|entry| search.fits(entry)).take(RESULTS_MAX);
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::SEARCH);
    if search.form {
        form(&mut w, found);
    } else {
        for entry in found {
            w.open("item", ns::SEARCH).attr("jid", &*entry.jid);
            for (at, field) in FIELDS.iter().enumerate().skip(1) {
                w.leaf(field.var, ns::SEARCH, entry.field(at));
            }
            w.close();
        }
    }
    w.close();
    w.finish()
}

fn form<'a>(w: &mut Writer, found: impl Iterator<Item = &'a Entry>) {
    w.open("x", ns::FORMS).attr("type", "result");
    w.open("field", ns::FORMS).attr("var", "FORM_TYPE").attr("type", "hidden");
    w.leaf("value", ns::FORMS, ns::SEARCH).close();
    w.open("reported", ns::FORMS);
    w.open("field", ns::FORMS).attr("var", "jid").attr("type", "jid-single").attr("label", "Address").close();
    for field in &FIELDS[1..] {
        w.open("field", ns::FORMS)
            .attr("var", field.var)
            .attr("type", field.ty)
            .attr("label", field.label)
            .close();
    }
    w.close();
    let value = |w: &mut Writer, var: &str, text: &str| {
        w.open("field", ns::FORMS).attr("var", var).leaf("value", ns::FORMS, text).close();
    };
    for entry in found {
        w.open("item", ns::FORMS);
        value(w, "jid", &entry.jid);
        for (at, field) in FIELDS.iter().enumerate().skip(1) {
            value(w, field.var, entry.field(at));
        }
        w.close();
    }
    w.close();
}

#[cfg(test)]
mod tests;
