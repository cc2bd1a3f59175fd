//! What can be wrong with XML, named precisely, and the stream error that answers it.
//!
//! RFC 6120 sections 4.9.3 (stream errors) and 11 (XML usage)
//!
//! Not here: writing the stream error (crate `stream`).

use std::fmt;

/// Why input was refused. Carries no payload, so it may be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Breaks a rule of XML 1.0 or of Namespaces in XML 1.0.
    NotWellFormed(Fault),
    /// XML that XMPP forbids (RFC 6120 section 11.1).
    Restricted(Restricted),
    /// Bytes that are no UTF-8.
    BadUtf8,
    /// The document says or shows that it is not UTF-8 (UTF-16, a byte order mark, another declared encoding).
    UnsupportedEncoding,
    /// A prefix that no declaration in scope binds.
    UndeclaredPrefix,
    /// Text other than white space beside the first-level elements.
    TextBetweenElements,
    /// More than the caller's limits allow.
    LimitPassed(Limit),
    /// Stored or built bytes are not in canonical form (only from reading trees); the offset says where.
    NotCanonical(u32),
}

/// The rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No name where one must be, a forbidden character in it, or not exactly one colon between two parts.
    Name,
    /// An attribute without `=` or quotes, or a stray character in a tag.
    Attribute,
    /// No white space before an attribute.
    MissingSpace,
    /// `<` in an attribute value.
    LessThanInAttribute,
    /// The same attribute twice, also by two prefixes of one namespace.
    DuplicateAttribute,
    /// `&` that begins no reference.
    Reference,
    /// A character that XML forbids, as it is or by reference.
    Char,
    /// `]]>` in text.
    CdataEndInText,
    /// An end tag that does not match, or with no element open.
    EndTag,
    /// `<!` or `<?` followed by nothing XML knows.
    Markup,
    /// An XML declaration that is malformed or not at the very start.
    XmlDeclaration,
    /// `xml` or `xmlns`, or their namespaces, bound or used against the rules.
    ReservedPrefix,
    /// `xmlns:p=''`.
    EmptyNamespace,
}

/// What XMPP leaves out of XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restricted {
    /// `<!-- -->`
    Comment,
    /// `<? ?>` other than the XML declaration.
    ProcessingInstruction,
    /// `<!DOCTYPE`, `<!ENTITY` and their like.
    Declaration,
    /// A reference to an entity other than the five predefined ones.
    Entity,
    /// `standalone='no'`: a promise of outside declarations.
    NotStandalone,
    /// An XML version other than 1.0.
    Version,
}

/// Which limit was passed; see the fields of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as the field that documents it")]
pub enum Limit {
    HeaderBytes,
    ElementBytes,
    CanonicalBytes,
    Depth,
    Elements,
    Attributes,
    AttributesTotal,
    Declarations,
    DeclarationsInScope,
    NameBytes,
    NamespaceBytes,
    AttributeBytes,
}

impl Error {
    /// The stream error condition that answers this (RFC 6120 section 4.9.3).
    pub fn condition(&self) -> &'static str {
        match self {
            Error::NotWellFormed(_) | Error::BadUtf8 | Error::UndeclaredPrefix => "not-well-formed",
            Error::Restricted(_) => "restricted-xml",
            Error::UnsupportedEncoding => "unsupported-encoding",
            Error::TextBetweenElements => "bad-format",
            Error::LimitPassed(_) => "policy-violation",
            Error::NotCanonical(_) => "internal-server-error",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotWellFormed(fault) => write!(f, "XML is not well-formed: {}", fault.words()),
            Error::Restricted(what) => write!(f, "XML that XMPP forbids: {}", what.words()),
            Error::BadUtf8 => f.write_str("bytes are not UTF-8"),
            Error::UnsupportedEncoding => f.write_str("encoding is not UTF-8 without byte order mark"),
            Error::UndeclaredPrefix => f.write_str("namespace prefix is not declared"),
            Error::TextBetweenElements => f.write_str("text between first-level elements"),
            Error::LimitPassed(limit) => write!(f, "XML passes a limit: {limit:?}"),
            Error::NotCanonical(at) => write!(f, "XML is not in canonical form at byte {at}"),
        }
    }
}

impl std::error::Error for Error {}

impl Fault {
    fn words(self) -> &'static str {
        match self {
            Fault::Name => "bad name",
            Fault::Attribute => "malformed attribute",
            Fault::MissingSpace => "no white space before an attribute",
            Fault::LessThanInAttribute => "'<' in an attribute value",
            Fault::DuplicateAttribute => "attribute given twice",
            Fault::Reference => "'&' begins no reference",
            Fault::Char => "forbidden character",
            Fault::CdataEndInText => "']]>' in text",
            Fault::EndTag => "end tag does not match",
            Fault::Markup => "unknown markup",
            Fault::XmlDeclaration => "bad or misplaced XML declaration",
            Fault::ReservedPrefix => "reserved prefix or namespace misused",
            Fault::EmptyNamespace => "prefix bound to nothing",
        }
    }
}

impl Restricted {
    fn words(self) -> &'static str {
        match self {
            Restricted::Comment => "comment",
            Restricted::ProcessingInstruction => "processing instruction",
            Restricted::Declaration => "document type or entity declaration",
            Restricted::Entity => "entity reference",
            Restricted::NotStandalone => "document that is not standalone",
            Restricted::Version => "XML version other than 1.0",
        }
    }
}
