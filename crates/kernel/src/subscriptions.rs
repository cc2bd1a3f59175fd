//! Subscription requests and answers: routing, pushes, and what the contacts see then.
//!
//! RFC 6121 section 3.
//!
//! Not here: the state tables (`subscription.rs`).

use address::Jid;
use model::storage::Owner;
use stanza::{Condition, PresenceType, Stanza};
use xml::Writer;

use crate::effects::Watched;
use crate::presence::{hide, show};
use crate::subscription::{Outcome, inbound, outbound};
use crate::{Account, Direction, Item, Kernel, Turn, limits};

impl Kernel {
    /// The user subscribes, agrees, cancels or refuses.
    pub(crate) fn subscription_leaves(&self, turn: &mut Turn<'_, Account>, ty: PresenceType, stanza: Stanza) {
        let Some(contact) = stanza.to.as_ref().map(Jid::bare) else { return };
        if contact == turn.place.jid {
            return; // One always sees oneself.
        }
        let known = turn.place.roster.item(contact.as_str());
        if known.is_some_and(|item| item.shared.is_some()) {
            return; // They see each other, whatever they say.
        }
        if known.is_none() && turn.place.roster.len() >= limits::ROSTER_ITEMS_MAX {
            return turn.refuse(&stanza, Condition::ResourceConstraint);
        }
        let mut item = known.cloned().unwrap_or_default();
        let out = outbound(&mut item, ty);
        if !turn.place.roster.fits(contact.as_str(), &item) {
            return turn.refuse(&stanza, Condition::ResourceConstraint);
        }
        // RFC 6121 section 3.1.2: from and to are bare addresses.
        let stanza = stanza.from(&turn.place.jid).to(&contact);
        self.changed(turn, &contact, item, out);
        if out.pass {
            turn.fx.route(stanza);
        }
        follow_up(turn, &contact, out);
    }

    /// The contact subscribes, agrees, cancels or refuses.
    pub(crate) fn subscription_arrives(
        &self,
        turn: &mut Turn<'_, Account>,
        ty: PresenceType,
        stanza: Stanza,
    ) {
        let Some(contact) = stanza.from.as_ref().map(Jid::bare) else { return };
        if contact == turn.place.jid {
            return;
        }
        let known = turn.place.roster.item(contact.as_str()).cloned();
        if known.as_ref().is_some_and(|item| item.shared.is_some()) {
            return self.shared_subscription(turn, ty, &contact);
        }
        if known.is_none() && !may_ask(turn.place) {
            return turn.refuse(&stanza, Condition::ResourceConstraint);
        }
        let mut item = known.unwrap_or_default();
        let out = inbound(&mut item, ty);
        let stanza = stanza.from(&contact).to(&turn.place.jid);
        if ty == PresenceType::Subscribe && out.pass {
            let inner = stanza.payload.inner();
            let fits = inner.len() <= limits::REQUEST_BYTES_MAX;
            item.request =
                Some(if fits { String::from_utf8_lossy(inner).into_owned() } else { String::new() });
            if !turn.place.roster.fits(contact.as_str(), &item) {
                return turn.refuse(&stanza, Condition::ResourceConstraint);
            }
        }
        self.changed(turn, &contact, item, out);
        if out.pass {
            deliver(turn, stanza);
        }
        follow_up(turn, &contact, out);
    }

    /// Removes a contact: both subscriptions end (RFC 6121 section 2.5.2).
    pub fn remove_contact(turn: &mut Turn<'_, Account>, contact: &Jid) -> bool {
        let Some(item) = turn.place.roster.item(contact.as_str()).cloned() else { return false };
        let own = turn.place.jid.jid().clone();
        let notice = |ty| Stanza::presence(ty).from(&own).to(contact);
        if item.to != Direction::None {
            turn.fx.route(notice(PresenceType::Unsubscribe));
        }
        if item.from != Direction::None {
            turn.fx.route(notice(PresenceType::Unsubscribed));
        }
        if item.shown_to() {
            hide(turn, contact);
        }
        store(turn, contact, Item::default());
        push(turn, contact, None);
        true
    }

    /// Sets what the user says of a contact (RFC 6121 sections 2.3 and 2.4) and pushes it.
    /// `false`: the roster would become too large.
    pub fn set_contact(
        turn: &mut Turn<'_, Account>,
        contact: &Jid,
        name: Option<String>,
        groups: Vec<String>,
    ) -> bool {
        let mut item = turn.place.roster.item(contact.as_str()).cloned().unwrap_or_default();
        item.name = name;
        let shared = item.shared.clone();
        // What groups of the operator say is not the user's own.
        let of_groups = |group: &String| shared.as_ref().is_some_and(|shared| shared.groups.contains(group));
        item.groups = groups.into_iter().filter(|group| !of_groups(group)).collect();
        item.name = item.name.filter(|name| shared.as_ref().is_none_or(|s| s.name.as_ref() != Some(name)));
        item.listed = true;
        if !turn.place.roster.fits(contact.as_str(), &item) {
            return false;
        }
        store(turn, contact, item.clone());
        push(turn, contact, Some(&item));
        true
    }

    /// Ties a contact and the user together as whoever serves the contact's domain has asked for, without a request and an
    /// answer (XEP-0356 section 3.3, a gateway's contacts). Nothing is pushed: [`Kernel::set_contact`] follows.
    pub fn tie_contact(turn: &mut Turn<'_, Account>, contact: &Jid, seen: bool, shown: bool) {
        let known = turn.place.roster.item(contact.as_str());
        if known.is_none() && turn.place.roster.len() >= limits::ROSTER_ITEMS_MAX {
            return;
        }
        let old = known.cloned().unwrap_or_default();
        let direction = |there| if there { Direction::Active } else { Direction::None };
        let item =
            Item { to: direction(seen), from: direction(shown), request: None, listed: true, ..old.clone() };
        if !turn.place.roster.fits(contact.as_str(), &item) {
            return;
        }
        store(turn, contact, item);
        if shown && !old.shown_to() {
            show(turn, contact);
        }
        if seen && !old.seen() && turn.place.available().next().is_some() {
            let probe = Stanza::presence(PresenceType::Probe);
            turn.fx.route(probe.from(&turn.place.jid).to(contact));
        }
        if !shown && old.shown_to() {
            hide(turn, contact);
        }
    }

    fn changed(&self, turn: &mut Turn<'_, Account>, contact: &Jid, item: Item, out: Outcome) {
        if turn.place.roster.item(contact.as_str()) != Some(&item) {
            store(turn, contact, item.clone());
        }
        if out.push && item.in_roster() {
            push(turn, contact, Some(&item));
        }
    }
}

fn may_ask(account: &Account) -> bool {
    let waiting = account.roster.iter().filter(|(_, item)| !item.in_roster()).count();
    waiting < limits::REQUESTS_PENDING_MAX && account.roster.len() < limits::ROSTER_ITEMS_MAX
}

fn store(turn: &mut Turn<'_, Account>, contact: &Jid, item: Item) {
    let owner = Owner::from(turn.place.jid.text());
    turn.place.roster.set(&owner, contact, item, turn.fx);
}

/// Tells the interested resources of a changed (or removed) contact (section 2.1.6).
pub(crate) fn push(turn: &mut Turn<'_, Account>, contact: &Jid, item: Option<&Item>) {
    let owner = Owner::from(turn.place.jid.text());
    turn.place.roster.touch(&owner, turn.fx);
    let version = turn.place.roster.version();
    let mut w = Writer::new(stanza::ns::CLIENT);
    w.open("query", stanza::ns::ROSTER).attr("ver", &version);
    match item {
        Some(item) => item.write(contact.as_str(), &mut w),
        None => {
            w.open("item", stanza::ns::ROSTER)
                .attr("jid", contact.as_str())
                .attr("subscription", "remove")
                .close();
        }
    }
    w.close();
    let payload = w.finish();
    turn.fx.watch(&turn.place.jid, Watched::Roster(payload.clone()));
    for session in turn.place.sessions.iter().filter(|session| session.interested) {
        let id = format!("push-{version}-{}", session.id.0);
        turn.fx.send(session.id, Stanza::iq_set(&id, payload.clone()).to(&session.jid).into());
    }
}

fn follow_up(turn: &mut Turn<'_, Account>, contact: &Jid, out: Outcome) {
    if out.approve {
        let agreed = Stanza::presence(PresenceType::Subscribed);
        turn.fx.route(agreed.from(&turn.place.jid).to(contact));
    }
    if out.show {
        show(turn, contact);
    }
    if out.hide {
        hide(turn, contact);
    }
}

/// Shows a subscription stanza to the user's clients: requests to those who are available, the rest to those who
/// follow the roster.
fn deliver(turn: &mut Turn<'_, Account>, stanza: Stanza) {
    let stanza = std::sync::Arc::new(stanza);
    for session in
        turn.place.sessions.iter().filter(|session| session.available.is_some() || session.interested)
    {
        turn.fx.send(session.id, stanza.clone());
    }
}

/// A request that waited for the user (section 3.1.3).
pub(crate) fn kept_request(contact: &Jid, own: &Jid, inner: &str) -> Stanza {
    Stanza::presence(PresenceType::Subscribe).from(contact).to(own).with_inner(inner.to_owned().into())
}
