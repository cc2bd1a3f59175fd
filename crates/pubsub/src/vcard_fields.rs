//! What a visiting card says, out of its older form and out of vCard4, and into both.
//!
//! XEP-0054 1.3.0, XEP-0292 0.12.0, RFC 6350, RFC 6351
//!
//! Not here: when one form is made of the other (`vcard4.rs`); pictures (`avatar.rs`).

use bytes::Bytes;
use stanza::ns;
use xml::{El, Writer};

use crate::limits::CARD_FIELDS_MAX;

/// One thing that a card says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Field {
    kind: &'static Kind,
    /// Of [`TYPES`], in their order.
    types: Vec<&'static str>,
    /// One text, or as many as the kind has parts; not all of them are empty.
    parts: Vec<String>,
}

/// A kind of thing, as both forms have it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// The older form's element, and the elements inside it.
    old: &'static str,
    old_parts: &'static [&'static str],
    /// The same of vCard4.
    new: &'static str,
    new_parts: &'static [&'static str],
    /// What values of vCard4 begin with, and the older form's do not.
    scheme: &'static str,
}

const fn simple(old: &'static str, new: &'static str, new_parts: &'static [&'static str]) -> Kind {
    Kind { old, old_parts: &[], new, new_parts, scheme: "" }
}

const TEXT: &[&str] = &["text"];
const URI: &[&str] = &["uri"];

static KINDS: [Kind; 13] = [
    simple("FN", "fn", TEXT),
    Kind {
        old_parts: &["FAMILY", "GIVEN", "MIDDLE", "PREFIX", "SUFFIX"],
        ..simple("N", "n", &["surname", "given", "additional", "prefix", "suffix"])
    },
    simple("NICKNAME", "nickname", TEXT),
    simple("BDAY", "bday", &["date"]),
    simple("TITLE", "title", TEXT),
    simple("ROLE", "role", TEXT),
    simple("DESC", "note", TEXT),
    simple("URL", "url", URI),
    Kind { scheme: "xmpp:", ..simple("JABBERID", "impp", URI) },
    Kind { old_parts: &["USERID"], ..simple("EMAIL", "email", TEXT) },
    Kind { old_parts: &["NUMBER"], scheme: "tel:", ..simple("TEL", "tel", URI) },
    Kind {
        old_parts: &["POBOX", "EXTADD", "STREET", "LOCALITY", "REGION", "PCODE", "CTRY"],
        ..simple("ADR", "adr", &["pobox", "ext", "street", "locality", "region", "code", "country"])
    },
    Kind { old_parts: &["ORGNAME", "ORGUNIT"], ..simple("ORG", "org", TEXT) },
];

/// Types of addresses and numbers, in the older form and in vCard4.
const TYPES: [(&str, &str); 8] = [
    ("HOME", "home"),
    ("WORK", "work"),
    ("VOICE", "voice"),
    ("FAX", "fax"),
    ("CELL", "cell"),
    ("PAGER", "pager"),
    ("VIDEO", "video"),
    ("MSG", "text"),
];

impl Kind {
    /// An organisation has a name, and units as many as it likes.
    fn is_list(&self) -> bool {
        self.old == "ORG"
    }
}

/// What a card says, and what of it the other form cannot say.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) fields: Vec<Field>,
    /// Elements as they stand, in canonical form below their parent.
    pub(crate) rest: Vec<Bytes>,
}

impl Said {
    /// Whether two cards say the same, in whatever order.
    pub(crate) fn agrees(&self, other: &Said) -> bool {
        let sorted = |said: &Said| {
            let mut fields = said.fields.clone();
            fields.sort();
            fields
        };
        sorted(self) == sorted(other)
    }

    fn take(&mut self, kind: &'static Kind, types: Vec<&'static str>, parts: Vec<String>) {
        if parts.iter().any(|part| !part.is_empty()) && self.fields.len() < CARD_FIELDS_MAX {
            self.fields.push(Field { kind, types, parts });
        }
    }
}

fn trimmed(el: El<'_>) -> String {
    el.text().trim().to_owned()
}

/// Texts of children by these names; one that is there several times is read once.
fn parts(el: El<'_>, names: &[&str], ns: &str) -> Vec<String> {
    names.iter().map(|name| el.child(name, ns).map(trimmed).unwrap_or_default()).collect()
}

/// Reads the older form.
pub(crate) fn read_old(card: El<'_>) -> Said {
    let mut said = Said::default();
    for child in card.children() {
        let kind = KINDS.iter().find(|kind| child.is(kind.old, ns::VCARD));
        let Some(kind) = kind else {
            said.rest.push(child.raw(ns::VCARD).into_owned().into());
            continue;
        };
        let types = TYPES.iter().filter(|(old, _)| child.child(old, ns::VCARD).is_some());
        let types = types.map(|(_, new)| *new).collect();
        let values = match kind.old_parts {
            [] => vec![trimmed(child)],
            [name, unit] if kind.is_list() => {
                let units =
                    child.children_named(unit, ns::VCARD).map(trimmed).filter(|unit| !unit.is_empty());
                parts(child, &[name], ns::VCARD).into_iter().chain(units).collect()
            }
            names => parts(child, names, ns::VCARD),
        };
        said.take(kind, types, values);
    }
    said
}

/// Reads vCard4.
pub(crate) fn read_new(card: El<'_>) -> Said {
    let mut said = Said::default();
    for child in card.children() {
        if read_property(child, &mut said).is_none() {
            said.rest.push(child.raw(ns::VCARD4).into_owned().into());
        }
    }
    said
}

/// `None`: the older form has nothing for it.
fn read_property(child: El<'_>, said: &mut Said) -> Option<()> {
    let kind = KINDS.iter().find(|kind| child.is(kind.new, ns::VCARD4))?;
    let types = child.child("parameters", ns::VCARD4).and_then(|all| all.child("type", ns::VCARD4));
    let types: Vec<String> =
        types.into_iter().flat_map(|ty| ty.children_named("text", ns::VCARD4)).map(trimmed).collect();
    let types: Vec<&'static str> = TYPES
        .iter()
        .map(|(_, new)| *new)
        .filter(|new| types.iter().any(|ty| ty.eq_ignore_ascii_case(new)))
        .collect();
    if kind.new_parts.len() > 1 {
        said.take(kind, types, parts(child, kind.new_parts, ns::VCARD4));
        return Some(());
    }
    let name = kind.new_parts.first()?;
    let values: Vec<String> = child.children_named(name, ns::VCARD4).map(trimmed).collect();
    if kind.is_list() {
        said.take(kind, types, values);
        return Some(());
    }
    // A number may be plain text (RFC 6350 section 6.4.1).
    let plain = kind.scheme == "tel:" && values.is_empty();
    let values = if plain { child.children_named("text", ns::VCARD4).map(trimmed).collect() } else { values };
    if values.is_empty() || !plain && values.iter().any(|value| !value.starts_with(kind.scheme)) {
        return None;
    }
    for value in values {
        let value = value.strip_prefix(kind.scheme).unwrap_or(&value).to_owned();
        said.take(kind, types.clone(), vec![value]);
    }
    Some(())
}

/// Writes the older form: these fields, then these elements.
pub(crate) fn write_old(w: &mut Writer, fields: &[Field], rest: &[Bytes]) {
    w.open("vCard", ns::VCARD);
    for Field { kind, types, parts } in fields {
        w.open(kind.old, ns::VCARD);
        for (old, _) in TYPES.iter().filter(|(_, new)| types.contains(new)) {
            w.open(old, ns::VCARD).close();
        }
        match kind.old_parts {
            [] => _ = w.text(parts.first().map_or("", String::as_str)),
            names => {
                // What is more than there are names are units.
                let names = names.iter().chain(std::iter::repeat(names.last().unwrap_or(&"")));
                for (name, part) in names.zip(parts).filter(|(_, part)| !part.is_empty()) {
                    w.leaf(name, ns::VCARD, part);
                }
            }
        }
        w.close();
    }
    rest.iter().for_each(|element| _ = w.raw(element));
    w.close();
}

/// Writes vCard4: these fields, then these elements.
pub(crate) fn write_new(w: &mut Writer, fields: &[Field], rest: &[Bytes]) {
    w.open("vcard", ns::VCARD4);
    for Field { kind, types, parts } in fields {
        w.open(kind.new, ns::VCARD4);
        if !types.is_empty() {
            w.open("parameters", ns::VCARD4).open("type", ns::VCARD4);
            types.iter().for_each(|ty| _ = w.leaf("text", ns::VCARD4, *ty));
            w.close().close();
        }
        // RFC 3966: only these make a `tel:`.
        let dials = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b"+-.()".contains(&b));
        match kind.new_parts {
            [name] => {
                for part in parts.iter().filter(|part| !part.is_empty()) {
                    match kind.scheme {
                        "tel:" if !dials(part) => w.leaf("text", ns::VCARD4, part),
                        scheme => w.leaf(name, ns::VCARD4, format!("{scheme}{part}")),
                    };
                }
            }
            names => {
                // RFC 6351 wants all of them, also empty ones.
                for (name, part) in names.iter().zip(parts) {
                    w.leaf(name, ns::VCARD4, part);
                }
            }
        }
        w.close();
    }
    rest.iter().for_each(|element| _ = w.raw(element));
    w.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use xml::Tree;

    fn old(inner: &str) -> Said {
        let xml = format!("<vCard xmlns='vcard-temp'>{inner}</vCard>");
        read_old(Tree::parse(xml.as_bytes(), ns::CLIENT).unwrap().root().unwrap())
    }

    fn new(inner: &str) -> Said {
        let xml = format!("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{inner}</vcard>");
        read_new(Tree::parse(xml.as_bytes(), ns::CLIENT).unwrap().root().unwrap())
    }

    fn written(write: fn(&mut Writer, &[Field], &[Bytes]), said: &Said) -> String {
        let mut w = Writer::new(ns::CLIENT);
        write(&mut w, &said.fields, &[]);
        String::from_utf8(w.finish().to_vec()).unwrap()
    }

    /// Each pair says the same, and is written as it stands.
    #[test]
    fn both_forms_say_the_same() {
        for (before, after) in [
            ("<FN>A &amp; B</FN>", "<fn><text>A &amp; B</text></fn>"),
            (
                "<N><FAMILY>F</FAMILY><GIVEN>G</GIVEN></N>",
                "<n><surname>F</surname><given>G</given><additional/><prefix/><suffix/></n>",
            ),
            (
                "<NICKNAME>n</NICKNAME><NICKNAME>m</NICKNAME>",
                "<nickname><text>n</text></nickname><nickname><text>m</text></nickname>",
            ),
            ("<BDAY>1966-08-06</BDAY>", "<bday><date>1966-08-06</date></bday>"),
            ("<TITLE>t</TITLE><ROLE>r</ROLE>", "<title><text>t</text></title><role><text>r</text></role>"),
            ("<DESC>d</DESC>", "<note><text>d</text></note>"),
            ("<URL>https://a.example/</URL>", "<url><uri>https://a.example/</uri></url>"),
            ("<JABBERID>a@b.example</JABBERID>", "<impp><uri>xmpp:a@b.example</uri></impp>"),
            (
                "<EMAIL><HOME/><USERID>a@b.example</USERID></EMAIL>",
                "<email><parameters><type><text>home</text></type></parameters><text>a@b.example</text></email>",
            ),
            (
                "<TEL><WORK/><VOICE/><NUMBER>+1-303-308-3282</NUMBER></TEL>",
                "<tel><parameters><type><text>work</text><text>voice</text></type></parameters><uri>tel:+1-303-308-3282</uri></tel>",
            ),
            ("<TEL><NUMBER>+1 303 308</NUMBER></TEL>", "<tel><text>+1 303 308</text></tel>"),
            (
                "<ADR><STREET>s</STREET><CTRY>c</CTRY></ADR>",
                "<adr><pobox/><ext/><street>s</street><locality/><region/><code/><country>c</country></adr>",
            ),
            (
                "<ORG><ORGNAME>o</ORGNAME><ORGUNIT>u</ORGUNIT><ORGUNIT>v</ORGUNIT></ORG>",
                "<org><text>o</text><text>u</text><text>v</text></org>",
            ),
        ] {
            let (from_old, from_new) = (old(before), new(after));
            assert!(from_old.agrees(&from_new) && !from_old.fields.is_empty(), "{before}");
            assert_eq!(written(write_old, &from_new), format!("<vCard xmlns='vcard-temp'>{before}</vCard>"));
            let v4 = format!("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{after}</vcard>");
            assert_eq!(written(write_new, &from_old), v4);
        }
    }

    #[test]
    fn what_one_form_cannot_say_is_left_alone() {
        for inner in ["<PHOTO><BINVAL>aa</BINVAL></PHOTO>", "<X xmlns='urn:x'/>", "<NOTE>a</NOTE>"] {
            let said = old(inner);
            assert!(said.fields.is_empty() && said.rest.len() == 1, "{inner}");
        }
        for inner in [
            "<impp><uri>sip:a@b.example</uri></impp>",
            "<bday><text>long ago</text></bday>",
            "<gender><sex>M</sex></gender>",
            "<group><fn><text>a</text></fn></group>",
        ] {
            let said = new(inner);
            assert!(said.fields.is_empty() && said.rest.len() == 1, "{inner}");
        }
        for said in [old("<FN/><N><GIVEN> </GIVEN></N>text"), new("<fn><text/></fn><n/><org/>")] {
            assert!(said.fields.is_empty() && said.rest.is_empty());
        }
        let many = "<NICKNAME>a</NICKNAME>".repeat(CARD_FIELDS_MAX + 1);
        assert_eq!(old(&many).fields.len(), CARD_FIELDS_MAX);
    }

    #[test]
    fn order_and_types_in_other_letters_are_no_difference() {
        assert!(
            old("<FN>a</FN><ROLE>r</ROLE>")
                .agrees(&new("<role><text>r</text></role><fn><text>a</text></fn>"))
        );
        let tel = |ty: &str| {
            new(&format!(
                "<tel><parameters><type><text>{ty}</text></type></parameters><uri>tel:1</uri></tel>"
            ))
        };
        assert!(tel("HOME").agrees(&tel("home")) && !tel("home").agrees(&tel("work")));
        assert!(tel("x-other").agrees(&new("<tel><uri>tel:1</uri></tel>")));
    }
}
