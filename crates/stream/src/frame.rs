//! What a stream writes where the transport has frames of its own, and how BOSH opens a stream.
//!
//! RFC 7395 section 3.3, XEP-0206 version 1.4 sections 3 to 6.
//!
//! Not here: plain bytes of TCP (`wire.rs`), HTTP bodies and WebSocket frames themselves (net).

/// One thing to send over WebSocket (only [`Frame::Element`]) or BOSH (all three).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// BOSH: the stream is open; these belong into attributes of the next `<body/>`.
    Opened(Opened),
    /// WebSocket: exactly one text message. BOSH: one child element of a `<body/>`, with its own `xmlns`;
    /// the prefix `stream` is declared on the element itself where it is used.
    Element(Vec<u8>),
    /// BOSH: the last body, `type='terminate'`. With `error` the element before it is `<stream:error/>`, and
    /// the body says `condition='remote-stream-error'` (XEP-0206 section 6).
    Terminate {
        /// Whether a stream error was written.
        error: bool,
    },
}

/// Our answer to the opening of a stream (RFC 6120 section 4.7), for BOSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The stream's identifier: 128 random bits. `authid` of the session creation response.
    pub id: String,
    /// Our domain, if it was asked for properly.
    pub from: Option<String>,
    /// The client's address, if it gave one.
    pub to: Option<String>,
    /// The language of our texts.
    pub lang: &'static str,
}

/// How a client opens or restarts a stream over BOSH: the attributes of its `<body/>`, unchecked.
///
/// Over TCP and WebSocket the same comes within the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// `to`: the domain.
    pub to: Option<String>,
    /// `from`: the client's address.
    pub from: Option<String>,
    /// `xmpp:version`.
    pub version: Option<String>,
    /// `xml:lang`.
    pub lang: Option<String>,
}
