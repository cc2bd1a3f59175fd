//! Everybody who may be found, in memory: read when somebody searches, and again when it has become old.
//!
//! XEP-0055 1.3 (behind it)
//!
//! Not here: searching (`query.rs`).

use std::sync::Arc;

use address::Bare;
use kernel::{Answer, Directory, Host, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, Which};
use model::storage::{Loaded, Owner, Read};

use super::LISTED;
use super::card::{CARDS, Card};

/// Most people in the directory of a domain; others are not found.
pub(crate) const PEOPLE_MAX: usize = 100_000;
/// How long what was read is good for, in milliseconds.
pub(crate) const FRESH_MS: u64 = 600_000;
/// How many are read at once.
const PAGE: u32 = 500;

/// Somebody who may be found.
pub(super) struct Entry {
    pub(super) jid: Box<str>,
    pub(super) card: Card,
    /// Each field in small letters, where that differs.
    low: [Option<Box<str>>; 5],
}

impl Entry {
    fn new(jid: &str, card: Card) -> Entry {
        let mut entry = Entry { jid: jid.into(), card, low: Default::default() };
        let lows = std::array::from_fn(|at| {
            let text = entry.field(at);
            let low = text.to_lowercase();
            (low != text).then(|| low.into_boxed_str())
        });
        entry.low = lows;
        entry
    }

    /// A field, in the order of the form.
    pub(super) fn field(&self, at: usize) -> &str {
        match at {
            0 => self.jid.split('@').next().unwrap_or_default(),
            1 => &self.card.first,
            2 => &self.card.last,
            3 => &self.card.nick,
            _ => &self.card.email,
        }
    }

    /// The same in small letters.
    pub(super) fn low(&self, at: usize) -> &str {
        self.low.get(at).and_then(|low| low.as_deref()).unwrap_or_else(|| self.field(at))
    }
}

/// The people of a domain.
pub(super) type People = Arc<Vec<Entry>>;

/// What a host has in memory.
#[derive(Default)]
struct Index(Option<(u64, Directory, People)>);

/// What goes on when the people are known.
type Then = Box<dyn FnOnce(&mut Turn<'_, Host>, People) -> Answer<Host> + Send>;

/// The people of this domain, read anew if need be.
pub(super) fn people(turn: &mut Turn<'_, Host>, then: Then) -> Answer<Host> {
    let (now, policy) = (turn.now.unix_ms, turn.place.facts.safety.directory);
    if let Some((at, of, people)) = &turn.place.slots.of::<Index>().0
        && *of == policy
        && now.checked_sub(*at).is_some_and(|age| age < FRESH_MS)
    {
        let people = people.clone();
        return then(turn, people);
    }
    match policy {
        Directory::All => registered(turn, None, Vec::new(), then),
        _ => listed(turn, None, Vec::new(), then),
    }
}

/// Somebody was added to or taken from the directory: it is read anew.
pub(crate) fn forget(turn: &mut Turn<'_, Host>) {
    turn.place.slots.of::<Index>().0 = None;
}

fn found(turn: &mut Turn<'_, Host>, people: Vec<Entry>, then: Then) -> Answer<Host> {
    let (now, policy) = (turn.now.unix_ms, turn.place.facts.safety.directory);
    let people = Arc::new(people);
    turn.place.slots.of::<Index>().0 = Some((now, policy, people.clone()));
    then(turn, people)
}

/// Those who want to be found.
fn listed(turn: &mut Turn<'_, Host>, after: Option<Owner>, people: Vec<Entry>, then: Then) -> Answer<Host> {
    let domain = turn.place.domain.as_str().to_owned();
    Answer::read(Read::Owners { space: LISTED, after, limit: PAGE }, move |_, loaded| {
        let owners = loaded.into_owners();
        let last = owners.last().filter(|_| owners.len() == PAGE as usize).cloned();
        let of_ours = |owner: &Owner| Bare::parse(owner.as_str()).ok().filter(|bare| bare.domain() == domain);
        let accounts = owners.iter().filter_map(of_ours).collect();
        cards(accounts, people, false, move |turn, people| match last {
            Some(last) if people.len() < PEOPLE_MAX => listed(turn, Some(last), people, then),
            _ => found(turn, people, then),
        })
    })
}

/// All who have an account, but for those who do not want to be found.
fn registered(
    turn: &mut Turn<'_, Host>,
    after: Option<Bare>,
    people: Vec<Entry>,
    then: Then,
) -> Answer<Host> {
    let domain = turn.place.domain.as_str().to_owned();
    let list = AccountQuery::List { domain, after, limit: PAGE, which: Which::All };
    Answer::ask(Query::Account(list), move |_, answer| {
        let infos = match answer {
            Found::Account(AccountFound::Accounts(infos)) => infos,
            _ => Vec::new(),
        };
        let last = infos.last().filter(|_| infos.len() == PAGE as usize).map(|info| info.account.clone());
        let accounts = infos.into_iter().filter(|info| !info.suspended).map(|info| info.account).collect();
        cards(accounts, people, true, move |turn, people| match last {
            Some(last) if people.len() < PEOPLE_MAX => registered(turn, Some(last), people, then),
            _ => found(turn, people, then),
        })
    })
}

/// Adds those of the accounts who are to be found: who has said nothing is if `unless`.
fn cards(
    accounts: Vec<Bare>,
    mut people: Vec<Entry>,
    unless: bool,
    then: impl FnOnce(&mut Turn<'_, Host>, Vec<Entry>) -> Answer<Host> + Send + 'static,
) -> Answer<Host> {
    let doc = |space, account: &Bare| Read::Doc { space, owner: Owner::from(account.text()) };
    let reads = accounts.iter().flat_map(|account| [doc(LISTED, account), doc(CARDS, account)]).collect();
    Answer::read(Read::Many(reads), move |turn, loaded| {
        let mut docs = loaded.into_many().into_iter().map(Loaded::into_doc);
        for account in accounts {
            let (listed, card) = (docs.next().flatten(), docs.next().flatten());
            let wants = listed.map_or(unless, |value| &*value == b"1");
            if wants && people.len() < PEOPLE_MAX {
                let card = card.map(|stored| Card::read(&stored)).unwrap_or_default();
                people.push(Entry::new(account.as_str(), card));
            }
        }
        then(turn, people)
    })
}
