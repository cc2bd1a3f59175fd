//! Bound: stanzas flow in both directions. The only state that is busy, and the only one that lasts.
//!
//! RFC 6120 sections 8.1 and 4.9.3.9 (`from`), 7.6 (one resource), XEP-0198 version 1.6.2, XEP-0352 version 1.0,
//! XEP-0199 version 2.0.
//!
//! Not here: what a stanza means (kernel), counters and queues (engine).

use address::Jid;
use model::link::{ClientState, Down, SessionId, Up};
use stanza::{Condition, IqType, Kind, Stanza, StreamCondition, ns};
use xml::Element;

use crate::state::{Fail, Io};
use crate::{Misbehaviour, Output, cost, manage, starttls};

/// The id of our own ping; its answer is not for the engine.
const PING_ID: &str = "still-there";

/// A bound stream. Small, because there are many and most are idle.
pub(crate) struct Active {
    pub(crate) session: SessionId,
    pub(crate) jid: Jid,
    pub(crate) managed: Management,
    client_state: ClientState,
    /// An `<r/>` went up and nothing that could change its answer came since: more of them are one.
    ack_asked: bool,
    /// A ping of ours is on its way.
    pinged: bool,
}

/// Whether XEP-0198 is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Management {
    Off,
    /// The engine was asked.
    Asked,
    On,
}

impl Active {
    pub(crate) fn new(session: SessionId, jid: Jid, managed: bool, client_state: ClientState) -> Active {
        let managed = if managed { Management::On } else { Management::Off };
        Active { session, jid, managed, client_state, ack_asked: false, pinged: false }
    }

    /// One element from the peer.
    pub(crate) fn handle_element(&mut self, io: &mut Io, element: &Element) -> Result<(), Fail> {
        match element.ns() {
            ns::CLIENT => self.handle_stanza(io, element),
            ns::SM => self.handle_management(io, element),
            ns::CSI => self.handle_client_state(io, element),
            ns::TLS => Err(starttls::unexpected()),
            ns::SASL | ns::SASL2 => {
                let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::UnsupportedElement);
                Err(fail.text("already authenticated"))
            }
            ns::SERVER => Err(Fail::new(StreamCondition::InvalidNamespace, Misbehaviour::WrongNamespace)),
            ns::STREAMS => Err(Fail::new(StreamCondition::PolicyViolation, Misbehaviour::UnexpectedHeader)),
            _ => Err(unsupported()),
        }
    }

    fn handle_stanza(&mut self, io: &mut Io, element: &Element) -> Result<(), Fail> {
        if !matches!(element.name(), "message" | "presence" | "iq") {
            return Err(unsupported());
        }
        self.ack_asked = false;
        if let Some(from) = element.attr("from") {
            self.check_from(&from)?;
        }
        let mut stanza = match Stanza::from_element(element) {
            Ok(stanza) => stanza,
            Err(unusable) => {
                io.note(Misbehaviour::UnusableStanza);
                self.refuse(io, unusable.reply.map(|reply| *reply));
                return Ok(());
            }
        };
        match stanza.kind {
            Kind::Iq(IqType::Set) if stanza.payload.has_ns(ns::BIND) => {
                io.note(Misbehaviour::SecondBind);
                self.refuse(io, stanza.error(Condition::NotAllowed.into()));
                return Ok(());
            }
            Kind::Iq(IqType::Result | IqType::Error)
                if self.pinged && stanza.id.as_deref() == Some(PING_ID) =>
            {
                self.pinged = false;
                // Counted, if stanzas are counted by now, and nothing else.
                self.refuse(io, None);
                return Ok(());
            }
            _ => {}
        }
        io.charge(cost::of(&stanza));
        stanza.from = Some(self.jid.clone());
        io.out(Output::Up(Up::Stanza(self.session, stanza)));
        Ok(())
    }

    fn refuse(&self, io: &mut Io, reply: Option<Stanza>) {
        io.out(Output::Up(Up::Refused(self.session, reply)));
    }

    /// `from` may be absent, the full or the bare address; nothing else, however spelled.
    fn check_from(&self, from: &str) -> Result<(), Fail> {
        let (full, bare) = (self.jid.as_str(), self.jid.bare_str());
        if from == full || from == bare {
            return Ok(());
        }
        match Jid::parse(from) {
            Ok(jid) if jid == self.jid || jid.as_str() == bare => Ok(()),
            _ => Err(Fail::new(StreamCondition::InvalidFrom, Misbehaviour::ForgedFrom)),
        }
    }

    fn handle_management(&mut self, io: &mut Io, element: &Element) -> Result<(), Fail> {
        match (element.name(), self.managed) {
            ("enable", Management::Off) if io.settings.stream_management => {
                self.managed = Management::Asked;
                let enable = manage::read_enable(|name| element.attr(name));
                io.out(Output::Up(Up::Enable(self.session, enable)));
            }
            ("a", Management::On | Management::Asked) => {
                let h = manage::read_h(element.attr("h"));
                let bad = || Fail::new(StreamCondition::BadFormat, Misbehaviour::UnexpectedManagement);
                let h = h.ok_or_else(|| bad().text("<a/> without a usable 'h'"))?;
                io.out(Output::Up(Up::Ack(self.session, h)));
            }
            ("r", Management::On | Management::Asked) => {
                if !self.ack_asked {
                    self.ack_asked = true;
                    io.out(Output::Up(Up::AckRequest(self.session)));
                }
            }
            _ => {
                io.note(Misbehaviour::UnexpectedManagement);
                manage::put_failed(io, Condition::UnexpectedRequest);
            }
        }
        Ok(())
    }

    fn handle_client_state(&mut self, io: &mut Io, element: &Element) -> Result<(), Fail> {
        let state = match element.name() {
            "active" => ClientState::Active,
            "inactive" => ClientState::Inactive,
            _ => return Err(unsupported()),
        };
        if state != self.client_state {
            self.client_state = state;
            io.out(Output::Up(Up::ClientState(self.session, state)));
        }
        Ok(())
    }

    /// Something from the engine, except [`Down::Close`].
    pub(crate) fn handle_down(&mut self, io: &mut Io, down: Down) {
        match down {
            Down::Stanza(stanza) => io.wire.stanza(&stanza),
            Down::Ack(h) => {
                self.ack_asked = false;
                manage::put_ack(io, h);
            }
            Down::AckRequest => io.wire.put_empty("r", ns::SM),
            Down::Enabled(Ok(enabled)) => {
                self.managed = Management::On;
                let location = io.resume_location(self.jid.domain());
                let mut w = io.wire.writer();
                manage::write_enabled(&mut w, &enabled, location.as_deref());
                io.wire.put(&w.finish());
            }
            Down::Enabled(Err(error)) => {
                self.managed = Management::Off;
                manage::put_failed(io, error.condition);
            }
            // Answers to questions that are not open.
            Down::Bound(_) | Down::Resumed(_) | Down::Close(_) => {}
        }
    }

    /// The peer was silent for long: ask for a sign of life that it must answer.
    pub(crate) fn probe(&mut self, io: &mut Io) {
        if self.managed == Management::On {
            io.wire.put_empty("r", ns::SM);
            return;
        }
        // White space would only tell us that the peer's kernel lives, and has no place in a frame.
        self.pinged = true;
        let mut w = xml::Writer::new(ns::CLIENT);
        w.open("ping", ns::PING).close();
        let mut ping = Stanza::new(Kind::Iq(IqType::Get)).to(&self.jid).id(PING_ID).with_inner(w.finish());
        ping.from = Jid::parse(self.jid.domain()).ok();
        io.wire.stanza(&ping);
    }
}

fn unsupported() -> Fail {
    Fail::new(StreamCondition::UnsupportedStanzaType, Misbehaviour::UnsupportedElement)
}
