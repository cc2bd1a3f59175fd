//! The message of the day and the welcome message, shown to those who come.
//!
//! XEP-0133 1.3.1 (sections 4.23 and 4.25: once to each user, at the next login)
//!
//! Not here: setting them (`adhoc/admin/notices.rs`).

use kernel::{Account, Card, Event, Feature, Flow, Step, Turn, Way};
use model::link::SessionId;
use model::query::{AccountFound, AccountQuery, Found, Query};
use model::storage::{Loaded, Owner, Read, Space};
use serde::{Deserialize, Serialize};
use stanza::{Kind, MessageType, Stanza, ns};
use xml::Writer;

/// One [`Notice`] for each domain that has one.
pub(crate) const MOTD: Space = Space("motd");
/// The same, for those whose account is younger than it.
pub(crate) const WELCOME: Space = Space("welcome");
/// One [`Seen`] for each account that was shown something.
pub(crate) const SEEN: Space = Space("notices");

/// What all users of a domain shall read.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notice {
    /// Changes when it is to be shown to everybody again.
    pub(crate) id: u64,
    /// When it was set, in Unix seconds.
    pub(crate) at: u64,
    pub(crate) text: String,
}

impl Notice {
    /// Reads what was stored; `None` if it is unreadable.
    pub(crate) fn read(stored: &[u8]) -> Option<Notice> {
        let read = serde_json::from_slice(stored);
        read.inspect_err(|error| tracing::error!(%error, "a stored notice is unreadable")).ok()
    }

    /// For storage.
    pub(crate) fn write(&self) -> Vec<u8> {
        // Numbers and text are always writable as JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What an account was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Seen {
    /// The id of the last message of the day.
    motd: u64,
    /// The welcome message, or it came too early for that.
    welcomed: bool,
}

/// See the file's header.
pub(crate) struct Notices;

impl Feature for Notices {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card { steps: &[(Way::Arrive, Step::Stamp)], ..Card::named("notices") };
        &CARD
    }

    /// A message of the day that reaches those who are there when it is set: from now on the account knows it.
    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let own = |turn: &Turn<'_, Account>| {
            // Nobody but the server sends from the domain's own address.
            stanza.from.as_ref().is_some_and(|from| from.as_str() == turn.place.jid.domain())
        };
        if stanza.kind != Kind::Message(MessageType::Headline) || !own(turn) {
            return Flow::On;
        }
        let id = stanza.payload.child("motd", ns::ADMIN).and_then(|mark| mark.attr("id")?.parse().ok());
        if let Some(motd) = id {
            stanza.payload = stanza.payload.without(|child| child.is("motd", ns::ADMIN));
            let before = turn.place.slots.of::<Option<Seen>>().clone();
            // Without knowing whether it was welcomed nothing is said of that: the text comes again at the next login.
            if let Some(before) = before {
                note(turn, Seen { motd, ..before });
            }
        }
        Flow::On
    }

    fn event(&self, turn: &mut Turn<'_, Account>, event: &Event) {
        let Event::BecameAvailable { session, initial: true } = *event else { return };
        let doc = |space, owner: &str| Read::Doc { space, owner: Owner::from(owner) };
        let (account, domain) = (turn.place.jid.clone(), turn.place.jid.domain().to_owned());
        let reads = vec![doc(MOTD, &domain), doc(WELCOME, &domain), doc(SEEN, account.as_str())];
        turn.fx.ask(&account, Query::Read(Read::Many(reads)), move |turn, found| {
            // Without an answer nothing is shown; the next login shows it.
            let Ok(found) = found else { return };
            let mut docs = found.into_loaded().into_many().into_iter().map(Loaded::into_doc);
            let mut next = || docs.next().flatten();
            let (motd, welcome, seen) = (next(), next(), next());
            let notice = |stored: Option<bytes::Bytes>| stored.and_then(|stored| Notice::read(&stored));
            let seen = seen.and_then(|stored| serde_json::from_slice(&stored).ok()).unwrap_or_default();
            greet(turn, session, notice(motd), notice(welcome), seen);
        });
    }
}

/// Shows what is new.
fn greet(
    turn: &mut Turn<'_, Account>,
    session: SessionId,
    motd: Option<Notice>,
    welcome: Option<Notice>,
    stored: Seen,
) {
    // What is in memory is newer than what was read, if two devices came at once.
    let before = turn.place.slots.of::<Option<Seen>>().get_or_insert(stored).clone();
    let mut seen = before.clone();
    if let Some(motd) = motd.filter(|motd| motd.id != seen.motd) {
        seen.motd = motd.id;
        show(turn, session, &motd.text);
    }
    if let Some(welcome) = welcome.filter(|_| !seen.welcomed) {
        seen.welcomed = true;
        let account = turn.place.jid.clone();
        let query = Query::Account(AccountQuery::Show { account: account.clone() });
        turn.fx.ask(&account, query, move |turn, found| {
            let Ok(Found::Account(AccountFound::Accounts(infos))) = found else { return };
            if infos.first().is_some_and(|info| info.created >= welcome.at) {
                show(turn, session, &welcome.text);
            }
        });
    }
    if seen != before {
        note(turn, seen);
    }
}

fn show(turn: &mut Turn<'_, Account>, session: SessionId, text: &str) {
    let Some(to) = turn.place.session(session).map(|session| session.jid.clone()) else { return };
    let mut w = Writer::new(ns::CLIENT);
    w.leaf("body", ns::CLIENT, text);
    let mut message = Stanza::message(MessageType::Headline).to(&to).with_inner(w.finish());
    message.from = address::Jid::parse(to.domain()).ok();
    turn.fx.send(session, message.into());
}

fn note(turn: &mut Turn<'_, Account>, seen: Seen) {
    // A number and a flag are always writable as JSON.
    let stored = serde_json::to_vec(&seen).unwrap_or_default();
    *turn.place.slots.of::<Option<Seen>>() = Some(seen);
    turn.fx.put_doc(SEEN, Owner::from(turn.place.jid.text()), stored);
}
