//! Searching the public rooms.
//!
//! XEP-0433 0.1.0
//!
//! Not here: the list itself (`index.rs`).

use std::sync::Arc;

use bytes::Bytes;
use kernel::{Answer, Iq, Spot};
use model::storage::{Owner, Read};
use stanza::forms::Submitted;
use stanza::rsm::{self, Wanted};
use stanza::{Condition, ErrorType, StanzaError, ns};
use xml::Writer;

use crate::index::{LISTED, Listed};
use crate::limits;
use crate::service::Shared;

/// What is looked for.
struct Query {
    /// In lower case; empty for all.
    words: Vec<String>,
    name: bool,
    description: bool,
    address: bool,
}

/// `<search/>`: empty for the form, else a form that was filled in.
pub(crate) fn asked(shared: &Arc<Shared>, iq: &Iq<'_>) -> Answer<Spot> {
    let Some(x) = iq.payload.child("x", ns::FORMS) else { return Answer::Reply(form()) };
    let (query, wanted) = match read(x).and_then(|query| Ok((query, Wanted::read(iq.payload)?))) {
        Ok(read) => read,
        Err(error) => return error.into(),
    };
    let most = wanted.max.unwrap_or(limits::LIST_MAX).min(limits::LIST_MAX) as usize;
    let owner = Owner::from(shared.settings.domain.as_str());
    let after = wanted.after.map(Arc::from);
    let read = Read::MapRange { space: LISTED, owner, prefix: "".into(), after, limit: limits::SEARCH_MAX };
    let shared = shared.clone();
    Answer::read(read, move |_, loaded| Answer::Reply(result(&shared, &query, most, &loaded.into_map())))
}

fn error(condition: Condition, ty: ErrorType, app: &'static str) -> StanzaError {
    StanzaError::new(condition, ty).app(app, ns::CHANNEL_SEARCH_ERROR)
}

/// Section 5.2.2.
fn read(x: xml::El<'_>) -> Result<Query, StanzaError> {
    let form = Submitted::read(x, ns::CHANNEL_SEARCH_FORM).ok_or(Condition::BadRequest)?;
    let flag = |var, default| form.value(var).map_or(default, |text| matches!(text, "1" | "true"));
    let bad = |app| error(Condition::BadRequest, ErrorType::Modify, app);
    let (all, text) = (flag("all", false), form.value("q"));
    if form.value("key").is_some_and(|key| key != ns::CHANNEL_SEARCH_BY_ADDRESS) {
        return Err(error(Condition::FeatureNotImplemented, ErrorType::Modify, "invalid-sort-key"));
    }
    let words: Vec<String> = match (all, text) {
        (true, Some(_)) => return Err(bad("conflicting-fields")),
        (false, None) => return Err(bad("no-search-conditions")),
        (true, None) => Vec::new(),
        (false, Some(text)) if text.len() > limits::SEARCH_BYTES_MAX => {
            return Err(bad("invalid-search-terms"));
        }
        (false, Some(text)) => text.split_whitespace().map(str::to_lowercase).collect(),
    };
    if !all && words.is_empty() {
        return Err(bad("invalid-search-terms"));
    }
    Ok(Query {
        words,
        name: flag("sinname", true),
        description: flag("sindescription", true),
        address: flag("sinaddr", true) && flag("sinaddress", true),
    })
}

impl Query {
    fn fits(&self, local: &str, listed: &Listed) -> bool {
        let texts =
            [(self.address, local), (self.name, &listed.name), (self.description, &listed.description)];
        let texts: Vec<String> =
            texts.iter().filter(|(wanted, _)| *wanted).map(|(_, text)| text.to_lowercase()).collect();
        self.words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }
}

fn result(shared: &Shared, query: &Query, most: usize, rooms: &[(Arc<str>, Bytes)]) -> Bytes {
    let settings = &shared.settings;
    let listed =
        rooms.iter().filter_map(|(local, value)| Some((local, Listed::read(value, settings.started_ms)?)));
    let found: Vec<_> = listed.filter(|(local, listed)| query.fits(local, listed)).take(most).collect();
    let mut w = Writer::new(ns::CLIENT);
    w.open("result", ns::CHANNEL_SEARCH);
    for (local, listed) in &found {
        w.open("item", ns::CHANNEL_SEARCH).attr("address", format!("{local}@{}", settings.domain));
        let mut leaf = |name: &str, text: &str| {
            if !text.is_empty() {
                w.leaf(name, ns::CHANNEL_SEARCH, text);
            }
        };
        leaf("name", if listed.name.is_empty() { local } else { &listed.name });
        leaf("description", &listed.description);
        leaf("language", &listed.lang);
        leaf("service-type", "xep-0045");
        leaf("is-open", if listed.open { "true" } else { "false" });
        leaf(
            "anonymity-mode",
            if listed.non_anonymous { ns::CHANNEL_SEARCH_OPEN } else { "muc_semianonymous" },
        );
        w.close();
    }
    let ends = found.first().zip(found.last()).map(|((first, _), (last, _))| (&***first, &***last));
    rsm::write(&mut w, ends, None);
    w.close();
    w.finish()
}

/// Section 5.2.1: all fields that are understood, with their defaults.
fn form() -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("search", ns::CHANNEL_SEARCH).open("x", ns::FORMS).attr("type", "form");
    for (var, ty, label, value) in [
        ("FORM_TYPE", "hidden", None, Some(ns::CHANNEL_SEARCH_FORM)),
        ("q", "text-single", Some("Search for"), None),
        ("all", "boolean", Some("Return all rooms"), Some("false")),
        ("sinname", "boolean", Some("Search in name"), Some("true")),
        ("sindescription", "boolean", Some("Search in description"), Some("true")),
        ("sinaddr", "boolean", Some("Search in address"), Some("true")),
        ("key", "list-single", Some("Sort results by"), Some(ns::CHANNEL_SEARCH_BY_ADDRESS)),
    ] {
        w.open("field", ns::FORMS).attr("var", var).attr("type", ty).attr_opt("label", label);
        if let Some(value) = value {
            w.leaf("value", ns::FORMS, value);
        }
        if var == "key" {
            w.open("option", ns::FORMS)
                .attr("label", "Address")
                .leaf("value", ns::FORMS, ns::CHANNEL_SEARCH_BY_ADDRESS)
                .close();
        }
        w.close();
    }
    w.close().close();
    w.finish()
}
