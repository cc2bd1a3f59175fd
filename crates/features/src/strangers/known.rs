//! Who is a stranger: nobody of the roster, nobody to whom the user has written, nobody of this house.
//!
//! No XEP: there is none about strangers.
//!
//! Not here: what becomes of what strangers send.

use address::{Bare, Jid};
use kernel::{Account, Direction, StrangerPolicy, Turn};
use model::storage::{Owner, Write};
use stanza::{IqType, Kind, MessageType, PresenceType, Stanza, ns};

use super::{STRANGERS, State, held, policy};

/// Most people outside of the roster of whom one account remembers that it has written to them; the oldest are forgotten.
pub(crate) const SPOKEN_MAX: usize = 500;
/// After how long it is noted anew, in milliseconds: once a week.
const AGAIN_MS: u64 = 7 * 86_400_000;

/// Payloads that a person would read, or that ring, without a body.
const SPEAKING: [&str; 10] = [
    ns::OMEMO_OLD,
    ns::OMEMO,
    ns::OPENPGP,
    ns::PGP_OLD,
    ns::ENCRYPTION,
    ns::FILE_SHARING,
    ns::OOB,
    ns::JINGLE_MESSAGE,
    ns::CALL_INVITES,
    ns::CONFERENCE,
];

/// Whether a message says something to a person.
pub(super) fn speaks(stanza: &Stanza) -> bool {
    let payload = &stanza.payload;
    let says = |child: stanza::Child<'_>| SPEAKING.contains(&child.ns()) || child.is("x", ns::MUC_USER);
    payload.has("body", ns::CLIENT) || payload.has("subject", ns::CLIENT) || payload.children().any(says)
}

/// Who it comes from, if that is a stranger.
pub(super) fn sender(account: &Account, stanza: &Stanza) -> Option<Bare> {
    let from = stanza.from.as_ref()?;
    if is_service(account, from) {
        // A room of ours hands an invitation on: it is the inviter's.
        let inviter = inviter(stanza).filter(|inviter| !is_known(account, inviter))?;
        return Some(if is_service(account, &inviter) { from.bare() } else { inviter.bare() });
    }
    (!is_known(account, from)).then(|| from.bare())
}

/// Section 7.8.2 of XEP-0045.
fn inviter(stanza: &Stanza) -> Option<Jid> {
    let x = stanza.payload.child("x", ns::MUC_USER)?;
    let tree = x.tree().ok()?;
    Jid::parse(&tree.root()?.child("invite", ns::MUC_USER)?.attr("from")?).ok()
}

/// A service of the account's own domain, or something in it: a room, a node.
fn is_service(account: &Account, jid: &Jid) -> bool {
    account.facts.services.iter().any(|(service, _)| service.as_str() == jid.domain())
}

fn is_known(account: &Account, from: &Jid) -> bool {
    let (bare, own) = (from.bare_str(), account.jid.domain());
    let of_this_house =
        from.domain() == own && (from.local().is_none() || !account.facts.safety.strangers_local);
    let contact = || {
        account.roster.item(bare).is_some_and(|item| {
            item.in_roster() || item.approved || item.to != Direction::None || item.from == Direction::Active
        })
    };
    let spoken = || account.slots.peek::<State>().is_some_and(|state| state.spoken.contains_key(bare));
    // Whoever gets directed presence was meant to answer: rooms elsewhere, for one.
    let directed =
        || account.sessions.iter().any(|session| session.directed.iter().any(|to| to.bare_str() == bare));
    bare == account.jid.as_str() || of_this_house || contact() || spoken() || directed()
}

/// Something leaves the account: who gets it is no stranger from now on, and what was held of him comes in.
pub(super) fn leaves(turn: &mut Turn<'_, Account>, stanza: &Stanza) {
    match stanza.kind {
        Kind::Message(MessageType::Chat | MessageType::Normal) if speaks(stanza) => {
            met(turn, stanza.to.as_ref())
        }
        Kind::Iq(IqType::Set) => {
            match stanza.to.as_ref().filter(|to| to.bare_str() != turn.place.jid.as_str()) {
                // A subscription to a node, for one.
                Some(to) => met(turn, Some(to)),
                None => added(turn, stanza),
            }
        }
        Kind::Presence(PresenceType::Subscribe | PresenceType::Subscribed) => {
            if let Some(to) = stanza.to.as_ref().map(Jid::bare) {
                held::open(turn, &to);
            }
        }
        _ => {}
    }
}

/// A contact is added or changed.
fn added(turn: &mut Turn<'_, Account>, stanza: &Stanza) {
    if !held::any(turn.place) || !stanza.payload.has("query", ns::ROSTER) {
        return;
    }
    let Ok(tree) = stanza.payload.tree() else { return };
    let item = tree.root().and_then(|query| query.child("item", ns::ROSTER));
    let removed = item.is_some_and(|item| item.attr("subscription").as_deref() == Some("remove"));
    let jid = item.and_then(|item| Bare::parse(&item.attr("jid")?).ok());
    if let Some(jid) = jid.filter(|_| !removed) {
        held::open(turn, &jid);
    }
}

fn met(turn: &mut Turn<'_, Account>, to: Option<&Jid>) {
    let Some(to) = to.filter(|to| !turn.place.blocks(to)) else { return };
    let bare = to.bare();
    match policy(turn.place) {
        _ if is_service(turn.place, to) => {}
        // What is not stored must not be slowed down either: a lively answer, for one.
        StrangerPolicy::Allow => remember(turn, &bare),
        _ => note(turn, &bare),
    }
    held::open(turn, &bare);
}

/// Remembers somebody for as long as the account is in memory, as who was last noted long ago.
fn remember(turn: &mut Turn<'_, Account>, who: &Bare) {
    if is_known(turn.place, who) {
        return;
    }
    let spoken = &mut turn.place.slots.of::<State>().spoken;
    if spoken.len() >= SPOKEN_MAX {
        let unstored = |(_, at): &(&String, &u64)| **at == 0;
        let Some(other) = spoken.iter().find(unstored).map(|(other, _)| other.clone()) else { return };
        spoken.remove(&other);
    }
    spoken.insert(who.as_str().to_owned(), 0);
}

/// Remembers somebody, unless he is known otherwise.
pub(super) fn note(turn: &mut Turn<'_, Account>, who: &Bare) {
    let now = turn.now.unix_ms;
    let fresh =
        |state: &State| state.spoken.get(who.as_str()).is_some_and(|at| now.saturating_sub(*at) < AGAIN_MS);
    let spoken = turn.place.slots.peek::<State>();
    if spoken.is_some_and(fresh)
        || (!spoken.is_some_and(|s| s.spoken.contains_key(who.as_str())) && is_known(turn.place, who))
    {
        return;
    }
    let owner = Owner::from(turn.place.jid.text());
    let state = turn.place.slots.of::<State>();
    state.spoken.insert(who.as_str().to_owned(), now);
    turn.fx.put_map(STRANGERS, owner.clone(), who.as_str(), now.to_string().into_bytes());
    if state.spoken.len() > SPOKEN_MAX {
        let oldest = state.spoken.iter().min_by_key(|(_, at)| **at).map(|(who, _)| who.clone());
        if let Some(oldest) = oldest {
            state.spoken.remove(&oldest);
            turn.fx.write(Write::MapDelete { space: STRANGERS, owner, key: oldest.into() });
        }
    }
}
