//! Features are offered, nobody is authenticated: the peer's choice, and in-band registration.
//!
//! RFC 6120 sections 4.3.3 and 4.9.3.12; XEP-0077 version 2.4, section 4 (registration as a stream feature);
//! XEP-0445 version 0.2.0.
//!
//! Not here: what was offered (features.rs), who may register (the shell).

use std::time::Instant;

use stanza::{Condition, IqType, Kind, Stanza, StreamCondition, ns};
use xml::Element;

use crate::authenticating::Authenticating;
use crate::peer::Peer;
use crate::profile::Profile;
use crate::state::{Fail, Io, Next, State};
use crate::{Ask, Misbehaviour, Output, Registration, manage, starttls};

/// Waits for the peer to choose a feature.
pub(crate) struct Offered {
    pub(crate) peer: Box<Peer>,
}

impl Offered {
    pub(crate) fn handle_element(self, io: &mut Io, now: Instant, element: &Element) -> Next {
        match (element.ns(), element.name()) {
            (ns::TLS, "starttls") => starttls::begin(self.peer, io),
            (ns::SASL, "auth") => Ok(Authenticating::begin(self.peer, io, now, Profile::Sasl1, element)),
            (ns::SASL2, "authenticate") => {
                Ok(Authenticating::begin(self.peer, io, now, Profile::Sasl2, element))
            }
            (ns::SM, "enable" | "resume") => {
                io.note(Misbehaviour::UnexpectedManagement);
                manage::put_failed(io, Condition::UnexpectedRequest);
                Ok(State::Offered(self))
            }
            // XEP-0138: never offered, because compression leaks what encryption hides; asking for it is answered.
            (ns::COMPRESS, "compress") => {
                let mut w = io.wire.writer();
                w.open("failure", ns::COMPRESS).open("unsupported-method", ns::COMPRESS).close().close();
                io.wire.put(&w.finish());
                Ok(State::Offered(self))
            }
            (ns::CLIENT, "iq") if self.peer.may_register(&io.settings) => self.register(io, element),
            _ => Err(not_authorized()),
        }
    }

    fn register(self, io: &mut Io, element: &Element) -> Next {
        let (Ok(iq), Some(domain)) = (Stanza::from_element(element), self.peer.domain.clone()) else {
            return Err(not_authorized());
        };
        let preauth = iq.payload.child("preauth", ns::PARS).and_then(|preauth| preauth.attr("token"));
        let preauth = preauth.filter(|_| self.peer.may_be_invited(&io.settings));
        let registers = iq.payload.has_ns(ns::REGISTER) || preauth.is_some();
        if !(matches!(iq.kind, Kind::Iq(IqType::Get | IqType::Set)) && registers) {
            return Err(not_authorized());
        }
        let token = self.peer.token.clone();
        io.out(Output::Ask(Ask::Register(Box::new(Registration { domain, iq, token }))));
        Ok(State::Registering(Registering { peer: self.peer, preauth }))
    }
}

/// Waits for the answer to a registration.
pub(crate) struct Registering {
    peer: Box<Peer>,
    /// The token of an invitation that is being looked at (XEP-0445).
    preauth: Option<String>,
}

impl Registering {
    pub(crate) fn handle_answer(mut self, io: &mut Io, reply: &Stanza) -> State {
        io.wire.stanza(reply);
        if reply.kind == Kind::Iq(IqType::Result) && self.preauth.is_some() {
            self.peer.token = self.preauth.take();
        }
        State::Offered(Offered { peer: self.peer })
    }
}

/// Anything but a feature before authentication (RFC 6120 section 4.9.3.12).
pub(crate) fn not_authorized() -> Fail {
    Fail::new(StreamCondition::NotAuthorized, Misbehaviour::NotAuthorized)
}
