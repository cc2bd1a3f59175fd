//! New sessions: resources, conflicts, stream management from the start.
//!
//! RFC 6120 section 7, XEP-0198 1.6.3 section 3, XEP-0386 1.1.0.
//!
//! Not here: the syntax (stream), what features do when a session opens (kernel).

use address::{Bare, Jid};
use model::link::{ArchiveEnds, Bind, Bound, Down, Enable, Enabled, Resource, SessionId};
use model::query::{Found, Query};
use model::spaces::ARCHIVE;
use model::storage::{Owner, Read};
use stanza::{Condition, StanzaError, StreamCondition, StreamError};

use crate::device::{Attached, Device};
use crate::engine::{Asked, Engine};
use crate::held::Out;
use crate::limits;
use crate::operator::not_authorized;
use crate::places::{Place, Waiting};
use crate::sm::Sm;
use crate::turns::Work;

impl Engine {
    /// A stream wants a resource.
    pub(crate) fn bind(&mut self, bind: Box<Bind>) {
        if self.stopping {
            return bind.link.send(Down::Bound(Err(Condition::ServiceUnavailable.into())));
        }
        let account = bind.account.clone();
        self.with_account(&account, Waiting::Bind(bind));
    }

    /// The same, with the account in memory.
    pub(crate) fn bind_ready(&mut self, bind: Bind) {
        if self.refused_for_domain(&bind) {
            return;
        }
        if !bind.grant.holds() {
            // Its account has changed since it logged in (C-28): whoever it is must log in anew.
            bind.link.send(Down::Bound(Err(Condition::NotAuthorized.into())));
            return bind.link.send(Down::Close(Some(not_authorized())));
        }
        let jid = match self.choose_resource(&bind) {
            Ok(jid) => jid,
            Err(error) => return bind.link.send(Down::Bound(Err(error))),
        };
        let (inline, account) = (matches!(bind.resource, Resource::Tagged { .. }), bind.account.clone());
        let session = self.new_session();
        let attached = Attached { stream: bind.stream, link: bind.link };
        let mut device = Device::new(session, account.clone(), jid.clone(), bind.about.clone(), attached);
        device.csi.state = bind.client_state;
        self.devices.insert(session, device);
        let enabled = bind.enable.map(|enable| self.manage(session, enable));
        self.own_turn(&account, Some(session), |kernel, turn| {
            kernel.open(turn, session, jid.clone(), bind.about, bind.carbons);
        });
        let bound = Box::new(Bound { session, jid, enabled, archive: None });
        if inline {
            let read = Read::LogBounds { space: ARCHIVE, owner: Owner::from(account.text()), count: false };
            self.batch.outs.push(Out::Ask(Query::Read(read).into(), Asked::Bounds(session, bound)));
        } else {
            self.batch.outs.push(Out::Bound(session, bound));
        }
    }

    /// The ends of the archive are known, or not: the client gets its address either way.
    pub(crate) fn bounds_found(
        &mut self,
        session: SessionId,
        mut bound: Box<Bound>,
        found: Result<Found, StanzaError>,
    ) {
        if let Ok(found) = found {
            let ends = found.into_loaded().into_bounds();
            bound.archive = ends.first.zip(ends.last).map(|(first, last)| ArchiveEnds {
                first: (first.0.to_string(), first.1),
                last: (last.0.to_string(), last.1),
            });
        }
        self.batch.outs.push(Out::Bound(session, bound));
    }

    pub(crate) fn bound_out(&mut self, session: SessionId, bound: Box<Bound>) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        device.tell(Down::Bound(Ok(bound)));
        for parcel in device.early.take().into_iter().flatten() {
            self.send(session, parcel);
        }
    }

    /// A new session whose beginning could not be stored has not begun.
    pub(crate) fn unbind(&mut self, session: SessionId) {
        if let Some(device) = self.devices.get_mut(&session) {
            device.tell(Down::Bound(Err(Condition::ResourceConstraint.into())));
            device.attached = None;
            self.work.push_back(Work::End(session));
        }
    }

    fn choose_resource(&mut self, bind: &Bind) -> Result<Jid, StanzaError> {
        let account = &bind.account;
        let resource = match &bind.resource {
            Resource::Asked(jid) => jid.resource().unwrap_or_default().to_owned(),
            Resource::Any => self.random_hex::<8>(),
            Resource::Tagged { tag, client } => {
                let suffix = match client {
                    Some(client) => format!("{:016x}", fingerprint(account, client)),
                    None => self.random_hex::<8>(),
                };
                if tag.is_empty() { suffix } else { format!("{tag}~{suffix}") }
            }
        };
        let jid = account.with_resource(&resource).map_err(|_| StanzaError::from(Condition::BadRequest))?;
        let Some(Place::Ready(place)) = self.accounts.get(account) else {
            return Err(Condition::InternalServerError.into());
        };
        if !place.account.exists {
            return Err(Condition::NotAllowed.into());
        }
        let rival =
            jid.resource().and_then(|resource| place.account.resource(resource)).map(|session| session.id);
        let sessions: Vec<SessionId> = place.account.sessions.iter().map(|session| session.id).collect();
        if let Some(rival) = rival {
            // RFC 6120 section 7.7.2.2: the new one wins; it is the one where the user is.
            self.replace(rival);
        } else if sessions.len() >= limits::SESSIONS_PER_ACCOUNT_MAX {
            let detached =
                sessions.into_iter().find(|id| self.devices.get(id).is_none_or(|d| d.attached.is_none()));
            match detached {
                Some(detached) => self.end_session(detached),
                None => {
                    let error = StanzaError::from(Condition::ResourceConstraint);
                    return Err(error
                        .text("too many devices are connected")
                        .app("resource-limit-exceeded", LIMITS_NS));
                }
            }
        }
        Ok(jid)
    }

    fn replace(&mut self, session: SessionId) {
        if let Some(device) = self.devices.get_mut(&session) {
            let error = StreamError::new(StreamCondition::Conflict, "the same resource has connected again");
            device.tell(Down::Close(Some(error)));
            device.attached = None;
        }
        self.end_session(session);
    }

    /// `<enable/>` on a bound stream: incoming stanzas count from now, outgoing ones from where the answer leaves.
    pub(crate) fn enable(&mut self, session: SessionId, enable: Enable) {
        if let Some(device) = self.devices.get_mut(&session) {
            device.incoming.start();
            self.batch.outs.push(Out::Enable(session, enable));
        }
    }

    pub(crate) fn enable_out(&mut self, session: SessionId, enable: Enable) {
        if self.devices.get(&session).is_some_and(|device| device.sm.is_some()) {
            let refusal = StanzaError::from(Condition::UnexpectedRequest);
            return self.tell(session, Down::Enabled(Err(refusal)));
        }
        let enabled = self.manage(session, enable);
        self.tell(session, Down::Enabled(Ok(enabled)));
    }

    fn tell(&self, session: SessionId, down: Down) {
        if let Some(device) = self.devices.get(&session) {
            device.tell(down);
        }
    }

    fn manage(&mut self, session: SessionId, enable: Enable) -> Enabled {
        let max = enable.max.unwrap_or(limits::RESUME_SECONDS_MAX).min(limits::RESUME_SECONDS_MAX);
        // 128 bits that nobody can guess; the account is checked too when it comes back.
        let id = enable.resume.then(|| self.random_hex::<16>());
        if let Some(id) = &id {
            self.resumable.insert(id.clone(), session);
        }
        if let Some(device) = self.devices.get_mut(&session) {
            device.incoming.start();
            device.sm = Some(Sm::new(id.clone(), max));
        }
        Enabled { id, max }
    }
}

/// The namespace of RFC 6120's application-specific conditions for limits (XEP-0205 section 4).
const LIMITS_NS: &str = stanza::ns::ERRORS;

/// A stable, short name for an installation that does not give its identifier away (FNV-1a).
fn fingerprint(account: &Bare, client: &str) -> u64 {
    let bytes = account.as_str().bytes().chain([0]).chain(client.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
