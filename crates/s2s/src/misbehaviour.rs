//! What a peer did wrong, exactly: for tests, metrics and the log.
//!
//! Not here: what the peer is told (stream, stanza and dialback errors).

/// A mistake or an attack. Carries nothing that the peer wrote, so it may be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// XML that cannot be accepted.
    Xml(xml::Error),
    /// The header's `to` is no domain, or is missing; a stanza lacks an address or has a malformed one.
    ImproperAddressing,
    /// The header or a stanza is for a domain that is not ours, or for none that the peer may reach.
    UnknownHost,
    /// `from` is no domain, is ours, or is not proven on this stream.
    ForgedFrom,
    /// The operator wants no streams with that domain.
    Blocked,
    /// Wrong namespace of the stream or its content.
    WrongNamespace,
    /// Wrong version of XMPP.
    WrongVersion,
    /// Another domain after authentication than before.
    ChangedAddress,
    /// A stream header where none is due.
    UnexpectedHeader,
    /// Something else before the stream was opened.
    NotOpened,
    /// A stanza before authentication.
    NotAuthorized,
    /// An element that has no place here.
    UnsupportedElement,
    /// `<starttls/>` where it is not offered, or an answer to it that nobody waits for.
    UnexpectedStartTls,
    /// Bytes after `<starttls/>` or `<proceed/>` that came before the handshake.
    BytesBeforeTls,
    /// SASL or dialback before TLS.
    EncryptionRequired,
    /// A failed authentication, for whatever reason.
    AuthFailed(sasl::Condition),
    /// Too many failed authentications.
    TooManyFailures,
    /// SASL that was not asked for, or again after success.
    UnexpectedSasl,
    /// The certificate does not prove the domain.
    Certificate,
    /// Not authenticated in time.
    TooSlow,
    /// No sign of life.
    Silent,
    /// A dialback answer that was not asked for (XEP-0220 section 3.1).
    UnsolicitedDialback,
    /// A dialback element without addresses, key or id, or with unusable ones.
    MalformedDialback,
    /// A dialback key that its domain did not make.
    WrongKey,
    /// More domain pairs or verifications than one stream may have.
    TooManyPairs,
    /// `<bidi/>` too late, twice, or where it is not offered.
    UnexpectedBidi,
    /// A stanza that is unusable.
    UnusableStanza,
    /// Stream management out of order.
    UnexpectedManagement,
    /// More stanzas acknowledged than were sent.
    HandledCountTooHigh,
    /// Wrong handshake of a component.
    WrongHandshake,
    /// A second connection for the domain of a component.
    Conflict,
    /// More input than may wait while a question is open.
    Flood,
}
