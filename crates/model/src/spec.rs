//! Which specifications a part of the program implements, as data: the table of XEPs is made of it.
//!
//! Not here: the table (xtask), and what the parts do.

/// One specification and how much of it there is.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Such as `XEP-0280` or `RFC 6121`.
    pub id: &'static str,
    /// Version of the XEP that was read; for an RFC the sections.
    pub version: &'static str,
    /// How much of it there is.
    pub status: Status,
    /// What is left out, or what is worth knowing; may be empty.
    pub note: &'static str,
}

/// How much of a specification there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All that concerns a server.
    Complete,
    /// Some; the note says what is missing.
    Partial,
}

impl Spec {
    /// All of a specification.
    pub const fn complete(id: &'static str, version: &'static str) -> Spec {
        Spec { id, version, status: Status::Complete, note: "" }
    }

    /// A part of a specification; `note` says what is missing.
    pub const fn partial(id: &'static str, version: &'static str, note: &'static str) -> Spec {
        Spec { id, version, status: Status::Partial, note }
    }

    /// The same with a remark.
    #[must_use]
    pub const fn note(mut self, note: &'static str) -> Spec {
        self.note = note;
        self
    }
}

/// A part of the program that is no feature of accounts, and what it implements.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What it is, in a word or two.
    pub name: &'static str,
    /// Its file, from the repository's root.
    pub path: &'static str,
    /// The specifications it implements.
    pub specs: &'static [Spec],
}
