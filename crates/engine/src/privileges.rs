//! What comes from components: their own stanzas, and what they do in the name of users.
//!
//! XEP-0356 0.4.1 (both namespaces; of section 6, contacts' presence as far as their users' accounts are in memory)
//!
//! Each right is looked at again for every stanza. What is not privileged is ordinary, whoever sends it.
//!
//! Not here: who has which rights (whoever implements `model::away::Neighbours`), telling a component of its rights
//! (components), requests that wait for answers (`commissions.rs`).

use std::sync::Arc;

use address::{Bare, Jid};
use kernel::Watched;
use model::rights::{Rights, Sight};
use stanza::{Condition, IqType, Kind, MessageType, Stanza, StanzaError, ns};

use crate::commissions::Form;
use crate::device::Token;
use crate::engine::Engine;
use crate::held::Cause;
use crate::places::{Place, Waiting};
use crate::turns::{Origin, Work, head};

/// A message in the name of an account.
pub(crate) struct Speech {
    /// From the account's bare address.
    pub(crate) stanza: Stanza,
    /// What the component sent, without its content.
    asked: Stanza,
    cause: Cause,
    token: Token,
}

/// A component sets a contact of its own domain in an account's roster, with its subscription.
pub(crate) struct Tie {
    contact: Jid,
    seen: bool,
    shown: bool,
    /// What it sent.
    pub(crate) asked: Stanza,
    pub(crate) cause: Cause,
    pub(crate) token: Token,
}

/// What a component wants with a stanza.
enum Wish {
    /// Nothing special.
    Ordinary,
    /// A message in somebody's name.
    Message(Stanza),
    /// A request in a user's name, and how its answer is wanted.
    Request(Stanza, Form),
    /// It may not have it.
    Refused(StanzaError),
}

impl Engine {
    /// A stanza of a component of ours.
    pub(crate) fn component_says(&mut self, stanza: Stanza, cause: Cause, token: Token) {
        let rights = stanza.from.as_ref().and_then(|from| self.rights(from.domain())).unwrap_or_default();
        match self.wish(&stanza, &rights) {
            Wish::Ordinary => self.work.push_back(Work::Route(stanza, cause, Some(token))),
            Wish::Refused(error) => {
                self.refuse(&stanza, cause, error);
                self.batch.tokens.push(token);
            }
            Wish::Request(request, Form::Plain) if let Some((contact, seen, shown)) = tied(&stanza) => {
                let Some(account) = request.to.as_ref().map(Jid::bare) else { return };
                let tie = Tie { contact, seen, shown, asked: stanza, cause, token };
                self.with_account(&account, Waiting::Tie(Box::new(tie)));
            }
            Wish::Request(request, form) => self.commission(&stanza, request, form, cause, Some(token)),
            Wish::Message(message) => {
                let account = message.from.as_ref().map(Jid::bare);
                match account.filter(|account| account.jid().local().is_some()) {
                    Some(account) => {
                        let asked = head(&stanza);
                        let speech = Speech { stanza: message, asked, cause, token };
                        self.with_account(&account, Waiting::Speech(Box::new(speech)));
                    }
                    // In the name of the server itself.
                    None => self.work.push_back(Work::Route(message, cause.next(), Some(token))),
                }
            }
        }
    }

    fn wish(&self, stanza: &Stanza, rights: &Rights) -> Wish {
        let Some(to) = stanza.to.as_ref().filter(|to| self.hosts.contains_key(to.domain())) else {
            return match stanza.payload.has("privileged_iq", ns::PRIVILEGE) {
                true => forbidden("that is no user of this server"),
                false => Wish::Ordinary,
            };
        };
        match stanza.kind {
            Kind::Message(ty) if ty != MessageType::Error && to.is_domain() => speech(stanza, to, rights),
            Kind::Iq(ty @ (IqType::Get | IqType::Set)) => request(stanza, to, ty, rights),
            _ => Wish::Ordinary,
        }
    }

    /// One turn of an account in whose name a component speaks: as if one of its own devices had, for all of them.
    pub(crate) fn speak(&mut self, account: &Bare, speech: Speech) {
        let Speech { stanza, asked, cause, token } = speech;
        match self.accounts.get(account) {
            Some(Place::Ready(place)) if place.account.exists => {}
            _ => {
                self.refuse(&asked, cause, Condition::ItemNotFound.into());
                self.batch.tokens.push(token);
                return self.leave_if_nobody(account);
            }
        }
        let cause = match self.ids.is_newest(cause.id) {
            true => cause,
            false => Cause { id: self.new_cause().id, ..cause },
        };
        let origin = Origin { session: None, cause: cause.next(), token: Some(token) };
        self.turn(account, origin, |kernel, turn| kernel.leave(turn, stanza));
        self.batch.tokens.push(token);
    }

    /// The subscription first, then the request as any other: what it pushes shows both.
    pub(crate) fn tie(&mut self, account: &Bare, tie: Tie) {
        let Tie { contact, seen, shown, asked, cause, token } = tie;
        if matches!(self.accounts.get(account), Some(Place::Ready(place)) if place.account.exists) {
            self.own_turn(account, None, |_, turn| {
                kernel::Kernel::tie_contact(turn, &contact, seen, shown);
            });
        }
        let request = asked.clone().from(account.jid());
        self.commission(&asked, request, Form::Plain, cause, Some(token));
    }

    /// The account could not be loaded.
    pub(crate) fn speech_refused(&mut self, speech: Speech, error: StanzaError) {
        self.refuse(&speech.asked, speech.cause, error);
        self.batch.tokens.push(speech.token);
    }

    /// Tells components of something of an account that they have a right to.
    pub(crate) fn watch(&mut self, account: &Bare, what: &Watched, cause: Cause) {
        for at in 0..self.abroad.neighbours.len() {
            let watchers = self.abroad.neighbours[at].watchers();
            let here = watchers.iter().filter(|(_, rights)| rights.hold_for(account.domain()));
            for (component, rights) in here {
                if let Some(stanza) = told(account, what, component, rights) {
                    self.work.push_back(Work::Route(stanza, cause.next(), None));
                }
            }
        }
    }
}

fn told(account: &Bare, what: &Watched, component: &Jid, rights: &Arc<Rights>) -> Option<Stanza> {
    match what {
        Watched::Roster(payload) if rights.push => {
            Some(Stanza::iq_set("roster-push", payload.clone()).from(account.jid()).to(component))
        }
        Watched::Own(presence) if rights.presence != Sight::None => {
            Some(Stanza::clone(presence).to(component))
        }
        Watched::Contact(presence) if rights.presence == Sight::Roster => {
            Some(Stanza::clone(presence).to(component))
        }
        _ => None,
    }
}

/// Section 4.3: a message in the name of a user or of the server, wrapped.
fn speech(stanza: &Stanza, host: &Jid, rights: &Rights) -> Wish {
    let Some(child) = stanza
        .payload
        .children()
        .find(|child| child.is("privilege", ns::PRIVILEGE) || child.is("privilege", ns::PRIVILEGE_1))
    else {
        return Wish::Ordinary;
    };
    if !rights.message || !rights.hold_for(host.domain()) {
        return forbidden("it may not send messages in the name of others");
    }
    let inner = child.tree().ok().and_then(|tree| {
        let forwarded = tree.root()?.child("forwarded", ns::FORWARD)?;
        if let Some(message) = forwarded.child("message", ns::CLIENT) {
            return Stanza::from_stored(&message.raw("")).ok();
        }
        // Some libraries leave their stream's namespace on it; what is inside is written as if it were ours.
        let message = forwarded.child("message", ns::COMPONENT)?.raw(ns::COMPONENT);
        let mut bytes = format!("<message xmlns='{}'", ns::CLIENT).into_bytes();
        bytes.extend_from_slice(message.strip_prefix(b"<message")?);
        Stanza::from_stored(&bytes).ok()
    });
    let Some(message) = inner else { return Wish::Refused(Condition::BadRequest.into()) };
    match &message.from {
        Some(from) if from.is_bare() && from.domain() == host.domain() => Wish::Message(message),
        _ => forbidden("`from` is no bare address of this domain"),
    }
}

/// Sections 3.3 and 5.3: a request for a user's roster, or one in the user's name.
fn request(stanza: &Stanza, to: &Jid, ty: IqType, rights: &Rights) -> Wish {
    let Ok(tree) = stanza.payload.tree() else { return Wish::Refused(Condition::BadRequest.into()) };
    let Some(payload) = tree.root() else { return Wish::Ordinary };
    let user = to.local().is_some() && to.is_bare();
    if payload.is("query", ns::ROSTER) && user {
        if !rights.roster.allows(ty) || !rights.hold_for(to.domain()) {
            return forbidden("it may not do that with rosters");
        }
        return Wish::Request(stanza.clone().from(to), Form::Plain);
    }
    if !payload.is("privileged_iq", ns::PRIVILEGE) {
        return Wish::Ordinary;
    }
    let inner = payload.child("iq", ns::CLIENT).and_then(|iq| Stanza::from_stored(&iq.raw("")).ok());
    let Some(inner) = inner else { return forbidden("there is no iq of the namespace of clients in it") };
    let namespace = match inner.payload.children().next() {
        Some(child) if inner.payload.children().len() == 1 => child.ns().to_owned(),
        _ => return Wish::Refused(Condition::BadRequest.into()),
    };
    if !user || !rights.hold_for(to.domain()) || !rights.may_ask(&namespace, ty) {
        return forbidden("it may not ask that in the name of users");
    }
    if inner.kind != stanza.kind || inner.from.as_ref().is_some_and(|from| from != to) {
        return forbidden("the inner request does not fit the outer one");
    }
    let (id, target) = (inner.id.clone(), inner.to.clone().unwrap_or_else(|| to.clone()));
    Wish::Request(inner.from(to).to(&target), Form::Forwarded(id))
}

/// A contact at the component's own domain, with a subscription: both ends of it are known to agree. That of anybody else
/// is for its owner to grant, and is passed over (RFC 6121 section 2.1.2.5).
fn tied(stanza: &Stanza) -> Option<(Jid, bool, bool)> {
    if stanza.kind != Kind::Iq(IqType::Set) {
        return None;
    }
    let tree = stanza.payload.tree().ok()?;
    let item = tree.root()?.child("item", ns::ROSTER)?;
    let contact = Jid::parse(&item.attr("jid")?).ok()?;
    let own = stanza.from.as_ref().is_some_and(|from| from.domain() == contact.domain());
    let (seen, shown) = match item.attr("subscription").as_deref()? {
        "none" => (false, false),
        "to" => (true, false),
        "from" => (false, true),
        "both" => (true, true),
        _ => return None,
    };
    (own && contact.is_bare()).then_some((contact, seen, shown))
}

fn forbidden(why: &'static str) -> Wish {
    Wish::Refused(StanzaError::from(Condition::Forbidden).text(why))
}
