//! Whole exchanges with an independent client (`rsasl` 2.3).
//!
//! That client signs a server-first that it has put together anew, without extensions, against RFC 5802 5.1; so the
//! downgrade attributes are off here. It prepares no passwords; so it gets a prepared one.
//!
//! Not here: FAST, which that client does not know (`ht.rs`); the downgrade attributes (`own_client.rs`).
#![allow(clippy::unwrap_used, reason = "a test may")]

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::plain::PLAIN;
use rsasl::mechanisms::scram::{
    SCRAM_SHA1, SCRAM_SHA1_PLUS, SCRAM_SHA256, SCRAM_SHA256_PLUS, SCRAM_SHA512, SCRAM_SHA512_PLUS,
};
use rsasl::prelude::{
    Mechanism as ClientMechanism, Mechname, Registry, SASLClient, SASLConfig, SessionError,
};
use rsasl::property::{AuthId, AuthzId, ChannelBindings, OverrideCBType, Password as PasswordProperty};
use sasl::{
    Answer, Binding, Channel, Condition, Decoy, Exchange, Hash, Mechanism, Nonce, Offer, Password, Question,
    ScramKeys, Step, Success, TlsVersion, Verdict,
};
use std::io::Cursor;

const USERNAME: &str = "j\u{fc}rgen,=x";
const PASSWORD: &str = "p\u{e9}ncil";
const AUTHZID: &str = "j\u{fc}rgen,=x@example.org";

struct Client {
    password: &'static str,
    binding: Option<(&'static str, Vec<u8>)>,
}

impl SessionCallback for Client {
    fn callback(&self, _: &SessionData, _: &Context, request: &mut Request<'_>) -> Result<(), SessionError> {
        request
            .satisfy::<AuthId>(USERNAME)?
            .satisfy::<AuthzId>(AUTHZID)?
            .satisfy::<PasswordProperty>(self.password.as_bytes())?;
        if let Some((name, data)) = &self.binding {
            request.satisfy::<OverrideCBType>(name)?.satisfy::<ChannelBindings>(data)?;
        }
        Ok(())
    }

    fn enable_channel_binding(&self) -> bool {
        self.binding.is_some()
    }
}

static KNOWN: [ClientMechanism; 7] =
    [SCRAM_SHA512_PLUS, SCRAM_SHA256_PLUS, SCRAM_SHA1_PLUS, SCRAM_SHA512, SCRAM_SHA256, SCRAM_SHA1, PLAIN];

fn channel() -> Channel {
    Channel::tls(TlsVersion::Tls13, Some([3; 32]), Some(vec![4; 48]))
}

fn keys(hash: Hash) -> ScramKeys {
    ScramKeys::derive(hash, &Password::parse("pe\u{301}ncil\u{ad}").unwrap(), b"a salt", 4_096).unwrap()
}

/// Runs client against server to the end; checks that the client accepts our proof.
fn run(mechanism: Mechanism, client: Client) -> Result<Success, Condition> {
    let offer = Offer::sasl2(&Mechanism::ALL, &channel()).without_downgrade_attributes();
    let mut exchange = Exchange::start(mechanism, &offer, &channel(), Nonce::random().unwrap()).unwrap();
    let config =
        SASLConfig::builder().with_registry(Registry::with_mechanisms(&KNOWN)).with_callback(client).unwrap();
    let name = Mechname::parse(mechanism.name().as_bytes()).unwrap();
    let mut session = SASLClient::new(config).start_suggested(&[name]).unwrap();
    let mut say = |input: Option<&[u8]>| {
        let mut out = Cursor::new(Vec::new());
        session.step(input, &mut out).unwrap();
        out.into_inner()
    };

    let mut step = exchange.handle_initial(Some(&say(None)));
    loop {
        step = match step {
            Step::Challenge(message) => exchange.handle_response(&say(Some(&message))),
            Step::Ask(question) => exchange.handle_answer(answer(question)),
            Step::Success(success) => {
                if let Some(data) = &success.data {
                    say(Some(data));
                }
                return Ok(success);
            }
            Step::Failure(condition) => return Err(condition),
        }
    }
}

fn answer(question: Question) -> Answer {
    let decoy = Decoy::new(&[9; 32]);
    match question {
        Question::Keys { username, hash } => {
            assert_eq!(username, USERNAME);
            Answer::Keys(decoy.keys(&username, hash, Some(keys(hash))))
        }
        Question::Password { username, password } => {
            assert_eq!(username, USERNAME);
            let keys = decoy.keys(&username, Hash::Sha256, Some(keys(Hash::Sha256)));
            Answer::Verdict(Verdict::from(keys.verify_password(&password)))
        }
        Question::Tokens { .. } | Question::Certificate { .. } => panic!("nobody asked for that"),
    }
}

#[test]
fn every_password_mechanism_works_with_the_right_password_only() {
    let data = |mechanism: Mechanism| mechanism.is_plus().then(|| ("tls-exporter", vec![3; 32]));
    for mechanism in Mechanism::ALL {
        if mechanism.scram_hash().is_none() && mechanism != Mechanism::Plain {
            continue;
        }
        let success = run(mechanism, Client { password: PASSWORD, binding: data(mechanism) }).unwrap();
        assert_eq!(success.username.as_deref(), Some(USERNAME), "{}", mechanism.name());
        assert_eq!(success.authzid.as_deref(), Some(AUTHZID));
        assert_eq!(success.mechanism, mechanism);
        assert_eq!(success.binding, mechanism.is_plus().then_some(Binding::TlsExporter));
        let failure = run(mechanism, Client { password: "pencil", binding: data(mechanism) });
        assert_eq!(failure, Err(Condition::NotAuthorized), "{}", mechanism.name());
    }
}

#[test]
fn c07_binding_data_must_be_of_this_connection_and_this_kind() {
    for (name, data, expected) in [
        ("tls-exporter", vec![3; 32], Ok(Binding::TlsExporter)),
        ("tls-server-end-point", vec![4; 48], Ok(Binding::TlsServerEndPoint)),
        ("tls-exporter", vec![5; 32], Err(Condition::NotAuthorized)),
        ("tls-exporter", vec![4; 48], Err(Condition::NotAuthorized)),
        ("tls-server-end-point", vec![3; 32], Err(Condition::NotAuthorized)),
        ("tls-exporter", Vec::new(), Err(Condition::NotAuthorized)),
        ("tls-unique", vec![3; 32], Err(Condition::MalformedRequest)),
    ] {
        let client = Client { password: PASSWORD, binding: Some((name, data)) };
        let outcome = run(Mechanism::ScramSha256Plus, client).map(|success| success.binding.unwrap());
        assert_eq!(outcome, expected, "{name}");
    }
}

/// Somebody removed the -PLUS mechanisms from our offer, and the client says that it could have bound.
#[test]
fn c06_a_client_that_could_bind_but_saw_no_plus_is_refused() {
    let client = Client { password: PASSWORD, binding: Some(("tls-exporter", vec![3; 32])) };
    assert_eq!(run(Mechanism::ScramSha256, client), Err(Condition::NotAuthorized));
}
