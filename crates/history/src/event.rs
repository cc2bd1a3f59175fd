//! What is written down.
//!
//! Not here: what follows from it (check).

use serde::{Deserialize, Serialize};

use crate::Key;

/// Something that happened at a client, in the order of a clock that all clients share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// A clock that orders the events of all clients: a counter in one process, a Lamport clock or monotonic time
    /// between several. If A caused B, A's is lower.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. A `device` is a full address, an `account` a bare one, both in normal form; a `session` is a number
/// that is unique in the run and stays the same when the session is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A device has bound a resource: a new session, not a resumed one.
    Open {
        /// Who.
        device: String,
        /// Its number.
        session: u64,
    },
    /// A device hands a message to its connection. Written once for each message, before its first byte leaves; not
    /// again when it is sent again on a resumed session.
    Send {
        /// Who.
        device: String,
        /// In which session.
        session: u64,
        /// Which message.
        key: Key,
        /// For whom, as addressed.
        to: String,
        /// The archives (bare addresses) that must have it if it is acknowledged. None: best effort only.
        archives: Vec<String>,
    },
    /// This message, if it is acknowledged, must reach a device of its recipient or come back as an error, archive or
    /// not. Written before it is sent.
    Reach {
        /// Which message.
        key: Key,
    },
    /// The server has taken responsibility: `<a h=''/>`, `<resumed h=''/>` or `<failed h=''/>` covers these messages,
    /// none of which was covered before.
    Ack {
        /// Who was told.
        device: String,
        /// What is covered.
        keys: Vec<Key>,
    },
    /// A message came back as an error.
    Err {
        /// Who got it.
        device: String,
        /// Which message.
        key: Key,
        /// The error's condition.
        condition: String,
    },
    /// A message came.
    Recv {
        /// Who got it.
        device: String,
        /// In which session.
        session: u64,
        /// Which message.
        key: Key,
        /// From whom it claims to be; of a copy the address in the inner message.
        from: String,
        /// `<stanza-id/>` by the receiving account, if there is one.
        stanza_id: Option<String>,
        /// On which way.
        via: Via,
        /// Whether it has `<delay/>`.
        delay: bool,
    },
    /// A page of an archive was read wholly.
    MamPage {
        /// Who read.
        device: String,
        /// Whose archive (a bare address).
        archive: String,
        /// In which direction it was read.
        direction: Direction,
        /// `after` or `before` of the request, if not empty.
        anchor: Option<String>,
        /// The archive's ids, always oldest first.
        ids: Vec<String>,
        /// What stands under each; `None` for what is no message of this run.
        keys: Vec<Option<Key>>,
        /// Whether the server said that there is no more.
        complete: bool,
    },
    /// The device has read its own account's archive from where it knew it to the end, and takes what comes live from
    /// there on: after the drain it must know all that is in there.
    CaughtUp {
        /// Who.
        device: String,
    },
    /// A right changes hands.
    Perm {
        /// Who gives or takes it (a bare address).
        owner: String,
        /// To or from whom (a bare address).
        peer: String,
        /// Which.
        right: Right,
        /// Given (`true`) or taken.
        on: bool,
        /// Whether it was only asked for, or answered.
        phase: Phase,
    },
    /// An account's credentials change: sessions that were open before lose their right.
    Revoke {
        /// Whose.
        account: String,
        /// Whether it was only asked for, or answered.
        phase: Phase,
    },
    /// Presence of a full address came.
    Presence {
        /// Who got it.
        device: String,
        /// Of whom.
        of: String,
        /// Available or not.
        here: bool,
    },
    /// The truth, written at the end: whether a device is available.
    Online {
        /// Who.
        device: String,
        /// Whether it is.
        here: bool,
    },
    /// What a device believes, written at the end: whom it sees available. Only for devices that are available.
    Sees {
        /// Who.
        device: String,
        /// Full addresses of the others that it sees.
        others: Vec<String>,
    },
    /// A request (iq get or set) leaves.
    Ask {
        /// In which session.
        session: u64,
        /// Its id, unique in the session.
        id: String,
    },
    /// Its answer comes.
    Answer {
        /// In which session.
        session: u64,
        /// Its id.
        id: String,
    },
    /// A session is over for its client: what it asked need not be answered any more.
    Over {
        /// Which.
        session: u64,
    },
    /// Something was broken, or healed, on purpose.
    Fault {
        /// In words.
        what: String,
    },
    /// Everything is healed and nothing moves any more. Pages that are read after this are the final ones.
    Drained,
}

/// On which way a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// As it was sent.
    Live,
    /// Sent again after the session was resumed.
    Resume,
    /// From the archive. [`What::MamPage`] says the same for a whole page.
    Mam,
    /// Kept for later (XEP-0160): it has a `<delay/>` by the server.
    Offline,
    /// As a copy (XEP-0280).
    Carbon,
}

/// In which direction an archive is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Oldest first.
    Forwards,
    /// Newest first.
    Backwards,
}

/// What one may do with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// The peer may write to the owner. Everybody may, until it is taken (XEP-0191).
    Write,
    /// The peer sees the owner's presence. Nobody does, until it is given.
    Presence,
    /// The peer reads the owner's archive. Nobody does, until it is given; the owner always.
    Archive,
}

/// A change is in force from somewhere between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was asked for.
    Asked,
    /// The server says that it is done.
    Done,
}
