//! What the server publishes in its owner's name: by the same requests that a client would send.
//!
//! XEP-0060 1.30.0 (sections 7.1 and 7.2)
//!
//! The request goes the way of all stanzas to the account itself; its answer is heard by nobody.
//!
//! Not here: why.

use kernel::{Account, Turn};
use stanza::{Stanza, ns};
use xml::Writer;

/// Publishes an item to a node of the account. `write` writes the payload into the `<item/>`.
pub(crate) fn publish(
    turn: &mut Turn<'_, Account>,
    node: &str,
    id: &str,
    options: &[(&str, &str)],
    write: impl FnOnce(&mut Writer),
) {
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("publish", ns::PUBSUB).attr("node", node);
    w.open("item", ns::PUBSUB).attr("id", id);
    write(&mut w);
    w.close().close();
    if !options.is_empty() {
        w.open("publish-options", ns::PUBSUB).open("x", ns::FORMS).attr("type", "submit");
        for (var, value) in std::iter::once(&("FORM_TYPE", ns::PUBSUB_PUBLISH_OPTIONS)).chain(options) {
            w.open("field", ns::FORMS).attr("var", var).leaf("value", ns::FORMS, value).close();
        }
        w.close().close();
    }
    w.close();
    send(turn, w);
}

/// Takes an item of the account away, and says so.
pub(crate) fn retract(turn: &mut Turn<'_, Account>, node: &str, id: &str) {
    let mut w = Writer::new(ns::CLIENT);
    w.open("pubsub", ns::PUBSUB).open("retract", ns::PUBSUB).attr("node", node).attr("notify", "true");
    w.open("item", ns::PUBSUB).attr("id", id).close().close().close();
    send(turn, w);
}

fn send(turn: &mut Turn<'_, Account>, request: Writer) {
    let own = turn.place.jid.clone();
    turn.fx.route(Stanza::iq_set("own", request.finish()).from(&own).to(&own));
}
