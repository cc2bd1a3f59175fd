//! STARTTLS: the request, and waiting for the handshake.
//!
//! RFC 6120 section 5, RFC 7590.
//!
//! Not here: the handshake itself (net).

use stanza::{StreamCondition, ns};

use crate::opening::Opening;
use crate::peer::Peer;
use crate::state::{Fail, Io, Next, State};
use crate::{Misbehaviour, Output, Tls};

/// `<proceed/>` is written; the shell shakes hands.
pub(crate) struct Handshake {
    peer: Box<Peer>,
}

/// `<starttls/>` before authentication.
pub(crate) fn begin(peer: Box<Peer>, io: &mut Io) -> Next {
    if !peer.may_start_tls(&io.settings, io.transport()) {
        return Err(unexpected());
    }
    // Whatever came in the same segment was written by somebody who could read and change it: it must never be
    // taken for something that came through TLS.
    if !io.parser.unread().is_empty() {
        let fail = Fail::new(StreamCondition::PolicyViolation, Misbehaviour::BytesBeforeTls);
        return Err(fail.text("nothing may follow <starttls/> before the handshake"));
    }
    io.wire.put_empty("proceed", ns::TLS);
    io.out(Output::StartTls);
    Ok(State::Handshake(Handshake { peer }))
}

/// `<starttls/>` where it is not offered: inside TLS, after authentication, or where there is no certificate.
pub(crate) fn unexpected() -> Fail {
    Fail::new(StreamCondition::PolicyViolation, Misbehaviour::UnexpectedStartTls)
}

impl Handshake {
    /// The handshake succeeded: a new stream begins (RFC 6120 section 5.4.3.3).
    pub(crate) fn handle_tls(mut self, io: &mut Io, tls: Tls) -> State {
        io.parser.restart();
        io.wire.restart();
        self.peer.tls = Some(tls);
        (self.peer.domain, self.peer.from) = (None, None);
        State::Opening(Opening { peer: self.peer })
    }
}
