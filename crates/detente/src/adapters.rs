//! Where one part asks a question and another answers: small pieces between crates that do not know each other.
//!
//! Not here: the questions and the answers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use accounts::{Accounts, Orders};
use address::Bare;
use admin::Port;
use files::Files;
use model::grant::{Grant, Grants};
use model::query::{AccountFound, AccountQuery};
use net::{Answering, TlsStore};
use stanza::Stanza;
use store::{BoxFuture, Fault};
use stream::Ask;

/// The accounts, as the engine and the sockets see them.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) accounts: Arc<Accounts>,
    /// Files go with their account.
    pub(crate) files: Option<Arc<Files>>,
}

impl engine::Accounts for Known {
    fn answer(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Fault>> {
        match (&self.files, &query) {
            (Some(files), AccountQuery::Remove { account }) => {
                let account = account.clone();
                Box::pin(async move {
                    let tokens = files.tokens(&account).await?;
                    let found = self.accounts.answer(query).await?;
                    if matches!(found, AccountFound::Done)
                        && let Err(fault) = files.forget(&tokens).await
                    {
                        // The next search for orphans finds them.
                        tracing::error!(cause = fault.cause(), "files of a removed account are left");
                    }
                    Ok(found)
                })
            }
            _ => self.accounts.answer(query),
        }
    }
}

impl net::Authority for Known {
    fn answer(&self, ask: Ask, peer: IpAddr) -> Answering {
        let accounts = self.accounts.clone();
        Box::pin(async move { accounts.ask(ask, peer).await })
    }

    fn visitor(&self, query: AccountQuery, peer: IpAddr) -> net::Pending<'static, AccountFound> {
        let accounts = self.accounts.clone();
        Box::pin(async move { accounts.visitor(query, peer).await })
    }

    fn authenticated(&self, account: &Bare, peer: IpAddr) {
        tracing::info!(%account, %peer, "logged in");
    }
}

/// Orders of the accounts go through the engine, which knows the sessions.
pub(crate) struct ThroughEngine(pub(crate) Arc<dyn Port>);

impl Orders for ThroughEngine {
    fn order(&self, query: AccountQuery) -> BoxFuture<'_, AccountFound> {
        Box::pin(async move {
            self.0
                .account(query)
                .await
                .unwrap_or(AccountFound::Refused("the server is stopping; try again later"))
        })
    }

    fn bring(&self, stanza: Stanza) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A server that stops brings nothing; the new account asks again when it logs in.
            let _ = self.0.bring(stanza).await;
        })
    }
}

/// Our domains, and the rights of their accounts.
#[derive(Debug)]
pub(crate) struct Ours(pub(crate) HashMap<String, Own>, pub(crate) Grants);

/// What streams tell of a domain.
#[derive(Debug)]
pub(crate) struct Own {
    /// Whether anybody may sign up there.
    pub(crate) registers: bool,
    /// Whether who holds an invitation may sign up there.
    pub(crate) invites: bool,
    /// What it can (XEP-0115, a canonical `<c/>`).
    pub(crate) capabilities: Arc<[u8]>,
    /// Where its sessions are best resumed.
    pub(crate) resume_location: Option<Arc<str>>,
}

impl stream::Domains for Ours {
    fn serves(&self, domain: &str) -> bool {
        self.0.contains_key(domain)
    }

    fn registers(&self, domain: &str) -> bool {
        self.0.get(domain).is_some_and(|own| own.registers)
    }

    fn invites(&self, domain: &str) -> bool {
        self.0.get(domain).is_some_and(|own| own.invites)
    }

    fn capabilities(&self, domain: &str) -> Arc<[u8]> {
        self.0.get(domain).map(|own| own.capabilities.clone()).unwrap_or_default()
    }

    fn grant(&self, account: &Bare) -> Grant {
        self.1.of(account)
    }

    fn resume_location(&self, domain: &str) -> Option<Arc<str>> {
        self.0.get(domain)?.resume_location.clone()
    }
}

/// Reads certificates as the sockets will.
pub(crate) struct Reader;

impl config::Certificates for Reader {
    fn check(&self, domain: &str, chain: &[u8], key: &[u8]) -> Result<Vec<String>, String> {
        let notes = TlsStore::new().load(domain, chain, key).map_err(|error| error.to_string())?;
        Ok(notes.iter().map(ToString::to_string).collect())
    }
}
