//! Whole exchanges with a small client of our own that checks the downgrade attributes as XEP-0474 and XEP-0515 ask.
//!
//! Not here: an independent client (`peer.rs`).
#![allow(clippy::unwrap_used, reason = "a test may")]

use aws_lc_rs::{digest, hmac, pbkdf2};
use sasl::{
    Answer, Binding, Channel, Condition, Decoy, Exchange, Hash, Mechanism, Nonce, Offer, Password, Question,
    ScramKeys, Step, Success, TlsVersion, decode_base64, encode_base64,
};
use std::num::NonZeroU32;

const EXPORTER: [u8; 32] = [3; 32];

/// What the client saw of the offer; a man in the middle may have changed it.
struct Seen {
    mechanisms: &'static [&'static str],
    bindings: &'static [&'static str],
    version: &'static str,
}

const HONEST: Seen = Seen {
    mechanisms: &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"],
    bindings: &["tls-server-end-point", "tls-exporter"],
    version: "0304",
};

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

fn attribute<'a>(message: &'a str, name: &str) -> &'a str {
    message.split(',').find_map(|field| field.strip_prefix(name)).unwrap()
}

/// What the client finds wrong with server-first.
fn objection(seen: &Seen, server_first: &str) -> Option<&'static str> {
    let sorted = |names: &[&str]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.join("\u{1e}")
    };
    let text = format!("{}\u{1f}{}", sorted(seen.mechanisms), sorted(seen.bindings));
    let hash = encode_base64(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    match (attribute(server_first, "h=") == hash, attribute(server_first, "t=") == seen.version) {
        (false, _) => Some("offer"),
        (_, false) => Some("TLS version"),
        _ => None,
    }
}

/// Logs in with SCRAM-SHA-256-PLUS. `tamper` is the man in the middle at server-first.
fn login(seen: &Seen, tamper: &dyn Fn(String) -> String) -> Result<Success, String> {
    let channel = Channel::tls(TlsVersion::Tls13, Some(EXPORTER), Some(vec![4; 32]));
    let allowed = [
        Mechanism::Plain,
        Mechanism::ScramSha1,
        Mechanism::ScramSha256,
        Mechanism::ScramSha256Plus,
        Mechanism::HtSha256None,
    ];
    let offer = Offer::sasl2(&allowed, &channel);
    let nonce = Nonce::random().unwrap();
    let mut exchange = Exchange::start(Mechanism::ScramSha256Plus, &offer, &channel, nonce).unwrap();

    let bare = "n=user,r=client";
    let first = format!("p=tls-exporter,,{bare}");
    let Step::Ask(Question::Keys { username, hash }) = exchange.handle_initial(Some(first.as_bytes())) else {
        panic!("the question for keys was expected");
    };
    let password = Password::parse("pencil").unwrap();
    let keys = ScramKeys::derive(hash, &password, b"salt", 4_096).unwrap();
    let answer = Answer::Keys(Decoy::new(&[1; 32]).keys(&username, Hash::Sha256, Some(keys)));
    let Step::Challenge(server_first) = exchange.handle_answer(answer) else {
        panic!("a challenge was expected");
    };
    let server_first = tamper(String::from_utf8(server_first).unwrap());
    if let Some(objection) = objection(seen, &server_first) {
        return Err(objection.to_owned());
    }

    let salt = decode_base64(attribute(&server_first, "s=")).unwrap();
    let iterations: NonZeroU32 = attribute(&server_first, "i=").parse().unwrap();
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, b"pencil", &mut salted);
    let client_key = mac(&salted, b"Client Key");
    let bound = encode_base64(&[&b"p=tls-exporter,,"[..], &EXPORTER].concat());
    let without_proof = format!("c={bound},r={}", attribute(&server_first, "r="));
    let signed = format!("{bare},{server_first},{without_proof}");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let signature = mac(stored_key.as_ref(), signed.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let last = format!("{without_proof},p={}", encode_base64(&proof));
    match exchange.handle_response(last.as_bytes()) {
        Step::Success(success) => {
            let expected = encode_base64(&mac(&mac(&salted, b"Server Key"), signed.as_bytes()));
            assert_eq!(success.data.as_deref(), Some(format!("v={expected}").as_bytes()));
            Ok(success)
        }
        Step::Failure(condition) => Err(condition.name().to_owned()),
        _ => panic!("the end was expected"),
    }
}

#[test]
fn c30_a_downgrade_is_seen_by_the_client_or_by_us() {
    let honest = |message: String| message;
    let success = login(&HONEST, &honest).unwrap();
    assert_eq!((success.username.as_deref(), success.binding), (Some("user"), Some(Binding::TlsExporter)));

    let fewer_mechanisms = Seen { mechanisms: &["SCRAM-SHA-1", "PLAIN"], ..HONEST };
    let fewer_bindings = Seen { bindings: &["tls-server-end-point"], ..HONEST };
    let older_tls = Seen { version: "0303", ..HONEST };
    for (seen, expected) in
        [(fewer_mechanisms, "offer"), (fewer_bindings, "offer"), (older_tls, "TLS version")]
    {
        assert_eq!(login(&seen, &honest).unwrap_err(), expected);
    }

    // Repairing the attribute on the way breaks the proof.
    let older_tls = Seen { version: "0303", ..HONEST };
    let repaired = |message: String| message.replace("t=0304", "t=0303");
    assert_eq!(login(&older_tls, &repaired).unwrap_err(), Condition::NotAuthorized.name());
}
