//! Of which nodes a client wants to hear: the `+notify` among its features.
//!
//! XEP-0060 1.30.0 (section 9.2), XEP-0163 1.2.2 (section 4.2)
//!
//! An account knows the wishes of all its contacts' clients, and most wish for the same few nodes, which take a bit each.
//!
//! Not here: how the features become known (`peers.rs`).

use stanza::ns;

use crate::limits::{WISHES_BYTES_MAX, WISHES_MAX};

/// Nodes that many clients wish for.
const KNOWN: [&str; 18] = [
    ns::ACTIVITY,
    ns::AVATAR_DATA,
    ns::AVATAR_METADATA,
    ns::BOOKMARKS,
    ns::BOOKMARKS_OLD,
    ns::CONTACTS_NODE,
    ns::DISPLAYED,
    ns::GEOLOC,
    ns::MICROBLOG,
    ns::MOOD,
    ns::NICK,
    ns::OMEMO_BUNDLES,
    ns::OMEMO_DEVICES,
    ns::OMEMO_OLD_DEVICES,
    ns::OPENPGP_KEYS,
    ns::TUNE,
    ns::VCARD4,
    ns::VCARD4_NODE,
];

/// The wishes of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    known: u32,
    others: Option<Box<[Box<str>]>>,
}

impl Wishes {
    /// The wishes among a client's features.
    pub(crate) fn of<'f>(features: impl Iterator<Item = &'f str>) -> Wishes {
        Wishes::named(features.filter_map(|feature| feature.strip_suffix("+notify")))
    }

    /// Wishes for these nodes; what is beyond the limits is not heard.
    fn named<'n>(nodes: impl Iterator<Item = &'n str>) -> Wishes {
        let (mut wishes, mut others, mut bytes) = (Wishes::default(), Vec::<Box<str>>::new(), 0);
        for node in nodes.filter(|node| !node.is_empty() && !node.contains(char::is_control)).take(WISHES_MAX)
        {
            bytes += node.len() + 1;
            if bytes > WISHES_BYTES_MAX {
                break;
            }
            match KNOWN.iter().position(|known| *known == node) {
                Some(at) => wishes.known |= 1 << at,
                None => others.push(node.into()),
            }
        }
        wishes.others = (!others.is_empty()).then_some(others.into());
        wishes
    }

    /// As they are stored: names on lines.
    pub(crate) fn to_text(&self) -> String {
        self.nodes().collect::<Vec<_>>().join("\n")
    }

    /// What [`Wishes::to_text`] wrote.
    pub(crate) fn from_text(text: &str) -> Wishes {
        Wishes::named(text.lines())
    }

    /// Whether that node is among them.
    pub(crate) fn has(&self, node: &str) -> bool {
        let known =
            KNOWN.iter().position(|known| *known == node).is_some_and(|at| self.known & (1 << at) != 0);
        known || self.others.as_deref().unwrap_or_default().iter().any(|other| **other == *node)
    }

    /// All of them.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &str> {
        let known =
            KNOWN.iter().enumerate().filter(|(at, _)| self.known & (1 << at) != 0).map(|(_, node)| *node);
        known.chain(self.others.iter().flatten().map(|node| &**node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_a_client_wants() {
        let features =
            ["urn:a", "urn:a+notify", "urn:xmpp:avatar:metadata+notify", "+notify", "urn:b\n+notify"];
        let wishes = Wishes::of(features.into_iter());
        assert!(wishes.has("urn:a") && wishes.has("urn:xmpp:avatar:metadata"));
        assert!(!wishes.has("urn:b") && !wishes.has("") && !wishes.has("urn:xmpp:avatar:data"));
        assert_eq!(Wishes::from_text(&wishes.to_text()), wishes);
        assert_eq!(Wishes::from_text(""), Wishes::default());
    }

    #[test]
    fn hears_no_more_than_it_can_keep() {
        let many: Vec<String> = (0..WISHES_MAX * 2).map(|n| format!("urn:{n}+notify")).collect();
        assert_eq!(Wishes::of(many.iter().map(String::as_str)).nodes().count(), WISHES_MAX);
        let long = vec!["x".repeat(WISHES_BYTES_MAX / 2) + "+notify"; 3];
        assert_eq!(Wishes::of(long.iter().map(String::as_str)).nodes().count(), 1);
    }
}
