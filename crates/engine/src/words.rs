//! What the client of a bound session says.
//!
//! XEP-0198 1.6.3 section 4, XEP-0352 1.0.0 section 4.
//!
//! Not here: binding (bind), resuming and closing (resume), where a stanza goes (turns).

use model::link::{ClientState, SessionId};
use stanza::{Stanza, StreamCondition, StreamError, ns};

use crate::device::Health;
use crate::engine::Engine;
use crate::held::{Out, Parcel};
use crate::turns::Work;

impl Engine {
    /// A client sent a stanza (or something that counts as one).
    pub(crate) fn stanza_from(&mut self, session: SessionId, stanza: Option<Stanza>) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        let mut token = device.incoming.begin(session);
        if zoo::is(zoo::Fault::AckBeforeCommit)
            && let Some(early) = token.take()
        {
            device.incoming.release(early);
        }
        self.batch.sessions.push(session);
        match stanza {
            Some(stanza) => self.work.push_back(Work::Leave(session, stanza, token)),
            None => self.batch.tokens.extend(token),
        }
    }

    pub(crate) fn refused(&mut self, session: SessionId, reply: Option<Stanza>) {
        if !zoo::is(zoo::Fault::InvalidNotCounted) {
            self.stanza_from(session, None);
        }
        if let Some(reply) = reply {
            let parcel = Parcel { stanza: reply.into(), token: None, id: 0 };
            self.batch.outs.push(Out::Send(session, parcel));
        }
    }

    pub(crate) fn client_acknowledges(&mut self, session: SessionId, h: u32) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        let Some(sm) = &mut device.sm else { return };
        let before = sm.len();
        match sm.acknowledge(h) {
            Ok(tokens) => {
                sm.asked = false;
                // Who has handled nothing since is not asked again at once: that would go to and fro for ever.
                let health = if sm.len() < before { device.ask() } else { Health::Good };
                self.after_delivery(session, health);
                if !tokens.is_empty() {
                    self.work.push_back(Work::Acknowledged(session, tokens));
                }
            }
            Err(too_high) => {
                let error = handled_count_too_high(h, too_high.sent);
                self.batch.outs.push(Out::Close(session, Some(error)));
            }
        }
    }

    pub(crate) fn client_asks(&mut self, session: SessionId) {
        if let Some(device) = self.devices.get_mut(&session) {
            device.incoming.asked();
            device.answer();
        }
    }

    pub(crate) fn client_state(&mut self, session: SessionId, state: ClientState) {
        let Some(device) = self.devices.get_mut(&session) else { return };
        device.csi.state = state;
        if state == ClientState::Active {
            let health = device.flush();
            self.after_delivery(session, health);
            self.reads_again(session);
        }
    }
}

/// XEP-0198 section 4.
fn handled_count_too_high(h: u32, sent: u32) -> StreamError {
    let app = format!("<handled-count-too-high xmlns='{}' h='{h}' send-count='{sent}'/>", ns::SM);
    StreamError {
        condition: StreamCondition::UndefinedCondition,
        text: Some("acknowledged more than was sent"),
        app: Some(app),
    }
}
