//! Message Archive Management: reading what a request asks for, writing what it gets. For archives of any kind of place.
//!
//! XEP-0313 1.1.3 sections 4 and 5, XEP-0059 1.0
//!
//! Not here: what gets into an archive, and who may read it (features, muc).

use std::sync::Arc;

use address::Jid;
use bytes::Bytes;
use model::storage::{Bounds, LogQuery, Owner, Page, Paging, Space, With};
use stanza::rsm::{self, Wanted};
use stanza::when::{parse, stamp, write_delay};
use stanza::{Condition, MessageType, Stanza, StanzaError, ns};
use xml::{El, Writer};

/// Most messages in a page, whatever a client asks for.
pub const PAGE_MAX: u32 = 100;
/// Bytes of messages in a page, besides the message that passes this mark.
pub const PAGE_BYTES_MAX: u64 = 1 << 20;
/// Messages in a page if the client does not say.
const PAGE_DEFAULT: u32 = 50;
/// Most ids in one `ids` field.
const IDS_MAX: usize = 100;

/// What of a request each of its results needs.
pub struct Asked {
    /// Who asks.
    pub to: Jid,
    /// The client's name for the request.
    pub query_id: Option<String>,
    /// Whether the newest comes first.
    pub flip: bool,
}

impl Asked {
    /// Reads `<query/>` of somebody.
    pub fn read(query: El<'_>, to: &Jid) -> Asked {
        Asked {
            to: to.clone(),
            query_id: query.attr("queryid").map(|id| id.into_owned()),
            flip: query.child("flip-page", ns::MAM).is_some(),
        }
    }

    /// One message of the archive of `from`; `forwarded` is a canonical element with its own `xmlns`.
    pub fn result(&self, from: &Jid, id: u64, at_ms: u64, forwarded: &[u8]) -> Stanza {
        let mut w = Writer::new(ns::CLIENT).with_capacity(forwarded.len() + 256);
        w.open("result", ns::MAM).attr_opt("queryid", self.query_id.as_deref()).attr("id", id.to_string());
        w.open("forwarded", ns::FORWARD);
        write_delay(&mut w, None, at_ms);
        w.raw(forwarded);
        w.close().close();
        Stanza::message(MessageType::Normal).from(from).to(&self.to).with_inner(w.finish())
    }
}

/// `<fin/>`, which answers the request after the page has been sent.
///
/// # Errors
/// If the request names an id that is not in the archive.
pub fn fin(page: &Page) -> Result<Bytes, StanzaError> {
    if page.missing_anchor {
        return Err(StanzaError::from(Condition::ItemNotFound).text("no message with that id"));
    }
    let ends =
        page.entries.first().zip(page.entries.last()).map(|(a, b)| (a.id.to_string(), b.id.to_string()));
    let mut w = Writer::new(ns::CLIENT);
    w.open("fin", ns::MAM).attr_opt("complete", page.complete.then_some("true"));
    rsm::write(&mut w, ends.as_ref().map(|(first, last)| (first.as_str(), last.as_str())), page.count);
    w.close();
    Ok(w.finish())
}

/// Reads `<query/>` (section 4): which entries of a log are wanted.
///
/// # Errors
/// If it asks for what is not there, or is malformed.
pub fn read_query(query: El<'_>, space: Space, owner: Owner) -> Result<LogQuery, StanzaError> {
    if query.attr("node").is_some() {
        return Err(StanzaError::from(Condition::ItemNotFound).text("this archive has no nodes"));
    }
    let mut log = LogQuery::new(space, owner);
    if let Some(form) = query.child("x", ns::FORMS) {
        for field in form.children_named("field", ns::FORMS) {
            read_field(&mut log, field)?;
        }
    }
    let wanted = Wanted::read(query)?;
    log.limit = wanted.max.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
    log.bytes = PAGE_BYTES_MAX;
    log.count = log.limit == 0;
    log.page = match (wanted.after, wanted.before) {
        (Some(after), None) => Paging::Forwards { after: Some(id(&after)?) },
        (None, Some(before)) if before.is_empty() => Paging::Backwards { before: None },
        (None, Some(before)) => Paging::Backwards { before: Some(id(&before)?) },
        (None, None) => Paging::Forwards { after: None },
        (Some(_), Some(_)) => {
            return Err(StanzaError::from(Condition::BadRequest).text("either after or before"));
        }
    };
    Ok(log)
}

fn read_field(log: &mut LogQuery, field: El<'_>) -> Result<(), StanzaError> {
    let name = field.attr("var").unwrap_or_default();
    let mut values = field.children_named("value", ns::FORMS).map(|value| value.text().into_owned());
    let bad = || StanzaError::from(Condition::BadRequest).text("a field's value is malformed");
    if name == "ids" {
        let ids: Vec<u64> =
            values.by_ref().take(IDS_MAX + 1).map(|text| id(&text)).collect::<Result<_, _>>()?;
        if ids.len() > IDS_MAX {
            return Err(StanzaError::from(Condition::PolicyViolation).text("too many ids"));
        }
        log.ids = Some(ids);
        return Ok(());
    }
    let value = values.next().unwrap_or_default();
    match &*name {
        "FORM_TYPE" if value == ns::MAM => {}
        "with" => {
            let jid = Jid::parse(&value).map_err(|_| StanzaError::from(Condition::JidMalformed))?;
            let bare = Arc::from(jid.bare_str());
            log.with = Some(match jid.resource() {
                Some(resource) => With::Full { bare, resource: resource.into() },
                None => With::Bare(bare),
            });
        }
        "start" => log.from_ms = Some(parse(&value).ok_or_else(bad)?),
        "end" => log.to_ms = Some(parse(&value).ok_or_else(bad)?),
        "after-id" => log.after_id = Some(id(&value)?),
        "before-id" => log.before_id = Some(id(&value)?),
        // Section 4.1.6: what we do not know we must refuse.
        _ => return Err(StanzaError::from(Condition::FeatureNotImplemented).text("an unknown field")),
    }
    Ok(())
}

/// Ids of other archives, or of nobody, are ids that this one does not have.
fn id(text: &str) -> Result<u64, StanzaError> {
    text.parse().map_err(|_| StanzaError::from(Condition::ItemNotFound).text("no message with that id"))
}

/// The fields that a query may have (section 4.1.6).
pub fn form() -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::MAM).open("x", ns::FORMS).attr("type", "form");
    let mut field = |var: &str, ty: &str, value: Option<&str>| {
        w.open("field", ns::FORMS).attr("type", ty).attr("var", var);
        if let Some(value) = value {
            w.leaf("value", ns::FORMS, value);
        }
        w.close();
    };
    field("FORM_TYPE", "hidden", Some(ns::MAM));
    field("with", "jid-single", None);
    for name in ["start", "end", "before-id", "after-id"] {
        field(name, "text-single", None);
    }
    field("ids", "list-multi", None);
    w.close().close();
    w.finish()
}

/// `<metadata/>` (section 5).
pub fn metadata(bounds: &Bounds) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("metadata", ns::MAM);
    for (name, end) in [("start", bounds.first), ("end", bounds.last)] {
        if let Some((id, at_ms)) = end {
            w.open(name, ns::MAM).attr("id", id.to_string()).attr("timestamp", stamp(at_ms)).close();
        }
    }
    w.close();
    w.finish()
}
