//! How a node of an account begins, by its name: what the specification of the node asks for.
//!
//! XEP-0163 1.2.2 (section 5), XEP-0222 1.0, XEP-0223 1.1.1, XEP-0048 1.2, XEP-0277 0.6.5, XEP-0292 0.12.0,
//! XEP-0373 0.7.0, XEP-0384 0.9.1, XEP-0402 1.2.0, XEP-0490 1.0.1
//!
//! Not here: what configuration means.

use std::sync::LazyLock;

use stanza::ns;

use crate::config::{Access, Config, ItemReply, SendLast};

/// XEP-0163 section 5: contacts see it, the last item is sent to who comes online.
static EVENT: LazyLock<Config> = LazyLock::new(|| Config {
    access_model: Access::Presence,
    send_last: SendLast::OnSubAndPresence,
    item_reply: ItemReply::None,
    max_items: Some(1),
    ..Config::service()
});
/// The same for everybody: keys to encrypt with must be there before two people know each other.
static PUBLIC: LazyLock<Config> = LazyLock::new(|| Config { access_model: Access::Open, ..EVENT.clone() });
/// Several public items, fetched when needed.
static PUBLIC_LIST: LazyLock<Config> =
    LazyLock::new(|| Config { max_items: None, send_last: SendLast::Never, ..PUBLIC.clone() });
/// XEP-0223: the owner only.
static PRIVATE: LazyLock<Config> =
    LazyLock::new(|| Config { access_model: Access::Whitelist, ..EVENT.clone() });
/// Several private items.
static PRIVATE_LIST: LazyLock<Config> =
    LazyLock::new(|| Config { max_items: None, send_last: SendLast::Never, ..PRIVATE.clone() });
/// A feed for contacts.
static FEED: LazyLock<Config> =
    LazyLock::new(|| Config { max_items: None, send_last: SendLast::Never, ..EVENT.clone() });

/// Comments of a feed (XEP-0277 section 3.2.1): beyond its name comes the post's.
fn is_under(name: &str, node: &str) -> bool {
    name.strip_prefix(node).is_some_and(|rest| rest.starts_with('/'))
}

/// The configuration with which an account's node of that name begins.
pub(crate) fn of_account(name: &str) -> &'static Config {
    match name {
        ns::BOOKMARKS | ns::DISPLAYED | ns::CONTACTS_NODE => &PRIVATE_LIST,
        ns::BOOKMARKS_OLD | ns::OPENPGP_SECRET => &PRIVATE,
        ns::OMEMO_OLD_DEVICES | ns::OMEMO_DEVICES | ns::OPENPGP_KEYS => &PUBLIC,
        ns::OMEMO_BUNDLES => &PUBLIC_LIST,
        ns::MICROBLOG => &FEED,
        _ if name.starts_with(ns::OMEMO_OLD_BUNDLES) => &PUBLIC,
        _ if name.strip_prefix(ns::OPENPGP_KEYS).is_some_and(|rest| rest.starts_with(':')) => &PUBLIC,
        _ if is_under(name, ns::MICROBLOG) => &PUBLIC_LIST,
        _ => &EVENT,
    }
}

static SERVICE: Config = Config::service();

/// The configuration with which a service's node begins.
pub(crate) fn of_service(_: &str) -> &'static Config {
    &SERVICE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_begin_as_their_specifications_ask() {
        for (name, access, items, last) in [
            ("http://jabber.org/protocol/tune", "presence", Some(1), "on_sub_and_presence"),
            ("urn:xmpp:avatar:metadata", "presence", Some(1), "on_sub_and_presence"),
            ("storage:bookmarks", "whitelist", Some(1), "on_sub_and_presence"),
            ("urn:xmpp:bookmarks:1", "whitelist", None, "never"),
            ("urn:xmpp:mds:displayed:0", "whitelist", None, "never"),
            ("eu.siacs.conversations.axolotl.devicelist", "open", Some(1), "on_sub_and_presence"),
            ("eu.siacs.conversations.axolotl.bundles:31415", "open", Some(1), "on_sub_and_presence"),
            ("urn:xmpp:omemo:2:devices", "open", Some(1), "on_sub_and_presence"),
            ("urn:xmpp:omemo:2:bundles", "open", None, "never"),
            ("urn:xmpp:openpgp:0:public-keys:ABCD", "open", Some(1), "on_sub_and_presence"),
            ("urn:xmpp:openpgp:0:secret-key", "whitelist", Some(1), "on_sub_and_presence"),
            ("urn:xmpp:microblog:0", "presence", None, "never"),
            ("urn:xmpp:microblog:0/comments/1", "open", None, "never"),
        ] {
            let config = of_account(name);
            assert_eq!(
                (config.access_model.word(), config.max_items, config.send_last.word()),
                (access, items, last),
                "{name}"
            );
            assert!(config.persist_items && config.notify_retract, "{name}");
        }
    }
}
