//! A stream error: this stream ends, and the peer is told why.
//!
//! RFC 6120 section 4.9.
//!
//! Not here: how it is framed on a transport (stream).

use crate::ns;

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

impl From<xml::Error> for StreamError {
    /// What is said of XML that cannot be taken (RFC 6120 sections 4.9.3 and 11).
    fn from(error: xml::Error) -> StreamError {
        let mut fail = StreamError::from(StreamCondition::parse(error.condition()));
        if let xml::Error::LimitPassed(limit) = error {
            fail.text = Some("more XML than is allowed here");
            if limit == xml::Limit::ElementBytes {
                // RFC 6120 section 13.12 names no condition; XEP-0205 section 4 does.
                fail.app = Some(format!("<stanza-too-big xmlns='{}'/>", ns::ERRORS));
            }
        }
        fail
    }
}

/// Whether a stream's `version` is `major.minor` with a major version of at least 1 (RFC 6120 section 4.7.5).
pub fn is_supported_version(version: &str) -> bool {
    let is_number = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    version.split_once('.').is_some_and(|(major, minor)| {
        is_number(major) && is_number(minor) && major.bytes().any(|digit| digit != b'0')
    })
}

impl StreamError {
    /// The error with an explanation.
    pub fn new(condition: StreamCondition, text: &'static str) -> StreamError {
        StreamError { condition, text: Some(text), app: None }
    }
}

#[cfg(test)]
mod tests {
    use super::is_supported_version;

    #[test]
    fn versions() {
        for (version, supported) in [
            ("1.0", true),
            ("1.1", true),
            ("2.0", true),
            ("01.00", true),
            ("10.0", true),
            ("0.9", false),
            ("1", false),
            ("1.0abc", false),
            ("", false),
            (".", false),
            ("1.", false),
            ("-1.0", false),
            ("1.0.0", false),
            ("9999999999.0", false),
        ] {
            assert_eq!(is_supported_version(version), supported, "{version:?}");
        }
    }
}
