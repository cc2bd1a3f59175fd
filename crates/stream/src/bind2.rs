//! Bind 2: a resource and the first switches of a session, within the login.
//!
//! XEP-0386 version 1.0; with XEP-0280 version 1.0 (carbons), XEP-0198 version 1.6, XEP-0352 version 1.0, XEP-0313
//! version 1.1 section 7 (metadata).
//!
//! Not here: choosing the resource (engine).

use model::link::{Bound, ClientState, Enable, Resource};
use stanza::{Condition, ns, when};
use xml::{El, Writer};

use crate::manage;

/// Longest tag that is taken into a resource.
const TAG_BYTES_MAX: usize = 64;

/// What `<bind xmlns='urn:xmpp:bind:0'/>` asks for.
pub(crate) struct Bind2 {
    tag: String,
    pub(crate) carbons: bool,
    pub(crate) enable: Option<Enable>,
    pub(crate) client_state: ClientState,
}

/// Reads it; nothing in it can be so wrong that the login fails.
pub(crate) fn read(bind: El<'_>) -> Bind2 {
    let mut wish =
        Bind2 { tag: String::new(), carbons: false, enable: None, client_state: ClientState::Active };
    for child in bind.children() {
        match (child.ns(), child.name()) {
            (ns::BIND2, "tag") => {
                let text = child.text();
                let text = text.trim();
                // Of a tag too long nothing is left rather than a part: a cut name would be another name.
                wish.tag = if text.len() <= TAG_BYTES_MAX { text.to_owned() } else { String::new() };
            }
            (ns::CARBONS, "enable") => wish.carbons = true,
            (ns::SM, "enable") => wish.enable = Some(manage::read_enable(|name| child.attr(name))),
            (ns::CSI, "inactive") => wish.client_state = ClientState::Inactive,
            (ns::CSI, "active") => wish.client_state = ClientState::Active,
            _ => {}
        }
    }
    wish
}

impl Bind2 {
    /// How the engine shall choose the resource.
    pub(crate) fn resource(&self, client: Option<&str>) -> Resource {
        Resource::Tagged { tag: self.tag.clone(), client: client.map(str::to_owned) }
    }
}

/// Writes `<bound/>` with the results; `location` is where to resume.
pub(crate) fn write_bound(w: &mut Writer, wish: &Bind2, bound: &Bound, location: Option<&str>) {
    w.open("bound", ns::BIND2);
    if let Some(ends) = &bound.archive {
        w.open("metadata", ns::MAM);
        for (name, (id, time)) in [("start", &ends.first), ("end", &ends.last)] {
            w.open(name, ns::MAM).attr("id", id).attr("timestamp", when::milliseconds(*time)).close();
        }
        w.close();
    }
    match (&wish.enable, &bound.enabled) {
        (Some(_), Some(enabled)) => manage::write_enabled(w, enabled, location),
        (Some(_), None) => manage::write_failed(w, Condition::InternalServerError, None),
        (None, _) => {}
    }
    w.close();
}
