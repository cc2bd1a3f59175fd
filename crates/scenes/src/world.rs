//! What a scene needs of a server, however it is reached.
//!
//! Not here: any server.

use address::{Bare, Jid};

/// What a client wants when it connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Stream management with resumption (XEP-0198).
    pub sm: bool,
    /// Stream management without resumption.
    pub counting: bool,
    /// The longest time in seconds in which it wants to resume.
    pub max: Option<u32>,
    /// Stream management together with the resource (XEP-0386).
    pub inline: bool,
    /// Carbons from the start (XEP-0386).
    pub carbons: bool,
}

/// Something that happens in a scene. Clients are named by their number.
#[derive(Clone, Debug)]
pub enum Act {
    /// There is such an account from now on.
    Account(Bare),
    /// The server serves this domain.
    Domain(String),
    /// A client connects and asks for a resource (none: the server chooses).
    Connect(usize, Jid, Wish),
    /// A client takes a session over: its own, or that of another client. It has handled `h` stanzas.
    Resume {
        /// Who.
        client: usize,
        /// Whose account it has logged in to.
        account: Bare,
        /// The session's name, as [`Heard::Enabled`] gave it.
        id: String,
        /// How many stanzas it has handled.
        h: u32,
    },
    /// A client sends a stanza, as text.
    Send(usize, String),
    /// A stanza comes from somewhere else, with `from` and `to` as they stand.
    Network(String),
    /// `<enable/>`.
    Enable(usize, Wish),
    /// `<a h=''/>`.
    Ack(usize, u32),
    /// `<r/>`.
    AskAck(usize),
    /// `<active/>` or `<inactive/>`.
    Active(usize, bool),
    /// The client closes its stream.
    Disconnect(usize),
    /// The connection is lost, and the server notices.
    Break(usize),
    /// The connection is lost, and the server does not notice yet.
    GoDeaf(usize),
    /// So many milliseconds pass.
    Pass(u64),
    /// Commits are held from now on.
    StorageStalls,
    /// Held commits happen, later ones at once.
    StorageResumes,
    /// The next commit fails.
    StorageFailsOnce,
    /// An operator's order; the words are `removes`, `suspends`, `creates`, `changes the password of`, `ends`.
    Operator(String, Bare),
    /// The server says goodbye.
    Shutdown,
    /// The server's process dies and comes back with what was stored.
    Restart,
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has this address.
    Bound(String),
    /// It gets no address, for this condition.
    NotBound(String),
    /// Stream management is on; its session can be resumed under this name.
    Enabled(Option<String>),
    /// Stream management is refused, for this condition.
    NotEnabled(String),
    /// Its session goes on; the server has handled so many stanzas.
    Resumed(u32),
    /// Its session does not go on.
    NotResumed(Option<u32>),
    /// A stanza.
    Stanza(String),
    /// `<a h=''/>`.
    Ack(u32),
    /// `<r/>`.
    AckRequest,
    /// The stream is closed, with this stream error if any.
    Closed(Option<String>),
}

/// A server with clients.
pub trait World {
    /// Does it.
    ///
    /// # Errors
    /// If this world cannot do such a thing.
    fn act(&mut self, act: Act) -> Result<(), String>;

    /// What a client has heard since it was last asked, once nothing more is to be expected.
    fn hear(&mut self, client: usize) -> Vec<Heard>;
}
