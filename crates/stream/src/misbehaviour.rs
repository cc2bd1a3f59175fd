//! What a peer did wrong, exactly: for tests, metrics and the log.
//!
//! Not here: what the peer is told (stream and stanza errors).

/// A mistake or an attack. Carries nothing that the peer wrote, so it may be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// XML that cannot be accepted.
    Xml(xml::Error),
    /// The header's `to` is no domain, or is missing.
    ImproperAddressing,
    /// The header asks for a domain that is not ours.
    UnknownHost,
    /// The header or a stanza names a `from` that is not the peer's.
    ForgedFrom,
    /// Wrong namespace of the stream or its content.
    WrongNamespace,
    /// Wrong version of XMPP.
    WrongVersion,
    /// Another domain or user after authentication than before.
    ChangedAddress,
    /// A stream header where none is due.
    UnexpectedHeader,
    /// Something else before the stream was opened.
    NotOpened,
    /// More than one element, or none, in one frame.
    BadFrame,
    /// A stanza before authentication, or a stanza other than the request for a resource before binding.
    NotAuthorized,
    /// An element that has no place here.
    UnsupportedElement,
    /// `<starttls/>` where it is not offered.
    UnexpectedStartTls,
    /// Bytes after `<starttls/>` that came before the handshake.
    BytesBeforeTls,
    /// SASL before TLS.
    EncryptionRequired,
    /// SASL in TLS early data without protection from replay.
    EarlyData,
    /// A failed authentication, for whatever reason.
    AuthFailed(sasl::Condition),
    /// Too many failed authentications.
    TooManyFailures,
    /// Not authenticated or not bound in time.
    TooSlow,
    /// No sign of life.
    Silent,
    /// A stanza that is unusable.
    UnusableStanza,
    /// Stream management out of order.
    UnexpectedManagement,
    /// A second resource on one stream.
    SecondBind,
    /// More input than may wait while a question is open.
    Flood,
}
