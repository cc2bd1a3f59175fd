//! The engine was asked for a resource or a session; nothing is read until it answers.
//!
//! RFC 6120 section 7, XEP-0198 version 1.6.2 sections 5 and 8, XEP-0386 version 1.0 section 3.2.
//!
//! Not here: the engine's decision.

use std::sync::Arc;

use model::link::{Bind, Bound, ClientState, End, Resource, Resume, ResumeRefused, Resumed, Up};
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns};

use crate::active::Active;
use crate::bind2::{self, Bind2};
use crate::manage::{self, ResumeWish};
use crate::peer::Peer;
use crate::sasl2;
use crate::state::{Io, State};
use crate::unbound::Unbound;
use crate::{Issued, Output, features};

/// Waits for the engine.
pub(crate) struct Binding {
    peer: Box<Peer>,
    wish: Box<Wish>,
}

/// How the answer is to be told.
enum Wish {
    /// As the result of this iq.
    Iq(Option<Arc<str>>),
    /// As an element of its own.
    Resume,
    /// As part of `<success/>`.
    Inline(Inline),
}

/// What `<success/>` will contain besides the engine's answer.
pub(crate) struct Inline {
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) issued: Option<Issued>,
    pub(crate) bind: Option<Bind2>,
    /// Resumption was asked for and refused, perhaps with the last count.
    pub(crate) resume_failed: Option<Option<u32>>,
}

/// The stream has ended before the engine answered.
pub(crate) struct Orphan {
    pub(crate) end: End,
}

impl Binding {
    /// By RFC 6120.
    pub(crate) fn bind(peer: Box<Peer>, io: &mut Io, resource: Resource, id: Option<Arc<str>>) -> State {
        ask_bind(&peer, io, resource, None);
        Binding::wait(peer, io, Wish::Iq(id))
    }

    /// By `<resume/>`.
    pub(crate) fn resume(peer: Box<Peer>, io: &mut Io, wish: ResumeWish) -> State {
        ask_resume(&peer, io, wish);
        Binding::wait(peer, io, Wish::Resume)
    }

    /// By `<resume/>` within a login.
    pub(crate) fn resume_inline(peer: Box<Peer>, io: &mut Io, wish: ResumeWish, inline: Inline) -> State {
        ask_resume(&peer, io, wish);
        Binding::wait(peer, io, Wish::Inline(inline))
    }

    /// By Bind 2, if that was asked for; else the login ends here.
    pub(crate) fn bind_inline(peer: Box<Peer>, io: &mut Io, inline: Inline) -> State {
        let Some(wish) = &inline.bind else { return sasl2::finish_unbound(peer, io, &inline) };
        let client = peer.login.as_ref().and_then(|login| login.client.id.as_deref());
        let resource = wish.resource(client);
        ask_bind(&peer, io, resource, Some(wish));
        Binding::wait(peer, io, Wish::Inline(inline))
    }

    fn wait(peer: Box<Peer>, io: &mut Io, wish: Wish) -> State {
        // The engine always answers; a time limit here could only lose a session that it has bound.
        io.clock.deadline = None;
        State::Binding(Binding { peer, wish: Box::new(wish) })
    }

    /// [`model::link::Down::Bound`].
    pub(crate) fn handle_bound(
        self,
        io: &mut Io,
        now: std::time::Instant,
        answer: Result<Box<Bound>, StanzaError>,
    ) -> State {
        match (*self.wish, answer) {
            (Wish::Iq(id), Ok(bound)) => {
                put_bound(io, id, &bound);
                active(&bound, ClientState::Active, false)
            }
            (Wish::Inline(inline), Ok(bound)) => bound_inline(io, &inline, &bound),
            (wish, Err(error)) => {
                io.clock.deadline = Some(now + io.settings.timeouts.bind);
                match wish {
                    Wish::Inline(inline) => return sasl2::finish_unbound(self.peer, io, &inline),
                    Wish::Iq(id) => {
                        let request = Stanza { id, ..Stanza::new(Kind::Iq(IqType::Set)) };
                        if let Some(reply) = request.error(error) {
                            io.wire.stanza(&reply);
                        }
                    }
                    Wish::Resume => {}
                }
                State::Unbound(Unbound { peer: self.peer })
            }
            // Not what was asked for; the session is served as if it had been asked for by iq.
            (Wish::Resume, Ok(bound)) => active(&bound, ClientState::Active, false),
        }
    }

    /// [`model::link::Down::Resumed`].
    pub(crate) fn handle_resumed(
        self,
        io: &mut Io,
        now: std::time::Instant,
        answer: Result<Box<Resumed>, ResumeRefused>,
    ) -> State {
        match (*self.wish, answer) {
            (Wish::Inline(inline), Ok(resumed)) => {
                // No features follow: the stream goes on where it was (XEP-0198 section 8.2).
                sasl2::put_success(io, &inline, resumed.jid.as_str(), |w| manage::write_resumed(w, &resumed));
                State::Active(Active::new(resumed.session, resumed.jid, true, ClientState::Active))
            }
            (_, Ok(resumed)) => {
                let mut w = io.wire.writer();
                manage::write_resumed(&mut w, &resumed);
                io.wire.put(&w.finish());
                State::Active(Active::new(resumed.session, resumed.jid, true, ClientState::Active))
            }
            (Wish::Inline(inline), Err(refused)) => {
                io.clock.deadline = Some(now + io.settings.timeouts.bind);
                let inline = Inline { resume_failed: Some(refused.h), ..inline };
                Binding::bind_inline(self.peer, io, inline)
            }
            (_, Err(refused)) => {
                io.clock.deadline = Some(now + io.settings.timeouts.bind);
                let mut w = io.wire.writer();
                manage::write_failed(&mut w, Condition::ItemNotFound, refused.h);
                io.wire.put(&w.finish());
                State::Unbound(Unbound { peer: self.peer })
            }
        }
    }
}

fn active(bound: &Bound, client_state: ClientState, managed: bool) -> State {
    State::Active(Active::new(bound.session, bound.jid.clone(), managed, client_state))
}

fn bound_inline(io: &mut Io, inline: &Inline, bound: &Bound) -> State {
    let Some(wish) = &inline.bind else { return active(bound, ClientState::Active, false) };
    let managed = wish.enable.is_some() && bound.enabled.is_some();
    let location = io.resume_location(bound.jid.domain());
    sasl2::put_success(io, inline, bound.jid.as_str(), |w| {
        bind2::write_bound(w, wish, bound, location.as_deref());
    });
    features::write_bound(io, bound.jid.domain(), managed);
    active(bound, wish.client_state, managed)
}

/// The result of the iq (RFC 6120 section 7.6.1).
fn put_bound(io: &mut Io, id: Option<Arc<str>>, bound: &Bound) {
    let mut w = xml::Writer::new(ns::CLIENT);
    w.open("bind", ns::BIND).open("jid", ns::BIND).text(bound.jid.as_str()).close().close();
    let result = Stanza { id, ..Stanza::new(Kind::Iq(IqType::Result)) }.with_inner(w.finish());
    io.wire.stanza(&result);
}

fn ask_bind(peer: &Peer, io: &mut Io, resource: Resource, wish: Option<&Bind2>) {
    let Some(login) = &peer.login else { return };
    let bind = Bind {
        stream: io.id,
        link: peer.link.clone(),
        account: login.account.clone(),
        grant: login.grant.clone(),
        resource,
        carbons: wish.is_some_and(|wish| wish.carbons),
        enable: wish.and_then(|wish| wish.enable).filter(|_| io.settings.stream_management),
        client_state: wish.map(|wish| wish.client_state).unwrap_or_default(),
        about: peer.about(io.transport()),
    };
    io.out(Output::Up(Up::Bind(Box::new(bind))));
}

fn ask_resume(peer: &Peer, io: &mut Io, wish: ResumeWish) {
    let Some(login) = &peer.login else { return };
    let resume = Resume {
        stream: io.id,
        link: peer.link.clone(),
        account: login.account.clone(),
        id: wish.id,
        h: wish.h,
        about: peer.about(io.transport()),
    };
    io.out(Output::Up(Up::Resume(Box::new(resume))));
}
