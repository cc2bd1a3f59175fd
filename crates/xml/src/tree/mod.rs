//! Reading canonical bytes: a flat arena and a cursor that can be copied.
//!
//! Not here: a peer's bytes (they go through the parser first) and changing a tree (write a new one).

mod read;

use std::borrow::Cow;

use crate::error::Error;
use crate::escape::unescape;
use crate::rebase::rebase;

/// Elements and text of canonical bytes: one element, or several siblings with text between them.
/// Borrows the bytes; names and values are copied only where they contain references.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    text: &'a str,
    /// The first stands for the parent, to which the bytes are relative.
    nodes: Vec<Slot>,
    attrs: Vec<AttrSlot>,
    namespaces: Vec<Cow<'a, str>>,
}

/// Offsets into the text.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    start: u32,
    end: u32,
}

/// An element, or a run of text (then only `outer` and `next` mean anything).
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    element: bool,
    name: Range,
    ns: u32,
    /// Indexes of its attributes.
    attrs: Range,
    outer: Range,
    inner: Range,
    /// Indexes of nodes; 0 for none.
    parent: u32,
    first: u32,
    last: u32,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct AttrSlot {
    name: Range,
    ns: u32,
    value: Range,
}

impl<'a> Tree<'a> {
    /// Reads `canonical`, which stands below an element in the namespace `parent_ns`.
    ///
    /// # Errors
    /// [`Error::NotCanonical`] if the bytes are not what parser and writer make; never a panic.
    pub fn parse(canonical: &'a [u8], parent_ns: &'a str) -> Result<Tree<'a>, Error> {
        read::read(canonical, parent_ns)
    }

    /// The first element.
    pub fn root(&self) -> Option<El<'_>> {
        self.top().children().next()
    }

    /// All elements that have no parent here.
    pub fn roots(&self) -> impl Iterator<Item = El<'_>> {
        self.top().children()
    }

    /// The unnamed parent of everything: for [`El::child`], [`El::text`] and the like on several siblings.
    pub fn top(&self) -> El<'_> {
        El { tree: self, index: 0 }
    }

    fn str(&self, range: Range) -> &str {
        // Ranges come from the reader, which cuts at ASCII only.
        self.text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    fn ns(&self, index: u32) -> &str {
        self.namespaces.get(index as usize).map_or("", |ns| ns)
    }
}

/// An element of a [`Tree`].
#[derive(Clone, Copy, Debug)]
pub struct El<'t> {
    tree: &'t Tree<'t>,
    index: u32,
}

/// What an element contains.
#[derive(Clone, Debug)]
pub enum Node<'t> {
    /// An element.
    El(El<'t>),
    /// A run of text.
    Text(Cow<'t, str>),
}

impl<'t> El<'t> {
    fn slot(&self) -> &'t Slot {
        &self.tree.nodes[self.index as usize]
    }

    fn attr_slots(&self) -> &'t [AttrSlot] {
        let range = self.slot().attrs;
        self.tree.attrs.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    fn slots(&self) -> impl Iterator<Item = (u32, &'t Slot)> + Clone + use<'t> {
        let nodes = &self.tree.nodes;
        let at = |index: u32| (index != 0).then(|| (index, &nodes[index as usize]));
        std::iter::successors(at(self.slot().first), move |(_, slot)| at(slot.next))
    }

    /// The local name.
    pub fn name(&self) -> &'t str {
        self.tree.str(self.slot().name)
    }

    /// The namespace; empty if none.
    pub fn ns(&self) -> &'t str {
        self.tree.ns(self.slot().ns)
    }

    /// Whether this is the element `name` in the namespace `ns`.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// The value of the attribute `name` without a namespace.
    pub fn attr(&self, name: &str) -> Option<Cow<'t, str>> {
        self.attr_ns("", name)
    }

    /// The value of the attribute `name` in the namespace `ns`.
    pub fn attr_ns(&self, ns: &str, name: &str) -> Option<Cow<'t, str>> {
        self.attrs().find(|(n, l, _)| *l == name && *n == ns).map(|(_, _, value)| value)
    }

    /// `xml:lang` on this element itself.
    pub fn lang(&self) -> Option<Cow<'t, str>> {
        self.attr_ns(crate::XML_NS, "lang")
    }

    /// All attributes as (namespace, local name, value), in order.
    pub fn attrs(&self) -> impl Iterator<Item = (&'t str, &'t str, Cow<'t, str>)> + use<'t> {
        let tree = self.tree;
        self.attr_slots().iter().map(|a| (tree.ns(a.ns), tree.str(a.name), unescape(tree.str(a.value))))
    }

    /// The element it is in.
    pub fn parent(&self) -> Option<El<'t>> {
        (self.index != 0).then(|| El { tree: self.tree, index: self.slot().parent })
    }

    /// The elements directly inside, in order.
    pub fn children(&self) -> impl Iterator<Item = El<'t>> + Clone + use<'t> {
        let tree = self.tree;
        self.slots().filter(|(_, slot)| slot.element).map(move |(index, _)| El { tree, index })
    }

    /// The first child of this name and namespace.
    pub fn child(&self, name: &str, ns: &str) -> Option<El<'t>> {
        self.children().find(|child| child.is(name, ns))
    }

    /// All children of this name and namespace.
    pub fn children_named<'n>(
        &self,
        name: &'n str,
        ns: &'n str,
    ) -> impl Iterator<Item = El<'t>> + use<'t, 'n> {
        self.children().filter(move |child| child.is(name, ns))
    }

    /// Elements and text directly inside, in order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'t>> + use<'t> {
        let tree = self.tree;
        self.slots().map(move |(index, slot)| match slot.element {
            true => Node::El(El { tree, index }),
            false => Node::Text(unescape(tree.str(slot.outer))),
        })
    }

    /// The text directly inside, that of children left out.
    pub fn text(&self) -> Cow<'t, str> {
        let tree = self.tree;
        let mut runs =
            self.slots().filter(|(_, slot)| !slot.element).map(|(_, slot)| unescape(tree.str(slot.outer)));
        let first = runs.next().unwrap_or(Cow::Borrowed(""));
        match runs.next() {
            None => first,
            Some(second) => {
                let mut text = first.into_owned() + &second;
                text.extend(runs);
                Cow::Owned(text)
            }
        }
    }

    /// The text of the first child of this name and namespace.
    pub fn child_text(&self, name: &str, ns: &str) -> Option<Cow<'t, str>> {
        self.child(name, ns).map(|child| child.text())
    }

    /// Canonical bytes of this element, relative to a parent in `parent_ns`.
    pub fn raw(&self, parent_ns: &str) -> Cow<'t, [u8]> {
        let from = self.parent().map_or("", |parent| parent.ns());
        rebase(self.tree.str(self.slot().outer).as_bytes(), from, parent_ns)
    }

    /// Canonical bytes of what is inside, relative to this element.
    pub fn inner_raw(&self) -> &'t [u8] {
        self.tree.str(self.slot().inner).as_bytes()
    }
}

#[cfg(test)]
mod tests;
