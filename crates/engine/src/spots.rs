//! Places of services: which are in memory, getting them there, their turns, and letting them go.
//!
//! Not here: what a service does (muc, pubsub), accounts (places, turns).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use address::Bare;
use kernel::{Effect, Effects, Rest, Resume, Service, Spot, Turn};
use model::query::{Found, Query};
use model::storage::Read;
use stanza::{Condition, Stanza, StanzaError};

use crate::contained::contained;
use crate::device::Token;
use crate::engine::{Asked, Engine};
use crate::held::{Cause, Out};
use crate::limits;
use crate::timers::Due;
use crate::turns::{Origin, Work};

/// All places of services that are in memory.
#[derive(Default)]
pub(crate) struct Spots {
    by_address: HashMap<Bare, State>,
    /// Those that may go, the longest idle first. One that was needed again since is passed over.
    idle: VecDeque<Bare>,
    last_wish: u64,
}

/// A place in memory, or on its way there.
enum State {
    Ready(Box<Ready>),
    Loading(Arc<dyn Service>, VecDeque<Waiting>),
}

/// A place in memory.
struct Ready {
    spot: Spot,
    service: Arc<dyn Service>,
    /// Questions whose answers it waits for; it stays in memory until they are there.
    busy: u32,
    /// Its last wish to be woken.
    wish: Option<u64>,
    /// It stands in the line of the idle.
    listed: bool,
}

/// A stanza that waits for a place.
type Waiting = (Stanza, Cause, Option<Token>);

impl Spots {
    fn ready(&mut self, address: &Bare) -> Option<&mut Ready> {
        match self.by_address.get_mut(address) {
            Some(State::Ready(ready)) => Some(ready),
            _ => None,
        }
    }

    /// The places of a service that are in memory, in order.
    pub(crate) fn of_domain(&self, domain: &str) -> Vec<Bare> {
        let own = self.by_address.keys().filter(|address| address.domain() == domain);
        let mut own: Vec<Bare> = own.cloned().collect();
        own.sort();
        own
    }

    /// How many questions of a place wait for an answer, and how many may.
    pub(crate) fn busy(&mut self, address: &Bare) -> Option<(&mut u32, u32)> {
        self.ready(address).map(|ready| (&mut ready.busy, ready.service.asks_max()))
    }

    /// Notes what keeps a place in memory, and lets those go for which there is no room.
    fn rest(&mut self, address: &Bare) {
        let Some(ready) = self.ready(address) else { return };
        if ready.busy > 0 || ready.wish.is_some() {
            return;
        }
        match ready.service.rest(&ready.spot) {
            Rest::Needed => {}
            Rest::Nothing => {
                self.by_address.remove(address);
            }
            Rest::Idle if ready.listed => {}
            Rest::Idle => {
                ready.listed = true;
                self.idle.push_back(address.clone());
                while self.idle.len() > limits::IDLE_SPOTS_MAX {
                    self.forget_oldest();
                }
            }
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.idle.pop_front() else { return };
        let Some(ready) = self.ready(&oldest) else { return };
        ready.listed = false;
        let needed = ready.service.rest(&ready.spot) == Rest::Needed;
        if !needed && ready.busy == 0 && ready.wish.is_none() {
            self.by_address.remove(&oldest);
        }
    }
}

impl Engine {
    /// Gives a stanza to a service's place now, or as soon as it is loaded.
    pub(crate) fn with_spot(
        &mut self,
        service: &Arc<dyn Service>,
        address: &Bare,
        stanza: Stanza,
        cause: Cause,
        token: Option<Token>,
    ) {
        match self.spots.by_address.get_mut(address) {
            Some(State::Ready(_)) => self.spot_arrive(address, stanza, cause, token),
            // Not bounded for each place: what is here has been accepted. Instead no more is taken from streams.
            Some(State::Loading(_, line)) => {
                self.loading.add(stanza.size());
                line.push_back((stanza, cause, token));
            }
            None if !service.wakes(&stanza) => self.batch.tokens.extend(token),
            None => {
                self.loading.add(stanza.size());
                let line = VecDeque::from([(stanza, cause, token)]);
                self.spots.by_address.insert(address.clone(), State::Loading(service.clone(), line));
                let query = Query::Read(Read::Many(service.reads(address)));
                self.batch.outs.push(Out::Ask(query.into(), Asked::LoadSpot(address.clone())));
            }
        }
    }

    /// The place's data is there.
    pub(crate) fn spot_loaded(&mut self, address: &Bare, found: Result<Found, StanzaError>) {
        let Some(State::Loading(service, line)) = self.spots.by_address.remove(address) else { return };
        line.iter().for_each(|(stanza, ..)| self.loading.take(stanza.size()));
        let hydrated = found.and_then(|found| {
            let mut spot = Spot::new(address.clone());
            contained(|| service.hydrate(&mut spot, found.into_loaded().into_many()))
                .map(|()| spot)
                .ok_or_else(|| Condition::InternalServerError.into())
        });
        match hydrated {
            Ok(spot) => {
                // Busy, so that it is not let go before all that waited has been there.
                let ready = Ready { spot, service, busy: 1, wish: None, listed: false };
                self.spots.by_address.insert(address.clone(), State::Ready(Box::new(ready)));
                for (stanza, cause, token) in line {
                    self.spot_arrive(address, stanza, cause, token);
                }
                if let Some((busy, _)) = self.spots.busy(address) {
                    *busy = busy.saturating_sub(1);
                }
                self.spots.rest(address);
            }
            Err(error) => line.into_iter().for_each(|waiting| self.spot_turned_away(waiting, &error)),
        }
    }

    fn spot_turned_away(&mut self, (stanza, cause, token): Waiting, error: &StanzaError) {
        if let Some(reply) = stanza.error(error.clone()) {
            self.work.push_back(Work::Route(reply, cause, None));
        }
        self.spot_done(token, false);
    }

    /// One turn with a stanza for a place in memory.
    fn spot_arrive(&mut self, address: &Bare, stanza: Stanza, cause: Cause, token: Option<Token>) {
        let origin = Origin { session: None, cause, token };
        let head = Stanza { payload: Default::default(), ..stanza.clone() };
        let done = self.run_spot(address, origin, |service, turn| service.arrive(turn, stanza));
        // The turn failed: its sender hears of it.
        if let Some(reply) = head.error(Condition::InternalServerError.into()).filter(|_| !done) {
            self.work.push_back(Work::Route(reply, cause, None));
        }
        self.spot_done(token, done);
    }

    /// A turn is over for whoever waits for it. One that failed has not taken anybody out of the place.
    fn spot_done(&mut self, token: Option<Token>, done: bool) {
        token.into_iter().filter(|_| !done).for_each(|token| self.departures.fail(token));
        self.batch.tokens.extend(token);
    }

    /// One turn of a place in memory, outside of a stanza's way.
    pub(crate) fn spot_turn(
        &mut self,
        address: &Bare,
        token: Option<Token>,
        act: impl FnOnce(&dyn Service, &mut Turn<'_, Spot>),
    ) {
        let origin = Origin { token, ..self.own_origin(None) };
        self.run_spot(address, origin, act);
    }

    /// Whether it went well.
    fn run_spot(
        &mut self,
        address: &Bare,
        origin: Origin,
        act: impl FnOnce(&dyn Service, &mut Turn<'_, Spot>),
    ) -> bool {
        let Some(ready) = self.spots.ready(address) else { return false };
        let mut effects = Effects::default();
        let mut turn = Turn::new(self.time.now, origin.cause.id, &mut ready.spot, None, &mut effects);
        if contained(|| act(&*ready.service, &mut turn)).is_none() {
            // Nothing of the turn happens. What is in memory may be half changed: it is read again.
            self.drop_spot(address);
            return false;
        }
        self.absorb_wishes(address, &mut effects);
        self.absorb(effects, origin);
        if self.batch.spots.last() != Some(address) {
            self.batch.spots.push(address.clone());
        }
        self.spots.rest(address);
        true
    }

    fn absorb_wishes(&mut self, address: &Bare, effects: &mut Effects) {
        let Some(after_ms) = effects.take_wake() else { return };
        self.spots.last_wish += 1;
        let wish = self.spots.last_wish;
        if let Some(ready) = self.spots.ready(address) {
            ready.wish = Some(wish);
            self.timers.set(self.time.mono_ms.saturating_add(after_ms), Due::Wake(address.clone(), wish));
        }
    }

    /// A place wanted to be woken now, unless it has changed its mind.
    pub(crate) fn wake_spot(&mut self, address: &Bare, wish: u64) {
        match self.spots.ready(address) {
            Some(ready) if ready.wish == Some(wish) => ready.wish = None,
            _ => return,
        }
        self.spot_turn(address, None, |service, turn| service.woken(turn));
    }

    /// The answer to a place's question is there.
    pub(crate) fn spot_found(
        &mut self,
        address: &Bare,
        token: Option<Token>,
        found: Result<Found, StanzaError>,
        resume: Resume<Spot>,
    ) {
        if let Some(ready) = self.spots.ready(address) {
            ready.busy = ready.busy.saturating_sub(1);
        }
        let origin = Origin { token, ..self.own_origin(None) };
        let done = self.run_spot(address, origin, |_, turn| resume(turn, found));
        self.spot_done(token, done);
    }

    /// Takes a place out of memory that is ahead of storage. Those who are in it are told; the next stanza for it reads
    /// it again.
    pub(crate) fn drop_spot(&mut self, address: &Bare) {
        if !matches!(self.spots.by_address.get(address), Some(State::Ready(_))) {
            return;
        }
        let Some(State::Ready(mut ready)) = self.spots.by_address.remove(address) else { return };
        let mut effects = Effects::default();
        let cause = self.new_cause();
        let mut turn = Turn::new(self.time.now, cause.id, &mut ready.spot, None, &mut effects);
        // A turn of this place may just have failed; so may this one.
        if contained(|| ready.service.farewell(&mut turn)).is_none() {
            return;
        }
        for effect in effects.take() {
            if let Effect::Route(stanza) = effect {
                self.work.push_back(Work::Route(stanza, cause, None));
            }
        }
    }
}
