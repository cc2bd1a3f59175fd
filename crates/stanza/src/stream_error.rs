//! A stream error: this stream ends, and the peer is told why.
//!
//! RFC 6120 section 4.9.
//!
//! Not here: how it is framed on a transport (stream).

macro_rules! conditions {
    ($($variant:ident $name:literal,)*) => {
        /// RFC 6120 section 4.9.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // the RFC's own words
        pub enum StreamCondition { $($variant,)* }

        impl StreamCondition {
            /// The element's name in `urn:ietf:params:xml:ns:xmpp-streams`.
            pub fn name(self) -> &'static str {
                match self { $(StreamCondition::$variant => $name,)* }
            }

            /// The condition with that element name; `undefined-condition` for any other.
            pub fn parse(name: &str) -> StreamCondition {
                match name { $($name => StreamCondition::$variant,)* _ => StreamCondition::UndefinedCondition }
            }
        }
    };
}

conditions! {
    BadFormat "bad-format",
    BadNamespacePrefix "bad-namespace-prefix",
    Conflict "conflict",
    ConnectionTimeout "connection-timeout",
    HostGone "host-gone",
    HostUnknown "host-unknown",
    ImproperAddressing "improper-addressing",
    InternalServerError "internal-server-error",
    InvalidFrom "invalid-from",
    InvalidNamespace "invalid-namespace",
    InvalidXml "invalid-xml",
    NotAuthorized "not-authorized",
    NotWellFormed "not-well-formed",
    PolicyViolation "policy-violation",
    RemoteConnectionFailed "remote-connection-failed",
    Reset "reset",
    ResourceConstraint "resource-constraint",
    RestrictedXml "restricted-xml",
    SeeOtherHost "see-other-host",
    SystemShutdown "system-shutdown",
    UndefinedCondition "undefined-condition",
    UnsupportedEncoding "unsupported-encoding",
    UnsupportedFeature "unsupported-feature",
    UnsupportedStanzaType "unsupported-stanza-type",
    UnsupportedVersion "unsupported-version",
}

/// Why a stream is closed by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// What went wrong.
    pub condition: StreamCondition,
    /// A short English explanation without anything secret.
    pub text: Option<&'static str>,
    /// An application-specific condition, written as it stands (already canonical XML).
    pub app: Option<String>,
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> StreamError {
        StreamError { condition, text: None, app: None }
    }
}

impl StreamError {
    /// The error with an explanation.
    pub fn new(condition: StreamCondition, text: &'static str) -> StreamError {
        StreamError { condition, text: Some(text), app: None }
    }
}
