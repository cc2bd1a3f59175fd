//! What operators (and people signing up) want of accounts and sessions, and what follows for those who are connected.
//!
//! Not here: credentials (accounts), the commands themselves (admin).

use address::{Bare, Jid};
use kernel::Kernel;
use model::link::{ClientState, SessionId};
use model::query::{AccountFound, AccountQuery, Found, Query, SessionFilter, SessionFound};
use stanza::{StanzaError, StreamCondition, StreamError, ns};

use crate::engine::{Asked, Engine, Ticket};
use crate::held::Out;
use crate::limits;
use crate::places::Place;
use crate::turns::Work;

/// How an operator hears the answer.
type Reply = Box<dyn FnOnce(AccountFound) + Send>;

/// Why sessions end that have lost their right to be here.
pub(crate) fn not_authorized() -> StreamError {
    StreamError::new(StreamCondition::NotAuthorized, "the account's credentials or standing have changed")
}

impl Engine {
    /// An operator's wish.
    pub(crate) fn operator(&mut self, query: AccountQuery, reply: Reply) {
        self.batch.outs.push(Out::Ask(Query::Account(query.clone()).into(), Asked::Operator(query, reply)));
    }

    /// The end of an account: its contacts are told that it is over, some at a time, and so are the places of services in
    /// which it has rights (`departures.rs`); then it goes, and `ticket` is answered. If the server ends before that, the account is still there, with the contacts that were not told.
    pub(crate) fn remove(&mut self, account: Bare, ticket: Ticket) {
        let mut left = false;
        self.own_turn(&account, None, |_, turn| {
            let some = turn.place.roster.iter().take(limits::FAREWELLS_MAX);
            let contacts: Vec<Jid> = some.map(|(contact, _)| contact.clone()).collect();
            let told = contacts.iter().filter(|contact| Kernel::remove_contact(turn, contact)).count();
            left = told > 0 && !turn.place.roster.is_empty();
        });
        if left {
            return self.work.push_back(Work::Remove(account, ticket));
        }
        self.depart(account, ticket);
    }

    /// Nothing of the account is left anywhere else: now it goes itself.
    pub(crate) fn purge(&mut self, account: Bare, ticket: Ticket) {
        // From now on nothing is written for it: what is purged stays purged, whoever comes later under this name.
        if self.set_exists(&account, false) {
            self.removing.insert(account.clone());
        }
        self.batch.outs.push(Out::AskAs(ticket, Query::Account(AccountQuery::Remove { account }).into()));
    }

    /// Whether it existed before.
    fn set_exists(&mut self, account: &Bare, exists: bool) -> bool {
        match self.accounts.get_mut(account) {
            Some(Place::Ready(place)) => std::mem::replace(&mut place.account.exists, exists),
            _ => false,
        }
    }

    /// An order to remove an account has an outcome: if it is still there, it goes on. Who else waits for that.
    pub(crate) fn removal_ended(
        &mut self,
        account: &Bare,
        found: &Result<Found, StanzaError>,
    ) -> Vec<Ticket> {
        let removed = matches!(found, Ok(Found::Account(AccountFound::Done | AccountFound::No)));
        if self.removing.remove(account) && !removed {
            self.set_exists(account, true);
        }
        self.departures.end(account)
    }

    /// The accounts have answered an operator.
    pub(crate) fn operator_found(
        &mut self,
        query: AccountQuery,
        found: Result<Found, StanzaError>,
        reply: Reply,
    ) {
        let found = match found {
            Ok(Found::Account(found)) => found,
            Ok(_) | Err(_) => AccountFound::Refused("the store did not answer; see the server's log"),
        };
        self.accounts_changed(&query, &found, None);
        reply(found);
    }

    /// Draws the consequences of a change for sessions and memory. Also for changes that features asked for; the
    /// session `by` which asked stays (C-28).
    pub(crate) fn accounts_changed(
        &mut self,
        query: &AccountQuery,
        found: &AccountFound,
        by: Option<SessionId>,
    ) {
        if !matches!(found, AccountFound::Done) {
            return;
        }
        match query {
            AccountQuery::Create { account, .. } | AccountQuery::Redeem { account, .. } => {
                // What is still in memory under this name was not this account's.
                self.drop_account(account, &not_authorized());
            }
            AccountQuery::SetPassword { .. } if zoo::is(zoo::Fault::PasswordKeepsSessions) => {}
            AccountQuery::SetPassword { account, .. }
            | AccountQuery::Recover { account, .. }
            | AccountQuery::Suspend { account, suspended: true } => {
                self.end_sessions(account, by, not_authorized());
            }
            AccountQuery::Remove { account } => {
                self.end_sessions(account, None, not_authorized());
                self.rest(account);
            }
            _ => {}
        }
    }

    /// Who is connected, sorted by address.
    pub(crate) fn sessions(&self, filter: &SessionFilter) -> Vec<SessionFound> {
        let wanted = |jid: &Jid| match filter {
            SessionFilter::Of(account) => jid.bare_str() == account.as_str(),
            SessionFilter::Domain(domain) => jid.domain() == domain,
        };
        let mut found: Vec<SessionFound> = Vec::new();
        for (id, device) in self.devices.iter().filter(|(_, device)| wanted(&device.jid)) {
            let available = match self.accounts.get(&device.account) {
                Some(Place::Ready(place)) => place.account.session(*id).and_then(|s| s.available.as_ref()),
                _ => None,
            };
            let show = available.and_then(|available| available.stanza.payload.text_of("show", ns::CLIENT));
            found.push(SessionFound {
                jid: device.jid.clone(),
                priority: available.map(|available| available.priority),
                about: device.attached.as_ref().map(|_| device.about.clone()),
                idle: device.attached.is_none()
                    || device.csi.state == ClientState::Inactive
                    || matches!(show.as_deref(), Some("away" | "xa")),
            });
        }
        found.sort_by(|a, b| a.jid.cmp(&b.jid));
        found
    }
}
