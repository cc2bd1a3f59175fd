//! Between the content namespace of the wire and that of stanzas inside the server.
//!
//! RFC 6120 section 4.8.3 (content namespaces; what is in them is the same in all), decision 001.
//!
//! Not here: stanzas themselves (crate `stanza`), other namespaces, which stay as they are.

use stanza::{Payload, ns};
use xml::{El, Node, Tree, Writer};

/// The payload of a stanza that came in `wire`, relative to [`ns::CLIENT`]. What says that it is `jabber:client` although
/// it stands in another content namespace is taken for what it would be: there are not two kinds of bodies.
pub(crate) fn from_wire(payload: Payload, wire: &str) -> Payload {
    if !mentions(payload.inner(), ns::CLIENT) {
        return payload;
    }
    match rewrite(&payload, wire, ns::CLIENT, false) {
        Some(inner) => Payload::canonical(inner),
        None => payload,
    }
}

/// The payload of one of our stanzas, relative to `wire`. What we hold for foreign must not become content on the way:
/// elements of the wire's namespace directly inside content are left out.
pub(crate) fn to_wire(payload: &Payload, wire: &str) -> Option<bytes::Bytes> {
    if !mentions(payload.inner(), wire) {
        return None;
    }
    rewrite(payload, ns::CLIENT, wire, true)
}

/// Whether the namespace is declared anywhere, as canonical XML writes it.
fn mentions(inner: &[u8], ns: &str) -> bool {
    let needle = ns.as_bytes();
    inner.windows(needle.len() + 2).any(|window| {
        window.first() == Some(&b'\'')
            && window.last() == Some(&b'\'')
            && window.get(1..=needle.len()) == Some(needle)
    })
}

/// Where the walk is: an element whose remaining nodes are still to be written.
struct Level<'t> {
    nodes: Box<dyn Iterator<Item = Node<'t>> + 't>,
    /// It is content: its namespace is that of the stanza, and so is that of all around it.
    content: bool,
}

/// Writes the payload anew; content moves from the namespace `from` to `to`. Not recursive: the parser has bounded the
/// depth, and the stack here is a vector.
fn rewrite(payload: &Payload, from: &str, to: &str, drop: bool) -> Option<bytes::Bytes> {
    let tree = Tree::parse(payload.inner(), from).ok()?;
    let mut w = Writer::new(to).with_capacity(payload.inner().len());
    let mut levels = vec![Level { nodes: Box::new(tree.top().nodes()), content: true }];
    while let Some(level) = levels.last_mut() {
        match level.nodes.next() {
            None => {
                levels.pop();
                if !levels.is_empty() {
                    w.close();
                }
            }
            Some(Node::Text(text)) => {
                w.text(text);
            }
            Some(Node::El(el)) if drop && level.content && el.ns() == to => {}
            Some(Node::El(el)) => {
                let content = level.content && (el.ns() == from || el.ns() == to);
                open(&mut w, &el, if content { to } else { el.ns() });
                levels.push(Level { nodes: Box::new(el.nodes()), content });
            }
        }
    }
    Some(w.finish())
}

fn open(w: &mut Writer, el: &El<'_>, ns: &str) {
    w.open(el.name(), ns);
    for (ns, name, value) in el.attrs() {
        w.attr_ns(ns, name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(inner: &str) -> Payload {
        Payload::canonical(inner.as_bytes().to_vec().into())
    }

    #[test]
    fn content_comes_in() {
        for (wire, inside) in [
            ("<body>a &lt;</body>", "<body>a &lt;</body>"),
            ("<body xmlns='jabber:client'>a</body>", "<body>a</body>"),
            (
                "<error type='cancel'><text xmlns='jabber:client' xml:lang='en'/></error>",
                "<error type='cancel'><text xml:lang='en'/></error>",
            ),
            // A forwarded stanza says itself what it is.
            (
                "<f xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></f><a/>",
                "<f xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></f><a/>",
            ),
            ("<f xmlns='u'><m xmlns='jabber:server'/></f>", "<f xmlns='u'><m xmlns='jabber:server'/></f>"),
            ("<a>jabber:client</a>", "<a>jabber:client</a>"),
        ] {
            let inner = from_wire(payload(wire), ns::SERVER);
            assert_eq!(String::from_utf8_lossy(inner.inner()), inside, "{wire}");
            assert!(inner.tree().is_ok());
        }
    }

    #[test]
    fn content_goes_out_and_nothing_foreign_becomes_content() {
        for (inside, wire) in [
            ("<body>a</body>", None),
            ("<body xmlns='jabber:server'>forged</body><body>a</body>", Some("<body>a</body>")),
            (
                "<f xmlns='u'><m xmlns='jabber:server'><n xmlns='u' xmlns:n1='v' n1:a='&apos;'/></m></f>",
                Some(
                    "<f xmlns='u'><m xmlns='jabber:server'><n xmlns='u' xmlns:n1='v' n1:a='&apos;'/></m></f>",
                ),
            ),
        ] {
            let out = to_wire(&payload(inside), ns::SERVER);
            assert_eq!(out.as_deref().map(String::from_utf8_lossy).as_deref(), wire, "{inside}");
        }
    }
}
