//! What the engine and operators ask and order.
//!
//! Not here: what follows for sessions (engine), the commands (admin).

use address::Bare;
use model::query::{AccountFound, AccountInfo, AccountQuery, Password, Which};
use model::spaces::ACCOUNT;
use model::storage::{Batch, Owner, Read, Write};
use sasl::PasswordError;
use store::{BoxFuture, Fault};

use crate::Accounts;
use crate::accounts::owner;
use crate::limits;
use crate::record::Record;
use crate::tokens;

impl Accounts {
    /// Answers a question or carries out an order; done when it is stored.
    pub fn answer(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Fault>> {
        Box::pin(async move {
            match query {
                AccountQuery::Create { account, password } => self.create(account, &password).await,
                AccountQuery::SetPassword { account, password } => {
                    self.set_password(account, &password).await
                }
                AccountQuery::CheckPassword { account, password } => {
                    let Ok(password) = sasl::Password::parse(password.reveal()) else {
                        return Ok(AccountFound::No);
                    };
                    let right = self.check_password(&account, password).await?;
                    Ok(if right { AccountFound::Done } else { AccountFound::No })
                }
                AccountQuery::Suspend { account, suspended } => {
                    self.change(account, suspended, |record| record.suspended = suspended).await
                }
                AccountQuery::SetAdmin { account, admin } => {
                    self.change(account, false, |record| record.admin = admin).await
                }
                // Sessions are the engine's; what lets them come back by themselves ends here.
                AccountQuery::EndSessions { account } => self.change(account, true, |_| ()).await,
                AccountQuery::Remove { account } => self.remove(account).await,
                AccountQuery::Show { account } => self.show(account).await,
                AccountQuery::List { domain, after, limit, which } => {
                    self.list(&domain, after, limit, which).await
                }
                AccountQuery::Invite(wanted) => self.invite(*wanted).await,
                AccountQuery::LookUp { token } => self.look_up(&token).await,
                AccountQuery::Invitations { domain, by } => self.invitations(&domain, by.as_ref()).await,
                AccountQuery::Revoke { domain, id } => self.revoke(&domain, &id).await,
                AccountQuery::Redeem { account, password, token } => {
                    self.redeem(account, &password, &token).await
                }
                AccountQuery::Recover { account, password, token } => {
                    self.recover(account, &password, &token).await
                }
                AccountQuery::Vouch { account, contact, token } => {
                    self.vouch(&account, &contact, &token).await
                }
                AccountQuery::Count { domain, which } => self.count(&domain, which).await,
            }
        })
    }

    async fn create(&self, account: Bare, password: &Password) -> Result<AccountFound, Fault> {
        if account.local().is_none() {
            return Ok(AccountFound::Refused("an account's address has the form name@domain"));
        }
        if !self.serves(account.domain()) {
            return Ok(AccountFound::Refused("the domain is not one of this server's"));
        }
        // Before the slow part, for the common case; and again under the lock.
        if self.record(&account).await?.is_some() {
            return Ok(AccountFound::Exists);
        }
        let password = match sasl::Password::parse(password.reveal()) {
            Ok(password) => password,
            Err(error) => return Ok(AccountFound::Refused(reason(error))),
        };
        let keys = self.derive(password).await?;
        let _lock = self.lock(&account).await;
        if self.record(&account).await?.is_some() {
            return Ok(AccountFound::Exists);
        }
        self.put(&account, &Record::new(self.now(), &keys), None).await?;
        Ok(AccountFound::Done)
    }

    async fn set_password(&self, account: Bare, password: &Password) -> Result<AccountFound, Fault> {
        let password = match sasl::Password::parse(password.reveal()) {
            Ok(password) => password,
            Err(error) => return Ok(AccountFound::Refused(reason(error))),
        };
        let keys = self.derive(password).await?;
        self.change(account, true, |record| record.set_keys(&keys)).await
    }

    /// Changes the document; with `forget` all tokens of the account end.
    async fn change(
        &self,
        account: Bare,
        forget: bool,
        change: impl FnOnce(&mut Record),
    ) -> Result<AccountFound, Fault> {
        let _lock = self.lock(&account).await;
        let Some(mut record) = self.record(&account).await? else { return Ok(AccountFound::No) };
        change(&mut record);
        self.put(&account, &record, forget.then(|| tokens::forget_all(&account))).await?;
        if forget {
            self.grants.revoke(&account);
        }
        Ok(AccountFound::Done)
    }

    async fn remove(&self, account: Bare) -> Result<AccountFound, Fault> {
        let _lock = self.lock(&account).await;
        if self.record(&account).await?.is_none() {
            return Ok(AccountFound::No);
        }
        let mut batch = Batch::from(Write::Purge { owner: owner(&account) });
        batch.push(crate::gone::bury(&account, self.now()));
        self.store.commit(batch).await?;
        self.grants.revoke(&account);
        Ok(AccountFound::Done)
    }

    async fn show(&self, account: Bare) -> Result<AccountFound, Fault> {
        let record = self.record(&account).await?;
        Ok(record.map_or(AccountFound::No, |record| AccountFound::Accounts(vec![info(account, &record)])))
    }

    async fn list(
        &self,
        domain: &str,
        after: Option<Bare>,
        limit: u32,
        which: Which,
    ) -> Result<AccountFound, Fault> {
        let limit = limit.min(limits::LIST_MAX) as usize;
        let mut found = Vec::new();
        let mut after = after.as_ref().map(owner);
        while found.len() < limit {
            let (mut owners, last) = self.scan(after.take()).await?;
            owners.retain(|account| account.domain() == domain);
            if which == Which::All {
                // Read no more than is wanted.
                owners.truncate(limit - found.len());
            }
            found.extend(self.infos(owners, which).await?);
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        found.truncate(limit);
        Ok(AccountFound::Accounts(found))
    }

    /// What is known of these, without those that are not wanted.
    async fn infos(&self, accounts: Vec<Bare>, which: Which) -> Result<Vec<AccountInfo>, Fault> {
        let reads = accounts.iter().map(crate::accounts::document).collect();
        let documents = self.store.read(Read::Many(reads)).await?.into_many();
        let mut infos = Vec::with_capacity(accounts.len());
        for (account, document) in accounts.into_iter().zip(documents) {
            // Removed in between: left out.
            let Some(bytes) = document.into_doc() else { continue };
            let info = info(account, &Record::read(&bytes)?);
            let wanted = match which {
                Which::All => true,
                Which::Suspended => info.suspended,
                Which::Admins => info.admin,
            };
            if wanted {
                infos.push(info);
            }
        }
        Ok(infos)
    }

    async fn count(&self, domain: &str, which: Which) -> Result<AccountFound, Fault> {
        let (mut count, mut after) = (0, None);
        loop {
            let (mut owners, last) = self.scan(after.take()).await?;
            owners.retain(|account| account.domain() == domain);
            count += match which {
                Which::All => owners.len() as u64,
                _ => self.infos(owners, which).await?.len() as u64,
            };
            match last {
                Some(last) => after = Some(last),
                None => return Ok(AccountFound::Count(count)),
            }
        }
    }

    /// Some accounts of all domains, and where to go on, if there may be more.
    async fn scan(&self, after: Option<Owner>) -> Result<(Vec<Bare>, Option<Owner>), Fault> {
        let read = Read::Owners { space: ACCOUNT, after, limit: limits::SCAN };
        let owners = self.store.read(read).await?.into_owners();
        let last = owners.last().filter(|_| owners.len() == limits::SCAN as usize).cloned();
        Ok((owners.iter().filter_map(|owner| Bare::parse(owner.as_str()).ok()).collect(), last))
    }
}

fn info(account: Bare, record: &Record) -> AccountInfo {
    AccountInfo { account, suspended: record.suspended, admin: record.admin, created: record.created }
}

pub(crate) fn reason(error: PasswordError) -> &'static str {
    match error {
        PasswordError::Empty => "the password is empty",
        PasswordError::TooLong => "the password is longer than 1,023 bytes",
        PasswordError::Prohibited => {
            "the password holds characters that XMPP forbids in passwords, such as controls or emoji"
        }
    }
}
