//! A stanza error: this request fails, and the sender is told why.
//!
//! RFC 6120 section 8.3.
//!
//! Not here: stream errors (`stream_error.rs`); faults of ours, which a peer only sees as `internal-server-error`.

use bytes::Bytes;

use crate::{Condition, ErrorType, ns};
use xml::Writer;

/// An `<error/>` for a reply. The text is generic: never a path, a query or a host name of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// What went wrong.
    pub condition: Condition,
    /// What the sender may do about it.
    pub ty: ErrorType,
    /// A short English explanation, if the condition alone leaves the sender guessing.
    pub text: Option<&'static str>,
    /// An application-specific condition: element name and namespace.
    pub app: Option<(&'static str, &'static str)>,
    /// An application-specific condition with content of its own, in canonical form below [`ns::CLIENT`].
    pub details: Option<Bytes>,
    /// The number by which clients of old knew errors (XEP-0086), where one in use still asks for it.
    pub code: Option<&'static str>,
}

impl StanzaError {
    /// An error of the type that the RFC recommends for `condition`.
    pub const fn new(condition: Condition, ty: ErrorType) -> StanzaError {
        StanzaError { condition, ty, text: None, app: None, details: None, code: None }
    }

    /// The same error with an explanation.
    #[must_use]
    pub const fn text(mut self, text: &'static str) -> StanzaError {
        self.text = Some(text);
        self
    }

    /// The same error with an application-specific condition.
    #[must_use]
    pub const fn app(mut self, name: &'static str, ns: &'static str) -> StanzaError {
        self.app = Some((name, ns));
        self
    }

    /// The same error with an application-specific condition that has content: canonical XML below [`ns::CLIENT`].
    #[must_use]
    pub fn details(mut self, canonical: Bytes) -> StanzaError {
        self.details = Some(canonical);
        self
    }

    /// The same error with a number of old (XEP-0086).
    #[must_use]
    pub const fn code(mut self, code: &'static str) -> StanzaError {
        self.code = Some(code);
        self
    }

    /// The same error with another type.
    #[must_use]
    pub const fn ty(mut self, ty: ErrorType) -> StanzaError {
        self.ty = ty;
        self
    }

    /// Writes `<error/>` as a child of a stanza.
    pub fn write(&self, w: &mut Writer) {
        w.open("error", ns::CLIENT).attr("type", self.ty.name()).attr_opt("code", self.code);
        w.open(self.condition.name(), ns::STANZAS).close();
        if let Some(text) = self.text {
            w.open("text", ns::STANZAS).attr("xml:lang", "en").text(text).close();
        }
        if let Some((name, ns)) = self.app {
            w.open(name, ns).close();
        }
        if let Some(details) = &self.details {
            w.raw(details);
        }
        w.close();
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> StanzaError {
        StanzaError::new(condition, condition.default_type())
    }
}
