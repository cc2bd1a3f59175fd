//! One connection of a scene's client, as the engine sees it: what a stream is, without bytes and login.
//!
//! Not here: the real streams (stream, net).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use address::Jid;
use model::link::{Down, Link, SessionId, StreamId};
use xml::{Framing, Limits, Parser};

use crate::pattern::STREAM;

/// The engine's way to a client.
#[derive(Default)]
pub(crate) struct Pipe(Mutex<VecDeque<Down>>);

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Down>> {
        // Nobody panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Option<Down> {
        self.lock().pop_front()
    }
}

impl Link for Pipe {
    fn send(&self, down: Down) {
        self.lock().push_back(down);
    }

    fn backlog(&self) -> usize {
        0
    }
}

/// A connection.
pub(crate) struct Wire {
    pub(crate) stream: StreamId,
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) parser: Parser,
    pub(crate) session: Option<(SessionId, Jid)>,
    /// What is written to it is lost.
    pub(crate) deaf: bool,
    /// It is over; the engine has been told.
    pub(crate) over: bool,
}

impl Wire {
    pub(crate) fn new(stream: StreamId) -> Wire {
        let mut parser = Parser::new(Framing::Stream, Limits::CLIENT);
        parser.push(STREAM.as_bytes());
        Wire { stream, pipe: Arc::default(), parser, session: None, deaf: false, over: false }
    }
}
