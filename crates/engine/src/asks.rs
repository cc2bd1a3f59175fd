//! Questions: how many may wait for an answer, and who answers them.
//!
//! Not here: what becomes of the answers (turns).

use model::query::{AccountFound, AccountQuery, Found, Query};
use stanza::{Condition, StanzaError};

use crate::departures::LEAVING;
use crate::engine::{Asked, Engine, Output};
use crate::held::Out;
use crate::limits;
use crate::places::Place;
use crate::requests::Asker;
use crate::turns::Work;

impl Engine {
    /// Writes a question down, unless too many of this place wait already: then the answer is that.
    pub(crate) fn ask(&mut self, query: Query, asked: Asked) {
        let (busy, most) = match &asked {
            Asked::Account(account, _, session, ..) => match self.accounts.get_mut(account) {
                Some(Place::Ready(place)) if session.is_some() => (&mut place.busy, limits::ASKS_OWN_MAX),
                Some(Place::Ready(place)) => (&mut place.busy, limits::ASKS_FOREIGN_MAX),
                _ => return,
            },
            Asked::Spot(spot, ..) => match self.spots.busy(spot) {
                Some((busy, most)) => (busy, most),
                None => return,
            },
            Asked::Host(host, ..) => (self.hosts_busy.entry(host.clone()).or_default(), limits::ASKS_OWN_MAX),
            _ => return,
        };
        if *busy >= most {
            self.work.push_back(Work::TooMuchAsked(asked));
        } else {
            *busy += 1;
            if let Asked::Account(_, _, _, Some(token), _)
            | Asked::Host(_, _, Some(token), _)
            | Asked::Spot(_, Some(token), _) = &asked
            {
                self.hold(*token);
            }
            self.batch.outs.push(Out::Ask(query.into(), asked));
        }
    }

    pub(crate) fn too_much_asked(&mut self, asked: Asked) {
        let error = StanzaError::from(Condition::ResourceConstraint).text("too many requests at once");
        match asked {
            Asked::Account(account, _, session, _, resume) => {
                self.own_turn(&account, session, |_, turn| resume(turn, Err(error)));
            }
            Asked::Host(host, session, _, resume) => {
                let cause = self.new_cause();
                self.host_turn(host.as_str(), session, cause, None, |_, turn| resume(turn, Err(error)));
            }
            Asked::Spot(spot, _, resume) => self.spot_turn(&spot, None, |_, turn| resume(turn, Err(error))),
            _ => {}
        }
    }

    pub(crate) fn ask_now(&mut self, query: Query, asked: Asked) {
        let ticket = self.new_ticket();
        let order = match &query {
            Query::Account(order) => Some(order.clone()),
            _ => None,
        };
        let by = match &asked {
            Asked::Account(_, _, session, ..) | Asked::Host(_, session, ..) => *session,
            _ => None,
        };
        self.asked.insert(ticket, (asked, order));
        match query {
            Query::Sessions(filter) => {
                let found = Found::Sessions(self.sessions(&filter));
                self.found(ticket, Ok(found));
            }
            Query::Request(request) => self.request(*request, Asker::Feature(ticket)),
            Query::Account(AccountQuery::EndSessions { account }) => {
                self.end_sessions(&account, None, crate::operator::not_authorized());
                // The tokens that would let them come back by themselves are the accounts' (C-24).
                self.output(Output::Ask(ticket, Query::Account(AccountQuery::EndSessions { account })));
            }
            Query::Account(AccountQuery::Remove { account }) => self.begin_removal(account, ticket, by),
            Query::Account(AccountQuery::Create { account, .. } | AccountQuery::Redeem { account, .. })
                if self.departures.is_leaving(&account) =>
            {
                self.found(ticket, Ok(Found::Account(AccountFound::Refused(LEAVING))));
            }
            query => self.output(Output::Ask(ticket, query)),
        }
    }
}
