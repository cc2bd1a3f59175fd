//! Which accounts are in memory, and getting them there.
//!
//! Not here: what an account is (kernel).

use std::collections::VecDeque;

use address::Bare;
use kernel::Account;
use model::link::{Bind, Down, SessionId};
use model::query::{Found, Query};
use model::spaces::ACCOUNT;
use model::storage::{Owner, Read};
use stanza::{Condition, Stanza, StanzaError, StreamError};

use crate::contained::contained;
use crate::departures::is_being_removed;
use crate::device::Token;
use crate::engine::{Asked, Engine};
use crate::held::{Cause, Out, Parcel};
use crate::limits;
use crate::privileges::{Speech, Tie};
use crate::turns::Work;

/// An account in memory, or on its way there.
pub(crate) enum Place {
    Ready(Box<Ready>),
    Loading(VecDeque<Waiting>),
}

/// An account in memory.
pub(crate) struct Ready {
    pub(crate) account: Account,
    /// Unique for the life of the process: a question that was asked for one place is not answered to another that has
    /// the same name.
    pub(crate) number: u64,
    /// Questions whose answers it waits for; it stays in memory until they are there.
    pub(crate) busy: u32,
    /// When it wants to be woken, on the clock of the timers; it stays in memory until then.
    pub(crate) wish: Option<u64>,
    /// The id of its latest turn: later ones have no lower one, since its logs only grow.
    pub(crate) latest: u64,
}

/// What waits for an account.
pub(crate) enum Waiting {
    Stanza(Stanza, Cause, Option<Token>),
    Undelivered(SessionId, Parcel),
    /// A component speaks in the account's name.
    Speech(Box<Speech>),
    /// A component ties one of its own to the account.
    Tie(Box<Tie>),
    Bind(Box<Bind>),
    Removal(Removal),
}

/// How much waits for accounts and places of services that are being loaded.
#[derive(Default)]
pub(crate) struct Loading {
    count: usize,
    bytes: usize,
}

impl Loading {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes;
    }

    pub(crate) fn take(&mut self, bytes: usize) {
        self.count -= 1;
        self.bytes -= bytes;
    }

    /// Whether it is enough.
    pub(crate) fn is_much(&self) -> bool {
        self.count >= limits::LOADING_WAIT_MAX || self.bytes >= limits::LOADING_WAIT_BYTES_MAX
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        match self {
            Waiting::Stanza(stanza, ..) => stanza.size(),
            Waiting::Undelivered(_, parcel) => parcel.stanza.size(),
            Waiting::Tie(tie) => tie.asked.size(),
            Waiting::Speech(speech) => speech.stanza.size(),
            Waiting::Bind(_) | Waiting::Removal(_) => 0,
        }
    }
}

/// The end of an account, to be called when its contacts have been told.
pub(crate) type Removal = Box<dyn FnOnce(&mut Engine) + Send>;

impl Engine {
    /// Gives `waiting` to the account now, or as soon as it is loaded.
    pub(crate) fn with_account(&mut self, account: &Bare, waiting: Waiting) {
        match self.accounts.get_mut(account) {
            Some(Place::Ready(_)) => self.give(account, waiting),
            // Not bounded for each account: what is here has been accepted. Instead no more is taken from streams.
            Some(Place::Loading(line)) => {
                self.loading.add(waiting.bytes());
                line.push_back(waiting);
            }
            None => {
                self.loading.add(waiting.bytes());
                self.accounts.insert(account.clone(), Place::Loading(VecDeque::from([waiting])));
                let mut reads = vec![Read::Doc { space: ACCOUNT, owner: Owner::from(account.text()) }];
                reads.extend(self.kernel.reads(account));
                self.batch
                    .outs
                    .push(Out::Ask(Query::Read(Read::Many(reads)).into(), Asked::Load(account.clone())));
            }
        }
    }

    /// The account's data is there.
    pub(crate) fn loaded(&mut self, account: Bare, found: Result<Found, StanzaError>) {
        let Some(Place::Loading(line)) = self.accounts.remove(&account) else { return };
        line.iter().for_each(|waiting| self.loading.take(waiting.bytes()));
        let answers = match found {
            Ok(found) => found.into_loaded().into_many(),
            Err(error) => return line.into_iter().for_each(|waiting| self.turn_away(waiting, &error)),
        };
        let mut answers = answers.into_iter();
        let exists = answers.next().is_some_and(|doc| doc.into_doc().is_some());
        let Some(mut place) = contained(|| self.kernel.hydrate(account.clone(), exists, answers)) else {
            let error = Condition::InternalServerError.into();
            return line.into_iter().for_each(|waiting| self.turn_away(waiting, &error));
        };
        if let Some(host) = self.hosts.get(account.domain()) {
            place.facts = host.facts.clone();
            place.apply_groups();
        }
        self.last_place += 1;
        let ready = Ready { account: place, number: self.last_place, busy: 0, wish: None, latest: 0 };
        self.accounts.insert(account.clone(), Place::Ready(Box::new(ready)));
        for waiting in line {
            self.give(&account, waiting);
        }
        self.work_off();
        self.rest(&account);
    }

    fn give(&mut self, account: &Bare, waiting: Waiting) {
        let acts = matches!(waiting, Waiting::Bind(_) | Waiting::Speech(_) | Waiting::Tie(_));
        if acts && self.departures.is_leaving(account) {
            return self.turn_away(waiting, &is_being_removed());
        }
        match waiting {
            Waiting::Stanza(stanza, cause, token) => self.arrive(account, stanza, cause, token),
            Waiting::Undelivered(session, parcel) => self.undelivered(account, session, parcel),
            Waiting::Speech(speech) => self.speak(account, *speech),
            Waiting::Tie(tie) => self.tie(account, *tie),
            Waiting::Bind(bind) => self.bind_ready(*bind),
            Waiting::Removal(removal) => removal(self),
        }
    }

    fn turn_away(&mut self, waiting: Waiting, error: &StanzaError) {
        match waiting {
            Waiting::Stanza(stanza, cause, token) => {
                if let Some(reply) = stanza.error(error.clone()) {
                    self.work.push_back(Work::Route(reply, cause.next(), None));
                }
                self.batch.tokens.extend(token);
            }
            Waiting::Undelivered(session, parcel) => {
                if let Some(account) = parcel.stanza.to.as_ref().map(address::Jid::bare) {
                    self.leave_later(account, session, parcel);
                }
            }
            Waiting::Speech(speech) => self.speech_refused(*speech, error.clone()),
            Waiting::Tie(tie) => {
                self.refuse(&tie.asked, tie.cause, error.clone());
                self.batch.tokens.push(tie.token);
            }
            Waiting::Bind(bind) => bind.link.send(Down::Bound(Err(error.clone()))),
            Waiting::Removal(removal) => removal(self),
        }
    }

    /// The account has no sessions (any more): it may leave memory, at once if nobody registered it.
    pub(crate) fn rest(&mut self, account: &Bare) {
        match self.accounts.get(account) {
            Some(Place::Ready(place)) if place.account.sessions.is_empty() => {
                if place.account.exists {
                    self.idle.push_back(account.clone());
                } else if place.busy == 0 {
                    self.accounts.remove(account);
                }
            }
            _ => return,
        }
        while self.idle.len() > limits::IDLE_ACCOUNTS_MAX {
            let Some(oldest) = self.idle.pop_front() else { return };
            self.forget(&oldest);
        }
    }

    /// An account wanted to be woken now, unless it has changed its mind.
    pub(crate) fn wake_account(&mut self, account: &Bare, at_ms: u64) {
        match self.accounts.get_mut(account) {
            Some(Place::Ready(place)) if place.wish == Some(at_ms) => place.wish = None,
            _ => return,
        }
        self.own_turn(account, None, |kernel, turn| kernel.woken(turn));
        self.rest(account);
    }

    /// A place for an address that nobody registered stays no longer than its last answer takes.
    pub(crate) fn leave_if_nobody(&mut self, account: &Bare) {
        if matches!(self.accounts.get(account), Some(Place::Ready(place)) if !place.account.exists) {
            self.forget(account);
        }
    }

    /// Takes an account out of memory if nothing there depends on it.
    pub(crate) fn forget(&mut self, account: &Bare) {
        let free = matches!(self.accounts.get(account),
            Some(Place::Ready(place)) if place.account.sessions.is_empty() && place.busy == 0 && place.wish.is_none());
        if free {
            self.thin_out(account);
            self.accounts.remove(account);
        }
    }

    /// Takes an account out of memory that is ahead of storage, and ends its sessions: they start again from what is
    /// stored. Their contacts see them go, and what their clients never got finds another way.
    pub(crate) fn drop_account(&mut self, account: &Bare, error: &StreamError) {
        let Some(Place::Ready(place)) = self.accounts.get(account) else { return };
        let sessions: Vec<SessionId> = place.account.sessions.iter().map(|session| session.id).collect();
        for session in sessions {
            self.farewell(account, session);
            let Some(device) = self.devices.remove(&session) else { continue };
            device.tell(Down::Close(Some(error.clone())));
            self.settle_estate(session, device);
        }
        self.thin_out(account);
        self.accounts.remove(account);
    }
}
