//! Showing proof of a name to the authority, and taking it away again.
//!
//! RFC 8555 sections 8.3 and 8.4, RFC 8737 section 3
//!
//! Not here: the listeners that show it (net), updates of DNS (`dns.rs`), the operator's program (`hook.rs`).

use std::sync::Arc;

use instant_acme::{ChallengeHandle, ChallengeType, KeyAuthorization};
use net::{Challenges, TlsStore};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use crate::settings::Way;
use crate::trouble::Trouble;
use crate::{dns, hook};

/// Where proof is shown.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) tls: Arc<TlsStore>,
    pub(crate) http: Arc<Challenges>,
}

/// What is being shown.
pub(crate) struct Shown<'a> {
    doors: &'a Doors,
    way: &'a Way,
    /// The domain that all names are in: the zone of their records, unless another is named.
    domain: &'a str,
    all: Vec<Proof>,
}

enum Proof {
    Token(String),
    Name(String),
    /// Name below which the record stands, and its value.
    Record(String, String),
}

/// Which challenge of the authority's fits.
pub(crate) fn kind(way: &Way) -> ChallengeType {
    match way {
        Way::Http => ChallengeType::Http01,
        Way::Tls => ChallengeType::TlsAlpn01,
        Way::Hook(..) | Way::Update(..) => ChallengeType::Dns01,
    }
}

impl<'a> Shown<'a> {
    pub(crate) fn new(doors: &'a Doors, way: &'a Way, domain: &'a str) -> Shown<'a> {
        Shown { doors, way, domain, all: Vec::new() }
    }

    /// Shows the proof of one name.
    pub(crate) async fn begin(&mut self, name: &str, challenge: &ChallengeHandle<'_>) -> Result<(), Trouble> {
        let answer = challenge.key_authorization();
        match self.way {
            Way::Http => {
                self.doors.http.begin(&challenge.token, answer.as_str());
                self.all.push(Proof::Token(challenge.token.clone()));
            }
            Way::Tls => {
                self.certificate(name, &answer)?;
                self.all.push(Proof::Name(name.to_owned()));
            }
            Way::Hook(..) | Way::Update(..) => {
                let value = answer.dns_value();
                // Before it is known whether it worked: half of it may have.
                self.all.push(Proof::Record(name.to_owned(), value.clone()));
                record(self.way, self.domain, name, &value, true).await?;
            }
        }
        Ok(())
    }

    fn certificate(&self, name: &str, answer: &KeyAuthorization) -> Result<(), Trouble> {
        let failed = |error: rcgen::Error| Trouble::new(format!("no proof for {name} can be made: {error}"));
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new([name.to_owned()]).map_err(failed)?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(answer.digest().as_ref())];
        let certificate = params.self_signed(&key).map_err(failed)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let begun = self.doors.tls.begin_challenge(name, certificate, &key);
        begun.map_err(|error| Trouble::new(format!("no proof for {name} can be shown: {error}")))
    }

    /// Until others see a record.
    pub(crate) async fn settle(&self) {
        if let Way::Hook(_, pause) | Way::Update(_, pause) = self.way
            && !self.all.is_empty()
        {
            tokio::time::sleep(*pause).await;
        }
    }

    /// Takes everything away.
    pub(crate) async fn end(self) {
        for proof in self.all {
            match proof {
                Proof::Token(token) => self.doors.http.end(&token),
                Proof::Name(name) => self.doors.tls.end_challenge(&name),
                Proof::Record(name, value) => {
                    if let Err(trouble) = record(self.way, self.domain, &name, &value, false).await {
                        tracing::warn!(name, "the record _acme-challenge is still there: {}", trouble.words);
                    }
                }
            }
        }
    }
}

/// Sets a record, or removes it.
async fn record(way: &Way, domain: &str, name: &str, value: &str, add: bool) -> Result<(), Trouble> {
    let record = format!("_acme-challenge.{name}");
    match way {
        Way::Hook(program, _) => hook::run(program, &record, value, add).await,
        Way::Update(update, _) => dns::update(update, domain, &record, value, add).await,
        Way::Http | Way::Tls => Ok(()),
    }
}
