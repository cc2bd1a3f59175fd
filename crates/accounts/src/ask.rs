//! What a stream asks while it authenticates.
//!
//! RFC 5802, RFC 4616, XEP-0480 0.2, XEP-0484 0.2.
//!
//! An unknown account, a suspended one and a wrong secret look the same, take the same work, and are told apart by nobody
//! before a secret was proven.
//!
//! Not here: tokens (`tokens.rs`), in-band registration (`registration.rs`), failed logins per address (net).

use std::net::IpAddr;

use address::Bare;
use model::grant::Grant;
use sasl::{Condition, Keys, Password, ScramKeys};
use store::Fault;
use stream::{Answer, Ask};

use crate::Accounts;
use crate::limits;

impl Accounts {
    /// Answers a stream. `peer` is the client's address, as far as it can be trusted.
    pub async fn ask(&self, ask: Ask, peer: IpAddr) -> Answer {
        let answer = match ask {
            Ask::Keys { account, hash } => self.keys(&account, hash).await.map(Answer::Keys),
            Ask::Password { account, password } => {
                self.check_password(&account, password).await.map(Answer::Password)
            }
            Ask::Tokens { account, client } if client.len() <= limits::CLIENT_ID_BYTES_MAX => {
                self.tokens(&account, &client).await.map(Answer::Tokens)
            }
            Ask::Tokens { .. } => Ok(Answer::Tokens(Vec::new())),
            Ask::Login(login) => {
                self.login(*login).await.map(|login| login.map_or_else(Answer::Refused, Answer::Login))
            }
            Ask::Missing { account, hashes } => self.missing(&account, &hashes).await,
            Ask::Upgrade { account, grant, keys } => self.upgrade(&account, &grant, &keys).await,
            Ask::Register(registration) => {
                return Answer::Registration(Box::new(self.register(*registration, peer).await));
            }
        };
        answer.unwrap_or_else(|fault| {
            tracing::error!(
                kind = fault.kind().name(),
                cause = fault.cause(),
                "a login could not be decided"
            );
            Answer::Refused(Condition::TemporaryAuthFailure)
        })
    }

    async fn keys(&self, account: &Bare, hash: sasl::Hash) -> Result<Keys, Fault> {
        let found = self.found(account).await?;
        let (record, may) = self.standing(found)?;
        let keys = record.keys(hash).filter(|_| may);
        Ok(self.policy().decoy.keys(account.as_str(), hash, keys))
    }

    /// XEP-0480: which keys an account lacks that new passwords get.
    async fn missing(&self, account: &Bare, hashes: &[sasl::Hash]) -> Result<Answer, Fault> {
        let policy = self.policy();
        let Some(record) = self.record(account).await? else {
            return Ok(Answer::Refused(Condition::NotAuthorized));
        };
        let lacks = |hash: &sasl::Hash| policy.hashes.contains(hash) && record.keys(*hash).is_none();
        let hashes = hashes.iter().copied().filter(lacks).collect();
        Ok(Answer::Missing { hashes, iterations: policy.iterations() })
    }

    /// Adds keys; those that there are stay. What was proven may have been taken back meanwhile (C-28).
    async fn upgrade(&self, account: &Bare, grant: &Grant, keys: &ScramKeys) -> Result<Answer, Fault> {
        let _lock = self.lock(account).await;
        let Some(mut record) = self.record(account).await? else {
            return Ok(Answer::Refused(Condition::NotAuthorized));
        };
        if record.suspended {
            return Ok(Answer::Refused(Condition::AccountDisabled));
        }
        if !grant.holds() {
            return Ok(Answer::Refused(Condition::NotAuthorized));
        }
        if record.keys(keys.hash()).is_none() {
            record.add_keys(keys);
            self.put(account, &record, None).await?;
        }
        Ok(Answer::Upgraded)
    }

    /// Whether that is the password of an account that may log in.
    pub(crate) async fn check_password(&self, account: &Bare, password: Password) -> Result<bool, Fault> {
        let found = self.found(account).await?;
        let (record, may) = self.standing(found)?;
        let wanted = self.policy().hashes.first().copied().unwrap_or(sasl::Hash::Sha256);
        let hash = record.best(wanted);
        let keys = self.policy().decoy.keys(account.as_str(), hash, record.keys(hash).filter(|_| may));
        self.work.run(move || keys.verify_password(&password)).await
    }
}
