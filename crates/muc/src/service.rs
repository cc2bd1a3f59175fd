//! The service: what comes for it and its rooms, and what keeps a room in memory.
//!
//! XEP-0045 1.35.5
//!
//! Not here: what happens then (the other files).

use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Rest, Service, Spot, Turn};
use model::storage::{Loaded, Read, Space};
use stanza::{Condition, IqType, Kind, MessageType, PresenceType, Stanza};

use crate::here::Here;
use crate::room::{AFFILIATIONS, Room, Standing};
use crate::settings::Settings;
use crate::{create, departed, forward, ghosts, groupchat, invite, iq, join, leave, private, voice};

/// Fills a buffer with bytes that nobody can guess.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The rooms of a domain.
pub struct Rooms(Arc<Shared>);

/// What all parts know of the service.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
}

impl Rooms {
    /// A service with these settings.
    pub fn new(settings: Settings, random: Random) -> Rooms {
        Rooms(Arc::new(Shared { settings, random }))
    }
}

impl Service for Rooms {
    fn domain(&self) -> &Jid {
        &self.0.settings.domain
    }

    fn name(&self) -> &str {
        &self.0.settings.name
    }

    fn reads(&self, address: &Bare) -> Vec<Read> {
        if address.local().is_none() { Vec::new() } else { Room::reads(address) }
    }

    fn hydrate(&self, spot: &mut Spot, loaded: Vec<Loaded>) {
        if !spot.is_service() {
            let address = spot.address.clone();
            spot.slots.of::<Room>().hydrate(&address, loaded, self.0.settings.started_ms);
        }
    }

    fn arrive(&self, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
        let shared = &self.0;
        if !turn.place.is_service()
            && let Some(who) = kernel::who_departed(self.domain(), &stanza)
        {
            return departed::left(&mut Here::of(shared, turn), &who);
        }
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => iq::asked(shared, turn, stanza),
            _ if turn.place.is_service() => refuse_post(turn, &stanza),
            Kind::Iq(_) => forward::answered(&mut Here::of(shared, turn), &stanza),
            Kind::Message(MessageType::Error) => ghosts::bounced(&mut Here::of(shared, turn), &stanza),
            Kind::Message(MessageType::Groupchat) => groupchat::said(shared, turn, stanza),
            Kind::Message(_) => message(&mut Here::of(shared, turn), stanza),
            Kind::Presence(PresenceType::Available) => join::present(shared, turn, stanza),
            Kind::Presence(PresenceType::Unavailable) => leave::left(&mut Here::of(shared, turn), &stanza),
            Kind::Presence(PresenceType::Error) => ghosts::bounced(&mut Here::of(shared, turn), &stanza),
            // Nobody can subscribe to a room; silence tells a prober nothing.
            Kind::Presence(_) => {}
        }
    }

    fn rights(&self) -> Option<Space> {
        Some(AFFILIATIONS)
    }

    fn woken(&self, turn: &mut Turn<'_, Spot>) {
        let mut here = Here::of(&self.0, turn);
        here.tell_news();
        create::unlock_in_time(&mut here);
    }

    fn farewell(&self, turn: &mut Turn<'_, Spot>) {
        if !turn.place.is_service() {
            leave::all_out(&mut Here::of(&self.0, turn));
        }
    }

    fn rest(&self, spot: &Spot) -> Rest {
        let Some(room) = spot.slots.peek::<Room>() else { return Rest::Nothing };
        match room.standing {
            Standing::Absent => Rest::Nothing,
            _ if !room.occupants.is_empty() => Rest::Needed,
            _ => Rest::Idle,
        }
    }
}

fn refuse_post(turn: &mut Turn<'_, Spot>, stanza: &Stanza) {
    if let Kind::Message(_) = stanza.kind {
        turn.fx.refuse(stanza, Condition::ServiceUnavailable);
    }
}

/// A message that is not for all: to one occupant, or something that the room does.
fn message(here: &mut Here<'_>, stanza: Stanza) {
    let to_occupant = stanza.to.as_ref().is_some_and(|to| to.resource().is_some());
    if to_occupant {
        private::said(here, stanza);
    } else if !invite::asked(here, &stanza) && !voice::asked(here, &stanza) {
        here.refuse(&stanza, Condition::BadRequest);
    }
}
