//! The message archive: what an account said and heard, in order, on stable storage.
//!
//! XEP-0313 1.1.3, XEP-0359 0.7.0 (ids), XEP-0334 1.0.0 (hints), XEP-0441 0.2.0 (preferences),
//! XEP-0059 1.0 (pages), XEP-0353 0.8.0 and XEP-0482 0.1.0 (calls)
//!
//! Not here: rooms' archives; messages of rooms are not kept in the archives of accounts.

mod prefs;
mod query;

use std::sync::Arc;

use kernel::{Account, Answer, Card, Feature, Flow, Form, Iq, IqRoute, Kept, Spec, Step, Turn, Way};
use model::spaces::ARCHIVE;
use model::storage::{Entry, Loaded, Owner, Space, Write};
use stanza::{Condition, Kind, MessageType, Stanza, ns};
use xml::Writer;

pub(crate) use prefs::PREFS;
use prefs::Prefs;
pub use prefs::{prefs_read, prefs_write};

/// See the file's header.
pub(crate) struct Archive;

/// The highest id in the archive: ids only grow, whatever the order in which messages got here.
#[derive(Default)]
struct Last(u64);

impl Feature for Archive {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card {
            specs: &[
                Spec::complete("XEP-0313", "1.1.3")
                    .note("counts only where a page of no messages is asked for"),
                Spec::complete("XEP-0441", "0.2.0"),
                Spec::partial("XEP-0059", "1.0", "no access by index"),
                Spec::complete("XEP-0353", "0.8.0").note("the server's part: copied to all devices and kept"),
                Spec::complete("XEP-0482", "0.1.0").note("the server's part: copied to all devices and kept"),
            ],
            account_vars: &[ns::MAM, ns::MAM_EXTENDED],
            steps: &[(Way::Leave, Step::Keep), (Way::Arrive, Step::Keep)],
            iqs: &[IqRoute::own(ns::MAM)],
            kept: &[Kept { space: PREFS, form: Form::Doc }, Kept { space: ARCHIVE, form: Form::Last }],
            ..Card::named("archive")
        };
        &CARD
    }

    fn hydrate(&self, account: &mut Account, space: Space, stored: Loaded) {
        if space == PREFS {
            *account.slots.of::<Prefs>() = Prefs::read(stored.into_doc());
        } else {
            account.slots.of::<Last>().0 = stored.into_bounds().last.map_or(0, |(id, _)| id);
        }
    }

    fn step(&self, way: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let other = if way == Way::Leave { &stanza.to } else { &stanza.from };
        let Some(other) = other.clone() else { return Flow::On };
        let to_self = other.bare_str() == turn.place.jid.as_str();
        // What one sends to oneself is kept once, where it arrives.
        if (way == Way::Leave && to_self) || !is_for_the_archive(stanza) || !prefs::allow(turn.place, &other)
        {
            return Flow::On;
        }
        let last = turn.place.slots.of::<Last>();
        let id = turn.id.max(last.0 + 1);
        last.0 = id;
        let entry = Entry {
            id,
            at_ms: turn.now.unix_ms,
            with: Some(Arc::from(other.bare_str())),
            resource: other.resource().map(Arc::from),
            tag: 0,
            value: stanza.to_stored().into(),
        };
        let owner = Owner::from(turn.place.jid.text());
        turn.fx.write(Write::LogAppend { space: ARCHIVE, owner, entry });
        turn.archived = Some(id);
        if way == Way::Arrive {
            stanza.payload = stanza.payload.with(|w| write_id(w, turn.place.jid.as_str(), id));
        }
        Flow::On
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        match (iq.payload.name(), iq.is_set()) {
            ("query", true) => query::answer(turn, iq),
            ("query", false) => Answer::Reply(kernel::mam::form()),
            ("metadata", false) => query::metadata(turn),
            ("prefs", false) => Answer::Reply(turn.place.slots.of::<Prefs>().write()),
            ("prefs", true) => prefs::set(turn, iq.payload),
            _ => Condition::BadRequest.into(),
        }
    }
}

/// Writes `<stanza-id/>` (XEP-0359).
pub(crate) fn write_id(w: &mut Writer, by: &str, id: u64) {
    w.open("stanza-id", ns::SID).attr("by", by).attr("id", id.to_string()).close();
}

/// XEP-0313 section 6.1: what a person would look for later; hints decide otherwise.
fn is_for_the_archive(stanza: &Stanza) -> bool {
    let Kind::Message(MessageType::Chat | MessageType::Normal) = stanza.kind else { return false };
    let payload = &stanza.payload;
    let hint = |name| payload.has(name, ns::HINTS);
    if hint("no-store") || hint("no-permanent-store") {
        return false;
    }
    /// Payloads that mean something without a body.
    const SPEAKING: [&str; 10] = [
        ns::OMEMO_OLD,
        ns::OMEMO,
        ns::RECEIPTS,
        ns::MARKERS,
        ns::RETRACT,
        ns::REACTIONS,
        ns::JINGLE_MESSAGE,
        ns::CALL_INVITES,
        ns::CONFERENCE,
        ns::MUC_USER,
    ];
    // A mere wish for a receipt or a marker says nothing.
    let speaks = |child: stanza::Child<'_>| {
        SPEAKING.contains(&child.ns()) && !matches!(child.name(), "request" | "markable")
    };
    payload.has("body", ns::CLIENT) || hint("store") || payload.children().any(speaks)
}
