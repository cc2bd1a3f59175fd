//! A row as data: what is sent, when, on which transports, and what must happen.
//!
//! Not here: the rows (`rows/`), running them (`runner.rs`).

use std::time::Duration;

use crate::Outcome;
use crate::client::Transport;
use crate::runner::Depth;
use crate::server::Options;
use crate::stage::Stage;
use crate::verdict::Verdict;

/// One row of the list of bad inputs.
pub struct Row {
    /// As in the list: group, hyphen, number.
    pub id: &'static str,
    /// What is sent.
    pub title: &'static str,
    /// What must happen, in words.
    pub expected: &'static str,
    pub(crate) checks: Vec<Check>,
    budget: Option<Budget>,
    /// [`Depth::Short`]: in every run; [`Depth::Whole`]: only when there is time.
    pub(crate) depth: Depth,
    pub(crate) options: Options,
    /// Where the mistake has a line in the log: its word.
    pub(crate) logged: Option<&'static str>,
}

/// What one row may use, for each single execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) cpu: Duration,
    pub(crate) kib: u64,
}

/// Unless a row says otherwise. Besides its own work an execution costs a handshake and often a login with its key
/// derivation.
const SAYING: Budget = Budget { cpu: Duration::from_millis(10), kib: 1024 };
/// The same for a script, which may well make accounts and log in many times.
const SCRIPT: Budget = Budget { cpu: Duration::from_millis(40), kib: 1024 };

/// One thing to try.
pub(crate) enum Check {
    /// Say something at some point, and look at the answer.
    Say { at: At, on: On, say: Vec<Say>, verdict: Verdict },
    /// Anything else.
    Script { on: On, run: Script },
}

/// A course of action with a verdict of its own.
pub(crate) type Script = Box<dyn Fn(&Stage<'_>) -> Outcome + Send + Sync>;

/// How far the stream has come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Encrypted, nothing said.
    Start,
    /// STARTTLS only: features read, not encrypted.
    Clear,
    /// Features read.
    Offered,
    /// Amid an exchange of PLAIN: an empty challenge was read.
    Exchange,
    /// Authenticated, without a resource.
    Unbound,
    /// Bound.
    Active,
    /// Bound, with stream management.
    Managed,
}

/// Which transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    All,
    /// One document for the whole stream: TCP and direct TLS.
    Streams,
    /// One document for each element: WebSocket and BOSH.
    Frames,
    /// One connection for the whole stream: all but BOSH.
    Lasting,
    Only(Transport),
}

/// Something said.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Raw(Vec<u8>),
    /// In packets of that size.
    Pieces(Vec<u8>, usize),
    /// The beginning of a stream, with these attributes.
    Open(String),
}

impl On {
    pub(crate) fn fits(self, transport: Transport) -> bool {
        match self {
            On::All => true,
            On::Streams => !transport.is_framed(),
            On::Frames => transport.is_framed(),
            On::Lasting => transport != Transport::Bosh,
            On::Only(only) => only == transport,
        }
    }
}

impl Check {
    /// Whether it makes sense there.
    pub(crate) fn fits(&self, transport: Transport) -> bool {
        match self {
            Check::Say { at: At::Clear, on, .. } => transport == Transport::StartTls && on.fits(transport),
            Check::Say { on, .. } | Check::Script { on, .. } => on.fits(transport),
        }
    }
}

impl Row {
    pub(crate) fn new(id: &'static str, title: &'static str, expected: &'static str) -> Row {
        Row {
            id,
            title,
            expected,
            checks: Vec::new(),
            budget: None,
            depth: Depth::Short,
            options: Options::Calm,
            logged: None,
        }
    }

    /// Says something at some point, on all transports where that makes sense.
    pub(crate) fn say(self, at: At, say: impl AsRef<[u8]>, verdict: Verdict) -> Row {
        self.say_on(On::All, at, say, verdict)
    }

    /// The same on some of them.
    pub(crate) fn say_on(mut self, on: On, at: At, say: impl AsRef<[u8]>, verdict: Verdict) -> Row {
        let say = vec![Say::Raw(say.as_ref().to_vec())];
        self.checks.push(Check::Say { at, on, say, verdict });
        self
    }

    /// Says it before and after the login.
    pub(crate) fn both(self, say: impl AsRef<[u8]>, verdict: Verdict) -> Row {
        self.both_on(On::All, say, verdict)
    }

    /// The same on some transports.
    pub(crate) fn both_on(self, on: On, say: impl AsRef<[u8]>, verdict: Verdict) -> Row {
        let say = say.as_ref();
        self.say_on(on, At::Offered, say, verdict.clone()).say_on(on, At::Active, say, verdict)
    }

    /// Says several things.
    pub(crate) fn says(mut self, on: On, at: At, say: Vec<Say>, verdict: Verdict) -> Row {
        self.checks.push(Check::Say { at, on, say, verdict });
        self
    }

    /// Opens the stream with these attributes.
    pub(crate) fn open(self, attributes: &str, verdict: Verdict) -> Row {
        self.says(On::All, At::Start, vec![Say::Open(attributes.into())], verdict)
    }

    /// Does anything else.
    pub(crate) fn script(
        mut self,
        on: On,
        run: impl Fn(&Stage<'_>) -> Outcome + Send + Sync + 'static,
    ) -> Row {
        self.checks.push(Check::Script { on, run: Box::new(run) });
        self
    }

    /// May use more.
    pub(crate) fn budget(self, cpu_ms: u64, kib: u64) -> Row {
        Row { budget: Some(Budget { cpu: Duration::from_millis(cpu_ms), kib }), ..self }
    }

    /// Only when there is time.
    pub(crate) fn whole(self) -> Row {
        Row { depth: Depth::Whole, ..self }
    }

    /// With the shortest times.
    pub(crate) fn hasty(self) -> Row {
        Row { options: Options::Hasty, ..self }
    }

    /// Against a server that talks with others.
    pub(crate) fn federating(self) -> Row {
        Row { options: Options::Federating, ..self }
    }

    /// Leaves a line with this word in the log.
    pub(crate) fn logs(self, word: &'static str) -> Row {
        Row { logged: Some(word), ..self }
    }

    /// What one execution of that check may use.
    pub(crate) fn budget_of(&self, check: &Check) -> Budget {
        self.budget.unwrap_or(match check {
            Check::Say { .. } => SAYING,
            Check::Script { .. } => SCRIPT,
        })
    }

    /// The transports on which something of it is tried.
    pub(crate) fn transports(&self) -> impl Iterator<Item = Transport> {
        Transport::ALL.into_iter().filter(|transport| self.checks.iter().any(|check| check.fits(*transport)))
    }
}
