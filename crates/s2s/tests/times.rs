//! Time: who takes too long, who is silent, what is given up.
//!
//! Rows, G-15, G-16 of the security bar.
//!
//! Not here: input that is bad whenever it comes (bad_input.rs).

mod pair;

use std::time::Duration;

use pair::table::{Stage, bring};
use pair::{Duo, Side, message, ours, pair, settings};
use s2s::{Purpose, Rate, Settings, Trust};
use stanza::StreamError;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn connected(change: impl Fn(&mut Settings)) -> Duo {
    let (mut a, mut b) = (settings(&["them.example"], "their secret"), ours());
    change(&mut a);
    change(&mut b);
    let a = Side::outgoing(a, pair("them.example", "ours.example"), Purpose::Stanzas);
    let mut duo = Duo::new(
        a.with_certificate(&["ours.example"]),
        Side::incoming(b).with_certificate(&["them.example"]),
    );
    duo.run();
    assert!(duo.a.has("ready"));
    duo
}

#[test]
fn a16_a32_negotiation_has_an_end() {
    use Stage::{Call, CallSecure, ComponentOpened, ComponentStart, Opened, Secure, Start};
    for stage in [Start, Opened, Secure, Call, CallSecure, ComponentStart, ComponentOpened] {
        let mut side = bring(stage);
        for _ in 0..290 {
            side.wait(Duration::from_millis(100));
            side.hear(b" ");
        }
        assert!(!side.is_closed(), "{stage:?}");
        side.wait(seconds(1));
        assert_eq!(side.log.last().unwrap(), "closed TooSlow []", "{stage:?}");
        assert!(side.sent.contains("<connection-timeout "), "{stage:?}");
        assert_eq!(side.stream.poll_timeout(), None);
    }
}

#[test]
fn a_handshake_that_never_ends() {
    let mut side = bring(Stage::Opened);
    side.hear(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(side.wants_tls && !side.stream.wants_input());
    side.wait(seconds(30));
    assert_eq!(side.log.last().unwrap(), "closed TooSlow []");
    assert!(!side.sent.contains("stream:error"), "nobody would understand it");
}

#[test]
fn a_question_about_a_key_has_an_end_and_many_do_not_prolong_it() {
    let ask = |n: u32| format!("<db:result from='lax{n}.example' to='ours.example'>key</db:result>");
    let mut side = bring(Stage::Secure);
    side.hear(ask(0).as_bytes());
    side.wait(seconds(59));
    assert!(!side.is_closed());
    side.wait(seconds(2));
    assert!(side.sent.contains("<remote-server-timeout "), "{}", side.sent);
    assert!(side.is_closed(), "nothing is proven, and time is over");
    let mut side = bring(Stage::Secure);
    for n in 0..9 {
        side.hear(ask(n).as_bytes());
        side.wait(seconds(10));
    }
    assert!(side.is_closed(), "{:?}", side.log);
}

#[test]
fn an_answer_to_our_key_that_never_comes() {
    let mut side = bring(Stage::Calling);
    side.wait(seconds(61));
    assert!(side.has("refused ours.example>them.example Timeout"), "{:?}", side.log);
    assert_eq!(side.log.last().unwrap(), "closed NotAuthenticated(Timeout) []");
}

#[test]
fn a_verification_that_is_never_answered() {
    let side = Side::outgoing(ours(), pair("ours.example", "lax.example"), Purpose::Verify);
    let mut duo = Duo::new(side, Side::incoming(settings(&["lax.example"], "x")));
    let verification = s2s::Verification {
        pair: pair("ours.example", "lax.example"),
        stream: "1".to_owned(),
        key: "<&>".to_owned(),
        dial: true,
    };
    let now = duo.a.now;
    duo.a.stream.verify(now, 3, verification.clone());
    duo.run();
    assert!(duo.a.has("verified 3 Invalid"), "{:?} {:?}", duo.a.log, duo.b.log);
    assert!(duo.seen.contains(">&lt;&amp;&gt;</db:verify>"));
    // Then nobody answers, or not what was asked.
    duo.a.stream.verify(now, 4, verification.clone());
    duo.a.serve();
    for (from, to, id) in [
        ("else.example", "ours.example", "1"),
        ("lax.example", "muc.ours.example", "1"),
        ("lax.example", "ours.example", "2"),
    ] {
        let answer = format!("<db:verify from='{from}' to='{to}' id='{id}' type='valid'/>");
        duo.a.hear(answer.as_bytes());
        assert_eq!(duo.a.log.last().unwrap(), "note UnsolicitedDialback", "{answer}");
    }
    duo.a.wait(seconds(61));
    assert!(duo.a.has("verified 4 Failed(RemoteServerTimeout)"));
    // And when the stream ends before.
    let mut side = Side::outgoing(ours(), pair("ours.example", "lax.example"), Purpose::Verify);
    side.stream.verify(side.now, 5, verification.clone());
    side.stream.handle_eof(side.now);
    side.serve();
    assert_eq!(side.log, ["verified 5 Failed(RemoteServerTimeout)", "closed Broken []"]);
}

#[test]
fn a_stream_for_verifications_does_not_stay() {
    let side = Side::outgoing(ours(), pair("ours.example", "lax.example"), Purpose::Verify);
    let mut duo = Duo::new(side, Side::incoming(settings(&["lax.example"], "x")));
    duo.wait(seconds(11));
    assert_eq!(duo.a.log.last().unwrap(), "closed Clean []");
    assert!(!duo.seen.contains("<auth") && !duo.seen.contains("db:result from"));
}

#[test]
fn idle_streams_are_closed_in_peace() {
    let mut duo = connected(|_| {});
    duo.wait(seconds(599));
    assert!(!duo.a.is_closed());
    duo.wait(seconds(2));
    assert_eq!(duo.a.log.last().unwrap(), "closed Clean []");
    assert_eq!(duo.b.log.last().unwrap(), "closed Clean []");
    // A stanza is a reason to stay.
    let mut duo = connected(|_| {});
    duo.wait(seconds(400));
    duo.a.send(1, &message("a@them.example", "b@ours.example", "x")).unwrap();
    duo.wait(seconds(400));
    assert!(!duo.a.is_closed());
}

#[test]
fn g16_who_does_not_acknowledge_is_gone() {
    let mut duo = connected(|_| {});
    duo.a.send(1, &message("a@them.example", "b@ours.example", "x")).unwrap();
    duo.a.take_sent();
    duo.a.wait(seconds(29));
    assert!(!duo.a.is_closed());
    duo.a.wait(seconds(2));
    assert_eq!(duo.a.log.last().unwrap(), "closed Silent [1]");
}

#[test]
fn silence_is_asked_about() {
    let mut duo = connected(|_| {});
    duo.a.wait(seconds(121));
    assert_eq!(duo.a.take_sent(), "<r xmlns='urn:xmpp:sm:3'/>");
    duo.a.wait(seconds(30));
    assert!(duo.a.has("note Silent"), "{:?}", duo.a.log);
    // Who cannot answer gets white space.
    let mut duo = connected(|settings| settings.stream_management = false);
    duo.a.wait(seconds(121));
    assert_eq!(duo.a.take_sent(), " ");
    duo.a.wait(seconds(121));
    assert_eq!(duo.a.take_sent(), " ");
    // Components stay as long as they like.
    let mut side = bring(Stage::ComponentReady);
    side.wait(seconds(100_000));
    assert!(!side.is_closed() && side.sent.trim().is_empty());
}

#[test]
fn closing_does_not_wait_for_ever() {
    let mut duo = connected(|_| {});
    let now = duo.a.now;
    duo.a.stream.close(now, None);
    duo.a.serve();
    assert!(duo.a.take_sent().ends_with("</stream:stream>"));
    duo.a.wait(seconds(4));
    assert!(!duo.a.is_closed());
    duo.a.wait(seconds(2));
    assert_eq!(duo.a.log.last().unwrap(), "closed Clean []");
    let mut duo = connected(|_| {});
    let (now, shutdown) = (duo.a.now, StreamError::from(stanza::StreamCondition::SystemShutdown));
    duo.a.stream.close(now, Some(shutdown));
    duo.run();
    assert_eq!(duo.a.log.last().unwrap(), "closed Error(SystemShutdown) []");
    assert_eq!(
        duo.b.log.last().unwrap(),
        "closed PeerError { condition: SystemShutdown, see_other_host: None } []"
    );
}

#[test]
fn too_fast_means_later() {
    let mut duo = connected(|settings| settings.rate = Rate { bytes_per_second: 1000, burst_bytes: 20_000 });
    let stanza = message("a@them.example", "b@ours.example", &"x".repeat(10_000));
    for token in 1..=3 {
        duo.a.send(token, &stanza).unwrap();
    }
    duo.run();
    assert!(!duo.b.stream.wants_input(), "reading pauses");
    duo.b.wait(seconds(30));
    assert!(duo.b.stream.wants_input() && !duo.b.is_closed());
}

#[test]
fn pairs_wait_for_the_first_one() {
    let mut side = bring(Stage::Call);
    let now = side.now;
    side.stream.add_pair(now, pair("muc.ours.example", "them.example"), Some(Trust::Pkix));
    side.serve();
    assert!(side.has("refused muc.ours.example>them.example NothingOffered"));
    let many = |n: u32| pair("ours.example", &format!("host{n}.example"));
    let mut duo = connected(|settings| settings.pairs_max = 4);
    let now = duo.a.now;
    for n in 0..5 {
        duo.a.stream.add_pair(now, many(n), Some(Trust::Pkix));
    }
    duo.run();
    assert!(duo.a.has("refused ours.example>host4.example NothingOffered"), "{:?}", duo.a.log);
}
