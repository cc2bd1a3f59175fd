//! Reading the archive.
//!
//! XEP-0313 1.1.3 sections 4 and 5, XEP-0059 1.0
//!
//! Not here: what gets into it (`mod.rs`).

use std::sync::Arc;

use address::Jid;
use bytes::Bytes;
use kernel::{Account, Answer, Iq, Turn};
use model::link::SessionId;
use model::spaces::ARCHIVE;
use model::storage::{Entry, LogQuery, Owner, Page, Paging, Read, With};
use stanza::{Condition, MessageType, Stanza, StanzaError, ns};
use xml::{El, Writer};

use crate::rsm::{self, Wanted};
use crate::when::{parse, stamp, write_delay};

/// Most messages in a page, whatever a client asks for.
pub(crate) const PAGE_MAX: u32 = 100;
/// Messages in a page if the client does not say.
const PAGE_DEFAULT: u32 = 50;
/// Bytes of messages in a page, besides the message that passes this mark.
pub(crate) const PAGE_BYTES_MAX: u64 = 1 << 20;
/// Most ids in one `ids` field.
const IDS_MAX: usize = 100;

/// What of a request the answer needs.
struct Asked {
    session: Option<SessionId>,
    to: Jid,
    query_id: Option<String>,
    flip: bool,
}

/// `<query/>`: the messages first, then the answer to the iq.
pub(super) fn answer(turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
    let owner = Owner::from(turn.place.jid.text());
    let query = match read_query(iq.payload, owner) {
        Ok(query) => query,
        Err(error) => return error.into(),
    };
    let asked = Asked {
        session: turn.session,
        to: iq.from().clone(),
        query_id: iq.payload.attr("queryid").map(|id| id.into_owned()),
        flip: iq.payload.child("flip-page", ns::MAM).is_some(),
    };
    Answer::read(query, move |turn, loaded| give(turn, &asked, loaded.into_page()))
}

fn give(turn: &mut Turn<'_, Account>, asked: &Asked, mut page: Page) -> Answer<Account> {
    if page.missing_anchor {
        return StanzaError::from(Condition::ItemNotFound).text("no message with that id").into();
    }
    let ends =
        page.entries.first().zip(page.entries.last()).map(|(a, b)| (a.id.to_string(), b.id.to_string()));
    if asked.flip {
        page.entries.reverse();
    }
    for entry in &page.entries {
        let result = result(turn, asked, entry);
        match asked.session {
            Some(session) => turn.fx.send(session, result.into()),
            None => turn.fx.route(result),
        }
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("fin", ns::MAM).attr_opt("complete", page.complete.then_some("true"));
    rsm::write(&mut w, ends.as_ref().map(|(first, last)| (first.as_str(), last.as_str())), page.count);
    w.close();
    Answer::Reply(w.finish())
}

fn result(turn: &Turn<'_, Account>, asked: &Asked, entry: &Entry) -> Stanza {
    let mut w = Writer::new(ns::CLIENT).with_capacity(entry.value.len() + 256);
    w.open("result", ns::MAM).attr_opt("queryid", asked.query_id.as_deref()).attr("id", entry.id.to_string());
    w.open("forwarded", ns::FORWARD);
    write_delay(&mut w, None, entry.at_ms);
    // Stored in canonical form with its own xmlns, so it stands anywhere.
    w.raw(&entry.value);
    w.close().close();
    Stanza::message(MessageType::Normal).from(&turn.place.jid).to(&asked.to).with_inner(w.finish())
}

fn read_query(query: El<'_>, owner: Owner) -> Result<LogQuery, StanzaError> {
    if query.attr("node").is_some() {
        return Err(StanzaError::from(Condition::ItemNotFound).text("an account's archive has no nodes"));
    }
    let mut log = LogQuery::new(ARCHIVE, owner);
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
pub(super) fn form() -> Bytes {
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
pub(super) fn metadata(turn: &mut Turn<'_, Account>) -> Answer<Account> {
    let owner = Owner::from(turn.place.jid.text());
    Answer::read(Read::LogBounds { space: ARCHIVE, owner, count: false }, |_, loaded| {
        let bounds = loaded.into_bounds();
        let mut w = Writer::new(ns::CLIENT);
        w.open("metadata", ns::MAM);
        for (name, end) in [("start", bounds.first), ("end", bounds.last)] {
            if let Some((id, at_ms)) = end {
                w.open(name, ns::MAM).attr("id", id.to_string()).attr("timestamp", stamp(at_ms)).close();
            }
        }
        w.close();
        Answer::Reply(w.finish())
    })
}
