//! The way in: what comes for an account climbs the stairs of the recipient.
//!
//! RFC 6121 section 8.5.
//!
//! Not here: which devices get a message (`choose.rs`), subscriptions (`subscriptions.rs`).

use std::sync::Arc;

use address::Jid;
use model::link::SessionId;
use stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza, ns};

use crate::choose::{Choice, choose};
use crate::effects::Watched;
use crate::{Account, Kernel, Step, Turn, Way};

impl Kernel {
    /// A stanza for this account; `to` is set and `from` is true.
    pub fn arrive(&self, turn: &mut Turn<'_, Account>, mut stanza: Stanza) {
        let Some(to) = stanza.to.clone() else { return };
        if !turn.place.exists {
            return self.no_such_account(turn, &stanza);
        }
        if !self.step(Way::Arrive, Step::Screen, turn, &mut stanza)
            || !self.step(Way::Arrive, Step::Stamp, turn, &mut stanza)
        {
            if zoo::is(zoo::Fault::CopyOfBlocked) {
                self.step(Way::Arrive, Step::Copy, turn, &mut stanza);
            }
            return;
        }
        match stanza.kind {
            Kind::Message(ty) => self.message_arrives(turn, &to, ty, stanza),
            Kind::Presence(ty) => self.presence_arrives(turn, &to, ty, stanza),
            Kind::Iq(ty) => self.iq_arrives(turn, &to, ty, stanza),
        }
    }

    /// A stanza that a session of this account never acknowledged before it ended: it gets its one fate now. A
    /// message goes to another device or is kept, a request is answered with an error.
    ///
    /// `session` is the one that did not get it, `id` that of the turn in which it was sent.
    pub fn undelivered(&self, turn: &mut Turn<'_, Account>, mut stanza: Stanza, session: SessionId, id: u64) {
        // What the account itself says (copies, pages of the archive, pushes) was for that one session.
        let own = stanza.from.as_ref().is_none_or(|from| *from == *turn.place.jid.jid());
        let shared = turn.place.unshare(id, session) && !zoo::is(zoo::Fault::RerouteToAll);
        if !turn.place.exists || own || shared {
            return;
        }
        if zoo::is(zoo::Fault::NewIdOnRedelivery) {
            return self.arrive(turn, stanza);
        }
        // Ids are microseconds; where the clock has gone back since, it came just now.
        turn.late = Some((id / 1_000).min(turn.now.unix_ms));
        turn.archived = stanza_id(turn, &stanza);
        match stanza.kind {
            Kind::Message(ty) => {
                // It has been screened, stamped and kept already; only its device is gone.
                let bare = turn.place.jid.jid().clone();
                match ty {
                    MessageType::Normal | MessageType::Chat => match choose(turn.place, &bare, ty) {
                        Choice::Deliver(targets) => {
                            self.mark_late(turn, &mut stanza);
                            let stanza = Arc::new(stanza);
                            for target in &targets {
                                turn.fx.send(*target, stanza.clone());
                            }
                            turn.place.share(turn.id, &targets);
                        }
                        _ => self.nobody_there(turn, stanza),
                    },
                    MessageType::Groupchat => turn.refuse(&stanza, Condition::RecipientUnavailable),
                    MessageType::Headline | MessageType::Error => {}
                }
            }
            Kind::Iq(IqType::Get | IqType::Set) => turn.refuse(&stanza, Condition::ServiceUnavailable),
            _ => {}
        }
    }

    /// Whoever gets it now must see that it is not new (XEP-0203).
    fn mark_late(&self, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) {
        if let Some(at) = turn.late.filter(|_| !zoo::is(zoo::Fault::LateAsNew)) {
            self.features.iter().for_each(|feature| feature.late(turn, stanza, at));
        }
    }

    fn message_arrives(&self, turn: &mut Turn<'_, Account>, to: &Jid, ty: MessageType, mut stanza: Stanza) {
        let choice = choose(turn.place, to, ty);
        match choice {
            Choice::Drop => {}
            Choice::Refuse(condition) => turn.refuse(&stanza, condition),
            Choice::Miss => {
                if self.step(Way::Arrive, Step::Keep, turn, &mut stanza) {
                    self.missed(turn, stanza);
                }
            }
            Choice::Deliver(targets) => {
                if !self.step(Way::Arrive, Step::Keep, turn, &mut stanza) {
                    return;
                }
                for _ in targets.iter().skip(1).filter(|_| zoo::is(zoo::Fault::ArchivePerResource)) {
                    self.step(Way::Arrive, Step::Keep, turn, &mut stanza);
                }
                let mut copy = stanza.clone();
                let stanza = Arc::new(stanza);
                for target in &targets {
                    turn.fx.send(*target, stanza.clone());
                }
                turn.place.share(turn.id, &targets);
                turn.delivered = targets;
                self.step(Way::Arrive, Step::Copy, turn, &mut copy);
            }
        }
    }

    fn missed(&self, turn: &mut Turn<'_, Account>, stanza: Stanza) {
        let mut copy = stanza.clone();
        self.nobody_there(turn, stanza);
        // Devices of negative priority still get their copies.
        self.step(Way::Arrive, Step::Copy, turn, &mut copy);
    }

    /// Somebody keeps the message, or it bounces.
    fn nobody_there(&self, turn: &mut Turn<'_, Account>, mut stanza: Stanza) {
        if self.step(Way::Arrive, Step::Miss, turn, &mut stanza) {
            turn.refuse(&stanza, Condition::ServiceUnavailable);
        }
    }

    fn iq_arrives(&self, turn: &mut Turn<'_, Account>, to: &Jid, ty: IqType, stanza: Stanza) {
        match (to.resource(), ty) {
            (Some(resource), _) => match turn.place.resource(resource).map(|session| session.id) {
                Some(session) => turn.fx.send(session, stanza.into()),
                None => turn.refuse(&stanza, Condition::ServiceUnavailable),
            },
            (None, IqType::Get | IqType::Set) => self.answer_for_account(turn, stanza),
            (None, IqType::Result | IqType::Error) => {}
        }
    }

    fn presence_arrives(&self, turn: &mut Turn<'_, Account>, to: &Jid, ty: PresenceType, stanza: Stanza) {
        match ty {
            PresenceType::Available | PresenceType::Unavailable | PresenceType::Error => {
                let stanza = Arc::new(stanza);
                match to.resource() {
                    Some(resource) => {
                        if let Some(session) = turn.place.resource(resource) {
                            turn.fx.send(session.id, stanza);
                        }
                    }
                    // RFC 6121 section 8.5.2.1.2.
                    None => {
                        let from =
                            stanza.from.as_ref().and_then(|from| turn.place.roster.item(from.bare_str()));
                        if ty != PresenceType::Error && from.is_some_and(|item| item.seen()) {
                            turn.fx.watch(&turn.place.jid, Watched::Contact(stanza.clone()));
                        }
                        for (session, _) in turn.place.available() {
                            turn.fx.send(session.id, stanza.clone());
                        }
                    }
                }
            }
            PresenceType::Probe => self.probed(turn, &stanza),
            _ => self.subscription_arrives(turn, ty, stanza),
        }
    }
}

/// The id that this account's archive gave it. Nobody else can have written it: forged ones are taken off.
fn stanza_id(turn: &Turn<'_, Account>, stanza: &Stanza) -> Option<u64> {
    let own = |child: &stanza::Child<'_>| {
        child.is("stanza-id", ns::SID) && child.attr("by").as_deref() == Some(turn.place.jid.as_str())
    };
    stanza.payload.children().find(own)?.attr("id")?.parse().ok()
}
