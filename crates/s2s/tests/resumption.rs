//! Streams that go on after a break, and those who try to take over somebody else's.
//!
//! Row G-21 of the security bar.
//!
//! Not here: the ordinary case (conversations.rs).

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod pair;

use std::time::Duration;

use pair::table::{Stage, bring};
use pair::{Duo, Side, message, ours, pair, settings};
use s2s::{Purpose, Resumption, Settings, Trust};

fn theirs() -> Settings {
    Settings {
        bidi: false,
        ..settings(&["them.example", "muc.them.example", "evil.example"], "their secret")
    }
}

fn connect(from: &'static str, shows: &[&'static str], resume: Option<Box<Resumption>>) -> Duo {
    let a = Side::resuming(theirs(), pair(from, "ours.example"), Purpose::Stanzas, resume);
    let b = Side::incoming(Settings { bidi: false, ..ours() });
    let mut duo = Duo::new(a.with_certificate(&["ours.example"]), b.with_certificate(shows));
    duo.b.stores = false;
    duo
}

/// A stream of two pairs that broke when one stanza of each was not acknowledged.
fn broken() -> (Box<Resumption>, Box<Resumption>) {
    let mut duo = connect("them.example", &["them.example", "muc.them.example"], None);
    duo.run();
    let now = duo.a.now;
    duo.a.stream.add_pair(now, pair("muc.them.example", "ours.example"), None);
    duo.run();
    duo.a.send(1, &message("a@them.example", "b@ours.example", "one")).unwrap();
    duo.a.send(2, &message("room@muc.them.example", "b@ours.example", "two")).unwrap();
    duo.run();
    duo.cut();
    (duo.a.resumption.take().unwrap(), duo.b.resumption.take().unwrap())
}

#[test]
fn all_pairs_go_on_and_nothing_is_lost_or_doubled() {
    for piece in [usize::MAX, 1, 3] {
        let (sender, mut receiver) = broken();
        receiver.handle_stored(1);
        let mut duo = connect("them.example", &["them.example"], Some(sender));
        duo.piece = piece;
        duo.b.kept = Some(receiver);
        duo.run();
        let a = &duo.a.log[1..];
        assert_eq!(
            a,
            ["ready them.example>ours.example", "acked 1", "ready muc.them.example>ours.example", "resumed"],
            "{piece}"
        );
        assert!(duo.b.has("authenticated ours.example<muc.them.example"));
        let bodies = |text: &str| duo.b.log.iter().filter(|entry| entry.contains(text)).count();
        assert_eq!((bodies("<body>one"), bodies("<body>two")), (0, 1));
        let now = duo.b.now;
        duo.b.stream.handle_stored(now, 1);
        duo.run();
        assert!(duo.a.has("acked 2"));
        // Twice is possible, too.
        duo.cut();
        assert!(duo.a.resumption.is_some() && duo.b.resumption.is_some());
    }
}

#[test]
fn what_was_not_stored_at_the_break_is_not_counted_later() {
    let (sender, receiver) = broken();
    let mut duo = connect("them.example", &["them.example"], Some(sender));
    duo.b.kept = Some(receiver);
    duo.run();
    let bodies = duo.b.log.iter().filter(|entry| entry.starts_with("stanza")).count();
    assert_eq!(bodies, 2, "both come again");
    let now = duo.b.now;
    duo.b.stream.handle_stored(now, 5);
    duo.run();
    assert!(duo.a.has("acked 2") && !duo.a.is_closed(), "{:?}", duo.a.log);
}

#[test]
fn nobody_else_takes_it_over() {
    let (sender, receiver) = broken();
    let id = receiver.id().to_owned();
    let mut thief = connect("evil.example", &["evil.example"], Some(sender));
    thief.b.kept = Some(receiver);
    thief.run();
    assert!(thief.seen.contains(&format!("previd='{id}'")), "it knew the secret");
    assert!(thief.b.has("note UnexpectedManagement") && !thief.b.has("resumed"));
    assert!(!thief.b.has("them.example<") && !thief.b.has("<them.example"), "{:?}", thief.b.log);
    assert!(thief.a.has("not resumed [1, 2]"));
}

#[test]
fn the_peer_cannot_have_handled_more_than_was_sent() {
    let (sender, _) = broken();
    let mut side = bring_resuming(sender);
    assert!(side.take_sent().contains("<resume xmlns='urn:xmpp:sm:3'"));
    side.hear(b"<resumed xmlns='urn:xmpp:sm:3' h='3'/>");
    assert!(
        side.sent.contains("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='3' send-count='2'/>"),
        "{}",
        side.sent
    );
    assert_eq!(side.log.last().unwrap(), "closed Error(UndefinedCondition) [1, 2]");
    // And where it refuses, its count is still worth something.
    let (sender, _) = broken();
    let mut side = bring_resuming(sender);
    side.hear(b"<failed xmlns='urn:xmpp:sm:3' h='1'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
    assert!(side.has("acked 1") && side.has("not resumed [2]"), "{:?}", side.log);
    // It breaks again before there is an answer: nothing is lost.
    let (sender, _) = broken();
    let mut side = bring_resuming(sender);
    side.stream.handle_eof(side.now);
    side.serve();
    assert_eq!(side.resumption.take().unwrap().into_unacked(), [1, 2]);
}

/// A peer that offers to count and then does not: what was written is no better known than with one that never offered.
#[test]
fn what_was_written_has_not_arrived_because_the_peer_will_not_count() {
    let (sender, _) = broken();
    let mut side = bring_resuming(sender);
    side.hear(b"<failed xmlns='urn:xmpp:sm:3'/>");
    side.send(3, &message("a@them.example", "b@ours.example", "x")).unwrap();
    side.serve();
    assert!(!side.has("written 3"), "it may count yet: {:?}", side.log);
    side.hear(b"<failed xmlns='urn:xmpp:sm:3'/>");
    assert!(side.has("written 3") && !side.has("acked 3"), "{:?}", side.log);
    side.send(4, &message("a@them.example", "b@ours.example", "y")).unwrap();
    side.serve();
    assert!(side.has("written 4") && !side.has("acked 4"), "{:?}", side.log);
}

#[test]
fn who_does_not_answer_is_gone() {
    let (sender, _) = broken();
    let mut side = bring_resuming(sender);
    side.wait(Duration::from_secs(31));
    assert_eq!(side.log.last().unwrap(), "closed Silent [] resumable");
    let (sender, _) = broken();
    let mut side = bring_resuming(sender);
    side.hear(b"<failed xmlns='urn:xmpp:sm:3'/>");
    assert!(side.sent.contains("<enable ") && side.has("not resumed [1, 2]"));
    side.send(3, &message("a@them.example", "b@ours.example", "x")).unwrap();
    side.wait(Duration::from_secs(31));
    assert_eq!(side.log.last().unwrap(), "closed Silent [3]");
}

/// Outgoing, `<resume/>` is sent.
fn bring_resuming(resume: Box<Resumption>) -> Side {
    let header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
        from='ours.example' to='them.example' id='x' version='1.0'>";
    let features = |inner: &str| format!("{header}<stream:features>{inner}</stream:features>");
    let mut side =
        Side::resuming(theirs(), pair("them.example", "ours.example"), Purpose::Stanzas, Some(resume));
    side.certificate = Some(vec!["ours.example"]);
    side.serve();
    side.hear(features("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").as_bytes());
    side.hear(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    side.hear_tls();
    let external =
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>";
    side.hear(features(external).as_bytes());
    side.hear(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    side.hear(features("<sm xmlns='urn:xmpp:sm:3'/>").as_bytes());
    side
}

#[test]
fn a_server_without_stream_management_cannot_resume() {
    let (sender, _) = broken();
    let a = Side::resuming(theirs(), pair("them.example", "ours.example"), Purpose::Stanzas, Some(sender));
    let b = Side::incoming(Settings { stream_management: false, ..ours() });
    let mut duo = Duo::new(a.with_certificate(&["ours.example"]), b.with_certificate(&["them.example"]));
    duo.run();
    assert!(duo.a.has("not resumed [1, 2]") && duo.a.has("ready them.example>ours.example"));
}

#[test]
fn a_component_has_stanzas_of_everybody_and_acknowledges_them() {
    let mut side = bring(Stage::ComponentReady);
    side.take_sent();
    side.hear(b"<enable xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(side.take_sent(), "<enabled xmlns='urn:xmpp:sm:3'/>");
    side.send(1, &message("a@anywhere.example", "gate.example", "x")).unwrap();
    let sent = side.take_sent();
    assert_eq!(
        sent,
        "<message from='a@anywhere.example' to='gate.example' type='chat'><body>x</body></message><r xmlns='urn:xmpp:sm:3'/>"
    );
    side.hear(b"<a xmlns='urn:xmpp:sm:3' h='1'/>");
    assert!(side.has("acked 1"));
    side.hear(b"<message from='x@gate.example' to='a@anywhere.example'><body>y</body></message><r xmlns='urn:xmpp:sm:3'/>");
    assert!(side.has("<body>y</body>"));
    assert_eq!(side.take_sent(), "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    let now = side.now;
    side.stream.add_pair(now, pair("ours.example", "gate.example"), Some(Trust::Pkix));
    side.serve();
    assert!(side.has("refused ours.example>gate.example NothingOffered"));
}
