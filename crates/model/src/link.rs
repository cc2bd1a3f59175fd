//! What a client's stream and the engine say to one another.
//!
//! A *stream* is one connection; a *session* is a bound resource, which outlives its stream when it may be resumed
//! (XEP-0198 section 5). The engine owns sessions, their queues and counters; the stream only carries.
//! Each direction is one ordered queue, so a counter means the same on both ends.
//!
//! Not here: how either side works (stream, engine), and authentication, which is over before the first word here.

use core::net::IpAddr;
use std::sync::Arc;

use address::{Bare, Jid};
use stanza::{Stanza, StanzaError, StreamError};

use crate::away::Arrived;
use crate::grant::Grant;

/// One connection, unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// One bound resource, unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// The engine's way to a stream. Implemented by the shell with a queue, and by tests with a vector.
pub trait Link: Send + Sync {
    /// Queues `down` for the stream; never blocks. What is sent to a stream that is gone vanishes: the engine hears
    /// of it by [`Up::Closed`] and keeps what was not acknowledged.
    fn send(&self, down: Down);
    /// Bytes queued and not yet written to the socket, roughly. The engine detaches a session whose stream lags too far.
    fn backlog(&self) -> usize;
}

/// From a stream to the engine.
pub enum Up {
    /// An authenticated stream asks for a resource (RFC 6120 section 7, XEP-0386). Answered by [`Down::Bound`].
    Bind(Box<Bind>),
    /// An authenticated stream wants to take a session over (XEP-0198 section 5). Answered by [`Down::Resumed`].
    Resume(Box<Resume>),
    /// A stanza of the bound session, `from` already checked and set to the full address by the stream.
    Stanza(SessionId, Stanza),
    /// The client sent something that counts as a stanza but is unusable (RFC 6120 section 8.3); it is answered with
    /// this reply, or only counted.
    Refused(SessionId, Option<Stanza>),
    /// `<enable/>` on a bound stream without the inline form. Answered by [`Down::Enabled`].
    Enable(SessionId, Enable),
    /// `<a h=''/>` from the client.
    Ack(SessionId, u32),
    /// `<r/>` from the client: answered by [`Down::Ack`] when all that came before is on stable storage.
    AckRequest(SessionId),
    /// XEP-0352 `<active/>` or `<inactive/>`.
    ClientState(SessionId, ClientState),
    /// The stream has ended. Sent exactly once for each stream that was ever bound or resumed.
    Closed(SessionId, StreamId, End),
    /// A stanza from a neighbour. It comes the same way as what clients say, so that all get their turns.
    Arrived(Box<Arrived>),
}

/// From the engine to a stream.
#[derive(Clone)]
pub enum Down {
    /// Answers [`Up::Bind`].
    Bound(Result<Box<Bound>, StanzaError>),
    /// Answers [`Up::Resume`]. What is sent again follows as stanzas.
    Resumed(Result<Box<Resumed>, ResumeRefused>),
    /// Answers [`Up::Enable`]; counting starts after it in both directions.
    Enabled(Result<Enabled, StanzaError>),
    /// A stanza to write.
    Stanza(Arc<Stanza>),
    /// `<a h=''/>`: everything up to `h` is on stable storage.
    Ack(u32),
    /// `<r/>`: the engine wants to know what arrived.
    AckRequest,
    /// Close the stream: with an error, or in peace (`None`). The stream writes what is queued first.
    Close(Option<StreamError>),
}

/// A request for a resource.
pub struct Bind {
    /// Who asks.
    pub stream: StreamId,
    /// The way back.
    pub link: Arc<dyn Link>,
    /// The authenticated account.
    pub account: Bare,
    /// By what right: one that was taken back since gets no resource.
    pub grant: Grant,
    /// Which resource.
    pub resource: Resource,
    /// Bind 2: switch carbons on at once (XEP-0280).
    pub carbons: bool,
    /// Bind 2: switch stream management on at once (XEP-0198).
    pub enable: Option<Enable>,
    /// Bind 2: the initial client state (XEP-0352).
    pub client_state: ClientState,
    /// What is known of the connection, for the operator and for policies.
    pub about: Arc<About>,
}

/// How a resource is chosen.
pub enum Resource {
    /// By the server (RFC 6120 section 7.6).
    Any,
    /// By the client (RFC 6120 section 7.7); already prepared as part of a full address.
    Asked(Jid),
    /// By the server, from the client's tag and a stable identifier of the installation (XEP-0386 section 4.1), so
    /// that the same installation gets the same resource again.
    Tagged {
        /// Readable name of the software; empty if none was given.
        tag: String,
        /// XEP-0388 `<user-agent id=''/>`, a UUID, if given.
        client: Option<String>,
    },
}

/// A wish for stream management.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enable {
    /// Whether the session shall survive a broken connection.
    pub resume: bool,
    /// The longest time in seconds that the client would like it to.
    pub max: Option<u32>,
}

/// Stream management is on (XEP-0198 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enabled {
    /// The secret that resumes the session, if it may be resumed.
    pub id: Option<String>,
    /// How long in seconds a broken session is kept.
    pub max: u32,
}

/// A bound resource.
#[derive(Clone)]
pub struct Bound {
    /// The session.
    pub session: SessionId,
    /// Its full address.
    pub jid: Jid,
    /// The outcome of [`Bind::enable`], if it was asked for.
    pub enabled: Option<Enabled>,
    /// First and last archive id with their times in Unix milliseconds, for the inline XEP-0313 metadata of Bind 2.
    pub archive: Option<ArchiveEnds>,
}

/// The two ends of an archive that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveEnds {
    /// Id and time of the oldest message.
    pub first: (String, u64),
    /// Id and time of the newest message.
    pub last: (String, u64),
}

/// A request to take a session over.
pub struct Resume {
    /// Who asks.
    pub stream: StreamId,
    /// The way back.
    pub link: Arc<dyn Link>,
    /// The authenticated account: it must own the session.
    pub account: Bare,
    /// The secret from [`Enabled::id`].
    pub id: String,
    /// How many stanzas the client has handled.
    pub h: u32,
    /// What is known of the connection.
    pub about: Arc<About>,
}

/// A session goes on over a new stream.
#[derive(Clone)]
pub struct Resumed {
    /// The session.
    pub session: SessionId,
    /// Its full address.
    pub jid: Jid,
    /// The secret, unchanged.
    pub id: String,
    /// How many stanzas we have handled and made durable.
    pub h: u32,
}

/// A session cannot be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeRefused {
    /// How many stanzas of the old session were handled, where that is still known (XEP-0198 section 5).
    pub h: Option<u32>,
}

/// XEP-0352.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientState {
    /// The user looks at the client: everything is sent at once.
    #[default]
    Active,
    /// Nobody looks: what can wait waits.
    Inactive,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed its stream properly: the session ends too.
    Clean,
    /// The connection broke or was closed by an error: the session may be resumed, if that was agreed.
    Broken,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct About {
    /// The peer's address, as far as it can be trusted.
    pub ip: IpAddr,
    /// How it came in.
    pub transport: Transport,
    /// TLS version and cipher suite, `None` without TLS.
    pub tls: Option<String>,
    /// The SASL mechanism that authenticated it.
    pub mechanism: &'static str,
    /// XEP-0388 user agent: identifier, software, device.
    pub client: Client,
}

/// XEP-0388 section 2.2 `<user-agent/>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// A UUID chosen by the installation.
    pub id: Option<String>,
    /// Name of the software.
    pub software: Option<String>,
    /// Name of the device.
    pub device: Option<String>,
}

/// How a stream is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// RFC 6120 section 3, upgraded by STARTTLS (or plain on loopback, where the operator allows it).
    Tcp,
    /// XEP-0368 direct TLS.
    DirectTls,
    /// RFC 7395.
    WebSocket,
    /// XEP-0124 and XEP-0206.
    Bosh,
}
