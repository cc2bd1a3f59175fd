//! The root start tag of a stream, or the wrapper of a body.
//!
//! RFC 6120 section 4.7 (stream attributes), 4.8 (namespaces)
//!
//! Not here: whether name, namespace, version and addresses are acceptable (crate `stream`).

use crate::XML_NS;

/// A root start tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub(crate) prefix: String,
    pub(crate) name: String,
    pub(crate) ns: String,
    pub(crate) content_ns: String,
    /// (namespace, local name, value)
    pub(crate) attrs: Vec<(String, String, String)>,
    /// (prefix, namespace)
    pub(crate) declared: Vec<(String, String)>,
}

impl Header {
    /// The prefix in the source; empty if none. RFC 6120 section 4.8.5 wants `stream`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The root's own namespace.
    pub fn ns(&self) -> &str {
        &self.ns
    }

    /// The default namespace declared on the root; empty if none (RFC 6120 section 4.8.2).
    pub fn content_ns(&self) -> &str {
        &self.content_ns
    }

    /// The value of the attribute `name` without a namespace.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attr_ns("", name)
    }

    /// The value of the attribute `name` in the namespace `ns`.
    pub fn attr_ns(&self, ns: &str, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(n, l, _)| n == ns && l == name).map(|(_, _, value)| value.as_str())
    }

    /// All attributes as (namespace, local name, value), in source order.
    pub fn attrs(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.attrs.iter().map(|(ns, name, value)| (ns.as_str(), name.as_str(), value.as_str()))
    }

    /// `xml:lang`.
    pub fn lang(&self) -> Option<&str> {
        self.attr_ns(XML_NS, "lang")
    }

    /// `version` as it was sent (RFC 6120 section 4.7.5).
    pub fn version(&self) -> Option<&str> {
        self.attr("version")
    }

    /// Whether a prefix is declared for this namespace, as XEP-0220 asks of `jabber:server:dialback`.
    pub fn declares(&self, ns: &str) -> bool {
        self.prefix_of(ns).is_some()
    }

    /// All declarations as (prefix, namespace), in source order; the prefix of the default namespace is empty.
    pub fn declared(&self) -> impl Iterator<Item = (&str, &str)> {
        self.declared.iter().map(|(prefix, ns)| (prefix.as_str(), ns.as_str()))
    }

    /// The prefix declared for this namespace.
    pub fn prefix_of(&self, ns: &str) -> Option<&str> {
        self.declared
            .iter()
            .find(|(prefix, n)| n == ns && !prefix.is_empty())
            .map(|(prefix, _)| prefix.as_str())
    }
}
