//! Presence in a room: how that of an occupant looks, and who gets it.
//!
//! XEP-0045 1.35.5 sections 7.2.2 to 7.2.4 and 17.3
//!
//! Not here: coming, going and changing (`join.rs`, `leave.rs`, `nick.rs`).

use std::sync::Arc;

use address::Jid;
use stanza::{Kind, Payload, PresenceType, Stanza, ns};

use crate::affiliation::{Affiliation, Role};
use crate::here::Here;
use crate::item::{self, Notice};
use crate::limits;
use crate::occupant_id;
use crate::occupants::Occupant;

/// What of somebody's presence is shown to others: nothing that only the room may say, nothing that gives him away.
pub(crate) fn clean(payload: &Payload) -> Payload {
    let ours = [ns::MUC, ns::MUC_USER, ns::OCCUPANT_ID, ns::HATS, ns::DELAY, ns::SID];
    let payload = payload.without(|child| ours.contains(&child.ns()));
    if payload.inner().len() <= limits::PRESENCE_BYTES_MAX {
        return payload;
    }
    let plain = payload
        .without(|child| child.ns() != ns::CLIENT || !["show", "status", "priority"].contains(&child.name()));
    if plain.inner().len() <= limits::PRESENCE_BYTES_MAX {
        return plain;
    }
    plain.without(|child| child.name() == "status")
}

impl Here<'_> {
    /// An occupant's presence as those see it who may not (`false`) or may see who he is. `codes` come after those of
    /// the notice.
    pub(crate) fn presence_of(
        &self,
        occupant: &Occupant,
        revealed: bool,
        notice: &Notice<'_>,
        codes: &[u16],
    ) -> Payload {
        let Some(visit) = occupant.visits.last() else { return Payload::default() };
        let affiliation = self.affiliation(occupant.bare.jid());
        let hats = self.room.hats.worn(self.room.affiliations.get(occupant.bare.as_str()));
        visit.presence.with(|w| {
            item::write(w, revealed.then_some(&visit.jid), affiliation, occupant.role, notice, codes);
            occupant_id::write(w, &occupant.id);
            crate::hats::write(w, &hats);
        })
    }

    /// The two forms of an occupant's plain presence, made once until something changes.
    pub(crate) fn shown(&mut self, nick: &str) -> Option<[Payload; 2]> {
        let occupant = self.room.occupants.get(nick)?;
        if let Some(shown) = &occupant.shown {
            return Some(shown.clone());
        }
        let notice = Notice::default();
        let shown = [false, true].map(|revealed| self.presence_of(occupant, revealed, &notice, &[]));
        self.room.occupants.get_mut(nick)?.shown = Some(shown.clone());
        Some(shown)
    }

    /// Tells everybody an occupant's presence, himself with `own` codes besides 110.
    pub(crate) fn broadcast(&mut self, nick: &str, notice: &Notice<'_>, own: &[u16]) {
        self.tell_others(nick, notice);
        self.tell_himself(nick, notice, own, None);
    }

    /// Tells the others an occupant's presence, if presence of his role is told (`presencebroadcast`).
    pub(crate) fn tell_others(&mut self, nick: &str, notice: &Notice<'_>) {
        let forms = match notice.is_plain() {
            true => self.shown(nick),
            false => self.room.occupants.get(nick).map(|occupant| {
                [false, true].map(|revealed| self.presence_of(occupant, revealed, notice, &[]))
            }),
        };
        let (Some(forms), Some(occupant)) = (forms, self.room.occupants.get(nick)) else { return };
        if !self.room.config.broadcast.allows(occupant.role) {
            return;
        }
        let from = occupant.address.clone();
        self.spread(nick, Kind::Presence(PresenceType::Available), &from, &forms);
    }

    /// Sends one of two forms to all but one occupant, by what each may see.
    pub(crate) fn spread(&mut self, but: &str, kind: Kind, from: &Jid, forms: &[Payload; 2]) {
        let heads = forms.clone().map(|payload| Stanza { payload, ..Stanza::new(kind).from(from) });
        for occupant in self.room.occupants.iter().filter(|occupant| *occupant.nick != *but) {
            let head = &heads[usize::from(self.room.reveals_to(occupant.role))];
            for visit in &occupant.visits {
                self.fx.route(head.clone().to(&visit.jid));
            }
        }
    }

    /// Tells an occupant his own presence (110), all of his clients or one.
    pub(crate) fn tell_himself(
        &mut self,
        nick: &str,
        notice: &Notice<'_>,
        own: &[u16],
        only: Option<(&Jid, Option<&Arc<str>>)>,
    ) {
        let Some(occupant) = self.room.occupants.get(nick) else { return };
        let mut codes = vec![110];
        codes.extend(own);
        codes.sort_unstable();
        let payload = self.presence_of(occupant, self.room.reveals_to(occupant.role), notice, &codes);
        let head = Stanza {
            payload,
            id: only.and_then(|(_, id)| id.cloned()),
            ..Stanza::presence(PresenceType::Available).from(&occupant.address)
        };
        for visit in &occupant.visits {
            if only.is_none_or(|(jid, _)| *jid == visit.jid) {
                self.fx.route(head.clone().to(&visit.jid));
            }
        }
    }

    /// Shows a client everybody else who is here, as far as presence is told.
    pub(crate) fn show_room(&mut self, nick: &str, client: &Jid, role: Role) {
        let revealed = usize::from(self.room.reveals_to(role));
        let others: Vec<Arc<str>> = (self.room.occupants.iter())
            .filter(|one| *one.nick != *nick && self.room.config.broadcast.allows(one.role))
            .map(|one| one.nick.clone())
            .collect();
        for other in others {
            let (Some(forms), Some(occupant)) = (self.shown(&other), self.room.occupants.get(&other)) else {
                continue;
            };
            let [hidden, open] = forms;
            let payload = if revealed == 1 { open } else { hidden };
            let stanza = Stanza { payload, ..Stanza::presence(PresenceType::Available) };
            self.fx.route(stanza.from(&occupant.address).to(client));
        }
    }

    /// What those hear who are left behind, and (with 110) who goes: somebody is no longer here.
    pub(crate) fn gone_forms(
        &self,
        occupant: &Occupant,
        notice: &Notice<'_>,
        last: &Payload,
    ) -> [Payload; 2] {
        let affiliation = self.affiliation(occupant.bare.jid());
        let jid = occupant.visits.last().map(|visit| &visit.jid);
        [None, jid].map(|jid| gone(occupant, jid, affiliation, notice, last, &[]))
    }

    /// Tells the clients of somebody who is out that he is; also `own` codes.
    pub(crate) fn tell_gone(
        &mut self,
        occupant: &Occupant,
        notice: &Notice<'_>,
        last: &Payload,
        only: Option<&Jid>,
    ) {
        let affiliation = match notice.destroy {
            Some(_) => Affiliation::None,
            None => self.affiliation(occupant.bare.jid()),
        };
        let payload = gone(occupant, None, affiliation, notice, last, &[110]);
        let head = Stanza { payload, ..Stanza::presence(PresenceType::Unavailable) }.from(&occupant.address);
        for visit in occupant.visits.iter().filter(|visit| only.is_none_or(|only| *only == visit.jid)) {
            self.fx.route(head.clone().to(&visit.jid));
        }
    }

    /// The same for the others, as far as presence of his role was told.
    pub(crate) fn tell_left(&mut self, occupant: &Occupant, notice: &Notice<'_>, last: &Payload) {
        if self.room.config.broadcast.allows(occupant.role) {
            let forms = self.gone_forms(occupant, notice, last);
            let kind = Kind::Presence(PresenceType::Unavailable);
            self.spread(&occupant.nick, kind, &occupant.address, &forms);
        }
    }
}

fn gone(
    occupant: &Occupant,
    jid: Option<&Jid>,
    affiliation: Affiliation,
    notice: &Notice<'_>,
    last: &Payload,
    codes: &[u16],
) -> Payload {
    // Whoever changes the nickname keeps the role.
    let role = if notice.nick.is_some() { occupant.role } else { Role::None };
    last.with(|w| {
        item::write(w, jid, affiliation, role, notice, codes);
        occupant_id::write(w, &occupant.id);
    })
}
