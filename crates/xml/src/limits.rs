//! How much XML a peer may send: the named limits and the three sets that the server uses.
//!
//! RFC 6120 section 13.12 (size limits: never below 10,000 bytes), XEP-0205 (denial of service)
//!
//! Not here: rates and times (crates `stream` and `net`).

/// Limits that are checked while bytes arrive. A value equal to its limit passes; one more is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Source bytes of a document's beginning: XML declaration, white space and root start tag.
    pub header_bytes: u32,
    /// Source bytes of a first-level element, from its `<` to its last `>`.
    pub element_bytes: u32,
    /// Bytes of a first-level element in canonical form. Escapes and repeated namespaces can make it
    /// longer than the source; this bounds by how much.
    pub canonical_bytes: u32,
    /// Nesting, the first-level element being 1.
    pub depth: u16,
    /// Elements inside a first-level element, itself not counted.
    pub elements: u32,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes: u16,
    /// Attributes within one first-level element, namespace declarations not counted.
    pub attributes_total: u32,
    /// Namespace declarations on one element.
    pub declarations: u16,
    /// Namespace declarations in scope at one place, those of the root included.
    pub declarations_in_scope: u16,
    /// Bytes of an element's or attribute's name, with its prefix.
    pub name_bytes: u16,
    /// Bytes of a namespace name.
    pub namespace_bytes: u16,
    /// Source bytes between an attribute value's quotes.
    pub attribute_bytes: u32,
}

impl Limits {
    /// Before a peer has proved who it is.
    pub const BEFORE_AUTH: Limits = Limits {
        header_bytes: 10_000,
        element_bytes: 10_000,
        canonical_bytes: 40_000,
        depth: 8,
        elements: 32,
        attributes: 64,
        attributes_total: 512,
        declarations: 16,
        declarations_in_scope: 64,
        name_bytes: 256,
        namespace_bytes: 1_024,
        attribute_bytes: 8_192,
    };

    /// An authenticated client.
    pub const CLIENT: Limits = Limits {
        element_bytes: 262_144,
        canonical_bytes: 1_048_576,
        depth: 64,
        elements: 8_192,
        attribute_bytes: 65_536,
        ..Limits::BEFORE_AUTH
    };

    /// An authenticated server or component.
    pub const SERVER: Limits =
        Limits { element_bytes: 524_288, canonical_bytes: 2_097_152, ..Limits::CLIENT };
}
