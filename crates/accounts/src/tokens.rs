//! Tokens: looked up for an exchange, used and rotated by a login, forgotten.
//!
//! XEP-0484 0.2.
//!
//! Not here: comparing proofs (sasl), their form in storage (`token_record.rs`).

use address::Bare;
use aws_lc_rs::digest;
use model::storage::{Batch, Read, Space, Write};
use sasl::{Candidate, Condition, Mechanism, Slot, Token};
use store::Fault;
use stream::{Issued, Login};

use crate::Accounts;
use crate::accounts::{document, owner};
use crate::limits;
use crate::token_record::{Entry, Kept};

/// One map per account: key of the installation to its tokens.
const TOKENS: Space = Space("token");

/// Ends all tokens of an account.
pub(crate) fn forget_all(account: &Bare) -> Write {
    Write::MapClear { space: TOKENS, owner: owner(account), prefix: "".into() }
}

/// What a client says, as a key in storage: of one length, and of no use to who reads it there.
pub(crate) fn key(said: &str) -> String {
    let hash = digest::digest(&digest::SHA256, said.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a sealed token is bound to.
fn about(account: &Bare, key: &str) -> String {
    format!("{account}/{key}")
}

impl Accounts {
    /// The tokens of an installation; none for an account that may not log in.
    pub(crate) async fn tokens(&self, account: &Bare, client: &str) -> Result<Vec<Candidate>, Fault> {
        let key = key(client);
        let entry = Read::MapGet { space: TOKENS, owner: owner(account), key: key.as_str().into() };
        let mut answers =
            self.store.read(Read::Many(vec![document(account), entry])).await?.into_many().into_iter();
        let mut next = || answers.next().and_then(|loaded| loaded.into_doc());
        let (found, entry) = (next(), next());
        self.even(found.is_some()).await?;
        let (_, may) = self.standing(found)?;
        let entry = entry.and_then(|bytes| Entry::read(&bytes)).filter(|_| may);
        Ok(entry
            .map(|entry| entry.candidates(&self.seal, &about(account, &key), self.now()))
            .unwrap_or_default())
    }

    /// Takes note of a proven login: checks the standing once more, uses up the token, makes a new one. One step: of two
    /// logins with the same count one fails.
    pub(crate) async fn login(&self, login: Login) -> Result<Result<Option<Issued>, Condition>, Fault> {
        let _lock = self.lock(&login.account).await;
        let Some(record) = self.record(&login.account).await? else {
            return Ok(Err(Condition::NotAuthorized));
        };
        if record.suspended {
            return Ok(Err(Condition::AccountDisabled));
        }
        // Proven with a secret that is none any more (C-28).
        if !login.grant.holds() {
            return Ok(Err(Condition::NotAuthorized));
        }
        let client = login.client.id.as_deref().filter(|id| id.len() <= limits::CLIENT_ID_BYTES_MAX);
        let concerns_tokens = login.mechanism.is_fast() || login.request.is_some();
        let Some(client) = client.filter(|_| concerns_tokens) else {
            let refused = login.mechanism.is_fast();
            return Ok(if refused { Err(Condition::NotAuthorized) } else { Ok(None) });
        };
        self.login_of_client(&login, &key(client)).await
    }

    async fn login_of_client(
        &self,
        login: &Login,
        key: &str,
    ) -> Result<Result<Option<Issued>, Condition>, Fault> {
        let (account, now) = (&login.account, self.now());
        let all = self.store.read(Read::Map { space: TOKENS, owner: owner(account) }).await?.into_map();
        let mut entries: Vec<_> = all.iter().map(|(key, bytes)| (&**key, Entry::read(bytes))).collect();
        let at = entries.iter().position(|(known, _)| *known == key);
        let entry = at.and_then(|at| entries.swap_remove(at).1);
        let mut entry = entry.unwrap_or_else(|| Entry::empty(now));
        let mut due = None;
        if login.mechanism.is_fast() {
            match self.use_token(login, key, &mut entry, now) {
                Ok(rotate) => due = rotate,
                Err(condition) => return Ok(Err(condition)),
            }
        }
        let mut issued = None;
        if let Some(mechanism) = login.request.or(due).filter(|_| self.policy().tokens) {
            issued = self.issue(&about(account, key), mechanism, now).map(|(kept, issued)| {
                entry.new = Some(kept);
                issued
            });
        }
        entry.used = now;
        let put = match entry.new.is_none() && entry.current.is_none() {
            true => remove(account, key),
            false => {
                Write::MapPut { space: TOKENS, owner: owner(account), key: key.into(), value: entry.write() }
            }
        };
        let batch = old(entries, now).into_iter().map(|key| remove(account, key)).chain([put]);
        self.store.commit(Batch::from_iter(batch)).await?;
        Ok(Ok(issued))
    }

    /// Uses the token of the login. Gives the mechanism for a new one, if that is due.
    fn use_token(
        &self,
        login: &Login,
        key: &str,
        entry: &mut Entry,
        now: u64,
    ) -> Result<Option<Mechanism>, Condition> {
        let token = login.token.as_ref().ok_or(Condition::NotAuthorized)?;
        let about = about(&login.account, key);
        let slot =
            entry.slot_of(&self.seal, &about, token, login.mechanism).ok_or(Condition::NotAuthorized)?;
        if slot == Slot::New {
            entry.current = entry.new.take();
        }
        let kept = entry.current.as_mut().ok_or(Condition::NotAuthorized)?;
        if kept.expires <= now {
            return Err(Condition::CredentialsExpired);
        }
        kept.count = sasl::token::check_count(kept.count, login.count, login.early_data)?;
        let age = now.saturating_sub(kept.issued);
        if login.invalidate {
            (entry.new, entry.current) = (None, None);
            return Ok(None);
        }
        Ok((age >= limits::TOKEN_ROTATION_SECONDS).then_some(login.mechanism))
    }

    fn issue(&self, about: &str, mechanism: Mechanism, now: u64) -> Option<(Kept, Issued)> {
        let token = Token::random().ok()?;
        let sealed = self.seal.close(&token, about)?;
        let expires = now + limits::TOKEN_SECONDS;
        let kept = Kept { sealed, mechanism: mechanism.name().to_owned(), issued: now, expires, count: 0 };
        Some((kept, Issued { token, expires }))
    }
}

fn remove(account: &Bare, key: &str) -> Write {
    Write::MapDelete { space: TOKENS, owner: owner(account), key: key.into() }
}

/// Keys of other installations that must go: those that are over, and the oldest beyond the limit.
fn old(entries: Vec<(&str, Option<Entry>)>, now: u64) -> Vec<&str> {
    let over = |entry: &Option<Entry>| entry.as_ref().is_none_or(|entry| entry.is_over(now));
    let (over, mut alive): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, entry)| over(entry));
    alive.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.as_ref().map_or(0, |entry| entry.used)));
    let too_many = alive.into_iter().skip(limits::TOKEN_CLIENTS_MAX - 1);
    over.into_iter().chain(too_many).map(|(key, _)| key).collect()
}
