//! One strict, bounded XML grammar for every entry point: bytes in, canonical elements out; reading and
//! writing payloads in that canonical form.
//!
//! RFC 6120 sections 4 and 11, RFC 7395 section 3, XML 1.0 (fifth edition), Namespaces in XML 1.0
//!
//! Not here: what any element means (crates `stanza` and `stream`), sockets, clocks.
//!
//! # The canonical form
//!
//! Every element that leaves [`Parser`] or [`Writer`] has this form, and it is stored and relayed as it is:
//!
//! * Elements carry no prefix. `xmlns='…'` comes first in the start tag, if and only if the element's
//!   namespace differs from its parent's; for a first-level element the parent's is the *content namespace*.
//! * Attributes keep their order and stand in single quotes. Those of the `xml` prefix keep it; those of
//!   another namespace are written `xmlns:n1='uri' n1:name='value'`, counted anew on each element. No other
//!   declaration is kept.
//! * Text escapes `&`, `<`, `>` and carriage return; values also `'`, tab and line feed. CDATA becomes text.
//! * An element without content is `<a/>`.

mod chars;
mod element;
mod error;
mod escape;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod header;
mod limits;
mod parser;
mod rebase;
mod tree;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use element::{Attr, Child, Element};
pub use error::{Error, Fault, Limit, Restricted};
pub use escape::{escape_attr, escape_text, unescape};
pub use header::Header;
pub use limits::Limits;
pub use parser::{Event, Framing, Parser, Partial};
pub use rebase::rebase;
pub use tree::{El, Node, Tree};
pub use writer::Writer;

/// The namespace of `xml:lang` and its like.
pub const XML_NS: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of `xmlns` itself.
pub const XMLNS_NS: &str = "http://www.w3.org/2000/xmlns/";
