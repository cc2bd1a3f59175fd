//! What logins cost: `cargo run --release -p sasl --example cost`.
//!
//! Not here: the statistics of timing differences.

use sasl::{
    Answer, Candidate, Channel, Decoy, Exchange, Hash, Mechanism, Nonce, Offer, Password, ScramKeys, Slot,
    Step, Token,
};
use std::time::{Duration, Instant};

fn main() {
    let password = Password::parse("correct horse battery staple").expect("a lawful password");
    println!("PBKDF2: one password change, one PLAIN login (best of 20)");
    for hash in Hash::ALL {
        for iterations in [4_096, 10_000] {
            let time = best(20, || {
                ScramKeys::derive(hash, &password, b"0123456789abcdef", iterations)
                    .expect("within the limits");
            });
            println!("  {:8} {iterations:>6} iterations {:>9.3} ms", hash.name(), time.as_secs_f64() * 1e3);
        }
    }
    println!("SCRAM: our whole part of one login, wrong proof (best of 2,000)");
    for mechanism in [Mechanism::ScramSha1, Mechanism::ScramSha256, Mechanism::ScramSha512] {
        for known in [true, false] {
            let time = scram(mechanism, known.then_some(&password));
            let user = if known { "known user" } else { "unknown user" };
            println!("  {:14} {user:12} {:>9.2} us", mechanism.name(), time.as_secs_f64() * 1e6);
        }
    }
    println!("FAST: our whole part of one login, wrong token (best of 2,000)");
    for tokens in [0, 1, 2] {
        println!("  {tokens} tokens {:>9.2} us", fast(tokens).as_secs_f64() * 1e6);
    }
}

fn best(rounds: u32, mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..rounds).map(time).min().unwrap_or_default()
}

fn start(mechanism: Mechanism, offer: &Offer, channel: &Channel) -> Exchange {
    let nonce = Nonce::random().expect("random bytes");
    Exchange::start(mechanism, offer, channel, nonce).expect("an offered mechanism")
}

fn scram(mechanism: Mechanism, password: Option<&Password>) -> Duration {
    let (channel, decoy) = (Channel::proxied(), Decoy::new(&[1; 32]));
    let offer = Offer::sasl2(&Mechanism::ALL, &channel);
    let hash = mechanism.scram_hash().expect("a SCRAM mechanism");
    let found =
        password.map(|p| ScramKeys::derive(hash, p, b"0123456789abcdef", 4_096).expect("within the limits"));
    let proof = sasl::encode_base64(&vec![7; hash.output_len()]);
    best(2_000, || {
        let mut exchange = start(mechanism, &offer, &channel);
        exchange.handle_initial(Some(b"n,,n=user,r=0123456789abcdefghijklmn"));
        let keys = decoy.keys("user", hash, found.clone());
        let Step::Challenge(first) = exchange.handle_answer(Answer::Keys(keys)) else {
            unreachable!("keys are answered by a challenge")
        };
        let first = String::from_utf8(first).expect("ASCII");
        let nonce = first.split(',').next().expect("at least one field");
        let last = exchange.handle_response(format!("c=biws,{nonce},p={proof}").as_bytes());
        assert!(matches!(last, Step::Failure(_)));
    })
}

fn fast(tokens: usize) -> Duration {
    let channel = Channel::proxied();
    let offer = Offer::sasl2(&Mechanism::ALL, &channel);
    let mechanism = Mechanism::HtSha256None;
    let message = [&b"user\0"[..], &[7; 32]].concat();
    best(2_000, || {
        let mut exchange = start(mechanism, &offer, &channel);
        exchange.handle_initial(Some(&message));
        let candidates = [Slot::New, Slot::Current].into_iter().take(tokens);
        let token = |slot| Candidate {
            slot,
            token: Token::stored("0123456789012345678901234567890123456789012".to_owned()),
            mechanism,
            expired: false,
        };
        let last = exchange.handle_answer(Answer::Tokens(candidates.map(token).collect()));
        assert!(matches!(last, Step::Failure(_)));
    })
}
