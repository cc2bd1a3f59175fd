//! What features keep of an account, on its way out of this server, or in.
//!
//! XEP-0227 1.1, XEP-0441 0.2.0 (preferences), XEP-0016 1.7.3 (the list that blocks, as others write it)
//!
//! Not here: the file that it stands in (crate `moving`), the features.

use address::Jid;
use bytes::Bytes;
use model::storage::Space;
use stanza::ns;
use xml::{El, Writer};

pub use crate::archive::{prefs_read, prefs_write};

/// One key of a map for each address that is blocked.
pub const BLOCKLIST: Space = crate::blocking::BLOCKLIST;
/// Messages that wait, a log.
pub const OFFLINE: Space = crate::offline::OFFLINE;
/// Preferences of the archive, a document.
pub const PREFS: Space = crate::archive::PREFS;
/// When the last device went away, a document.
pub const LAST: Space = crate::last::LAST;
/// Which notices were seen, a document.
pub const SEEN: Space = crate::notices::SEEN;

/// What becomes of what strangers send, and to whom the user has written, a map.
pub const STRANGERS: Space = crate::strangers::STRANGERS;
/// Whether others find the user, a document.
pub const LISTED: Space = crate::directory::LISTED;
/// By which names, a document.
pub const CARDS: Space = crate::directory::card::CARDS;

/// The name of the list that [`block_write`] writes.
const LIST: &str = "blocklist";

/// Writes blocked addresses as the default privacy list, which is what XEP-0227 has for them.
pub fn block_write<'a>(blocked: impl Iterator<Item = &'a str>) -> Bytes {
    let mut w = Writer::new(ns::PIE);
    let privacy = ns::PRIVACY;
    w.open("query", privacy).open("default", privacy).attr("name", LIST).close();
    w.open("list", privacy).attr("name", LIST);
    let mut order = 0;
    for jid in blocked {
        order += 1;
        w.open("item", privacy).attr("type", "jid").attr("value", jid).attr("action", "deny");
        w.attr_of("order", order).close();
    }
    w.open("item", privacy).attr("action", "allow").attr_of("order", order + 1).close();
    w.close().close();
    w.finish()
}

/// The addresses that the default list denies in every respect, at most `most`; and whether lists held more than that.
pub fn block_read(query: El<'_>, most: usize) -> (Vec<Jid>, bool) {
    let default = query.child("default", ns::PRIVACY).and_then(|default| default.attr("name"));
    let (mut blocked, mut more) = (Vec::new(), false);
    for list in query.children_named("list", ns::PRIVACY) {
        if default.is_none() || list.attr("name") != default {
            more = true;
            continue;
        }
        for item in list.children_named("item", ns::PRIVACY) {
            let deny = item.attr("action").as_deref() == Some("deny");
            let jid = item.attr("value").filter(|_| item.attr("type").as_deref() == Some("jid"));
            let jid = jid.and_then(|jid| Jid::parse(&jid).ok());
            match jid.filter(|_| deny && item.children().next().is_none() && blocked.len() < most) {
                Some(jid) => blocked.push(jid),
                None => more |= deny || item.attr("type").is_some(),
            }
        }
    }
    (blocked, more)
}
