//! Capabilities of clients: what their presence says, and whether what they answer is what they said.
//!
//! XEP-0115 1.6.0 (sections 5 and 6)
//!
//! What was verified is kept in storage for all accounts of a domain, in a table of fixed size: each hash has one place
//! in it, which it may have to give up to another.
//!
//! Not here: whom to ask (`peers.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::storage::{Owner, Read, Space, Write};
use sha1::{Digest, Sha1};
use stanza::{Stanza, ns};
use xml::El;

use super::wishes::Wishes;
use crate::limits::{CAPS_KEPT, CAPS_PARTS_MAX};

/// A map from a place in the table to a hash and what it stands for, owned by the domain.
const CAPS: Space = Space("caps");
/// Longest text of capabilities that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// What a client's presence says of its capabilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    /// The node to ask for: the client's URI, `#`, and the hash.
    pub(crate) node: Arc<str>,
    /// The hash as it is written, if it is one that can be verified.
    pub(crate) hash: Option<Arc<str>>,
}

impl Caps {
    /// Reads `<c/>`; `None` if there is none that could be asked for.
    pub(crate) fn of(presence: &Stanza) -> Option<Caps> {
        let child = presence.payload.child("c", ns::CAPS)?;
        let (node, ver) = (child.attr("node")?, child.attr("ver")?);
        if node.len() + ver.len() > TEXT_BYTES_MAX || ver.is_empty() {
            return None;
        }
        // Without the name of a hash it is the old format, in which the same words may mean different things.
        let known = child.attr("hash").is_some_and(|hash| hash == "sha-1");
        Some(Caps { node: format!("{node}#{ver}").into(), hash: known.then(|| ver.into()) })
    }

    /// What to read to know what a hash stands for.
    pub(crate) fn read(owner: &Owner, hash: &str) -> Read {
        Read::MapGet { space: CAPS, owner: owner.clone(), key: place(hash).into() }
    }

    /// What was read, if it is about this hash.
    pub(crate) fn hydrate(hash: &str, stored: &[u8]) -> Option<Wishes> {
        let text = std::str::from_utf8(stored).ok()?;
        let (held, wishes) = text.split_once('\n').unwrap_or((text, ""));
        (held == hash).then(|| Wishes::from_text(wishes))
    }

    /// Keeps what a verified hash stands for.
    pub(crate) fn write(owner: &Owner, hash: &str, wishes: &Wishes) -> Write {
        let value = format!("{hash}\n{}", wishes.to_text());
        Write::MapPut {
            space: CAPS,
            owner: owner.clone(),
            key: place(hash).into(),
            value: value.into_bytes().into(),
        }
    }
}

/// The place of a hash in the table.
fn place(hash: &str) -> String {
    let digest = Sha1::digest(hash);
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % CAPS_KEPT;
    format!("{number:05}")
}

/// What a client answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) wishes: Wishes,
    /// Its hash, unless it is not well formed (section 5.4).
    pub(crate) hash: Option<String>,
}

/// Looks at `<query/>`; `None` if it is larger than any client's.
pub(crate) fn examine(query: El<'_>) -> Option<Found> {
    let mut parts = 0;
    let mut features = Vec::new();
    for child in query.children() {
        parts += 1 + child.children().map(|field| 1 + field.children().count()).sum::<usize>();
        if parts > CAPS_PARTS_MAX {
            return None;
        }
        if child.is("feature", ns::DISCO_INFO) {
            features.push(child.attr("var").unwrap_or_default().into_owned());
        }
    }
    let wishes = Wishes::of(features.iter().map(String::as_str));
    let hash = text(query, features).map(|text| BASE64_STANDARD.encode(Sha1::digest(text)));
    Some(Found { wishes, hash })
}

/// Section 5.1: the text that is hashed. SHA-1 is what the protocol demands.
fn text(query: El<'_>, mut features: Vec<String>) -> Option<String> {
    let mut identities = Vec::new();
    for identity in query.children_named("identity", ns::DISCO_INFO) {
        let attr = |name| identity.attr(name).unwrap_or_default();
        let lang = identity.lang().unwrap_or_default();
        identities.push(format!("{}/{}/{lang}/{}", attr("category"), attr("type"), attr("name")));
    }
    // Section 5.4: nothing twice.
    for list in [&mut identities, &mut features] {
        list.sort();
        if list.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
    }
    let mut text = String::new();
    let mut add = |part: &str| {
        // The separator must not come from inside.
        text.push_str(&part.replace('<', "&lt;"));
        text.push('<');
    };
    identities.iter().chain(&features).for_each(|part| add(part));
    for form in forms(query)? {
        form.iter().for_each(|part| add(part));
    }
    Some(text)
}

/// XEP-0128 forms: for each its type, then each field and its values, all sorted.
fn forms(query: El<'_>) -> Option<Vec<Vec<String>>> {
    let (mut forms, mut types) = (Vec::new(), BTreeSet::new());
    for x in query.children_named("x", ns::FORMS) {
        let (mut kind, mut fields) = (None, Vec::new());
        for field in x.children_named("field", ns::FORMS) {
            let values = field.children_named("value", ns::FORMS).map(|value| value.text().into_owned());
            let mut values: Vec<String> = values.collect();
            values.sort();
            let var = field.attr("var").unwrap_or_default().into_owned();
            if var == "FORM_TYPE" {
                values.dedup();
                let hidden = field.attr("type").as_deref() == Some("hidden");
                match values.as_slice() {
                    [one] if hidden => kind = Some(one.clone()),
                    // A form whose type is not hidden is none of these.
                    [_] => {}
                    _ => return None,
                }
            } else {
                fields.push((var, values));
            }
        }
        let Some(kind) = kind else { continue };
        if !types.insert(kind.clone()) {
            return None;
        }
        fields.sort();
        let fields = fields.into_iter().flat_map(|(var, values)| std::iter::once(var).chain(values));
        forms.push(std::iter::once(kind).chain(fields).collect());
    }
    forms.sort();
    Some(forms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(inner: &str) -> Option<String> {
        let xml = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{inner}</query>");
        let tree = xml::Tree::parse(xml.as_bytes(), ns::CLIENT).unwrap();
        examine(tree.root().unwrap()).and_then(|found| found.hash)
    }

    const EXODUS: &str = "<identity category='client' name='Exodus 0.9.1' type='pc'/>\
        <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
        <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>";
    const PSI: &str = "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
        <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
        <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
        <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
        <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
        <value>urn:xmpp:dataforms:softwareinfo</value></field>\
        <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>\
        <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>\
        <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field></x>";

    /// XEP-0115 sections 5.2 and 5.3.
    #[test]
    fn hashes_the_examples() {
        assert_eq!(hash(EXODUS).as_deref(), Some("QgayPKawpkPSDYmwT/WM94uAlu0="));
        assert_eq!(hash(PSI).as_deref(), Some("q07IKJEyjvHSyhy//CH0CxmKi8w="));
    }

    #[test]
    fn ill_formed_answers_have_no_hash() {
        let feature = "<feature var='a'/>";
        let form =
            "<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value></field></x>";
        let two = form.replace("<value>a</value>", "<value>a</value><value>b</value>");
        for bad in [feature.repeat(2), form.repeat(2), two, "<identity category='a' type='b'/>".repeat(2)] {
            assert_eq!(hash(&bad), None, "{bad}");
        }
        let many: String = (0..=CAPS_PARTS_MAX).map(|n| format!("<feature var='{n}'/>")).collect();
        assert_eq!(hash(&many), None);
        let visible = form.replace(" type='hidden'", "");
        assert_eq!(hash(&visible), hash(""), "a form without hidden type does not count");
    }

    #[test]
    fn is_kept_by_hash() {
        let wishes = Wishes::from_text("urn:a\nurn:b");
        let Write::MapPut { value, key, .. } = Caps::write(&Owner::from("a"), "abc=", &wishes) else {
            panic!()
        };
        assert_eq!(*key, *place("abc="));
        assert_eq!(Caps::hydrate("abc=", &value), Some(wishes));
        assert_eq!(Caps::hydrate("abd=", &value), None, "another in its place");
    }
}
