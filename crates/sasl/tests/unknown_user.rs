//! C-05: nobody can find out by asking which users exist.
//!
//! Not here: the time it takes (needs a quiet machine; see `examples/cost.rs` for the means).
#![allow(clippy::unwrap_used, reason = "a test may")]

use sasl::{
    Answer, Channel, Condition, Decoy, Exchange, Hash, Mechanism, Nonce, Offer, Password, ScramKeys, Step,
    encode_base64, limits, random_salt,
};

/// A wrong login: server-first and the failure after the client's proof.
fn login(found: Option<ScramKeys>, username: &str, hash: Hash) -> (String, Condition) {
    let channel = Channel::proxied();
    let offer = Offer::sasl2(&Mechanism::ALL, &channel);
    let mechanism = offer.select(&format!("SCRAM-{}", hash.name())).unwrap();
    let mut exchange = Exchange::start(mechanism, &offer, &channel, Nonce::fixed("SERVER").unwrap()).unwrap();
    let first = format!("n,,n={username},r=abc");
    assert!(matches!(exchange.handle_initial(Some(first.as_bytes())), Step::Ask(_)));
    let keys = Decoy::new(&[5; 32]).keys(username, hash, found);
    let Step::Challenge(message) = exchange.handle_answer(Answer::Keys(keys)) else {
        panic!("a challenge was expected");
    };
    let last = format!("c=biws,r=abcSERVER,p={}", encode_base64(&vec![7; hash.output_len()]));
    match exchange.handle_response(last.as_bytes()) {
        Step::Failure(condition) => (String::from_utf8(message).unwrap(), condition),
        _ => panic!("a failure was expected"),
    }
}

/// The message with the value of the salt blotted out.
fn without_salt(message: &str) -> String {
    message
        .split(',')
        .map(|field| if field.starts_with("s=") { format!("s*{}", field.len()) } else { field.to_owned() })
        .collect::<Vec<_>>()
        .join(",")
}

#[test]
fn c05_known_unknown_and_disabled_look_alike() {
    for hash in Hash::ALL {
        let password = Password::parse("pencil").unwrap();
        let real =
            ScramKeys::derive(hash, &password, &random_salt().unwrap(), limits::ITERATIONS_DEFAULT).unwrap();
        let known = login(Some(real.clone()), "alice", hash);
        let disabled = login(None, "alice", hash);
        let unknown = login(None, "nobody", hash);
        for other in [&disabled, &unknown] {
            assert_eq!(other.0.len(), known.0.len());
            assert_eq!(without_salt(&other.0), without_salt(&known.0));
            assert_eq!(other.1, known.1);
        }
        assert_eq!(known.1, Condition::NotAuthorized);
        assert_eq!(login(Some(real), "alice", hash), known, "a known user's salt is stable");
        assert_eq!(login(None, "nobody", hash), unknown, "an unknown user's salt is stable");
        assert_ne!(unknown.0, disabled.0, "each name has its own salt");
    }
}
