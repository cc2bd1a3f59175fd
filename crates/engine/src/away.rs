//! The seam to neighbours: what leaves for them, what came back, and what comes from them.
//!
//! RFC 6120 sections 8.3.3 and 10.4, RFC 6121 section 4; docs/decisions/016-neighbours.md
//!
//! Not here: who they are and how they are reached (whoever implements `model::away::Neighbours`), reading the spool at
//! the start (`spool.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use address::{Bare, Jid};
use model::away::{Arrived, Away, Fate, Neighbours, Patience, Receipt};
use model::link::SessionId;
use model::rights::{Rights, Sight};
use model::spaces::SPOOL;
use model::storage::{Cull, Entry, Owner, Write};
use stanza::{Condition, Kind, MessageType, PresenceType, Stanza, StanzaError, ns};

use crate::device::Token;
use crate::engine::Engine;
use crate::fair::{self, Sender, Shares, Used};
use crate::held::{Cause, Out};
use crate::limits;
use crate::places::Place;
use crate::timers::Due;
use crate::turns::Work;

/// In a token: the stanza is no session's, but came from a neighbour. No session has this number.
const ARRIVAL: SessionId = SessionId(u64::MAX);

/// What is on its way to neighbours, and from them.
#[derive(Default)]
pub(crate) struct Abroad {
    pub(crate) neighbours: Vec<Arc<dyn Neighbours>>,
    /// What they have taken, or are about to, by its number.
    travelling: HashMap<u64, Traveller>,
    domains: HashMap<String, Load>,
    bytes: usize,
    shares: Shares,
    /// What they have got, and is still in the spool.
    gone: BTreeMap<Owner, Vec<u64>>,
    gone_count: usize,
    /// There is a timer for it.
    clearing: bool,
    /// What came back and could not be stored.
    again: Vec<Returned>,
    arrivals: HashMap<u64, Arrival>,
    last_arrival: u64,
}

/// A stanza on its way.
struct Traveller {
    stanza: Arc<Stanza>,
    /// It is written down.
    spooled: bool,
    /// It has been since before the start: no batch of now stores it.
    recalled: bool,
    /// In whose share it is counted.
    sender: Option<Sender>,
}

/// How much is on its way to a domain.
#[derive(Default)]
struct Load {
    count: usize,
    bytes: usize,
}

/// A stanza that came from a neighbour.
struct Arrival {
    /// In how many places it still waits.
    places: u32,
    receipt: Receipt,
}

/// A stanza that came back.
pub(crate) struct Returned {
    number: u64,
    traveller: Traveller,
    error: StanzaError,
}

impl Abroad {
    pub(crate) fn len(&self) -> usize {
        self.travelling.len()
    }

    fn owner(&self, domain: &str) -> Option<usize> {
        self.neighbours.iter().position(|neighbour| neighbour.owns(domain))
    }

    /// Whether there is room for one more, and its sender has not more than a share of it.
    fn has_room(&self, domain: &str, bytes: usize, sender: Option<&Sender>) -> bool {
        let used = Used { domains: self.domains.len(), count: self.travelling.len(), bytes: self.bytes };
        if sender.is_some_and(|sender| !self.shares.has_room(sender, domain, bytes, used)) {
            return false;
        }
        let of_domain = match self.domains.get(domain) {
            Some(load) => {
                load.count < limits::AWAY_DOMAIN_MAX && load.bytes + bytes <= limits::AWAY_DOMAIN_BYTES_MAX
            }
            None => self.domains.len() < limits::AWAY_DOMAINS_MAX,
        };
        of_domain && self.travelling.len() < limits::AWAY_MAX && self.bytes + bytes <= limits::AWAY_BYTES_MAX
    }

    fn set_out(&mut self, number: u64, traveller: Traveller) {
        let bytes = traveller.stanza.size();
        let domain = domain_of(&traveller.stanza);
        match self.domains.get_mut(domain) {
            Some(load) => (load.count, load.bytes) = (load.count + 1, load.bytes + bytes),
            None => _ = self.domains.insert(domain.to_owned(), Load { count: 1, bytes }),
        }
        if let Some(sender) = &traveller.sender {
            self.shares.add(sender, domain, bytes);
        }
        self.bytes += bytes;
        self.travelling.insert(number, traveller);
    }

    fn come_home(&mut self, number: u64) -> Option<Traveller> {
        let traveller = self.travelling.remove(&number)?;
        let (bytes, domain) = (traveller.stanza.size(), domain_of(&traveller.stanza));
        self.bytes -= bytes;
        if let Some(sender) = &traveller.sender {
            self.shares.take(sender, domain, bytes);
        }
        if let Some(load) = self.domains.get_mut(domain) {
            (load.count, load.bytes) = (load.count - 1, load.bytes - bytes);
            if load.count == 0 {
                self.domains.remove(domain);
            }
        }
        Some(traveller)
    }

    /// What was written with it is stored.
    pub(crate) fn send(&self, neighbour: usize, away: Away) {
        if let Some(neighbour) = self.neighbours.get(neighbour) {
            neighbour.send(away);
        }
    }

    /// What was written with it could not be stored: who sent it sends it again. What is from before the start nobody
    /// sends again, and it is stored: it goes.
    pub(crate) fn never_left(&mut self, neighbour: usize, away: Away) {
        match self.travelling.get(&away.number).is_some_and(|traveller| traveller.recalled) {
            true => self.send(neighbour, away),
            false => _ = self.come_home(away.number),
        }
    }

    /// A stanza from a neighbour waits in one more place.
    pub(crate) fn hold(&mut self, token: Token) {
        if let Some(arrival) = self.arrivals.get_mut(&token.seq).filter(|_| token.session == ARRIVAL) {
            arrival.places += 1;
        }
    }

    /// In one place less.
    pub(crate) fn release(&mut self, token: Token) {
        let Some(arrival) = self.arrivals.get_mut(&token.seq).filter(|_| token.session == ARRIVAL) else {
            return;
        };
        arrival.places -= 1;
        if arrival.places == 0
            && let Some(arrival) = self.arrivals.remove(&token.seq)
        {
            (arrival.receipt)(true);
        }
    }

    /// What it caused could not be stored.
    pub(crate) fn fail(&mut self, token: Token) {
        if token.session == ARRIVAL
            && let Some(arrival) = self.arrivals.remove(&token.seq)
        {
            (arrival.receipt)(false);
        }
    }
}

impl Engine {
    /// A stanza for a domain that is not ours.
    pub(crate) fn send_away(&mut self, stanza: Stanza, cause: Cause) {
        let Some(neighbour) = self.abroad.owner(domain_of(&stanza)) else {
            return self.refuse(&stanza, cause, Condition::RemoteServerNotFound.into());
        };
        let sender = self.counted(&stanza, self.is_by_user(&stanza, cause));
        if !self.abroad.has_room(domain_of(&stanza), stanza.size(), sender.as_ref()) {
            return self.refuse(&stanza, cause, Condition::ResourceConstraint.into());
        }
        let number = self.ids.next(self.time.now.unix_ms);
        let spooled = self.is_spooled(&stanza);
        if spooled {
            let entry = Entry {
                id: number,
                at_ms: self.time.now.unix_ms,
                with: None,
                resource: None,
                tag: 0,
                value: stanza.to_stored().into(),
            };
            let owner = Owner::from(domain_of(&stanza));
            self.batch.writes.push(Write::LogAppend { space: SPOOL, owner, entry });
        }
        self.leave_for(neighbour, number, stanza, spooled, sender);
    }

    fn leave_for(
        &mut self,
        neighbour: usize,
        number: u64,
        stanza: Stanza,
        spooled: bool,
        sender: Option<Sender>,
    ) {
        let patience = patience(&stanza);
        let stanza = Arc::new(stanza);
        self.abroad.set_out(number, Traveller { stanza: stanza.clone(), spooled, recalled: false, sender });
        self.batch.outs.push(Out::Away(neighbour, Away { number, stanza, patience }));
    }

    /// In whose share a stanza is counted: accounts have one; rooms and components speak for many.
    fn counted(&self, stanza: &Stanza, by_user: bool) -> Option<Sender> {
        let from = stanza.from.as_ref().filter(|from| self.hosts.contains_key(from.domain()));
        from.and_then(|_| fair::sender(stanza, by_user))
    }

    /// Whether a session of the account whose stanza it is began it.
    fn is_by_user(&self, stanza: &Stanza, cause: Cause) -> bool {
        let device = cause.session.and_then(|session| self.devices.get(&session));
        device
            .zip(stanza.from.as_ref())
            .is_some_and(|(device, from)| device.account.as_str() == from.bare_str())
    }

    /// Whether a stanza is written down until its neighbour has it. What rooms hand out is not: they have archives, and
    /// a message to two hundred occupants would be written two hundred times.
    fn is_spooled(&self, stanza: &Stanza) -> bool {
        let from = stanza.from.as_ref().map(Jid::domain);
        match stanza.kind {
            Kind::Message(MessageType::Groupchat) => {
                !from.is_some_and(|from| self.services.contains_key(from))
            }
            _ => patience(stanza) == Patience::Long && !stanza.payload.has("no-store", ns::HINTS),
        }
    }

    /// A neighbour has something, or will not get it.
    pub(crate) fn fate(&mut self, number: u64, fate: Fate) {
        let Some(traveller) = self.abroad.come_home(number) else { return };
        match fate {
            Fate::Delivered if traveller.spooled => {
                let owner = Owner::from(domain_of(&traveller.stanza));
                self.gone(owner, vec![number]);
            }
            Fate::Delivered => {}
            Fate::Failed(error) => self.returned(Returned { number, traveller, error }),
        }
    }

    /// A stanza comes back: its sender hears of it in the same batch in which it leaves the spool.
    fn returned(&mut self, returned: Returned) {
        let cause = self.new_cause();
        let stanza = returned.traveller.stanza.clone();
        if returned.traveller.spooled {
            let what = Cull::Ids(vec![returned.number]);
            let owner = Owner::from(domain_of(&stanza));
            self.batch.writes.push(Write::LogDelete { space: SPOOL, owner, what });
        }
        self.refuse(&stanza, cause, returned.error.clone());
        self.batch.returned.push(returned);
    }

    /// A batch could not be stored in which this came back, or was taken out of the spool.
    pub(crate) fn abroad_again(&mut self, returned: Vec<Returned>, gone: Vec<(Owner, Vec<u64>)>) {
        if !returned.is_empty() && self.abroad.again.is_empty() {
            self.timers.set(self.time.mono_ms + limits::LEFT_AGAIN_MS, Due::Returned);
        }
        self.abroad.again.extend(returned);
        // Not at once again, however many they are: that would go round and round while storage fails.
        gone.into_iter().for_each(|(owner, ids)| self.gather(owner, ids));
    }

    /// It is time to try again.
    pub(crate) fn try_returned(&mut self) {
        for returned in std::mem::take(&mut self.abroad.again) {
            self.returned(returned);
        }
    }

    /// Neighbours have got these: they leave the spool some time soon.
    fn gone(&mut self, owner: Owner, ids: Vec<u64>) {
        self.gather(owner, ids);
        let abroad = &mut self.abroad;
        if abroad.gone_count >= limits::SPOOL_CLEAR_MAX && abroad.again.is_empty() && !self.is_congested() {
            self.take_out();
        }
    }

    fn gather(&mut self, owner: Owner, ids: Vec<u64>) {
        let abroad = &mut self.abroad;
        abroad.gone_count += ids.len();
        abroad.gone.entry(owner).or_default().extend(ids);
        if !std::mem::replace(&mut abroad.clearing, true) {
            self.timers.set(self.time.mono_ms + limits::SPOOL_CLEAR_MS, Due::Spool);
        }
    }

    /// Takes out of the spool what neighbours have got.
    pub(crate) fn clear_spool(&mut self) {
        self.abroad.clearing = false;
        self.take_out();
    }

    fn take_out(&mut self) {
        self.abroad.gone_count = 0;
        for (owner, ids) in std::mem::take(&mut self.abroad.gone) {
            let (space, what) = (SPOOL, Cull::Ids(ids.clone()));
            self.batch.writes.push(Write::LogDelete { space, owner: owner.clone(), what });
            self.batch.gone.push((owner, ids));
        }
    }

    /// What was in the spool at the start goes on its way again.
    pub(crate) fn recall(&mut self, spooled: Vec<(Owner, Entry)>) {
        for (owner, entry) in spooled {
            let stanza = Stanza::from_stored(&entry.value).ok().filter(|stanza| stanza.to.is_some());
            let Some(stanza) = stanza else {
                tracing::error!(id = entry.id, "an entry of the spool cannot be read and is dropped");
                self.gone(owner, vec![entry.id]);
                continue;
            };
            let ours = self.is_ours(domain_of(&stanza));
            match self.abroad.owner(domain_of(&stanza)).filter(|_| !ours) {
                Some(neighbour) => {
                    // Most of what is spooled users have written.
                    let sender = self.counted(&stanza, true);
                    self.leave_for(neighbour, entry.id, stanza, true, sender);
                    if let Some(traveller) = self.abroad.travelling.get_mut(&entry.id) {
                        traveller.recalled = true;
                    }
                }
                // The domain is ours by now, or nobody's.
                None => {
                    let cause = self.new_cause();
                    self.gone(owner, vec![entry.id]);
                    self.work.push_back(Work::Route(stanza, cause, None));
                }
            }
        }
    }

    /// Whether a domain is one of accounts or of a service here.
    fn is_ours(&self, domain: &str) -> bool {
        self.hosts.contains_key(domain) || self.services.contains_key(domain)
    }

    /// A stanza from a neighbour. Its stream has checked whom it speaks for; that nobody speaks for us, and that we pass
    /// nothing on between others, is looked at again here.
    pub(crate) fn arrived(&mut self, arrived: Arrived) {
        let Arrived { stanza, inside, receipt } = arrived;
        if !self.may_come(&stanza, inside) {
            tracing::warn!("a stanza from a neighbour with addresses that it may not use is dropped");
            return receipt(true);
        }
        self.abroad.last_arrival += 1;
        let token = Token { session: ARRIVAL, seq: self.abroad.last_arrival };
        self.abroad.arrivals.insert(token.seq, Arrival { places: 1, receipt });
        let cause = self.new_cause();
        match inside {
            true => self.component_says(stanza, cause, token),
            false => self.work.push_back(Work::Route(stanza, cause, Some(token))),
        }
    }

    /// Nobody outside speaks for us or for our components, or sends through us to others; a component speaks for itself,
    /// to anybody.
    fn may_come(&self, stanza: &Stanza, inside: bool) -> bool {
        let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else { return false };
        let (from, to) = (from.domain(), to.domain());
        let is_component = self.rights(from).is_some();
        match inside {
            true => is_component && !self.is_ours(from),
            false => !is_component && !self.is_ours(from) && (self.is_ours(to) || self.rights(to).is_some()),
        }
    }

    /// What the component of that domain may do, if there is one.
    pub(crate) fn rights(&self, domain: &str) -> Option<Arc<Rights>> {
        self.abroad.neighbours.iter().find_map(|neighbour| neighbour.rights(domain))
    }

    /// A domain can be reached again: whoever knows somebody there asks, and tells, who is there.
    pub(crate) fn restored(&mut self, domain: String) {
        let rights = self.rights(&domain).filter(|rights| rights.presence != Sight::None);
        let knows = |place: &Place| match place {
            Place::Ready(ready) => {
                let sees = rights.as_ref().is_some_and(|rights| rights.hold_for(ready.account.jid.domain()));
                ready.account.available().next().is_some()
                    && (sees || ready.account.roster.iter().any(|(contact, _)| contact.domain() == domain))
            }
            Place::Loading(_) => false,
        };
        let accounts = self.accounts.iter().filter(|(_, place)| knows(place));
        let mut accounts: Vec<Bare> = accounts.map(|(account, _)| account.clone()).collect();
        // A hash map has no order of its own, and the same inputs shall have the same outputs.
        accounts.sort_unstable();
        self.work.push_back(Work::Repair(domain.into(), accounts));
    }

    /// Some at a time, so that others get their turns.
    pub(crate) fn repair(&mut self, domain: Arc<str>, mut accounts: Vec<Bare>) {
        let later = accounts.split_off(accounts.len().min(limits::REPAIR_MAX));
        let rights = self.rights(&domain).filter(|rights| rights.presence != Sight::None);
        let component = Jid::parse(&domain).ok();
        for account in accounts {
            let sees = rights.as_ref().is_some_and(|rights| rights.hold_for(account.domain()));
            self.own_turn(&account, None, |kernel, turn| {
                kernel.reconnected(turn, &domain);
                component.iter().filter(|_| sees).for_each(|component| kernel.present(turn, component));
            });
        }
        if !later.is_empty() {
            self.work.push_back(Work::Repair(domain, later));
        }
    }
}

fn domain_of(stanza: &Stanza) -> &str {
    stanza.to.as_ref().map_or("", Jid::domain)
}

/// How long a stanza may wait.
fn patience(stanza: &Stanza) -> Patience {
    use PresenceType::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};
    match stanza.kind {
        Kind::Message(MessageType::Error | MessageType::Headline) => Patience::Brief,
        Kind::Message(_) | Kind::Presence(Subscribe | Subscribed | Unsubscribe | Unsubscribed) => {
            Patience::Long
        }
        Kind::Presence(_) | Kind::Iq(_) => Patience::Brief,
    }
}
