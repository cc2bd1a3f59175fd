//! Whatever a client says, it gets in only with the password, and nothing panics.
//!
//! Not here: coverage-guided fuzzing.
#![allow(clippy::unwrap_used, reason = "a test may")]

use proptest::prelude::*;
use sasl::{
    Answer, Candidate, Channel, Condition, Decoy, Exchange, Hash, Mechanism, Nonce, Offer, Password,
    Question, ScramKeys, Slot, Step, TlsVersion, Token, Verdict, decode_base64, decode_sasl1, encode_base64,
};

/// Pieces of lawful messages, so that random input gets past the first checks.
const PIECES: [&str; 22] = [
    "n,,",
    "y,,",
    "p=tls-exporter,,",
    "p=tls-server-end-point,,",
    "n=user",
    "n=",
    "r=abc",
    "r=abcSERVER",
    "c=biws",
    "c=eSws",
    "p=",
    "m=1",
    "z=1",
    ",",
    "=2C",
    "=",
    "\0",
    "user",
    "pencil",
    "p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "a=user",
    "\u{fc}",
];

fn message() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..10);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        pieces.clone().prop_map(|pieces| pieces.concat().into_bytes()),
        pieces.prop_map(|pieces| pieces.join(",").into_bytes()),
    ]
}

fn keys() -> ScramKeys {
    // SCRAM does not care how the keys were made; this saves the slow derivation in each case.
    ScramKeys::import(Hash::Sha256, b"salt".to_vec(), 4_096, &[1; 32], &[2; 32]).unwrap()
}

fn answer(question: Question) -> Answer {
    match question {
        Question::Keys { username, hash } => {
            Answer::Keys(Decoy::new(&[1; 32]).keys(&username, hash, Some(keys())))
        }
        // The one right password here is none that the pieces can spell.
        Question::Password { password, .. } => {
            Answer::Verdict(Verdict::from(password.expose() == "correct horse"))
        }
        Question::Tokens { mechanism, .. } => Answer::Tokens(vec![Candidate {
            slot: Slot::Current,
            token: Token::stored("a secret".to_owned()),
            mechanism,
            expired: false,
        }]),
        Question::Certificate { .. } => Answer::Certificate(Err(Condition::NotAuthorized)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn random_clients_never_get_in(
        mechanism in proptest::sample::select(&Mechanism::ALL[..]),
        messages in proptest::collection::vec(message(), 1..4),
    ) {
        prop_assume!(mechanism != Mechanism::Anonymous);
        let channel = Channel::tls(TlsVersion::Tls13, Some([3; 32]), Some(vec![4; 32]));
        let offer = Offer::sasl2(&Mechanism::ALL, &channel);
        let nonce = Nonce::fixed("SERVER").unwrap();
        let mut exchange = Exchange::start(mechanism, &offer, &channel, nonce).unwrap();
        let mut steps = 0;
        for message in &messages {
            let mut step = exchange.handle_response(message);
            while let Step::Ask(question) = step {
                step = exchange.handle_answer(answer(question));
                steps += 1;
            }
            prop_assert!(!matches!(step, Step::Success(_)));
            prop_assert!(steps <= 1, "one exchange asks one question");
        }
    }

    #[test]
    fn passwords_and_base64_never_panic_and_come_back(text in ".{0,40}", bytes: Vec<u8>) {
        if let Ok(password) = Password::parse(&text) {
            // What is prepared stays as it is.
            let again = Password::parse(password.expose()).unwrap();
            prop_assert_eq!(again.expose(), password.expose());
        }
        let _ = decode_sasl1(&text);
        prop_assert_eq!(&*decode_base64(&encode_base64(&bytes)).unwrap(), &bytes);
    }
}
