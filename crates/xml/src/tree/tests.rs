//! Trees of good and of corrupt bytes.
//!
//! Not here: the random comparison (crate `fuzzing`).

use super::*;

const DISCO: &str = "http://jabber.org/protocol/disco#info";

#[test]
fn reads_what_is_there() {
    let bytes =
        b"<query xmlns='http://jabber.org/protocol/disco#info' node='a&amp;b' xml:lang='de'>one &lt; \
                  <identity category='server'/><x xmlns='jabber:x:data' xmlns:n1='u&amp;v' n1:t='1' t='2'>\
                  <field>two</field></x>three</query>";
    let tree = Tree::parse(bytes, "jabber:client").unwrap();
    let query = tree.root().unwrap();
    assert!(query.is("query", DISCO) && tree.roots().count() == 1);
    assert_eq!(
        (query.attr("node").as_deref(), query.attr("lang"), query.lang().as_deref()),
        (Some("a&b"), None, Some("de"))
    );
    assert_eq!(query.text(), "one < three");
    assert_eq!(query.children().map(|el| el.name()).collect::<Vec<_>>(), ["identity", "x"]);
    let x = query.child("x", "jabber:x:data").unwrap();
    assert_eq!((x.attr("t").as_deref(), x.attr_ns("u&v", "t").as_deref()), (Some("2"), Some("1")));
    assert_eq!(x.child_text("field", "jabber:x:data").as_deref(), Some("two"));
    assert!(x.child("field", "").is_none() && matches!(x.text(), Cow::Borrowed("")));
    assert_eq!(x.parent().map(|el| el.name()), Some("query"));
    let identity = query.child("identity", DISCO).unwrap();
    assert_eq!(&*identity.raw(DISCO), b"<identity category='server'/>");
    assert_eq!(
        &*identity.raw("jabber:client"),
        b"<identity xmlns='http://jabber.org/protocol/disco#info' category='server'/>"
    );
    assert_eq!(x.inner_raw(), b"<field>two</field>");
    assert_eq!(query.nodes().filter(|node| matches!(node, Node::Text(_))).count(), 2);
}

#[test]
fn reads_fragments() {
    let tree = Tree::parse(b"a<b/>c<d xmlns=''/>", "p").unwrap();
    let names: Vec<_> = tree.roots().map(|el| (el.name(), el.ns())).collect();
    assert_eq!((names, tree.top().text()), (vec![("b", "p"), ("d", "")], "ac".into()));
    assert_eq!(tree.top().child("b", "p").unwrap().raw("q"), b"<b xmlns='p'/>".as_slice());
    let tree = Tree::parse(b"", "p").unwrap();
    assert!(tree.root().is_none() && tree.top().parent().is_none());
}

#[test]
fn depth_costs_no_stack() {
    let deep = "<a>".repeat(200_000) + &"</a>".repeat(200_000);
    let tree = Tree::parse(deep.as_bytes(), "").unwrap();
    assert_eq!(crate::fuzzing::rewrite(&tree, "").len(), deep.len() - 3);
}

#[test]
fn corrupt_bytes_are_refused() {
    let rows: &[&[u8]] = &[
        b"<",
        b"<a",
        b"<a>",
        b"</a>",
        b"<a></b>",
        b"<a></a",
        b"<a b=\"c\"/>",
        b"<a b='c'",
        b"<a  b='c'/>",
        b"<a b='<'/>",
        b"<a b='\n'/>",
        b"<a b='&quot;'/>",
        b"&",
        b"&foo;",
        b">",
        b"\r",
        b"\0",
        b"\xFF",
        b"<p:a/>",
        b"<a p:b=''/>",
        b"<a b='' xmlns='c'/>",
        b"<a />",
        b"<!---->",
        b"<?x?>",
        b"<![CDATA[]]>",
        b"<a><b></a></b>",
        b"<1/>",
        b"<a\xC3\xBC",
        b"\xEF\xBF\xBF",
        b"<a xml:='b'/>",
    ];
    for bytes in rows {
        let error = Tree::parse(bytes, "p").err();
        assert!(matches!(error, Some(Error::NotCanonical(_))), "{:?}", String::from_utf8_lossy(bytes));
    }
}
