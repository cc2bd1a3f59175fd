//! Two servers talk to each other: every way to authenticate, both directions, several pairs, stream management.
//!
//! Not here: bad input (bad_input.rs), time (times.rs).

mod pair;

use pair::{Duo, Side, dial, message, ours, pair, settings};
use s2s::{Answer, Ask, Policy, Proof, Purpose, Settings, Trust, Unsendable, Verdict};

fn theirs() -> Settings {
    settings(&["them.example", "muc.them.example", "lax.example", "plain.example"], "their secret")
}

/// `us` has connected to `ours.example`, and each shows a certificate valid for that list.
fn connected(
    us: &str,
    a_shows: &[&'static str],
    b_shows: &[&'static str],
    change: impl Fn(&mut Settings),
) -> Duo {
    let (mut a, mut b) = (theirs(), ours());
    change(&mut a);
    change(&mut b);
    let a = Side::outgoing(a, pair(us, "ours.example"), Purpose::Stanzas).with_certificate(b_shows);
    let b = Side::incoming(b).with_certificate(a_shows);
    Duo::new(a, b)
}

fn external() -> Duo {
    connected("them.example", &["them.example"], &["ours.example"], |_| {})
}

fn without_bidi() -> Duo {
    connected("them.example", &["them.example"], &["ours.example"], |settings| settings.bidi = false)
}

fn both(duo: &Duo) -> (Vec<String>, Vec<String>) {
    (duo.a.log.clone(), duo.b.log.clone())
}

#[test]
fn external_with_bidi() {
    let mut duo = external();
    duo.run();
    let a = [
        "starttls",
        "authenticated them.example<ours.example Certificate(Pkix)",
        "ready them.example>ours.example",
    ];
    let b = [
        "starttls",
        "authenticated ours.example<them.example Certificate(Pkix)",
        "ready ours.example>them.example",
    ];
    assert_eq!(both(&duo), (a.map(str::to_owned).to_vec(), b.map(str::to_owned).to_vec()));
    assert!(duo.seen.contains(
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
    ));
    assert!(duo.seen.contains("mechanism='EXTERNAL'>dGhlbS5leGFtcGxl</auth>"));
    assert!(duo.seen.contains("<bidi xmlns='urn:xmpp:bidi'><limits xmlns='urn:xmpp:stream-limits:0'>"));
    duo.a.send(1, &message("a@them.example/r", "b@ours.example", "one")).unwrap();
    duo.b.send(2, &message("b@ours.example", "a@them.example/r", "two")).unwrap();
    duo.run();
    assert!(duo.b.has(
        "stanza <message from='a@them.example/r' to='b@ours.example' type='chat'><body>one</body></message>"
    ));
    assert!(duo.a.has("<body>two</body>"));
    assert!(duo.a.has("acked 1") && duo.b.has("acked 2"), "{:?} {:?}", duo.a.log, duo.b.log);
}

#[test]
fn every_split_is_the_same() {
    let mut whole = external();
    whole.run();
    for piece in [1, 2, 3, 7, 64] {
        let mut duo = external();
        duo.piece = piece;
        duo.run();
        assert_eq!(both(&duo), both(&whole), "{piece}");
        assert_eq!(duo.seen.len(), whole.seen.len());
    }
}

#[test]
fn without_bidi_only_one_side_sends() {
    let mut duo = without_bidi();
    duo.run();
    assert!(duo.a.stream.is_ready("them.example", "ours.example"));
    assert!(!duo.b.has("ready") && duo.b.has("authenticated"));
    let back = message("b@ours.example", "a@them.example/r", "x");
    assert_eq!(duo.b.send(1, &back), Err(Unsendable::NotReady));
    let strange = message("a@muc.them.example", "b@ours.example", "x");
    assert_eq!(duo.a.send(1, &strange), Err(Unsendable::NotReady), "another pair");
}

/// Answers the one open question by dialing the authoritative server.
fn verify_by_dialing(side: &mut Side, asker: Settings, authority: Settings) -> Verdict {
    let Some(Ask::Verify(number, verification)) = side.open_asks.pop() else { panic!("no question") };
    assert!(verification.dial);
    let verdict = dial(asker, authority, verification);
    side.stream.handle_answer(side.now, Answer::Verified(number, verdict));
    side.serve();
    verdict
}

#[test]
fn dialback_where_the_operator_allows_it() {
    let mut duo = connected("lax.example", &[], &["ours.example"], |_| {});
    duo.run();
    assert!(!duo.a.has("ready"));
    let verdict = verify_by_dialing(&mut duo.b, ours(), theirs());
    assert_eq!(verdict, Verdict::Valid(Proof::Dialback));
    duo.run();
    assert!(duo.a.has("ready lax.example>ours.example"));
    assert!(duo.b.has("authenticated ours.example<lax.example Dialback"));
    assert!(duo.seen.contains("<db:result from='lax.example' to='ours.example'>"));
    assert!(duo.seen.contains("<db:result from='ours.example' to='lax.example' type='valid'/>"));
    duo.a.send(1, &message("a@lax.example", "b@muc.ours.example", "x")).unwrap_err();
    duo.a.send(1, &message("a@lax.example", "b@ours.example", "x")).unwrap();
    duo.run();
    assert!(duo.b.has("<body>x</body>") && duo.a.has("acked 1"));
}

#[test]
fn g01_a_key_of_another_server_is_invalid() {
    let mut duo = connected("lax.example", &[], &["ours.example"], |_| {});
    duo.run();
    let mut authority = theirs();
    authority.dialback = Some(s2s::Secret::new(*b"another secret"));
    assert_eq!(verify_by_dialing(&mut duo.b, ours(), authority), Verdict::Invalid);
    duo.run();
    assert!(duo.a.has("refused lax.example>ours.example Invalid"), "{:?}", duo.a.log);
    assert!(duo.a.is_closed() && duo.b.is_closed());
    assert!(!duo.b.has("authenticated"));
}

#[test]
fn a_certificate_spares_the_call() {
    let mut duo = external();
    duo.run();
    duo.a.certificate = Some(vec!["ours.example"]);
    // Another domain of theirs, for which the certificate they showed is valid too.
    duo.b.certificate.as_mut().unwrap().push("muc.them.example");
    let now = duo.a.now;
    duo.a.stream.add_pair(now, pair("muc.them.example", "ours.example"), None);
    duo.run();
    assert!(duo.a.has("ready muc.them.example>ours.example"), "{:?}", duo.a.log);
    assert!(duo.b.has("authenticated ours.example<muc.them.example Certificate(Pkix)"));
    duo.a.send(1, &message("room@muc.them.example/n", "b@ours.example", "x")).unwrap();
    duo.run();
    assert!(duo.b.has("from='room@muc.them.example/n'"));
}

#[test]
fn a_target_may_be_added_if_its_certificate_is_right() {
    let mut duo = external();
    duo.run();
    let now = duo.a.now;
    duo.a.stream.add_pair(now, pair("them.example", "muc.ours.example"), None);
    duo.run();
    assert!(duo.a.has("refused them.example>muc.ours.example Certificate"));
    duo.a.stream.add_pair(now, pair("them.example", "muc.ours.example"), Some(Trust::Pkix));
    duo.run();
    assert!(duo.a.has("ready them.example>muc.ours.example"), "{:?}", duo.a.log);
    duo.a.stream.add_pair(now, pair("them.example", "other.example"), Some(Trust::Dane));
    duo.run();
    assert!(
        duo.a.has("refused them.example>other.example Failed(ItemNotFound)"),
        "the stream stays: {:?}",
        duo.a.log
    );
    assert!(duo.a.stream.is_ready("them.example", "ours.example"));
}

#[test]
fn on_a_bidirectional_stream_the_acceptor_may_add_pairs() {
    let mut duo = external();
    duo.run();
    let now = duo.b.now;
    duo.b.stream.add_pair(now, pair("muc.ours.example", "them.example"), None);
    duo.run();
    // Their shell looks at our certificate only, and it does not say so.
    assert!(duo.a.has("verify muc.ours.example dial=false"), "{:?}", duo.a.log);
    let Some(Ask::Verify(number, _)) = duo.a.open_asks.pop() else { panic!() };
    let proven = Verdict::Valid(Proof::Certificate(Trust::Dane));
    duo.a.stream.handle_answer(now, Answer::Verified(number, proven));
    duo.run();
    assert!(duo.b.has("ready muc.ours.example>them.example"));
    duo.b.send(5, &message("room@muc.ours.example/n", "a@them.example", "x")).unwrap();
    duo.run();
    assert!(duo.a.has("from='room@muc.ours.example/n'"));
}

#[test]
fn g02_who_chose_the_id_of_the_stream_proves_by_certificate() {
    let a =
        Side::outgoing(ours(), pair("ours.example", "lax.example"), Purpose::Stanzas).with_certificate(&[]);
    let b = Side::incoming(settings(&["lax.example", "muc.lax.example"], "x"))
        .with_certificate(&["ours.example"]);
    let mut duo = Duo::new(a, b);
    duo.run();
    assert!(duo.a.has("authenticated ours.example<lax.example Dialback"), "{:?}", duo.a.log);
    let now = duo.b.now;
    duo.b.stream.add_pair(now, pair("muc.lax.example", "ours.example"), None);
    duo.run();
    assert!(duo.a.has("verify muc.lax.example dial=false"), "{:?}", duo.a.log);
}

#[test]
fn a_proof_must_suffice_for_the_recipients_domain_too() {
    let mut side = pair::table::bring(pair::table::Stage::Lax);
    side.hear(b"<message from='a@lax.example' to='room@muc.ours.example'/>");
    assert!(side.has("note Blocked") && side.sent.contains("<policy-violation "), "{:?}", side.log);
}

#[test]
fn g09_a_wrong_certificate_is_refused_on_both_sides() {
    // The one that was called shows a wrong one: we leave.
    let mut duo = connected("them.example", &["them.example"], &["else.example"], |_| {});
    duo.run();
    assert_eq!(duo.a.log.last().unwrap(), "closed Certificate []");
    assert!(!duo.seen.contains("<auth"));
    // The caller shows a wrong one: EXTERNAL and dialback are not offered.
    let mut duo = connected("them.example", &["else.example"], &["ours.example"], |_| {});
    duo.run();
    assert!(!duo.b.has("authenticated") && !duo.seen.contains("EXTERNAL"));
    assert!(duo.b.has("note Certificate"));
    // It tries dialback, because our header declares it, and hears why not.
    assert!(duo.a.has("refused them.example>ours.example"), "{:?}", duo.a.log);
    // None at all, the same.
    let (a, b) = (theirs(), ours());
    let a = Side::outgoing(a, pair("them.example", "ours.example"), Purpose::Stanzas)
        .with_certificate(&["ours.example"]);
    let mut duo = Duo::new(a, Side::incoming(b));
    duo.run();
    assert!(duo.a.has("Failed(NotAuthorized)") && !duo.b.has("authenticated"), "{:?}", duo.a.log);
}

#[test]
fn plain_text_only_where_the_operator_allows_it() {
    let no_tls = |settings: &mut Settings| settings.starttls = false;
    let mut duo = connected("them.example", &[], &[], no_tls);
    duo.run();
    assert_eq!(duo.a.log, ["closed NoTls []"]);
    assert!(!duo.seen.contains("db:result from"));
    // `plain.example` calls; for ours.example itself the caller wants TLS, so it must be excepted too.
    let mut a = settings(&["plain.example"], "their secret");
    a.domains = std::sync::Arc::new(Anything);
    let mut b = ours();
    b.starttls = false;
    let a = Side::outgoing(a, pair("plain.example", "ours.example"), Purpose::Stanzas);
    let mut duo = Duo::new(a, Side::incoming(b));
    duo.b.verdict = Some(Verdict::Valid(Proof::Dialback));
    duo.run();
    assert!(duo.a.has("ready plain.example>ours.example"), "{:?} {:?}", duo.a.log, duo.b.log);
    assert!(!duo.seen.contains("resume='true'>") && !duo.seen.contains("enabled id"), "no secret in clear");
}

#[derive(Debug)]
struct Anything;

impl s2s::Domains for Anything {
    fn serves(&self, domain: &str) -> bool {
        domain == "plain.example"
    }

    fn policy(&self, _: &str, _: Option<&str>) -> Policy {
        Policy { allowed: true, require_tls: false, require_certificate: false }
    }
}

#[test]
fn a_broken_stream_is_resumed() {
    let mut duo = without_bidi();
    duo.run();
    duo.b.stores = false;
    for token in 1..=4 {
        duo.a.send(token, &message("a@them.example", "b@ours.example", &token.to_string())).unwrap();
    }
    duo.run();
    // Two are stored before the break, one while there is no stream.
    duo.b.stream.handle_stored(duo.b.now, 2);
    duo.run();
    assert!(duo.a.has("acked 2") && !duo.a.has("acked 3"), "{:?}", duo.a.log);
    duo.cut();
    assert_eq!(duo.a.log.last().unwrap(), "closed Broken [] resumable");
    let (sender, mut receiver) = (duo.a.resumption.take(), duo.b.resumption.take().unwrap());
    assert_eq!(receiver.unstored(), 2);
    receiver.handle_stored(1);

    let no_bidi = |mut settings: Settings| {
        settings.bidi = false;
        settings
    };
    let own = pair("them.example", "ours.example");
    let a =
        Side::resuming(no_bidi(theirs()), own, Purpose::Stanzas, sender).with_certificate(&["ours.example"]);
    let mut duo = Duo::new(a, Side::incoming(no_bidi(ours())).with_certificate(&["them.example"]));
    // The fourth was never stored, say: it comes again.
    duo.b.kept = Some(receiver);
    duo.run();
    assert!(duo.a.has("resumed") && duo.b.has("resumed"), "{:?} {:?}", duo.a.log, duo.b.log);
    let acked: Vec<&String> = duo.a.log.iter().filter(|entry| entry.starts_with("acked")).collect();
    assert_eq!(acked, ["acked 3", "acked 4"]);
    assert!(duo.b.has("<body>4</body>") && !duo.b.has("<body>3</body>"));
    duo.a.send(9, &message("a@them.example", "b@ours.example", "9")).unwrap();
    duo.run();
    assert!(duo.a.has("acked 9"));
}

#[test]
fn a_stream_that_nobody_kept_is_not_resumed() {
    let mut duo = without_bidi();
    duo.run();
    duo.b.stores = false;
    for token in 1..=3 {
        duo.a.send(token, &message("a@them.example", "b@ours.example", "x")).unwrap();
    }
    duo.run();
    duo.cut();
    let sender = duo.a.resumption.take();
    let own = pair("them.example", "ours.example");
    let a = Side::resuming(theirs(), own, Purpose::Stanzas, sender).with_certificate(&["ours.example"]);
    let mut duo = Duo::new(a, Side::incoming(ours()).with_certificate(&["them.example"]));
    duo.run();
    assert!(duo.a.has("not resumed [1, 2, 3]"), "{:?}", duo.a.log);
    assert!(duo.a.has("ready them.example>ours.example"));
    duo.a.send(4, &message("a@them.example", "b@ours.example", "x")).unwrap();
    duo.run();
    assert!(duo.a.has("acked 4"), "counting has begun anew");
}

#[test]
fn without_stream_management_written_counts() {
    let mut duo = connected("them.example", &["them.example"], &["ours.example"], |settings| {
        settings.stream_management = false;
    });
    duo.run();
    duo.a.send(1, &message("a@them.example", "b@ours.example", "x")).unwrap();
    assert!(duo.a.has("written 1"));
    duo.cut();
    assert_eq!(duo.a.log.last().unwrap(), "closed Broken []");
}

#[test]
fn g19_a_stanza_that_is_too_large_for_the_peer_is_not_sent() {
    let mut duo = external();
    duo.run();
    let large = message("a@them.example", "b@ours.example", &"x".repeat(600_000));
    assert_eq!(duo.a.send(1, &large), Err(Unsendable::TooLarge(524_288)));
    duo.a.send(2, &message("a@them.example", "b@ours.example", "small")).unwrap();
    duo.run();
    assert!(duo.b.has("small") && !duo.b.is_closed() && duo.a.has("acked 2"));
    // The limit within <bidi/> holds for the other direction.
    let large = message("b@ours.example", "a@them.example", &"x".repeat(600_000));
    assert_eq!(duo.b.send(1, &large), Err(Unsendable::TooLarge(524_288)));
}

#[test]
fn g16_only_so_much_may_be_unacknowledged() {
    let mut duo =
        connected("them.example", &["them.example"], &["ours.example"], |settings| settings.unacked_max = 3);
    duo.run();
    let stanza = message("a@them.example", "b@ours.example", "x");
    for token in 1..=3 {
        duo.a.send(token, &stanza).unwrap();
    }
    assert_eq!(duo.a.send(4, &stanza), Err(Unsendable::Full));
    duo.run();
    duo.a.send(4, &stanza).unwrap();
}

#[test]
fn what_waits_to_be_stored_stops_reading() {
    let mut duo =
        connected("them.example", &["them.example"], &["ours.example"], |settings| settings.unstored_max = 2);
    duo.run();
    duo.b.stores = false;
    for token in 1..=4 {
        duo.a.send(token, &message("a@them.example", "b@ours.example", "x")).unwrap();
    }
    duo.run();
    let stanzas = |side: &Side| side.log.iter().filter(|entry| entry.starts_with("stanza")).count();
    assert_eq!((stanzas(&duo.b), duo.b.stream.wants_input()), (2, false));
    let now = duo.b.now;
    duo.b.stream.handle_stored(now, 1);
    duo.run();
    assert_eq!((stanzas(&duo.b), duo.b.stream.wants_input()), (3, false));
    duo.b.stream.handle_stored(now, 2);
    duo.run();
    assert_eq!((stanzas(&duo.b), duo.b.stream.wants_input()), (4, true));
}

#[test]
fn closing_waits_for_what_is_under_way() {
    let mut duo = external();
    duo.run();
    let now = duo.a.now;
    duo.b.send(1, &message("b@ours.example", "a@them.example", "late")).unwrap();
    duo.a.stream.close(now, None);
    duo.run();
    assert_eq!(
        duo.b.log.last().unwrap(),
        "closed Clean [1]",
        "not acknowledged after the goodbye: {:?}",
        duo.b.log
    );
    assert_eq!(duo.a.log.last().unwrap(), "closed Clean []");
}
