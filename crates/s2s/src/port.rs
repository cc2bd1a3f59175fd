//! What a stream wants from its shell, and what the shell knows that the stream does not.
//!
//! Not here: settings (`settings.rs`), the machine (`stream.rs`).

use address::Bare;
use stanza::{Condition, Stanza, StreamCondition};

use crate::{Resumption, Secret};

/// One of our domains and one of theirs; both prepared, without local part and resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// Ours: an account domain or a hosted service.
    pub local: Bare,
    /// The other server's.
    pub remote: Bare,
}

/// What an outgoing stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To send stanzas: the stream authenticates us as its pair's local domain.
    Stanzas,
    /// Only to ask the authoritative server about keys ([`Stream::verify`](crate::Stream::verify), XEP-0220 section
    /// 2.1.2): nobody authenticates. The stream closes a little after the last answer.
    Verify,
}

/// What the shell shall do. Outputs come in order; take all of them before writing.
pub enum Output {
    /// Write all bytes, then shake hands (outgoing: as client, with the pair's remote domain as SNI; incoming: as
    /// server), then call `Stream::handle_tls`. Bytes that were read and not yet handed over must be dropped with the
    /// connection, never handed over. If the handshake fails, call `Stream::handle_eof`.
    StartTls,
    /// Answer with `Stream::handle_answer`. Several questions may be open at a time.
    Ask(Ask),
    /// The peer takes our stanzas of this pair now: `Stream::send`. On outgoing streams after we authenticated, on
    /// incoming ones only with XEP-0288. For a component both domains are the component's, and every pair is ready.
    Ready(Pair),
    /// The peer will not take our stanzas of this pair on this stream. Other pairs and the stream are not touched;
    /// if the stream is of no use any more, [`Output::Closed`] follows by itself.
    Refused(Pair, Refusal),
    /// The peer has proven that it speaks for `pair.remote` and wants to send to `pair.local`: for the log, for rates
    /// for each domain, and to find a stream for the way back ([`Output::Ready`] says whether this one is).
    Authenticated(Pair, Proof),
    /// A stanza from the peer. Both addresses are there; the domain of `from` is proven, that of `to` is ours (from a
    /// component: any). Counts for `Stream::handle_stored`.
    Stanza(Stanza),
    /// Something that counts as a stanza and is unusable. The error, if any, is for its sender: route it to its `to`
    /// like any stanza of ours. Counts for `Stream::handle_stored`.
    Unusable(Option<Box<Stanza>>),
    /// The stanza of that token has arrived: the peer has acknowledged it (XEP-0198). In the order of sending.
    Acked(u64),
    /// The stanza of that token was written to the socket (`Stream::handle_written`), and the peer has no stream
    /// management: the stream will learn no more of it. In the order of sending.
    Written(u64),
    /// Answers `Stream::verify` of that token.
    Verified(u64, Verdict),
    /// A broken stream goes on in this one (XEP-0198 section 5); what was not acknowledged is sent again by the stream
    /// itself, and its tokens are open as before. Follows [`Output::Ready`] and [`Output::Authenticated`] of its pairs.
    Resumed,
    /// The resumption was refused. These stanzas, in this order, may or may not have arrived; the stream has forgotten
    /// them, the shell sends them again (here, or elsewhere).
    NotResumed(Vec<u64>),
    /// For metrics and the log.
    Note(crate::Misbehaviour),
    /// Write what is left (at most for `Timeouts::close`), then close the connection. Nothing comes after this.
    Closed(Box<Ended>),
}

/// What a TLS handshake brought.
#[derive(Clone, Debug)]
pub struct PeerTls {
    /// For humans: `TLSv1.3 TLS13_AES_128_GCM_SHA256`.
    pub about: String,
    /// What is known of the peer's certificate.
    pub certificate: Certificate,
}

/// What is known of the peer's certificate when the handshake is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// There is none, or none that could prove anything to anybody.
    None,
    /// There is one. What it proves is asked by [`Ask::Certificate`] once the stream knows whom it must prove.
    Presented,
    /// Outgoing: it was checked and is valid for the stream's remote domain.
    Proven(Trust),
}

/// Why a certificate is believed to be that of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The chain ends at a trusted root and a name is that of the domain (RFC 6120 section 13.7, RFC 9525).
    Pkix,
    /// A TLSA record secured by DNSSEC (RFC 7673).
    Dane,
    /// The domain's own web server says so (RFC 7711).
    Posh,
}

/// How a peer proved a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By its certificate.
    Certificate(Trust),
    /// By dialback (XEP-0220): the server that DNS names for the domain vouches for it.
    Dialback,
    /// By the shared secret of a component (XEP-0114).
    Secret,
}

/// A question to the shell. Domains are prepared.
#[derive(Debug)]
pub enum Ask {
    /// Does the peer's certificate prove that it is `remote`? By PKIX, DANE or POSH, as the operator wants it.
    /// Answered by [`Answer::Certificate`]. `local` is the domain of ours that it wants to talk to.
    Certificate(Pair),
    /// Is the peer allowed to speak for `pair.remote`? Answered by [`Answer::Verified`] with this question's number.
    Verify(u64, Verification),
    /// The secret of the component `0`. Answered by [`Answer::Secret`].
    Secret(Bare),
    /// The component has shown that it knows the secret: may it have the domain now, or does another connection
    /// hold it? Answered by [`Answer::Attached`].
    Attach(Bare),
    /// An incoming stream of this pair wants to resume the stream of this secret id. Answered by [`Answer::Resumable`].
    /// Where the old stream still seems to live, call its `Stream::detach` and take the resumption from there.
    Resume(Pair, String),
}

/// A dialback key that somebody must judge (XEP-0220 section 2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// `remote` is who wants to be believed, `local` whom it wants to talk to.
    pub pair: Pair,
    /// The id of the stream on which the key came: `Stream::id`.
    pub stream: String,
    /// The key.
    pub key: String,
    /// Whether the authoritative server of `pair.remote` may be asked: by `Stream::verify` on another connection,
    /// never on the one on which the key came (XEP-0288 section 2.2). If not, only a certificate counts.
    pub dial: bool,
}

/// What the shell says.
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::Certificate`], for this remote domain: valid for it, and why, or not.
    Certificate(Bare, Option<Trust>),
    /// To [`Ask::Verify`] of that number.
    Verified(u64, Verdict),
    /// To [`Ask::Secret`]; `None`: no such component.
    Secret(Option<Secret>),
    /// To [`Ask::Attach`]; `false`: another connection holds the domain, this one ends with `conflict`.
    Attached(bool),
    /// To [`Ask::Resume`]; `None`: unknown or expired. What the old stream handed over must be stored by then,
    /// and counted ([`Resumption::handle_stored`](crate::Resumption::handle_stored)), or it comes twice.
    Resumable(Option<Box<Resumption>>),
}

/// What became of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may speak for the domain.
    Valid(Proof),
    /// The authoritative server does not know the key.
    Invalid,
    /// There was no answer (XEP-0220 section 2.4): `remote-server-not-found`, `remote-server-timeout`,
    /// `item-not-found` and their like; for want of a certificate `not-authorized`.
    Failed(Condition),
}

/// Why a pair is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The peer says that our key is invalid (XEP-0220): the sender gets `internal-server-error`.
    Invalid,
    /// The peer could not or would not verify us (XEP-0220 section 2.4): the sender gets `remote-server-timeout`.
    Failed(Condition),
    /// No answer in time.
    Timeout,
    /// SASL EXTERNAL failed, and dialback is not possible.
    Sasl(sasl::Condition),
    /// The peer offers nothing by which we could authenticate.
    NothingOffered,
    /// The peer's certificate does not prove `pair.remote`, and the operator wants it to.
    Certificate,
}

/// Why a stanza was not taken by `Stream::send`. The stream has not kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// Its pair is not [`Output::Ready`] on this stream, or it lacks an address.
    NotReady,
    /// The peer takes at most this many bytes (XEP-0478): the sender gets `policy-violation`.
    TooLarge(u32),
    /// Too much is not yet acknowledged, or not yet written: again after the next [`Output::Acked`] or [`Output::Written`].
    Full,
}

/// The end of a stream. Pairs that were asked for and not answered are not ready and never will be; verifications were
/// answered before.
#[derive(Debug)]
pub struct Ended {
    /// Why.
    pub why: End,
    /// Whether the peer has closed its half: it has read all that was written.
    pub heard: bool,
    /// Tokens of stanzas that were taken and not acknowledged, in order, unless `resumption` holds them: they may or
    /// may not have arrived.
    pub unacked: Vec<u64>,
    /// If the stream may be resumed by another connection: outgoing, give it to the next `Stream::outgoing`; incoming,
    /// keep it for [`Ask::Resume`] under its id until it expires.
    pub resumption: Option<Box<Resumption>>,
}

/// Why a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Closed in peace, by either side: idle, or done.
    Clean,
    /// The connection broke.
    Broken,
    /// We ended it for this reason, or were told to.
    Error(StreamCondition),
    /// The peer ended it with a stream error.
    PeerError {
        /// Which.
        condition: StreamCondition,
        /// Of `see-other-host`: where to go instead, as it was written, unchecked (RFC 6120 section 4.9.3.19).
        see_other_host: Option<String>,
    },
    /// Encryption is required and the peer does not offer it, or refuses.
    NoTls,
    /// The peer's certificate does not prove its domain, and the operator wants it to.
    Certificate,
    /// We could not authenticate.
    NotAuthenticated(Refusal),
    /// Not negotiated in time.
    TooSlow,
    /// No sign of life.
    Silent,
}
