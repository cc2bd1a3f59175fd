//! What only BOSH does: elements that were read by the parser of the body, and what its frames look like.
//!
//! XEP-0206 version 1.4.
//!
//! Not here: everything that BOSH has in common with the other transports (the other files).
#![allow(clippy::unwrap_used, reason = "a test")]

mod pair;

use model::link::Transport;
use pair::{Pair, settings};
use stream::{Frame, Misbehaviour};
use xml::{Event, Framing, Limits, Parser};

/// The children of a body, as `net` hands them over.
fn children(limits: Limits, inner: &str) -> Vec<xml::Element> {
    let mut parser = Parser::new(Framing::Wrapper("jabber:client"), limits);
    parser.push(format!("<body xmlns='http://jabber.org/protocol/httpbind'>{inner}</body>").as_bytes());
    let mut children = Vec::new();
    while let Some(event) = parser.next().unwrap() {
        if let Event::Element(element) = event {
            children.push(element);
        }
    }
    children
}

#[test]
fn elements_of_a_body_need_no_second_parser() {
    let mut pair = Pair::bound(Transport::Bosh);
    let inner =
        "<message xmlns='jabber:client' id='1'><body>a</body></message><presence xmlns='jabber:client'/>";
    for element in children(pair.stream.limits(), inner) {
        pair.stream.handle_element(pair.now, element);
        pair.run();
    }
    assert_eq!(
        pair.ups(),
        [
            "stanza <message from='juliet@example.org/balcony' id='1'><body>a</body></message>",
            "stanza <presence from='juliet@example.org/balcony'/>"
        ]
    );
    // Without its own namespace a stanza belongs to BOSH, and has no place here.
    for element in children(pair.stream.limits(), "<message/>") {
        pair.stream.handle_element(pair.now, element);
        pair.run();
    }
    assert!(pair.heard().contains("<unsupported-stanza-type "));
}

#[test]
fn a_body_that_cannot_be_read_ends_the_stream() {
    let mut pair = Pair::bound(Transport::Bosh);
    let error = xml::Error::Restricted(xml::Restricted::Comment);
    pair.stream.handle_bad_xml(pair.now, error);
    pair.run();
    assert_eq!(pair.notes, [Misbehaviour::Xml(error)]);
    assert_eq!(pair.ups(), ["closed 7 Broken"]);
    let stream_error = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
        <restricted-xml xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    assert_eq!(pair.stream.take_frame(), Some(Frame::Element(stream_error.into())));
    assert_eq!(pair.stream.take_frame(), Some(Frame::Terminate { error: true }));
    assert_eq!(pair.stream.take_frame(), None);
}

#[test]
fn limits_follow_authentication() {
    for transport in pair::TRANSPORTS {
        let mut pair = Pair::secured(transport, settings());
        assert_eq!(pair.stream.limits(), Limits::BEFORE_AUTH);
        pair.log_in();
        assert_eq!(pair.stream.limits(), Limits::CLIENT);
    }
}
