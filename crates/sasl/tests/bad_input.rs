//! Bad input, row by row of the security checklist (group C), through the public interface.
//!
//! Not here: rows about accounts, streams and rate limits.
#![allow(clippy::unwrap_used, reason = "a test may")]

use sasl::{
    Answer, Channel, Condition, Decoy, Exchange, Hash, Mechanism, Nonce, Offer, Password, Question,
    ScramKeys, Step, TlsVersion, Verdict, encode_base64,
};

use Condition::{MalformedRequest, NotAuthorized};

fn channel() -> Channel {
    Channel::tls(TlsVersion::Tls13, Some([3; 32]), Some(vec![4; 32]))
}

fn start(mechanism: Mechanism, allowed: &[Mechanism]) -> Exchange {
    let offer = Offer::sasl2(allowed, &channel());
    Exchange::start(mechanism, &offer, &channel(), Nonce::fixed("SERVER").unwrap()).unwrap()
}

fn failure(step: Step) -> Option<Condition> {
    match step {
        Step::Failure(condition) => Some(condition),
        Step::Success(_) => panic!("success was not expected"),
        Step::Challenge(_) | Step::Ask(_) => None,
    }
}

#[test]
fn plain() {
    let long = |n| format!("\0user\0{}", "x".repeat(n));
    let long_name = format!("\0{}\0pencil", "x".repeat(1_024));
    let long_authzid = format!("{}\0user\0pencil", "x".repeat(3_072));
    let cases: &[(&str, &[u8], Option<Condition>)] = &[
        ("ok", b"\0user\0pencil", None),
        ("C-02 no NUL", b"user", Some(MalformedRequest)),
        ("C-02 one NUL", b"user\0pencil", Some(MalformedRequest)),
        ("C-02 three NULs", b"\0user\0pen\0cil", Some(MalformedRequest)),
        ("C-02 four NULs", b"\0user\0pen\0c\0il", Some(MalformedRequest)),
        ("C-02 no name", b"\0\0pencil", Some(MalformedRequest)),
        ("C-02 no password", b"\0user\0", Some(MalformedRequest)),
        ("C-02 nothing", b"", Some(MalformedRequest)),
        ("C-02 only NULs", b"\0\0", Some(MalformedRequest)),
        ("C-02 not UTF-8", b"\0user\0\xff", Some(MalformedRequest)),
        ("C-11 long name", long_name.as_bytes(), Some(MalformedRequest)),
        ("C-01 long authzid", long_authzid.as_bytes(), Some(MalformedRequest)),
        ("C-12 1,023 bytes", &long(1_023).into_bytes(), None),
        ("C-12 1,024 bytes", &long(1_024).into_bytes(), Some(MalformedRequest)),
        ("C-12 1 MiB", &long(1 << 20).into_bytes(), Some(MalformedRequest)),
        ("C-13 empty after preparation", "\0user\0\u{ad}".as_bytes(), Some(NotAuthorized)),
        ("C-13 forbidden", b"\0user\0pen\x07cil", Some(NotAuthorized)),
    ];
    for (row, message, expected) in cases {
        let mut exchange = start(Mechanism::Plain, &Mechanism::ALL);
        assert_eq!(failure(exchange.handle_initial(Some(message))), *expected, "{row}");
    }
}

#[test]
fn c01_authzid_is_handed_over_unchanged() {
    let ask = |mechanism, message: &[u8], answer: &dyn Fn() -> Answer| {
        let mut exchange = start(mechanism, &Mechanism::ALL);
        assert_eq!(failure(exchange.handle_initial(Some(message))), None);
        match exchange.handle_answer(answer()) {
            Step::Success(success) => success.authzid,
            _ => panic!("success was expected"),
        }
    };
    let right = || Answer::Verdict(Verdict::Accepted);
    let proved = || Answer::Certificate(Ok("user@example.org".to_owned()));
    for authzid in ["other@example.org", "USER@example.org", "user@example.org/x", "example.org"] {
        let message = format!("{authzid}\0user\0pencil");
        assert_eq!(ask(Mechanism::Plain, message.as_bytes(), &right).as_deref(), Some(authzid));
        assert_eq!(ask(Mechanism::External, authzid.as_bytes(), &proved).as_deref(), Some(authzid));
    }
    assert_eq!(ask(Mechanism::Plain, b"\0user\0pencil", &right), None);
    assert_eq!(ask(Mechanism::External, b"", &proved), None);
}

#[test]
fn scram_first() {
    let huge = format!("n,,n=user,r=abc,z={}", "x".repeat(9_000));
    let with_plus = &Mechanism::ALL[..];
    let without_plus = &[Mechanism::ScramSha256][..];
    let (bare, plus) = (Mechanism::ScramSha256, Mechanism::ScramSha256Plus);
    for (row, mechanism, allowed, message, expected) in [
        ("ok", bare, with_plus, "n,,n=user,r=abc", None),
        ("ok, y and nothing offered", bare, without_plus, "y,,n=user,r=abc", None),
        ("C-06 y while PLUS is offered", bare, with_plus, "y,,n=user,r=abc", Some(NotAuthorized)),
        ("C-06 y with PLUS", plus, with_plus, "y,,n=user,r=abc", Some(MalformedRequest)),
        ("C-06 n with PLUS", plus, with_plus, "n,,n=user,r=abc", Some(MalformedRequest)),
        ("C-07 p without PLUS", bare, with_plus, "p=tls-exporter,,n=user,r=abc", Some(MalformedRequest)),
        ("C-07 unknown kind", plus, with_plus, "p=tls-unique,,n=user,r=abc", Some(MalformedRequest)),
        ("C-07 no kind", plus, with_plus, "p=,,n=user,r=abc", Some(MalformedRequest)),
        ("C-10 unknown extension", bare, with_plus, "n,,n=user,r=abc,z=1", None),
        ("C-10 mandatory extension", bare, with_plus, "n,,m=1,n=user,r=abc", Some(MalformedRequest)),
        ("C-11 lone =", bare, with_plus, "n,,n=us=er,r=abc", Some(MalformedRequest)),
        ("too long", bare, with_plus, &huge, Some(MalformedRequest)),
    ] {
        let mut exchange = start(mechanism, allowed);
        assert_eq!(failure(exchange.handle_initial(Some(message.as_bytes()))), expected, "{row}");
    }
}

#[test]
fn c11_names_are_unescaped() {
    let mut exchange = start(Mechanism::ScramSha1, &Mechanism::ALL);
    match exchange.handle_initial(Some("n,,n=a=2Cb=3Dc=3D2C\u{fc},r=abc".as_bytes())) {
        Step::Ask(Question::Keys { username, hash: Hash::Sha1 }) => assert_eq!(username, "a,b=c=2C\u{fc}"),
        _ => panic!("the question for keys was expected"),
    }
}

#[test]
fn scram_final() {
    let proof = encode_base64(&[0; 32]);
    let bound = |data: &[u8]| encode_base64(data);
    let good = bound(b"n,,");
    for (row, message, expected) in [
        ("C-08 server nonce altered", format!("c={good},r=abcSERVEX,p={proof}"), NotAuthorized),
        ("C-08 server nonce cut", format!("c={good},r=abcSERVE,p={proof}"), NotAuthorized),
        ("C-08 server nonce missing", format!("c={good},r=abc,p={proof}"), NotAuthorized),
        ("C-08 nonce empty", format!("c={good},r=,p={proof}"), NotAuthorized),
        ("C-09 other flag", format!("c={},r=abcSERVER,p={proof}", bound(b"y,,")), NotAuthorized),
        ("C-09 other authzid", format!("c={},r=abcSERVER,p={proof}", bound(b"n,a=x,")), NotAuthorized),
        ("C-09 data added", format!("c={},r=abcSERVER,p={proof}", bound(b"n,,x")), NotAuthorized),
        ("C-09 empty", format!("c=,r=abcSERVER,p={proof}"), NotAuthorized),
        ("C-10 mandatory", format!("c={good},r=abcSERVER,m=1,p={proof}"), MalformedRequest),
        ("wrong proof", format!("c={good},r=abcSERVER,p={proof}"), NotAuthorized),
        ("short proof", format!("c={good},r=abcSERVER,p={}", encode_base64(&[0; 20])), MalformedRequest),
        ("no proof", format!("c={good},r=abcSERVER"), MalformedRequest),
        ("empty", String::new(), MalformedRequest),
        ("first again", "n,,n=user,r=abc".to_owned(), MalformedRequest),
    ] {
        // The same for a user who exists and one who does not.
        for known in [true, false] {
            let mut exchange = challenged(known);
            assert_eq!(
                failure(exchange.handle_response(message.as_bytes())),
                Some(expected),
                "{row} {known}"
            );
        }
    }
}

fn challenged(known: bool) -> Exchange {
    let mut exchange = start(Mechanism::ScramSha256, &Mechanism::ALL);
    assert_eq!(failure(exchange.handle_initial(Some(b"n,,n=user,r=abc"))), None);
    let password = Password::parse("pencil").unwrap();
    let found = known.then(|| ScramKeys::derive(Hash::Sha256, &password, b"salt", 4_096).unwrap());
    let keys = Decoy::new(&[1; 32]).keys("user", Hash::Sha256, found);
    assert_eq!(failure(exchange.handle_answer(Answer::Keys(keys))), None);
    exchange
}

#[test]
fn c15_only_offered_mechanisms_start() {
    let offer = Offer::sasl2(&[Mechanism::ScramSha256], &channel());
    for mechanism in Mechanism::ALL {
        let started = Exchange::start(mechanism, &offer, &channel(), Nonce::random().unwrap());
        let expected = (mechanism != Mechanism::ScramSha256).then_some(Condition::InvalidMechanism);
        assert_eq!(started.err(), expected, "{}", mechanism.name());
    }
}

#[test]
fn c16_messages_out_of_turn() {
    let first = b"\0user\0pencil";
    let mut exchange = start(Mechanism::Plain, &Mechanism::ALL);
    assert_eq!(failure(exchange.handle_abort()), Some(Condition::Aborted));
    assert_eq!(failure(exchange.handle_initial(Some(first))), Some(MalformedRequest));

    let mut exchange = start(Mechanism::Plain, &Mechanism::ALL);
    assert_eq!(failure(exchange.handle_initial(Some(first))), None);
    assert_eq!(failure(exchange.handle_response(first)), Some(MalformedRequest), "while a question is open");
    let late = exchange.handle_answer(Answer::Verdict(Verdict::Accepted));
    assert_eq!(failure(late), Some(Condition::TemporaryAuthFailure), "the exchange is over");

    let mut exchange = challenged(true);
    assert_eq!(failure(exchange.handle_initial(Some(first))), Some(MalformedRequest), "initial twice");
    assert_eq!(failure(exchange.handle_response(first)), Some(MalformedRequest));
}

#[test]
fn answers_of_the_wrong_kind_and_no_answer_end_in_a_temporary_failure() {
    let keys = || Decoy::new(&[1; 32]).keys("user", Hash::Sha1, None);
    for (mechanism, message, answer) in [
        (Mechanism::Plain, &b"\0user\0pencil"[..], Answer::Unavailable),
        (Mechanism::Plain, b"\0user\0pencil", Answer::Certificate(Ok("user".to_owned()))),
        (Mechanism::ScramSha256, b"n,,n=user,r=abc", Answer::Verdict(Verdict::Accepted)),
        (Mechanism::ScramSha256, b"n,,n=user,r=abc", Answer::Keys(keys())),
        (Mechanism::External, b"", Answer::Tokens(Vec::new())),
    ] {
        let mut exchange = start(mechanism, &Mechanism::ALL);
        assert_eq!(failure(exchange.handle_initial(Some(message))), None);
        assert_eq!(failure(exchange.handle_answer(answer)), Some(Condition::TemporaryAuthFailure));
    }
}

#[test]
fn a_missing_initial_response_is_asked_for() {
    for mechanism in Mechanism::ALL {
        let mut exchange = start(mechanism, &Mechanism::ALL);
        match exchange.handle_initial(None) {
            Step::Challenge(message) => assert!(message.is_empty()),
            _ => panic!("an empty challenge was expected"),
        }
        if mechanism == Mechanism::Plain {
            assert_eq!(failure(exchange.handle_response(b"\0user\0pencil")), None);
        }
    }
}

#[test]
fn tokens_external_anonymous() {
    let token = |name: &[u8], proof: usize| [name, &vec![0; proof][..]].concat();
    let (ht, long_name) = (Mechanism::HtSha256None, [vec![b'x'; 1_024], vec![0]].concat());
    for (row, mechanism, message, expected) in [
        ("ok", ht, token(b"user\0", 32), None),
        ("no NUL", ht, vec![b'x'; 36], Some(MalformedRequest)),
        ("no name", ht, token(b"\0", 32), Some(MalformedRequest)),
        ("short", ht, token(b"user\0", 31), Some(MalformedRequest)),
        ("long", ht, token(b"user\0", 33), Some(MalformedRequest)),
        ("C-11 long name", ht, token(&long_name, 32), Some(MalformedRequest)),
        ("not UTF-8", ht, token(b"\xff\0", 32), Some(MalformedRequest)),
        ("NUL", Mechanism::External, b"a\0b".to_vec(), Some(MalformedRequest)),
        ("not UTF-8", Mechanism::External, b"\xff".to_vec(), Some(MalformedRequest)),
        ("C-01 long", Mechanism::External, vec![b'x'; 3_072], Some(MalformedRequest)),
        ("NUL", Mechanism::Anonymous, b"\0".to_vec(), Some(MalformedRequest)),
        ("long", Mechanism::Anonymous, vec![b'x'; 256], Some(MalformedRequest)),
    ] {
        let mut exchange = start(mechanism, &Mechanism::ALL);
        assert_eq!(failure(exchange.handle_initial(Some(&message))), expected, "{} {row}", mechanism.name());
    }
    let mut exchange = start(Mechanism::Anonymous, &Mechanism::ALL);
    match exchange.handle_initial(Some(b"trace")) {
        Step::Success(success) => assert_eq!((success.username, success.authzid), (None, None)),
        _ => panic!("success was expected"),
    }
    let mut exchange = start(Mechanism::External, &Mechanism::ALL);
    assert_eq!(failure(exchange.handle_initial(Some(b""))), None);
    let refused = exchange.handle_answer(Answer::Certificate(Err(Condition::InvalidAuthzid)));
    assert_eq!(failure(refused), Some(Condition::InvalidAuthzid), "C-20");
}
