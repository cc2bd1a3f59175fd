//! Entity Capabilities of the server itself: a short name for its answer to `disco#info`.
//!
//! XEP-0115 1.6.0 (sections 4 and 5)
//!
//! Not here: the capabilities of clients, which pass through; accounts read them for their nodes (pubsub).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kernel::HostFacts;
use sha1::{Digest, Sha1};
use stanza::ns;
use xml::Writer;

use crate::disco::{Disco, Info};

/// What identifies the program in `node` (section 4); any URI would do.
pub const NODE: &str = "urn:detente:server";

/// The server's capabilities, for its stream features and its presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The verification string: the hash in Base64.
    pub ver: String,
}

impl Caps {
    /// The disco node that stands for these capabilities.
    pub fn node(&self) -> String {
        format!("{NODE}#{}", self.ver)
    }

    /// Writes `<c/>`.
    pub fn write(&self, w: &mut Writer) {
        w.open("c", ns::CAPS).attr("hash", "sha-1").attr("node", NODE).attr("ver", &self.ver).close();
    }
}

/// The capabilities of a hosted domain.
pub fn of_host(disco: &Disco, facts: &HostFacts) -> Caps {
    of(&disco.host_info(facts))
}

/// Section 5.1. SHA-1 is what the protocol demands; nothing is protected by it.
pub(crate) fn of(info: &Info) -> Caps {
    let mut text = String::new();
    for id in &info.identities {
        text.push_str(&format!("{}/{}//{}<", id.category, id.ty, id.name));
    }
    let mut add = |part: &str| {
        // Steps 1 and 8: the separator must not come from inside.
        text.push_str(&part.replace('<', "&lt;"));
        text.push('<');
    };
    info.vars.iter().for_each(|var| add(var));
    for form in &info.forms {
        add(form.form_type);
        for (var, values) in &form.fields {
            add(var);
            let mut values: Vec<&String> = values.iter().collect();
            values.sort();
            values.into_iter().for_each(|value| add(value));
        }
    }
    Caps { ver: BASE64_STANDARD.encode(Sha1::digest(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disco::{Form, Identity};

    /// XEP-0115 section 5.2.
    #[test]
    fn makes_the_string_of_the_example() {
        let identity = Identity { category: "client", ty: "pc", name: "Exodus 0.9.1" };
        let vars = vec![ns::CAPS, ns::DISCO_INFO, ns::DISCO_ITEMS, ns::MUC];
        let info = Info { identities: vec![identity], vars, forms: Vec::new() };
        assert_eq!(of(&info).ver, "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }

    #[test]
    fn counts_contacts_in_any_order_of_values() {
        let info = |uris: &[&str]| Info {
            identities: vec![Identity { category: "server", ty: "im", name: "" }],
            vars: Vec::new(),
            forms: vec![Form {
                form_type: ns::SERVER_INFO,
                ty: "list-multi",
                fields: vec![("abuse-addresses".into(), uris.iter().map(|uri| (*uri).to_owned()).collect())],
            }],
        };
        assert_eq!(of(&info(&["a:1", "b:2"])), of(&info(&["b:2", "a:1"])));
        assert_ne!(of(&info(&["a:1", "b:2"])), of(&info(&["a:1"])));
        let mut w = Writer::new(ns::CLIENT);
        of(&info(&["a:1"])).write(&mut w);
        let seen = w.finish();
        assert!(seen.starts_with(
            b"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:detente:server' ver='"
        ));
    }
}
