//! How one contact's subscriptions change: RFC 6121's state tables as a function.
//!
//! RFC 6121 section 3 and appendix A.
//!
//! Not here: sending what follows from a change (`subscriptions.rs`).

use stanza::PresenceType;

use crate::{Direction, Item};

/// What follows from a change, besides the change itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The stanza goes on: out to the contact, or in to the user's clients.
    pub(crate) pass: bool,
    /// The user's clients get a roster push.
    pub(crate) push: bool,
    /// The contact gets the user's current presence.
    pub(crate) show: bool,
    /// The contact gets unavailable presence of the user's resources.
    pub(crate) hide: bool,
    /// The server answers `subscribed` for the user.
    pub(crate) approve: bool,
}

/// The user sends a subscription stanza to the contact (appendix A.2).
pub(crate) fn outbound(item: &mut Item, ty: PresenceType) -> Outcome {
    use Direction::{Active, None, Pending};
    let mut out = Outcome { pass: true, ..Outcome::default() };
    match ty {
        PresenceType::Subscribe => {
            out.push = item.to == None;
            if item.to == None {
                item.to = Pending;
            }
            item.listed = true;
        }
        PresenceType::Unsubscribe => {
            out.push = item.to != None;
            item.to = None;
        }
        PresenceType::Subscribed if item.from == Pending => {
            item.from = Active;
            (item.listed, item.request) = (true, Option::None);
            (out.push, out.show) = (true, true);
        }
        // Section 3.4.2: agreed in advance; nothing is sent.
        PresenceType::Subscribed => {
            out.push = item.from == None && !item.approved;
            out.pass = false;
            if item.from == None {
                (item.approved, item.listed) = (true, true);
            }
        }
        PresenceType::Unsubscribed => {
            out.pass = item.from != None;
            out.hide = item.from == Active;
            out.push = item.from == Active || item.approved;
            (item.from, item.approved, item.request) = (None, false, Option::None);
        }
        _ => out.pass = false,
    }
    out
}

/// The contact sends a subscription stanza to the user (appendix A.3).
pub(crate) fn inbound(item: &mut Item, ty: PresenceType) -> Outcome {
    use Direction::{Active, None, Pending};
    let mut out = Outcome::default();
    match ty {
        // Section 3.1.3: the server answers for the user who has agreed already, or in advance.
        // Who asks again does not know that it was approved, so has not seen the presence that came with that either.
        PresenceType::Subscribe if item.from == Active => (out.approve, out.show) = (true, true),
        PresenceType::Subscribe if item.approved => {
            item.from = Active;
            (out.approve, out.push, out.show) = (true, true, true);
        }
        PresenceType::Subscribe => {
            out.pass = true;
            item.from = Pending;
        }
        PresenceType::Unsubscribe => {
            out.pass = item.from != None;
            (out.push, out.hide) = (item.from == Active, item.from == Active);
            (item.from, item.request) = (None, Option::None);
        }
        PresenceType::Subscribed if item.to == Pending => {
            item.to = Active;
            (out.pass, out.push) = (true, true);
        }
        PresenceType::Unsubscribed if item.to != None => {
            item.to = None;
            (out.pass, out.push) = (true, true);
        }
        _ => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Active as A, None as N, Pending as P};
    use PresenceType::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};

    type Change = fn(&mut Item, PresenceType) -> Outcome;

    fn run(
        change: Change,
        state: (Direction, Direction),
        ty: PresenceType,
    ) -> (Outcome, (Direction, Direction)) {
        let mut item = Item { to: state.0, from: state.1, listed: true, ..Item::default() };
        let out = change(&mut item, ty);
        (out, (item.to, item.from))
    }

    /// RFC 6121 appendix A.2: (state, stanza, routed, new state); A.3: (state, stanza, delivered, new state).
    /// States are (to, from): None is (N,N), None + Pending Out is (P,N), To + Pending In is (A,P), Both is (A,A).
    #[test]
    fn follows_the_tables_of_appendix_a() {
        let states = [(N, N), (P, N), (N, P), (P, P), (A, N), (A, P), (N, A), (P, A), (A, A)];
        for (to, from) in states {
            let wanted_to = if to == N { P } else { to };
            let asked = run(outbound, (to, from), Subscribe);
            assert_eq!((asked.0.pass, asked.1), (true, (wanted_to, from)), "out subscribe {to:?} {from:?}");
            let left = run(outbound, (to, from), Unsubscribe);
            assert_eq!((left.0.pass, left.1), (true, (N, from)), "out unsubscribe {to:?} {from:?}");
            let agreed = run(outbound, (to, from), Subscribed);
            let agreed_from = if from == P { A } else { from };
            assert_eq!(
                (agreed.0.pass, agreed.1),
                (from == P, (to, agreed_from)),
                "out subscribed {to:?} {from:?}"
            );
            let refused = run(outbound, (to, from), Unsubscribed);
            assert_eq!((refused.0.pass, refused.1), (from != N, (to, N)), "out unsubscribed {to:?} {from:?}");

            let asked = run(inbound, (to, from), Subscribe);
            let asked_from = if from == A { A } else { P };
            assert_eq!(
                (asked.0.pass, asked.1),
                (from != A, (to, asked_from)),
                "in subscribe {to:?} {from:?}"
            );
            assert_eq!((asked.0.approve, asked.0.show), (from == A, from == A));
            let left = run(inbound, (to, from), Unsubscribe);
            assert_eq!((left.0.pass, left.1), (from != N, (to, N)), "in unsubscribe {to:?} {from:?}");
            let agreed = run(inbound, (to, from), Subscribed);
            let agreed_to = if to == P { A } else { to };
            assert_eq!(
                (agreed.0.pass, agreed.1),
                (to == P, (agreed_to, from)),
                "in subscribed {to:?} {from:?}"
            );
            let refused = run(inbound, (to, from), Unsubscribed);
            assert_eq!((refused.0.pass, refused.1), (to != N, (N, from)), "in unsubscribed {to:?} {from:?}");
        }
    }

    #[test]
    fn agrees_in_advance() {
        let mut item = Item::default();
        let out = outbound(&mut item, Subscribed);
        assert!(item.approved && item.listed && out.push && !out.pass, "{item:?} {out:?}");
        let out = inbound(&mut item, Subscribe);
        assert!(out.approve && out.show && !out.pass && item.from == A, "{item:?} {out:?}");
        let out = outbound(&mut item, Unsubscribed);
        assert!(!item.approved && out.hide && out.pass && item.from == N);
    }
}
