//! Invitations: made, looked up, used up in one step with what they are for, revoked.
//!
//! XEP-0379 0.3.3, XEP-0401 0.6.0, XEP-0445 0.2.0
//!
//! Only the hash of a token is stored. All of it goes through one lock, so a token is used exactly as often as it may
//! (J-04), and the use is stored together with the account that it made.
//!
//! Not here: pages and commands.

use std::sync::Arc;

use address::Bare;
use aws_lc_rs::rand;
use kernel::{Direction, Item, ROSTER};
use model::invite::{Invitation, Invite, Made, Purpose};
use model::query::{AccountFound, AccountQuery, Password};
use model::spaces::ACCOUNT;
use model::storage::{Batch, Owner, Read, Space, Write};
use serde::{Deserialize, Serialize};
use stanza::{PresenceType, Stanza, ns};
use store::Fault;
use xml::Writer;

use crate::Accounts;
use crate::accounts::{SERVER, bug, owner};
use crate::limits;
use crate::record::Record;
use crate::tokens::{self, key};

/// One map of the server: the token's hash to its [`Row`].
const INVITES: Space = Space("invitation");
/// One map for each account: who may become its contact without being asked.
const VOUCHED: Space = Space("vouched");
/// Letters and digits that nobody mixes up.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    domain: String,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    until: u64,
    left: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Contact,
    Account,
    Recovery,
}

impl Row {
    fn is_over(&self, now: u64) -> bool {
        self.left == 0 || self.until <= now
    }

    fn account(&self) -> Option<Bare> {
        self.account.as_deref().and_then(|account| Bare::parse(account).ok())
    }

    fn found(&self, key: &str) -> Invitation {
        Invitation {
            id: id(key),
            domain: self.domain.clone(),
            purpose: match self.kind {
                Kind::Contact => Purpose::Contact,
                Kind::Account => Purpose::Account,
                Kind::Recovery => Purpose::Recovery,
            },
            account: self.account(),
            name: self.name.clone(),
            until: self.until,
            left: self.left,
        }
    }

    /// The write that takes one use away.
    fn used(mut self, key: &str) -> Write {
        self.left -= 1;
        let (owner, key) = (Owner::from(SERVER), Arc::from(key));
        match self.left {
            0 => Write::MapDelete { space: INVITES, owner, key },
            // Texts and numbers can always be written.
            _ => {
                let value = serde_json::to_vec(&self).unwrap_or_default().into();
                Write::MapPut { space: INVITES, owner, key, value }
            }
        }
    }
}

fn id(key: &str) -> String {
    key.chars().take(limits::INVITE_ID_CHARS).collect()
}

fn token() -> Result<String, Fault> {
    let mut bytes = [0; limits::INVITE_TOKEN_CHARS];
    rand::fill(&mut bytes).map_err(|_| bug("no random numbers"))?;
    // 256 is a multiple of 32: no character is likelier than another.
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

impl Accounts {
    async fn invitation(&self, token: &str) -> Result<Option<(String, Row)>, Fault> {
        let key = key(token);
        let read = Read::MapGet { space: INVITES, owner: Owner::from(SERVER), key: key.as_str().into() };
        let row = self.store.read(read).await?.into_doc();
        Ok(row.and_then(|row| serde_json::from_slice(&row).ok()).map(|row| (key, row)))
    }

    async fn all(&self) -> Result<Vec<(Arc<str>, Row)>, Fault> {
        let read = Read::Map { space: INVITES, owner: Owner::from(SERVER) };
        let rows = self.store.read(read).await?.into_map();
        Ok(rows
            .into_iter()
            .filter_map(|(key, row)| Some((key, serde_json::from_slice(&row).ok()?)))
            .collect())
    }

    /// Whether that name is nobody's who comes by himself: somebody holds an invitation for it, or somebody had it.
    pub(crate) async fn is_reserved(&self, account: &Bare) -> Result<bool, Fault> {
        if self.is_gone(account).await? {
            return Ok(true);
        }
        let now = self.now();
        let rows = self.all().await?;
        Ok(rows.iter().any(|(_, row)| {
            !row.is_over(now) && row.domain == account.domain() && row.name.as_deref() == account.local()
        }))
    }

    /// Makes an invitation.
    pub(crate) async fn invite(&self, wanted: Invite) -> Result<AccountFound, Fault> {
        if !self.serves(&wanted.domain) {
            return Ok(AccountFound::Refused("the domain is not one of this server's"));
        }
        if wanted.seconds > limits::INVITE_SECONDS_MAX || wanted.uses > limits::INVITE_USES_MAX {
            return Ok(AccountFound::Refused("an invitation holds for a year and 1,000 uses at most"));
        }
        let account = match (&wanted.account, wanted.purpose) {
            (Some(account), _) if self.record(account).await?.is_none() => return Ok(AccountFound::No),
            (None, Purpose::Recovery | Purpose::Contact) => return Ok(AccountFound::No),
            (account, _) => account.as_ref().map(|account| account.as_str().to_owned()),
        };
        let name = match wanted
            .name
            .as_deref()
            .map(|name| address::Jid::from_parts(Some(name), &wanted.domain, None))
        {
            Some(Ok(jid)) if self.record(&jid.bare()).await?.is_some() => return Ok(AccountFound::Exists),
            Some(Ok(jid)) => jid.local().map(str::to_owned),
            Some(Err(_)) => return Ok(AccountFound::Refused("that cannot be the name of an account")),
            None => None,
        };
        let _lock = self.invites.lock().await;
        let (now, by) = (self.now(), wanted.by.as_ref().map(|by| by.as_str().to_owned()));
        let rows = self.all().await?;
        let (over, open): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, row)| row.is_over(now));
        let own = open.iter().filter(|(_, row)| by.is_some() && row.by == by).count();
        if own >= limits::INVITES_PER_ACCOUNT_MAX || open.len() >= limits::INVITES_MAX {
            return Ok(AccountFound::Refused(
                "there are too many open invitations; wait until some end, or revoke some",
            ));
        }
        let token = token()?;
        let key = key(&token);
        let seconds = if wanted.seconds == 0 { limits::INVITE_SECONDS } else { wanted.seconds };
        let row = Row {
            domain: wanted.domain,
            kind: match wanted.purpose {
                Purpose::Contact => Kind::Contact,
                Purpose::Account => Kind::Account,
                Purpose::Recovery => Kind::Recovery,
            },
            account,
            name,
            by,
            until: now + seconds,
            left: if wanted.purpose == Purpose::Recovery { 1 } else { wanted.uses.max(1) },
        };
        let mut batch = Batch::new();
        for (key, _) in over {
            batch.push(Write::MapDelete { space: INVITES, owner: Owner::from(SERVER), key });
        }
        let value = serde_json::to_vec(&row).unwrap_or_default().into();
        batch.push(Write::MapPut {
            space: INVITES,
            owner: Owner::from(SERVER),
            key: key.as_str().into(),
            value,
        });
        self.store.commit(batch).await?;
        let invitation = row.found(&key);
        Ok(AccountFound::Invited(Box::new((Made { token, id: id(&key), until: row.until }, invitation))))
    }

    /// What an invitation is for, if it still holds.
    pub(crate) async fn look_up(&self, token: &Password) -> Result<AccountFound, Fault> {
        let found = self.invitation(token.reveal()).await?.filter(|(_, row)| !row.is_over(self.now()));
        Ok(found.map_or(AccountFound::No, |(key, row)| AccountFound::Invitations(vec![row.found(&key)])))
    }

    /// All that hold at a domain, of one account or of everybody.
    pub(crate) async fn invitations(&self, domain: &str, by: Option<&Bare>) -> Result<AccountFound, Fault> {
        let now = self.now();
        let wanted = |row: &Row| {
            row.domain == domain
                && !row.is_over(now)
                && by.is_none_or(|by| row.by.as_deref() == Some(by.as_str()))
        };
        let rows = self.all().await?;
        let found = rows.iter().filter(|(_, row)| wanted(row)).map(|(key, row)| row.found(key));
        Ok(AccountFound::Invitations(found.collect()))
    }

    /// Ends an invitation by its id.
    pub(crate) async fn revoke(&self, domain: &str, wanted: &str) -> Result<AccountFound, Fault> {
        let _lock = self.invites.lock().await;
        let rows = self.all().await?;
        let Some((key, _)) = rows.into_iter().find(|(key, row)| row.domain == domain && id(key) == wanted)
        else {
            return Ok(AccountFound::No);
        };
        let delete = Write::MapDelete { space: INVITES, owner: Owner::from(SERVER), key };
        self.store.commit(Batch::from(delete)).await?;
        Ok(AccountFound::Done)
    }

    /// Makes an account with an invitation. `No`: the invitation does not allow that.
    pub(crate) async fn redeem(
        &self,
        account: Bare,
        password: &Password,
        token: &Password,
    ) -> Result<AccountFound, Fault> {
        let password = match sasl::Password::parse(password.reveal()) {
            Ok(password) => password,
            Err(error) => return Ok(AccountFound::Refused(crate::query::reason(error))),
        };
        // Before the slow part, so that nobody makes us work without a token; and again under the lock.
        if self.usable(&account, token).await?.is_none() {
            return Ok(AccountFound::No);
        }
        if self.record(&account).await?.is_some() {
            return Ok(AccountFound::Exists);
        }
        let keys = self.derive(password).await?;
        let _invites = self.invites.lock().await;
        let _lock = self.lock(&account).await;
        let Some((key, row)) = self.usable(&account, token).await? else { return Ok(AccountFound::No) };
        let named = row.name.as_deref() == account.local();
        if self.record(&account).await?.is_some() || (!named && self.is_reserved(&account).await?) {
            return Ok(AccountFound::Exists);
        }
        let value = Record::new(self.now(), &keys).write();
        let mut batch = Batch::from(Write::DocPut { space: ACCOUNT, owner: owner(&account), value });
        if let Some(contact) = row.account() {
            befriend(&account, &contact, &mut batch);
        }
        batch.push(row.used(&key));
        self.store.commit(batch).await?;
        Ok(AccountFound::Done)
    }

    async fn usable(&self, account: &Bare, token: &Password) -> Result<Option<(String, Row)>, Fault> {
        // XEP-0445 section 4: who has begun in time may finish.
        let now = self.now().saturating_sub(limits::INVITE_GRACE_SECONDS);
        let found = self.invitation(token.reveal()).await?;
        Ok(found.filter(|(_, row)| {
            let named = row.name.as_deref().is_none_or(|name| account.local() == Some(name));
            !row.is_over(now) && row.kind != Kind::Recovery && row.domain == account.domain() && named
        }))
    }

    /// Sets a new password with the token of a recovery. `No`: it is none for that account.
    pub(crate) async fn recover(
        &self,
        account: Bare,
        password: &Password,
        token: &Password,
    ) -> Result<AccountFound, Fault> {
        let password = match sasl::Password::parse(password.reveal()) {
            Ok(password) => password,
            Err(error) => return Ok(AccountFound::Refused(crate::query::reason(error))),
        };
        let holds = |row: &Row| {
            row.kind == Kind::Recovery && !row.is_over(self.now()) && row.account().as_ref() == Some(&account)
        };
        if !self.invitation(token.reveal()).await?.is_some_and(|(_, row)| holds(&row)) {
            return Ok(AccountFound::No);
        }
        let keys = self.derive(password).await?;
        let _invites = self.invites.lock().await;
        let _lock = self.lock(&account).await;
        let found = self.invitation(token.reveal()).await?.filter(|(_, row)| holds(row));
        let (Some((key, row)), Some(mut record)) = (found, self.record(&account).await?) else {
            return Ok(AccountFound::No);
        };
        record.set_keys(&keys);
        let put = Write::DocPut { space: ACCOUNT, owner: owner(&account), value: record.write() };
        self.store.commit(Batch::from(vec![put, tokens::forget_all(&account), row.used(&key)])).await?;
        self.grants.revoke(&account);
        Ok(AccountFound::Done)
    }

    /// Whether `contact` may become a contact of the account without being asked: by an invitation, which is used with
    /// it, or since its account was made by one.
    pub(crate) async fn vouch(
        &self,
        account: &Bare,
        contact: &Bare,
        token: &Password,
    ) -> Result<AccountFound, Fault> {
        let _lock = self.invites.lock().await;
        let vouched = Read::MapGet { space: VOUCHED, owner: owner(account), key: contact.as_str().into() };
        if self.store.read(vouched).await?.into_doc().is_some() {
            let done =
                Write::MapDelete { space: VOUCHED, owner: owner(account), key: contact.as_str().into() };
            self.store.commit(Batch::from(done)).await?;
            return Ok(AccountFound::Done);
        }
        let found = self.invitation(token.reveal()).await?.filter(|(_, row)| {
            row.kind == Kind::Contact && !row.is_over(self.now()) && row.account().as_ref() == Some(account)
        });
        let Some((key, row)) = found else { return Ok(AccountFound::No) };
        self.store.commit(Batch::from(row.used(&key))).await?;
        Ok(AccountFound::Done)
    }

    /// Makes an account with an invitation, wherever the wish came from, and makes the two contacts.
    pub async fn join(
        &self,
        account: Bare,
        password: Password,
        token: Password,
    ) -> Result<AccountFound, Fault> {
        let contact = self.invitation(token.reveal()).await?.and_then(|(_, row)| row.account());
        let redeem = AccountQuery::Redeem { account: account.clone(), password, token };
        let found = match self.orders.get() {
            Some(orders) => orders.order(redeem).await,
            None => self.answer(redeem).await?,
        };
        if let (AccountFound::Done, Some(contact), Some(orders)) = (&found, contact, self.orders.get()) {
            let mut w = Writer::new(ns::CLIENT);
            w.open("preauth", ns::PARS).attr("token", "").close();
            let ask = Stanza::presence(PresenceType::Subscribe).from(account.jid()).to(contact.jid());
            orders.bring(ask.with_inner(w.finish())).await;
        }
        Ok(found)
    }
}

/// The new account has asked its contact already, and agreed in advance; and is vouched for at the contact's side.
fn befriend(account: &Bare, contact: &Bare, batch: &mut Batch) {
    let item = Item { to: Direction::Pending, approved: true, listed: true, ..Item::default() };
    let value = serde_json::to_vec(&item).unwrap_or_default().into();
    batch.push(Write::MapPut { space: ROSTER, owner: owner(account), key: contact.as_str().into(), value });
    let value = Default::default();
    batch.push(Write::MapPut { space: VOUCHED, owner: owner(contact), key: account.as_str().into(), value });
}
