//! XML that is expected, and whether what came is like it.
//!
//! The order of attributes and the prefixes do not matter, children come in order, white space between elements is
//! ignored. In the expectation:
//!
//! * `{any}` as a whole value or text stands for anything, `{name}` for anything that is the same wherever the name
//!   stands, earlier in the scene too.
//! * A message without any `<stanza-id/>` does not say anything of them; `{no stanza-id}` among the children says that
//!   there is none.
//! * An error without `<text/>` does not say anything of it.
//! * `{rest}` as the last child stands for any further children.
//!
//! Not here: reading scenes.

use std::collections::BTreeMap;
use std::fmt;

use stanza::ns;
use xml::{El, Event, Framing, Limits, Node, Parser};

/// What names stand for.
pub(crate) type Names = BTreeMap<String, String>;

/// An element, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    name: (String, String),
    attrs: BTreeMap<(String, String), String>,
    children: Vec<Child>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Child {
    Element(Tree),
    Text(String),
}

/// Opens a stream whose content namespace is the clients'.
pub(crate) const STREAM: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// Reads any number of elements.
pub(crate) fn read(text: &str) -> Result<Vec<Tree>, String> {
    let limits = Limits { element_bytes: 1 << 24, canonical_bytes: 1 << 24, ..Limits::SERVER };
    let mut parser = Parser::new(Framing::Stream, limits);
    parser.push(STREAM.as_bytes());
    parser.push(text.as_bytes());
    let mut trees = Vec::new();
    loop {
        match parser.next().map_err(|error| format!("{error:?} in {text}"))? {
            Some(Event::Element(element)) => {
                let tree = xml::Tree::parse(element.bytes(), ns::CLIENT).map_err(|e| format!("{e:?}"))?;
                trees.extend(tree.root().map(own));
            }
            Some(_) => {}
            None if parser.is_idle() => return Ok(trees),
            None => return Err(format!("not complete: {text}")),
        }
    }
}

fn own(el: El<'_>) -> Tree {
    let attrs = el.attrs().map(|(ns, name, value)| ((ns.to_owned(), name.to_owned()), value.into_owned()));
    let mut children: Vec<Child> = Vec::new();
    for node in el.nodes() {
        match node {
            Node::El(child) => children.push(Child::Element(own(child))),
            Node::Text(text) => children.push(Child::Text(text.into_owned())),
        }
    }
    if children.iter().any(|child| matches!(child, Child::Element(_))) {
        children.retain(|child| !matches!(child, Child::Text(text) if text.trim().is_empty()));
    }
    Tree { name: (el.name().to_owned(), el.ns().to_owned()), attrs: attrs.collect(), children }
}

impl fmt::Display for Tree {
    /// As a line of XML, with namespaces where they are not the clients'.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name.0)?;
        if self.name.1 != ns::CLIENT {
            write!(f, " xmlns='{}'", self.name.1)?;
        }
        for ((_, name), value) in &self.attrs {
            write!(f, " {name}='{value}'")?;
        }
        if self.children.is_empty() {
            return f.write_str("/>");
        }
        f.write_str(">")?;
        for child in &self.children {
            match child {
                Child::Element(tree) => write!(f, "{tree}")?,
                Child::Text(text) => f.write_str(text)?,
            }
        }
        write!(f, "</{}>", self.name.0)
    }
}

impl Tree {
    /// Whether `came` is what this expects. Names that it meets for the first time are remembered only then.
    pub(crate) fn matches(&self, came: &Tree, names: &mut Names) -> Result<(), String> {
        let mut tried = names.clone();
        element(self, came, &mut tried)?;
        *names = tried;
        Ok(())
    }
}

fn element(want: &Tree, came: &Tree, names: &mut Names) -> Result<(), String> {
    if want.name != came.name {
        return Err(format!("<{}> of {}, not <{}> of {}", came.name.0, came.name.1, want.name.0, want.name.1));
    }
    for (key, value) in &want.attrs {
        let at = || format!("{}/@{}", want.name.0, key.1);
        let found = came.attrs.get(key).ok_or_else(|| format!("{} is missing", at()))?;
        text(value, found, names).map_err(|why| format!("{}: {why}", at()))?;
    }
    if let Some((key, value)) = came.attrs.iter().find(|(key, _)| !want.attrs.contains_key(key)) {
        return Err(format!("{}/@{}='{value}' is too much", want.name.0, key.1));
    }
    children(want, came, names).map_err(|why| format!("{}/{why}", want.name.0))
}

fn children(want: &Tree, came: &Tree, names: &mut Names) -> Result<(), String> {
    let is = |child: &Child, name: &str, ns: &str| matches!(child, Child::Element(tree) if tree.name.0 == name && tree.name.1 == ns);
    let says = |name: &str, ns: &str| want.children.iter().any(|child| is(child, name, ns));
    let none = |word: &str| want.children.iter().any(|child| matches!(child, Child::Text(text) if text.trim() == word));
    let silent_ids = want.name.0 == "message" && !says("stanza-id", ns::SID) && !none("{no stanza-id}");
    let silent_text = want.name.0 == "error" && !says("text", ns::STANZAS);
    let heard = came.children.iter().filter(|child| {
        !(silent_ids && is(child, "stanza-id", ns::SID) || silent_text && is(child, "text", ns::STANZAS))
    });
    let mut heard = heard.peekable();
    let wanted = want.children.iter();
    for child in wanted.filter(|child| !matches!(child, Child::Text(text) if text.trim() == "{no stanza-id}")) {
        match (child, heard.next()) {
            (Child::Text(word), _) if word.trim() == "{rest}" => return Ok(()),
            (Child::Element(want), Some(Child::Element(came))) => element(want, came, names)?,
            (Child::Text(want), Some(Child::Text(came))) => {
                text(want, came, names).map_err(|why| format!("text: {why}"))?;
            }
            (Child::Text(want), None) => text(want, "", names).map_err(|why| format!("text: {why}"))?,
            (Child::Element(want), came) => return Err(format!("<{}> expected, {came:?} found", want.name.0)),
            (Child::Text(want), Some(came)) => return Err(format!("'{want}' expected, {came:?} found")),
        }
    }
    match heard.next() {
        None => Ok(()),
        Some(Child::Element(tree)) => Err(format!("<{}> of {} is too much", tree.name.0, tree.name.1)),
        Some(Child::Text(text)) => Err(format!("'{text}' is too much")),
    }
}

fn text(want: &str, came: &str, names: &mut Names) -> Result<(), String> {
    let name = want.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let want = match name {
        Some("any") => return Ok(()),
        Some(name) => match names.get(name) {
            Some(known) => known.as_str(),
            None => {
                names.insert(name.to_owned(), came.to_owned());
                return Ok(());
            }
        },
        None => want,
    };
    if want == came { Ok(()) } else { Err(format!("'{came}', not '{want}'")) }
}

/// Puts known names into what is sent.
pub(crate) fn fill(text: &str, names: &Names) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let Some(end) = rest[start..].find('}') else { break };
        let name = &rest[start + 1..start + end];
        let value = names.get(name).ok_or_else(|| format!("nothing is known as {{{name}}}"))?;
        out.push_str(&rest[..start]);
        let mut escaped = Vec::new();
        xml::escape_attr(&mut escaped, value);
        out.push_str(&String::from_utf8_lossy(&escaped));
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_like_from_unlike() {
        let like = |want: &str, came: &str| {
            let mut names = Names::from([("known".to_owned(), "1".to_owned())]);
            read(want).unwrap()[0].matches(&read(came).unwrap()[0], &mut names).is_ok()
        };
        for (want, came, verdict) in [
            ("<iq id='1' type='result'/>", "<iq type='result' id='1'/>", true),
            ("<iq id='1'/>", "<iq id='1' type='result'/>", false),
            ("<iq id='{any}'/>", "<iq id='7'/>", true),
            ("<iq id='{known}'/>", "<iq id='1'/>", true),
            ("<iq id='{known}'/>", "<iq id='2'/>", false),
            ("<iq id='{x}' to='{x}'/>", "<iq id='a' to='a'/>", true),
            ("<iq id='{x}' to='{x}'/>", "<iq id='a' to='b'/>", false),
            ("<iq> <a xmlns='u'/> </iq>", "<iq><p:a xmlns:p='u'/></iq>", true),
            ("<iq><a/><b/></iq>", "<iq><b/><a/></iq>", false),
            ("<iq><a/>{rest}</iq>", "<iq><a/><b/></iq>", true),
            ("<iq><a/></iq>", "<iq><a/><b/></iq>", false),
            ("<message><body>x</body></message>", "<message><body>y</body></message>", false),
            ("<message/>", "<message><stanza-id xmlns='urn:xmpp:sid:0'/></message>", true),
            ("<message>{no stanza-id}</message>", "<message><stanza-id xmlns='urn:xmpp:sid:0'/></message>", false),
        ] {
            assert_eq!(like(want, came), verdict, "{want} {came}");
        }
    }
}
