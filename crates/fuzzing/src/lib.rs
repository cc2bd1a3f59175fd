//! The bodies of the fuzz targets, and what they share.
//!
//! A target is a function of bytes that panics when something that must always hold does not. The fuzzer (fuzz/) calls
//! it with inputs that it breeds; `make test` calls it with the inputs that are kept in fuzz/corpus (tests/replay.rs).
//!
//! Not here: the fuzzer, and the parsers in C that it compares with (fuzz/).

pub mod heap;
pub mod jid;
pub mod payloads;
pub mod sasl;
pub mod sm;
pub mod source;
pub mod stream;
pub mod turn;
pub mod xml_flat;
pub mod xml_grammar;
pub mod xml_stream;
pub mod xml_tree;

/// Streams between servers and of components.
pub use ::s2s::fuzzing::fuzz_s2s as s2s;

/// A target: bytes in, a panic if something is wrong.
pub type Target = fn(&[u8]);

/// All targets by their names in fuzz/.
pub const TARGETS: [(&str, Target); 9] = [
    ("xml_stream", xml_stream::xml_stream),
    ("xml_tree", xml_tree::xml_tree),
    ("payloads", payloads::payloads),
    ("jid", jid::jid),
    ("sasl", sasl::sasl),
    ("stream", stream::stream),
    ("sm", sm::sm),
    ("turn", turn::turn),
    ("s2s", s2s),
];
