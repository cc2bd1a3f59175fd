//! In-band registration before login.
//!
//! XEP-0077 2.4 section 3.1 (the fields `username` and `password`).
//!
//! Not here: changing a password and leaving after login (features), invitations.

use std::net::IpAddr;
use std::sync::PoisonError;

use address::Jid;
use model::query::{AccountFound, AccountQuery, Password};
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns};
use stream::Registration;
use xml::Writer;

use crate::Accounts;

impl Accounts {
    /// The whole answer to a request of XEP-0077 on a stream that has not logged in.
    pub(crate) async fn register(&self, registration: Registration, peer: IpAddr) -> Stanza {
        let Registration { domain, iq } = registration;
        let answered = match self.policy().registration.iter().any(|open| open == domain.as_str()) {
            false => Err(StanzaError::from(Condition::NotAllowed).text("this server takes no registrations")),
            true if iq.kind == Kind::Iq(IqType::Get) => Ok(fields()),
            true => self.sign_up(domain.as_str(), &iq, peer).await.map(|()| Default::default()),
        };
        let answer = match answered {
            Ok(payload) => iq.result(payload),
            Err(error) => iq.error(error).unwrap_or_else(|| iq.result(Default::default())),
        };
        answer.from(domain.jid())
    }

    async fn sign_up(&self, domain: &str, iq: &Stanza, peer: IpAddr) -> Result<(), StanzaError> {
        let bad = |text| StanzaError::from(Condition::NotAcceptable).text(text);
        let tree = iq.payload.tree().map_err(|_| Condition::BadRequest)?;
        let query = tree.roots().find(|el| el.is("query", ns::REGISTER)).ok_or(Condition::BadRequest)?;
        if query.child("remove", ns::REGISTER).is_some() {
            return Err(Condition::UnexpectedRequest.into());
        }
        let field = |name| query.child_text(name, ns::REGISTER).filter(|text| !text.is_empty());
        let (Some(username), Some(password)) = (field("username"), field("password")) else {
            return Err(bad("a user name and a password are needed"));
        };
        let account = Jid::from_parts(Some(&username), domain, None)
            .map_err(|_| bad("the user name is not allowed"))?;
        let password = Password::new(password.into_owned());
        drop(tree);
        // Counted also when the name is taken: a reply about a name is what must not come too often.
        let now = (self.settings.clock)();
        let admitted = self.registrations.lock().unwrap_or_else(PoisonError::into_inner).admit(peer, now);
        if !admitted {
            return Err(
                StanzaError::from(Condition::ResourceConstraint).text("too many registrations; try later")
            );
        }
        let account = account.bare();
        let create = AccountQuery::Create { account: account.clone(), password };
        let found = match self.orders.get() {
            Some(orders) => orders.order(create).await,
            None => self.answer(create).await.map_err(|fault| {
                tracing::error!(kind = fault.kind().name(), cause = fault.cause(), "a registration failed");
                Condition::InternalServerError
            })?,
        };
        match found {
            AccountFound::Done => {
                tracing::info!(%account, %peer, "registered in-band");
                Ok(())
            }
            AccountFound::Exists => Err(StanzaError::from(Condition::Conflict).text("the name is taken")),
            AccountFound::Refused(why) => Err(bad(why)),
            _ => Err(Condition::InternalServerError.into()),
        }
    }
}

fn fields() -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::REGISTER);
    w.leaf("instructions", ns::REGISTER, "Choose a user name and a password.");
    w.open("username", ns::REGISTER).close();
    w.open("password", ns::REGISTER).close();
    w.close();
    w.finish()
}
