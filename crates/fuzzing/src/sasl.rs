//! Target 5, `sasl`: any sequence of messages to a SASL exchange.
//!
//! Oracles: no success without a proof, which is computed here anew from what was said (RFC 5802 section 3, RFC 4616,
//! XEP-0484); a right proof, said in the right order, succeeds; a run for a name that does not exist looks like one for a
//! name that does, until somebody proves to know the secret; an exchange ends once.
//!
//! Not here: the XML around the messages (stream.rs).

use std::sync::OnceLock;

use ::sasl::{
    Answer, Binding, Candidate, Channel, Condition, Decoy, Exchange, Hash, Mechanism, Nonce, Offer, Password,
    Question, ScramKeys, Slot, Step, TlsVersion, Token, Verdict, decode_base64, encode_base64, limits,
};
use aws_lc_rs::{digest, hmac};

use crate::source::Source;

const PASSWORD: &str = "pencil";
const TOKEN: &str = "a secret token";
const NONCE: &str = "SERVERnonce";
const SALT: &[u8; limits::SALT_BYTES] = b"sixteen bytes ok";
const MESSAGES_MAX: usize = 4;

fn algorithm(hash: Hash) -> (hmac::Algorithm, &'static digest::Algorithm) {
    match hash {
        Hash::Sha1 => (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest::SHA1_FOR_LEGACY_USE_ONLY),
        Hash::Sha256 => (hmac::HMAC_SHA256, &digest::SHA256),
        Hash::Sha512 => (hmac::HMAC_SHA512, &digest::SHA512),
    }
}

fn mac(hash: Hash, key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm(hash).0, key), text).as_ref().to_vec()
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// RFC 5802 section 3: `Hi` is an iterated HMAC, written out here.
fn client_key(hash: Hash) -> &'static [u8] {
    static KEYS: [OnceLock<Vec<u8>>; 3] = [const { OnceLock::new() }; 3];
    let at = Hash::ALL.iter().position(|known| *known == hash).unwrap_or(0);
    KEYS[at].get_or_init(|| {
        let mut u = mac(hash, PASSWORD.as_bytes(), &[&SALT[..], &[0, 0, 0, 1]].concat());
        let mut salted = u.clone();
        for _ in 1..limits::ITERATIONS_DEFAULT {
            u = mac(hash, PASSWORD.as_bytes(), &u);
            salted = xor(&salted, &u);
        }
        mac(hash, &salted, b"Client Key")
    })
}

fn server_keys(hash: Hash) -> ScramKeys {
    static KEYS: [OnceLock<ScramKeys>; 3] = [const { OnceLock::new() }; 3];
    let at = Hash::ALL.iter().position(|known| *known == hash).unwrap_or(0);
    let made = KEYS[at].get_or_init(|| {
        let password = Password::parse(PASSWORD).unwrap_or_else(|_| panic!("a good password"));
        ScramKeys::derive(hash, &password, SALT, limits::ITERATIONS_DEFAULT)
            .unwrap_or_else(|_| panic!("good parameters"))
    });
    made.clone()
}

/// What the attacker and we know of one exchange.
struct World {
    mechanism: Mechanism,
    channel: Channel,
    offer: Offer,
    /// The client's messages so far, and our challenges.
    said: Vec<Vec<u8>>,
    challenges: Vec<Vec<u8>>,
    over: bool,
}

/// One of two servers in the same world: in one the account exists.
struct Server {
    exchange: Exchange,
    exists: bool,
    questions: usize,
}

impl Server {
    fn hear(&mut self, message: Option<&[u8]>, first: bool) -> Step {
        let mut step = match (first, message) {
            (true, message) => self.exchange.handle_initial(message),
            (false, Some(message)) => self.exchange.handle_response(message),
            (false, None) => self.exchange.handle_abort(),
        };
        while let Step::Ask(question) = step {
            self.questions += 1;
            step = self.exchange.handle_answer(self.answer(question));
        }
        assert!(self.questions <= 1, "one exchange asks one question");
        step
    }

    fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Keys { username, hash } => {
                let found = self.exists.then(|| server_keys(hash));
                Answer::Keys(Decoy::new(&[1; 32]).keys(&username, hash, found))
            }
            Question::Password { password, .. } => {
                Answer::Verdict(Verdict::from(self.exists && password.expose() == PASSWORD))
            }
            Question::Tokens { mechanism, .. } if self.exists => Answer::Tokens(vec![Candidate {
                slot: Slot::Current,
                token: Token::stored(TOKEN.to_owned()),
                mechanism,
                expired: false,
            }]),
            Question::Tokens { .. } => Answer::Tokens(Vec::new()),
            Question::Certificate { .. } => Answer::Certificate(Err(Condition::NotAuthorized)),
        }
    }
}

/// The target.
///
/// # Panics
/// If an oracle finds a difference.
pub fn sasl(data: &[u8]) {
    let mut source = Source::new(data);
    let Some((mut world, nonce)) = world(&mut source) else { return };
    let server = |exists| {
        let exchange = Exchange::start(world.mechanism, &world.offer, &world.channel, nonce.clone());
        exchange.ok().map(|exchange| Server { exchange, exists, questions: 0 })
    };
    let (Some(mut real), Some(mut empty)) = (server(true), server(false)) else {
        panic!("{} is offered and cannot start", world.mechanism.name())
    };
    for turn in 0..MESSAGES_MAX {
        let message = world.message(&mut source);
        let first = turn == 0 && message.as_ref().is_none_or(|_| source.byte() & 1 == 0);
        let before = world.over;
        let proven = world.proves(message.as_deref());
        let steps = [&mut real, &mut empty].map(|server| server.hear(message.as_deref(), first));
        world.judge(&steps, proven, before);
        if let [Step::Challenge(challenge), _] = &steps {
            world.challenges.push(challenge.clone());
        }
        world.said.extend(message);
        world.over |= !matches!(steps[0], Step::Challenge(_));
        if source.is_empty() && world.over {
            return;
        }
    }
}

fn world(source: &mut Source<'_>) -> Option<(World, Nonce)> {
    let end_point = || Some(vec![4; 32]);
    let channel = match source.below(6) {
        0 => Channel::tls(TlsVersion::Tls13, Some([3; 32]), end_point()),
        1 => Channel::tls(TlsVersion::Tls13, Some([3; 32]), None),
        2 => Channel::tls(TlsVersion::Tls12, None, end_point()),
        3 => Channel::tls(TlsVersion::Tls12, None, None),
        4 => Channel::proxied(),
        _ => Channel::plaintext(),
    };
    let allowed: Vec<Mechanism> = match source.byte() {
        0..128 => Mechanism::ALL.to_vec(),
        some => Mechanism::ALL
            .into_iter()
            .enumerate()
            .filter(|(n, _)| some >> (n % 7) & 1 == 1)
            .map(|(_, m)| m)
            .collect(),
    };
    let offer = match source.below(4) {
        0 | 1 => Offer::sasl2(&allowed, &channel),
        2 => Offer::sasl1(&allowed, &channel),
        _ => Offer::sasl1(&allowed, &channel).without_downgrade_attributes(),
    };
    let name = Mechanism::ALL[source.below(Mechanism::ALL.len())].name();
    // What is not offered cannot be begun, whoever asks.
    let Ok(mechanism) = offer.select(name) else {
        let mechanism = Mechanism::parse(name)?;
        let nonce = Nonce::fixed(NONCE)?;
        assert!(!offer.contains(mechanism));
        assert!(Exchange::start(mechanism, &offer, &channel, nonce).is_err(), "{name} begun, not offered");
        return None;
    };
    assert!(channel.is_secure() || !mechanism.needs_encryption(), "{name} without TLS");
    let world = World { mechanism, channel, offer, said: Vec::new(), challenges: Vec::new(), over: false };
    Nonce::fixed(NONCE).map(|nonce| (world, nonce))
}

const NAMES: [&str; 6] = ["user", "u=2Cs=3Der", "", "Ü", "user,a=x", "="];
const AUTHZIDS: [&str; 5] = ["", "a=user", "a=user@example.org", "a=", "b=x"];
const SECRETS: [&str; 5] = [PASSWORD, "wrong", "", "pen\u{ad}cil", "PENCIL"];

impl World {
    /// The next message; `None` gives up, or sends nothing as the initial response.
    fn message(&self, source: &mut Source<'_>) -> Option<Vec<u8>> {
        Some(match source.below(8) {
            0 => return None,
            1 => {
                let length = usize::from(source.byte());
                source.bytes(length).to_vec()
            }
            2 => {
                let (a, u, p) = (source.pick(&AUTHZIDS), source.pick(&NAMES), source.pick(&SECRETS));
                [a, "\0", u, "\0", p].concat().into_bytes()
            }
            3 => {
                let data = self.mechanism.fixed_binding().and_then(|binding| self.channel.data(binding));
                let label = source.pick(&["Initiator", "Responder", ""]);
                let secret = source.pick(&[TOKEN, "", "another"]);
                let mut proof = mac(
                    Hash::Sha256,
                    secret.as_bytes(),
                    &[label.as_bytes(), data.unwrap_or_default()].concat(),
                );
                scratch(&mut proof, source);
                [source.pick(&NAMES).as_bytes(), &[0], &proof].concat()
            }
            4 | 5 if self.challenges.is_empty() => self.client_first(source),
            _ => self.client_final(source),
        })
    }

    fn client_first(&self, source: &mut Source<'_>) -> Vec<u8> {
        let flags = ["n", "p=tls-exporter", "p=tls-server-end-point", "y", "p=tls-unique", "p=", "N"];
        let extension = source.pick(&["", "", ",z=1", ",m=1", ",", ",n=x"]);
        let nonce = source.pick(&["abc", "abc", "", "a,b", "\u{7f}"]);
        let (flag, authzid, name) = (source.pick(&flags), source.pick(&AUTHZIDS), source.pick(&NAMES));
        format!("{flag},{authzid},n={name},r={nonce}{extension}").into_bytes()
    }

    fn client_final(&self, source: &mut Source<'_>) -> Vec<u8> {
        let hash = self.mechanism.scram_hash().unwrap_or(Hash::Sha256);
        let first = self.said.first().map(Vec::as_slice).unwrap_or_default();
        let (header, _) = gs2(first).unwrap_or((b"n,,", b""));
        let data = match source.below(5) {
            0 | 1 => self.bound_by(header).unwrap_or_default(),
            2 => vec![4; 32],
            3 => vec![3; 32],
            _ => Vec::new(),
        };
        let header = if source.below(4) == 3 { b"n,," } else { header };
        let channel = encode_base64(&[header, &data].concat());
        let nonce = match source.below(4) {
            0 | 1 => format!("abc{NONCE}"),
            2 => "abc".to_owned(),
            _ => format!("abc{NONCE}x"),
        };
        let extension = source.pick(&["", "", ",z=1", ",m=1", ",p=AAAA"]);
        let without_proof = format!("c={channel},r={nonce}{extension}");
        let mut proof = match source.below(4) {
            0..=2 => self.proof(hash, without_proof.as_bytes()),
            _ => source.bytes(hash.output_len()).to_vec(),
        };
        scratch(&mut proof, source);
        format!("{without_proof},p={}", encode_base64(&proof)).into_bytes()
    }

    /// The channel's data for the binding that the GS2 header names.
    fn bound_by(&self, header: &[u8]) -> Option<Vec<u8>> {
        let name = header.strip_prefix(b"p=")?.split(|b| *b == b',').next()?;
        let binding = Binding::parse(std::str::from_utf8(name).ok()?)?;
        self.channel.data(binding).map(<[u8]>::to_vec)
    }

    /// The right proof for a client-final, from the password (RFC 5802 section 3).
    fn proof(&self, hash: Hash, without_proof: &[u8]) -> Vec<u8> {
        let bare = self.said.iter().find_map(|said| gs2(said)).map_or(&b""[..], |(_, bare)| bare);
        let server_first = self.challenges.last().map(Vec::as_slice).unwrap_or_default();
        let message = [bare, b",", server_first, b",", without_proof].concat();
        let stored = digest::digest(algorithm(hash).1, client_key(hash));
        xor(client_key(hash), &mac(hash, stored.as_ref(), &message))
    }

    /// Whether this message proves, to a reader of the specification, that its sender has the secret.
    fn proves(&self, message: Option<&[u8]>) -> bool {
        let Some(message) = message.filter(|_| !self.over) else { return false };
        let text = std::str::from_utf8(message);
        let asked_before = self.challenges.iter().any(|challenge| !challenge.is_empty());
        match self.mechanism {
            Mechanism::Plain => text.is_ok_and(|text| {
                let parts: Vec<&str> = text.split('\0').collect();
                let right = |text: &str| Password::parse(text).is_ok_and(|p| p.expose() == PASSWORD);
                matches!(parts[..], [_, user, secret] if !user.is_empty() && right(secret))
            }),
            Mechanism::Anonymous => true,
            Mechanism::External => false,
            mechanism if mechanism.is_fast() => {
                let data = mechanism.fixed_binding().and_then(|binding| self.channel.data(binding));
                let expected =
                    mac(Hash::Sha256, TOKEN.as_bytes(), &[b"Initiator", data.unwrap_or_default()].concat());
                message.splitn(2, |b| *b == 0).nth(1) == Some(&expected[..]) && message[0] != 0
            }
            _ => asked_before && text.is_ok_and(|text| self.proves_scram(text)),
        }
    }

    fn proves_scram(&self, text: &str) -> bool {
        let hash = self.mechanism.scram_hash().unwrap_or(Hash::Sha256);
        let Some((header, bare)) = self.said.iter().find_map(|said| gs2(said)) else { return false };
        let Some((without_proof, proof)) = text.rsplit_once(",p=") else { return false };
        let mut fields = without_proof.split(',');
        let client_nonce =
            bare.split(|b| *b == b',').nth(1).and_then(|field| field.strip_prefix(b"r=")).unwrap_or_default();
        let bound = fields.next().and_then(|field| field.strip_prefix("c=")).map(decode_base64);
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let plus_offered = self.offer.mechanisms().iter().any(|m| m.is_plus());
        let flag_fits = match header.first() {
            Some(b'p') => self.mechanism.is_plus(),
            Some(b'y') => !self.mechanism.is_plus() && !plus_offered,
            _ => !self.mechanism.is_plus(),
        };
        let expected = [header, &self.bound_by(header).unwrap_or_default()].concat();
        flag_fits
            && bound.is_some_and(|bound| bound.is_ok_and(|bound| bound[..] == expected[..]))
            && nonce.is_some_and(|nonce| nonce.as_bytes() == [client_nonce, NONCE.as_bytes()].concat())
            && decode_base64(proof)
                .is_ok_and(|proof| proof[..] == self.proof(hash, without_proof.as_bytes())[..])
    }

    /// Holds what the two servers did against what the specification says.
    fn judge(&self, steps: &[Step; 2], proven: bool, over: bool) {
        let [real, empty] = steps;
        if over {
            for step in steps {
                assert!(matches!(step, Step::Failure(_)), "an exchange ends once");
            }
        }
        if let Step::Success(success) = real {
            assert!(proven, "success without proof: {} {:?}", self.mechanism.name(), self.said);
            assert_eq!(success.mechanism, self.mechanism);
            assert_eq!(success.username.is_none(), self.mechanism == Mechanism::Anonymous);
            assert!(success.binding.is_some() == self.mechanism.uses_channel_binding());
        }
        match (real, empty) {
            (Step::Challenge(a), Step::Challenge(b)) => {
                assert_eq!(blot_salt(a), blot_salt(b), "an unknown user looks different");
            }
            (Step::Failure(a), Step::Failure(b)) => assert_eq!(a, b, "an unknown user fails differently"),
            (Step::Success(_), Step::Failure(condition)) => {
                assert_eq!(*condition, Condition::NotAuthorized, "as for a wrong proof");
            }
            (Step::Success(_), Step::Success(_)) if self.mechanism == Mechanism::Anonymous => {}
            _ => panic!("an unknown user takes another way: {} {:?}", self.mechanism.name(), self.said),
        }
    }
}

/// Divides a client-first into GS2 header and the rest.
fn gs2(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut commas = message.iter().enumerate().filter(|(_, b)| **b == b',').map(|(at, _)| at);
    let second = commas.nth(1)?;
    Some(message.split_at(second + 1))
}

/// The message without the value of its salt, whose length stays.
fn blot_salt(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).into_owned();
    let blot = |field: &str| match field.strip_prefix("s=") {
        Some(salt) => format!("s*{}", salt.len()),
        None => field.to_owned(),
    };
    text.split(',').map(blot).collect::<Vec<_>>().join(",")
}

/// Mostly leaves a proof as it is, else changes a bit or its length.
fn scratch(proof: &mut Vec<u8>, source: &mut Source<'_>) {
    match source.byte() {
        0..128 => {}
        128..192 => {
            let at = source.below(proof.len().max(1));
            if let Some(byte) = proof.get_mut(at) {
                *byte ^= 1 << source.below(8);
            }
        }
        192..224 => proof.truncate(source.below(64)),
        _ => proof.push(source.byte()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target would be worth little if nobody ever got in.
    #[test]
    fn an_honest_client_gets_in() {
        for (row, mechanism) in Mechanism::ALL.into_iter().enumerate() {
            if mechanism == Mechanism::External {
                continue;
            }
            let mut source = Source::new(&[0, 0, 0]);
            let Some((mut world, nonce)) = world(&mut source) else { panic!("offered") };
            world.mechanism = mechanism;
            let Ok(exchange) = Exchange::start(mechanism, &world.offer, &world.channel, nonce) else {
                panic!("{row}: {} can start", mechanism.name())
            };
            let mut server = Server { exchange, exists: true, questions: 0 };
            let binding = if mechanism.is_plus() { "p=tls-exporter" } else { "n" };
            let messages: Vec<Vec<u8>> = match mechanism {
                Mechanism::Plain => vec![format!("\0user\0{PASSWORD}").into_bytes()],
                Mechanism::Anonymous => vec![b"trace".to_vec()],
                m if m.is_fast() => vec![world.message(&mut Source::new(&[3])).unwrap_or_default()],
                _ => vec![format!("{binding},,n=user,r=abc").into_bytes()],
            };
            let mut step = server.hear(Some(&messages[0]), true);
            world.said = messages;
            if let Step::Challenge(challenge) = step {
                world.challenges.push(challenge);
                let last = world.client_final(&mut Source::new(&[]));
                assert!(world.proves(Some(&last)), "{}", mechanism.name());
                step = server.hear(Some(&last), false);
            }
            assert!(matches!(step, Step::Success(_)), "{}", mechanism.name());
        }
    }
}
