//! Namespaces in scope and elements open at one place of a document.
//!
//! Namespaces in XML 1.0 sections 3, 5 and 6.1
//!
//! Not here: reading the declarations' values (tag.rs) and writing namespaces (build.rs).

use crate::error::{Error, Fault, Limit};
use crate::limits::Limits;
use crate::{XML_NS, XMLNS_NS};

/// A namespace that is in scope: none, that of `xml:`, or the declaration two below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NsId(u16);

impl NsId {
    pub(crate) const NONE: NsId = NsId(0);
    pub(crate) const XML: NsId = NsId(1);
}

#[derive(Clone, Copy, Debug)]
struct Declaration {
    prefix: u32,
    ns: u32,
    end: u32,
}

/// The declarations in scope, innermost last. Their strings lie in one buffer that grows and shrinks with them.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    strings: Vec<u8>,
    declarations: Vec<Declaration>,
}

impl Scope {
    pub(crate) fn len(&self) -> u16 {
        // Never more than Limits::declarations_in_scope, which is a u16.
        self.declarations.len() as u16
    }

    pub(crate) fn truncate(&mut self, len: u16) {
        if let Some(first) = self.declarations.get(len as usize) {
            self.strings.truncate(first.prefix as usize);
            self.declarations.truncate(len as usize);
        }
    }

    /// Adds a declaration; an empty prefix is the default namespace.
    pub(crate) fn declare(&mut self, prefix: &[u8], ns: &[u8], limits: &Limits) -> Result<NsId, Error> {
        if ns.len() > limits.namespace_bytes as usize {
            return Err(Error::LimitPassed(Limit::NamespaceBytes));
        }
        let xml = ns == XML_NS.as_bytes();
        if prefix == b"xmlns" || ns == XMLNS_NS.as_bytes() || xml != (prefix == b"xml") {
            return Err(Error::NotWellFormed(Fault::ReservedPrefix));
        }
        if xml {
            return Ok(NsId::XML);
        }
        if ns.is_empty() {
            let undeclared = prefix.is_empty();
            return if undeclared {
                Ok(NsId::NONE)
            } else {
                Err(Error::NotWellFormed(Fault::EmptyNamespace))
            };
        }
        if self.len() >= limits.declarations_in_scope {
            return Err(Error::LimitPassed(Limit::DeclarationsInScope));
        }
        let start = self.strings.len();
        self.strings.extend_from_slice(prefix);
        self.strings.extend_from_slice(ns);
        let (prefix, ns) = (start as u32, (start + prefix.len()) as u32);
        self.declarations.push(Declaration { prefix, ns, end: self.strings.len() as u32 });
        Ok(NsId(self.len() + 1))
    }

    /// What a non-empty prefix stands for here.
    pub(crate) fn resolve(&self, prefix: &[u8]) -> Result<NsId, Error> {
        if prefix == b"xml" {
            return Ok(NsId::XML);
        }
        let bound = |d: &Declaration| &self.strings[d.prefix as usize..d.ns as usize] == prefix;
        match self.declarations.iter().rposition(bound) {
            Some(index) => Ok(NsId(index as u16 + 2)),
            None => Err(Error::UndeclaredPrefix),
        }
    }

    pub(crate) fn uri(&self, id: NsId) -> &[u8] {
        match id {
            NsId::NONE => b"",
            NsId::XML => XML_NS.as_bytes(),
            NsId(n) => {
                let d = self.declarations[n as usize - 2];
                &self.strings[d.ns as usize..d.end as usize]
            }
        }
    }

    pub(crate) fn same(&self, a: NsId, b: NsId) -> bool {
        a == b || self.uri(a) == self.uri(b)
    }

    /// All declarations of prefixes as (prefix, namespace), outermost first.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.declarations.iter().map(|d| {
            let prefix = &self.strings[d.prefix as usize..d.ns as usize];
            (prefix, &self.strings[d.ns as usize..d.end as usize])
        })
    }

    /// Gives back what the next element would hardly need: most declare a namespace or two.
    pub(crate) fn shrink(&mut self) {
        self.strings.shrink_to(self.strings.len() + 64);
        self.declarations.shrink_to(self.declarations.len() + 2);
    }
}

/// An element whose end tag is still to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// Its namespace.
    pub(crate) ns: NsId,
    /// The default namespace inside it.
    pub(crate) default: NsId,
    /// Declarations in scope outside it.
    pub(crate) outer: u16,
    /// Where its local name begins within its name.
    pub(crate) local: u16,
    /// Where its name, as in the source, begins in [`Stack::names`].
    pub(crate) name: u32,
}

/// The open elements, innermost last.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    names: Vec<u8>,
    open: Vec<Open>,
}

impl Stack {
    pub(crate) fn push(&mut self, name: &[u8], mut open: Open) {
        open.name = self.names.len() as u32;
        self.names.extend_from_slice(name);
        self.open.push(open);
    }

    pub(crate) fn last(&self) -> Option<&Open> {
        self.open.last()
    }

    /// The innermost open element's name as in the source.
    pub(crate) fn name(&self) -> &[u8] {
        self.open.last().map_or(&[], |open| &self.names[open.name as usize..])
    }

    pub(crate) fn pop(&mut self) {
        if let Some(open) = self.open.pop() {
            self.names.truncate(open.name as usize);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.open.clear();
    }

    pub(crate) fn shrink(&mut self) {
        self.names.shrink_to(self.names.len() + 32);
        self.open.shrink_to(self.open.len() + 2);
    }
}
