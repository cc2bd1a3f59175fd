//! In-band registration before login.
//!
//! XEP-0077 2.4 sections 3.1 and 6 (the fields `username` and `password`, also as a form), XEP-0445 0.2.0.
//!
//! Not here: changing a password and leaving after login (features), what an invitation is (`invites.rs`).

use std::net::IpAddr;
use std::sync::PoisonError;

use address::{Bare, Jid};
use model::invite::{Invitation, Purpose};
use model::query::{AccountFound, AccountQuery, Password};
use stanza::forms::{self, Field, Submitted};
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns};
use store::Fault;
use stream::Registration;
use xml::Writer;

use crate::Accounts;

impl Accounts {
    /// The whole answer to a request of XEP-0077 on a stream that has not logged in.
    pub(crate) async fn register(&self, registration: Registration, peer: IpAddr) -> Stanza {
        let Registration { domain, iq, token } = registration;
        let open = self.policy().registration.iter().any(|open| open == domain.as_str());
        let answered = match open || token.is_some() {
            _ if iq.payload.has("preauth", ns::PARS) => self.preauth(domain.as_str(), &iq, peer).await,
            false => Err(StanzaError::from(Condition::NotAllowed).text("this server takes no registrations")),
            true if iq.kind == Kind::Iq(IqType::Get) => Ok(fields()),
            true => self.sign_up(domain.as_str(), &iq, token, peer).await.map(|()| Default::default()),
        };
        let answer = match answered {
            Ok(payload) => iq.result(payload),
            Err(error) => iq.error(error).unwrap_or_else(|| iq.result(Default::default())),
        };
        answer.from(domain.jid())
    }

    /// Counts a try of an address.
    pub(crate) fn admit(&self, peer: IpAddr) -> bool {
        let now = (self.settings.clock)();
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner).admit(peer, now)
    }

    /// XEP-0445 section 4: whether a token allows to go on. Tries are counted: nobody shall guess (J-02).
    async fn preauth(&self, domain: &str, iq: &Stanza, peer: IpAddr) -> Result<bytes::Bytes, StanzaError> {
        let token = iq.payload.child("preauth", ns::PARS).and_then(|preauth| preauth.attr("token"));
        let Some(token) = token.filter(|_| iq.kind == Kind::Iq(IqType::Set)) else {
            return Err(Condition::BadRequest.into());
        };
        if !self.admit(peer) {
            return Err(StanzaError::from(Condition::ResourceConstraint).text("too many tries; try later"));
        }
        let found = self.answer(AccountQuery::LookUp { token: Password::new(token) }).await;
        let holds = |found: &Invitation| found.domain == domain && found.purpose != Purpose::Recovery;
        match found {
            Ok(AccountFound::Invitations(found)) if found.first().is_some_and(holds) => {
                Ok(Default::default())
            }
            Ok(_) => {
                Err(StanzaError::from(Condition::ItemNotFound).text("the token is not valid (any more)"))
            }
            Err(_) => Err(Condition::InternalServerError.into()),
        }
    }

    async fn sign_up(
        &self,
        domain: &str,
        iq: &Stanza,
        token: Option<String>,
        peer: IpAddr,
    ) -> Result<(), StanzaError> {
        let bad = |text| StanzaError::from(Condition::NotAcceptable).text(text);
        let tree = iq.payload.tree().map_err(|_| Condition::BadRequest)?;
        let query = tree.roots().find(|el| el.is("query", ns::REGISTER)).ok_or(Condition::BadRequest)?;
        if query.child("remove", ns::REGISTER).is_some() {
            return Err(Condition::UnexpectedRequest.into());
        }
        // Section 6: a form goes before the fields of old.
        let form = match query.child("x", ns::FORMS) {
            Some(x) => Some(Submitted::read(x, ns::REGISTER).ok_or(Condition::BadRequest)?),
            None => None,
        };
        let field = |name| match &form {
            Some(form) => form.value(name).map(str::to_owned),
            None => {
                query.child_text(name, ns::REGISTER).map(|text| text.into_owned()).filter(|t| !t.is_empty())
            }
        };
        let (Some(username), Some(password)) = (field("username"), field("password")) else {
            return Err(bad("a user name and a password are needed"));
        };
        let account = Jid::from_parts(Some(&username), domain, None)
            .map_err(|_| bad("the user name is not allowed"))?;
        let password = Password::new(password);
        drop(tree);
        // Counted also when the name is taken: a reply about a name is what must not come too often.
        if !self.admit(peer) {
            return Err(
                StanzaError::from(Condition::ResourceConstraint).text("too many registrations; try later")
            );
        }
        let account = account.bare();
        let made = match token {
            Some(token) => self.join(account.clone(), password, Password::new(token)).await,
            None => self.make(account.clone(), password).await,
        };
        let found = made.map_err(|fault| {
            tracing::error!(kind = fault.kind().name(), cause = fault.cause(), "a registration failed");
            Condition::InternalServerError
        })?;
        match found {
            AccountFound::Done => {
                tracing::info!(%account, %peer, "registered in-band");
                Ok(())
            }
            AccountFound::No => Err(bad("the invitation does not allow that, or is used up")),
            AccountFound::Exists => Err(StanzaError::from(Condition::Conflict).text("the name is taken")),
            AccountFound::Refused(why) => Err(bad(why)),
            _ => Err(Condition::InternalServerError.into()),
        }
    }
}

impl Accounts {
    /// Answers a visitor of the pages of invitations: what a token is for, and what is done with it.
    pub async fn visitor(&self, query: AccountQuery, peer: IpAddr) -> AccountFound {
        let about = match &query {
            AccountQuery::LookUp { .. } => None,
            AccountQuery::Redeem { account, .. } | AccountQuery::Recover { account, .. } => {
                Some(account.clone())
            }
            _ => return AccountFound::No,
        };
        if about.is_some() && !self.admit(peer) {
            return AccountFound::Refused("There were too many tries from here; try again in an hour.");
        }
        let found = match (query, self.orders.get()) {
            (AccountQuery::Redeem { account, password, token }, _) => {
                self.join(account, password, token).await
            }
            (recover @ AccountQuery::Recover { .. }, Some(orders)) => Ok(orders.order(recover).await),
            (query, _) => self.answer(query).await,
        };
        let found = found.unwrap_or_else(|fault| {
            tracing::error!(kind = fault.kind().name(), cause = fault.cause(), "an invitation failed");
            AccountFound::Refused("Something went wrong; try again later.")
        });
        if let (AccountFound::Done, Some(account)) = (&found, about) {
            tracing::info!(%account, %peer, "an invitation was used");
        }
        found
    }

    /// Makes an account of somebody who came without an invitation.
    async fn make(&self, account: Bare, password: Password) -> Result<AccountFound, Fault> {
        if self.is_reserved(&account).await? {
            return Ok(AccountFound::Exists);
        }
        let create = AccountQuery::Create { account, password };
        match self.orders.get() {
            Some(orders) => Ok(orders.order(create).await),
            None => self.answer(create).await,
        }
    }
}

fn fields() -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::REGISTER);
    w.leaf("instructions", ns::REGISTER, "Choose a user name and a password.");
    w.open("username", ns::REGISTER).close();
    w.open("password", ns::REGISTER).close();
    let form = [
        Field::required("username", "text-single", "User name"),
        Field::required("password", "text-private", "Password"),
    ];
    forms::ask(&mut w, "Make an account", ns::REGISTER, &form, &[]);
    w.close();
    w.finish()
}
