//! Everybody who may be found, in memory: read when somebody searches, and again when it has become old.
//!
//! XEP-0055 1.3 (behind it)
//!
//! Not here: searching (`query.rs`).

use std::collections::HashSet;
use std::sync::Arc;

use address::Bare;
use bytes::Bytes;
use kernel::{Answer, Directory, Host, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, Which};
use model::storage::{Loaded, Owner, Read};
use stanza::{Condition, Stanza, StanzaError};

use super::LISTED;
use super::card::{CARDS, Card};

/// Most people in the directory of a domain; others are not found.
pub(crate) const PEOPLE_MAX: usize = 100_000;
/// How long what was read is good for, in milliseconds.
pub(crate) const FRESH_MS: u64 = 600_000;
/// Most searches that wait while the directory is read.
const WAITING_MAX: usize = 128;
/// Most people who change their mind while it is read; if there are more, who searches is asked to come again.
const TOUCHED_MAX: usize = 1_000;
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
struct Index {
    /// Who may be found: since when that is known, and under which policy.
    known: Option<(u64, Directory, People)>,
    /// Grows when somebody has changed his mind: what was read before that is not kept.
    generation: u64,
    scan: Option<Scan>,
}

/// Everybody is being read.
struct Scan {
    /// The turn in which it began: an answer to another is none of its own.
    number: u64,
    policy: Directory,
    generation: u64,
    /// Who has changed his mind since.
    touched: HashSet<Bare>,
    waiting: Vec<Waiting>,
}

/// Who waits for it: a request without its payload, and what goes on when the people are known.
type Waiting = (Stanza, Then);
type Then = Box<dyn FnOnce(&People) -> Bytes + Send>;

/// Answers a request from the people of this domain, read anew if need be. Whoever comes while they are read waits with the
/// others.
pub(super) fn people(turn: &mut Turn<'_, Host>, request: &Stanza, then: Then) -> Answer<Host> {
    let (now, policy) = (turn.now.unix_ms, turn.place.facts.safety.directory);
    let index = turn.place.slots.of::<Index>();
    if let Some((at, of, people)) = &index.known
        && *of == policy
        && now.checked_sub(*at).is_some_and(|age| age < FRESH_MS)
    {
        return Answer::Reply(then(people));
    }
    let waiting = (Stanza { payload: Default::default(), ..request.clone() }, then);
    match &mut index.scan {
        Some(scan) if scan.waiting.len() >= WAITING_MAX => return busy().into(),
        Some(scan) => scan.waiting.push(waiting),
        None => begin(turn, vec![waiting]),
    }
    Answer::Later
}

fn busy() -> StanzaError {
    StanzaError::from(Condition::ResourceConstraint).text("too many search at once")
}

/// Somebody was added to or taken from the directory: it is read anew. Who is just being read is not shown.
pub(crate) fn forget(turn: &mut Turn<'_, Host>, who: &Bare) {
    let index = turn.place.slots.of::<Index>();
    index.known = None;
    index.generation += 1;
    if let Some(scan) = index.scan.as_mut().filter(|scan| scan.touched.len() < TOUCHED_MAX) {
        scan.touched.insert(who.clone());
    }
}

fn begin(turn: &mut Turn<'_, Host>, waiting: Vec<Waiting>) {
    let (number, policy) = (turn.id, turn.place.facts.safety.directory);
    let index = turn.place.slots.of::<Index>();
    let generation = index.generation;
    index.scan = Some(Scan { number, policy, generation, touched: HashSet::new(), waiting });
    let step = Step { number, policy, people: Vec::new() };
    step.page(turn, None);
}

/// The scan with this number ends.
fn end(turn: &mut Turn<'_, Host>, number: u64, people: Result<Vec<Entry>, StanzaError>) {
    let (now, policy) = (turn.now.unix_ms, turn.place.facts.safety.directory);
    let index = turn.place.slots.of::<Index>();
    let Some(scan) = index.scan.take_if(|scan| scan.number == number) else { return };
    if scan.policy != policy && policy != Directory::Off {
        // Others may be found now than those who were read.
        return begin(turn, scan.waiting);
    }
    let fits = scan.policy == policy && scan.touched.len() < TOUCHED_MAX;
    let people = people.and_then(|people| if fits { Ok(people) } else { Err(busy()) }).map(|mut people| {
        people.retain(|entry| !scan.touched.contains(&*entry.jid));
        Arc::new(people)
    });
    if let Ok(people) = &people
        && scan.generation == index.generation
    {
        index.known = Some((now, policy, people.clone()));
    }
    for (request, then) in scan.waiting {
        let answer = match &people {
            Ok(people) => Answer::Reply(then(people)),
            Err(error) => Answer::Refuse(error.clone()),
        };
        kernel::answer_at_host(turn, request, answer);
    }
}

/// How far a scan has come.
struct Step {
    number: u64,
    policy: Directory,
    people: Vec<Entry>,
}

impl Step {
    /// Reads who comes next: all who have an account, or those who want to be found.
    fn page(self, turn: &mut Turn<'_, Host>, after: Option<Bare>) {
        let domain = turn.place.domain.as_str().to_owned();
        let query = match self.policy {
            Directory::All => {
                Query::Account(AccountQuery::List { domain, after, limit: PAGE, which: Which::All })
            }
            _ => {
                let after = after.map(|after| Owner::from(after.text()));
                Query::Read(Read::Owners { space: LISTED, after, limit: PAGE })
            }
        };
        turn.ask(query, move |turn, found| match found {
            Ok(Found::Account(AccountFound::Accounts(infos))) => {
                let last =
                    infos.last().filter(|_| infos.len() == PAGE as usize).map(|info| info.account.clone());
                let active = infos.into_iter().filter(|info| !info.suspended);
                self.cards(turn, active.map(|info| info.account).collect(), last);
            }
            Ok(Found::Loaded(loaded)) => {
                let owners = loaded.into_owners();
                let account = |owner: &Owner| Bare::parse(owner.as_str()).ok();
                let last = owners.last().filter(|_| owners.len() == PAGE as usize).and_then(account);
                let domain = turn.place.domain.clone();
                let ours = |account: &Bare| account.domain() == domain.as_str();
                self.cards(turn, owners.iter().filter_map(account).filter(ours).collect(), last);
            }
            Ok(_) => self.done(turn),
            Err(error) => end(turn, self.number, Err(error)),
        });
    }

    /// Adds those of the accounts who are to be found; where all may be, who has said nothing is one of them.
    fn cards(mut self, turn: &mut Turn<'_, Host>, accounts: Vec<Bare>, last: Option<Bare>) {
        let doc = |space, account: &Bare| Read::Doc { space, owner: Owner::from(account.text()) };
        let reads = accounts.iter().flat_map(|account| [doc(LISTED, account), doc(CARDS, account)]).collect();
        turn.ask(Query::Read(Read::Many(reads)), move |turn, found| {
            let mut docs = match found {
                Ok(found) => found.into_loaded().into_many().into_iter().map(Loaded::into_doc),
                Err(error) => return end(turn, self.number, Err(error)),
            };
            for account in accounts {
                let (listed, card) = (docs.next().flatten(), docs.next().flatten());
                let wants = listed.map_or(self.policy == Directory::All, |value| &*value == b"1");
                if wants && self.people.len() < PEOPLE_MAX {
                    let card = card.map(|stored| Card::read(&stored)).unwrap_or_default();
                    self.people.push(Entry::new(account.as_str(), card));
                }
            }
            match last {
                Some(last) if self.people.len() < PEOPLE_MAX => self.page(turn, Some(last)),
                _ => self.done(turn),
            }
        });
    }

    fn done(self, turn: &mut Turn<'_, Host>) {
        end(turn, self.number, Ok(self.people));
    }
}
