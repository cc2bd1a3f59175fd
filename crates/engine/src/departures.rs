//! Whoever's account is removed is taken out of the places of services in which he has rights, before the account goes: else
//! the next of that name would have them. Some places at a time.
//!
//! docs/decisions/023-departures.md
//!
//! Not here: what a place does then (muc), contacts (`operator.rs`).

use std::collections::{BTreeSet, HashMap, VecDeque};

use address::Bare;
use model::link::SessionId;
use model::query::{Found, Query};
use model::storage::{Loaded, Owner, Read, Space};
use stanza::{Condition, StanzaError};

use crate::device::Token;
use crate::engine::{Asked, Engine, Ticket};
use crate::held::Out;
use crate::limits;
use crate::operator::not_authorized;
use crate::places::Waiting;
use crate::turns::Work;

/// In a token: the stanza is no session's, but tells a place of a departure. No session has this number.
const DEPARTURE: SessionId = SessionId(u64::MAX - 1);

/// What is said to those who want something of an account that is being removed.
pub(crate) const LEAVING: &str = "the account is being removed; try again in a moment";

/// Accounts on their way out of places.
#[derive(Default)]
pub(crate) struct Departures {
    /// Accounts whose removal is under way, and who else waits for its outcome.
    leaving: HashMap<Bare, Vec<Ticket>>,
    by_number: HashMap<u64, Departure>,
    last: u64,
}

/// One of them.
struct Departure {
    account: Bare,
    /// Answered when the account is gone.
    ticket: Ticket,
    /// Where is still to be looked; the first is being looked through.
    spaces: VecDeque<Space>,
    after: Option<Owner>,
    /// In how many places this has not yet been written down.
    places: u32,
    failed: bool,
}

/// Why nobody acts for an account any more.
pub(crate) fn is_being_removed() -> StanzaError {
    StanzaError::from(Condition::NotAllowed).text(LEAVING)
}

impl Departures {
    /// Whether the account is being removed: nothing is to be done in its name, and nobody gets its name before it is gone.
    pub(crate) fn is_leaving(&self, account: &Bare) -> bool {
        self.leaving.contains_key(account)
    }

    /// Somebody wants an account gone. `false`: that is under way already, and its outcome will be the answer.
    fn begin(&mut self, account: &Bare, ticket: Ticket) -> bool {
        if let Some(others) = self.leaving.get_mut(account) {
            others.push(ticket);
            return false;
        }
        self.leaving.insert(account.clone(), Vec::new());
        true
    }

    /// The removal has ended, however. Who else waits for that.
    pub(crate) fn end(&mut self, account: &Bare) -> Vec<Ticket> {
        self.leaving.remove(account).unwrap_or_default()
    }

    fn of(&mut self, token: Token) -> Option<&mut Departure> {
        self.by_number.get_mut(&token.seq).filter(|_| token.session == DEPARTURE)
    }

    /// What a place has been told causes something else. `false`: the token is another's.
    pub(crate) fn hold(&mut self, token: Token) -> bool {
        if let Some(departure) = self.of(token) {
            departure.places += 1;
        }
        token.session == DEPARTURE
    }

    /// A place could not be told, or could not store it.
    pub(crate) fn fail(&mut self, token: Token) {
        if let Some(departure) = self.of(token) {
            departure.failed = true;
        }
    }
}

impl Engine {
    /// Somebody wants an account gone: the session `by`, if it was one. The others end now, so that the account gets no new
    /// rights in places that have been looked through already.
    pub(crate) fn begin_removal(&mut self, account: Bare, ticket: Ticket, by: Option<SessionId>) {
        if !self.departures.begin(&account, ticket) {
            return;
        }
        self.end_sessions(&account, by, not_authorized());
        let target = account.clone();
        let removal = move |engine: &mut Engine| engine.remove(account, ticket);
        self.with_account(&target, Waiting::Removal(Box::new(removal)));
    }

    /// The account's contacts have been told; now the places of services are looked through.
    pub(crate) fn depart(&mut self, account: Bare, ticket: Ticket) {
        let spaces: BTreeSet<&'static str> =
            self.services.values().filter_map(|service| service.rights()).map(|space| space.0).collect();
        let spaces = spaces.into_iter().map(Space).collect();
        self.departures.last += 1;
        let number = self.departures.last;
        let departure = Departure { account, ticket, spaces, after: None, places: 0, failed: false };
        self.departures.by_number.insert(number, departure);
        self.depart_on(number);
    }

    /// The next page; after the last the account itself.
    pub(crate) fn depart_on(&mut self, number: u64) {
        let Some(departure) = self.departures.by_number.get_mut(&number) else { return };
        if let Some(space) = departure.spaces.front().filter(|_| !departure.failed) {
            let after = departure.after.clone();
            let read = Read::Owners { space: *space, after, limit: limits::DEPARTURE_PAGE };
            return self.batch.outs.push(Out::Ask(Query::Read(read).into(), Asked::Departure(number, None)));
        }
        let Some(departure) = self.departures.by_number.remove(&number) else { return };
        match departure.failed {
            // The account stays; whoever wanted it gone hears that it did not work, and may try again.
            true => self.found(departure.ticket, Err(Condition::ResourceConstraint.into())),
            false => self.purge(departure.account, departure.ticket),
        }
    }

    /// A page of places, or what stands in each of them about the account.
    pub(crate) fn departure_found(
        &mut self,
        number: u64,
        places: Option<Vec<Owner>>,
        found: Result<Found, StanzaError>,
    ) {
        let Some(departure) = self.departures.by_number.get_mut(&number) else { return };
        let Ok(found) = found else {
            departure.failed = true;
            return self.depart_on(number);
        };
        match places {
            None => self.look_into(number, found.into_loaded().into_owners()),
            Some(places) => {
                let entries = found.into_loaded().into_many().into_iter().map(Loaded::into_doc);
                let concerned = places.into_iter().zip(entries).filter(|(_, entry)| entry.is_some());
                self.tell_places(number, concerned.map(|(place, _)| place).collect());
            }
        }
    }

    fn look_into(&mut self, number: u64, places: Vec<Owner>) {
        let Some(departure) = self.departures.by_number.get_mut(&number) else { return };
        departure.after = places.last().cloned();
        let Some(space) = departure.spaces.front().copied().filter(|_| !places.is_empty()) else {
            departure.spaces.pop_front();
            return self.depart_on(number);
        };
        let entry =
            |owner: &Owner| Read::MapGet { space, owner: owner.clone(), key: departure.account.text() };
        let read = Read::Many(places.iter().map(entry).collect());
        self.batch.outs.push(Out::Ask(Query::Read(read).into(), Asked::Departure(number, Some(places))));
    }

    fn tell_places(&mut self, number: u64, places: Vec<Owner>) {
        let Some(departure) = self.departures.by_number.get_mut(&number) else { return };
        let account = departure.account.clone();
        let mut told = Vec::new();
        for place in places.iter().filter_map(|place| Bare::parse(place.as_str()).ok()) {
            // A service that is there no more keeps what it had, and asks nobody.
            if let Some(service) = self.services.get(place.domain()) {
                told.push((service.clone(), place));
            }
        }
        departure.places = told.len() as u32;
        if told.is_empty() {
            return self.depart_on(number);
        }
        let token = Token { session: DEPARTURE, seq: number };
        for (service, place) in told {
            let cause = self.new_cause();
            let stanza = kernel::departed(service.domain(), &place, &account);
            self.with_spot(&service, &place, stanza, cause, Some(token));
        }
    }

    /// A place has written it down, or could not. `false`: the token is another's.
    pub(crate) fn departed_from(&mut self, token: Token) -> bool {
        if let Some(departure) = self.departures.of(token) {
            departure.places = departure.places.saturating_sub(1);
            if departure.places == 0 {
                self.work.push_back(Work::Depart(token.seq));
            }
        }
        token.session == DEPARTURE
    }
}
