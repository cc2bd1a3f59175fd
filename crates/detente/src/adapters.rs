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
use mediator::Mediator;
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
    /// So do the streams of its files to others, and with its right to be here.
    pub(crate) streams: Option<Mediator>,
}

impl engine::Accounts for Known {
    fn answer(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Fault>> {
        let loses = match &query {
            AccountQuery::Remove { account }
            | AccountQuery::Suspend { account, suspended: true }
            | AccountQuery::EndSessions { account } => self.streams.clone().zip(Some(account.clone())),
            _ => None,
        };
        let answer = self.ask(query);
        let Some((mediator, account)) = loses else { return answer };
        Box::pin(async move {
            let found = answer.await?;
            if matches!(found, AccountFound::Done) {
                mediator.end_account(account.as_str());
            }
            Ok(found)
        })
    }
}

impl Known {
    fn ask(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Fault>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytestreams::{Limits, Name};
    use model::query::Password;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    async fn known(mediator: &Mediator, account: &Bare) -> Known {
        let mut config = config::Config::default();
        config.server.domains = vec!["a.example".into()];
        config.auth.iterations = 4_096;
        let settings = crate::translate::accounts(&config, zeroize::Zeroizing::new([7; 32]));
        let store: Arc<dyn store::Store> = Arc::new(store::memory::Memory::new());
        let accounts = Arc::new(Accounts::open(store, settings).await.unwrap());
        let create =
            AccountQuery::Create { account: account.clone(), password: Password::new("secret word") };
        assert!(matches!(accounts.answer(create).await, Ok(AccountFound::Done)));
        Known { accounts, files: None, streams: Some(mediator.clone()) }
    }

    /// A connection that waits for its other end.
    async fn waiting(mediator: &Mediator, name: Name) -> TcpStream {
        let mut socket = TcpStream::connect(mediator.addresses()[0]).await.unwrap();
        socket.write_all(&[5, 1, 0]).await.unwrap();
        socket.read_exact(&mut [0; 2]).await.unwrap();
        let request = [&[5, 1, 0, 3, 40], name.to_string().as_bytes(), &[0, 0]].concat();
        socket.write_all(&request).await.unwrap();
        socket.read_exact(&mut [0; 47]).await.unwrap();
        socket
    }

    /// Waits until a stream is active: who has been told may still be on the way to where it waits.
    async fn activate(mediator: &Mediator, name: Name, account: &Bare) {
        while mediator.activate(name, account.as_str()).is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn streams_end_with_the_right_to_be_here() {
        let settings = mediator::Settings {
            limits: Limits::default(),
            bytes_per_second: 0,
            bytes_per_second_per_account: 0,
            bytes_per_second_in_all: 0,
        };
        let mediator = Mediator::bind(settings, &["127.0.0.1:0".parse().unwrap()]).unwrap();
        tokio::spawn(mediator.clone().run());
        let account = Bare::parse("romeo@a.example").unwrap();
        let known = known(&mediator, &account).await;
        let name = Name::of("1", "a@b/c", "d@e/f");
        for (order, ends) in [
            (AccountQuery::Show { account: account.clone() }, false),
            (AccountQuery::Suspend { account: account.clone(), suspended: false }, false),
            (AccountQuery::EndSessions { account: account.clone() }, true),
            (AccountQuery::Suspend { account: account.clone(), suspended: true }, true),
            (AccountQuery::Remove { account: account.clone() }, true),
            (AccountQuery::Remove { account: account.clone() }, false),
        ] {
            let _both = [waiting(&mediator, name).await, waiting(&mediator, name).await];
            activate(&mediator, name, &account).await;
            engine::Accounts::answer(&known, order.clone()).await.unwrap();
            assert_eq!(mediator.counts().1, usize::from(!ends), "{order:?}");
            mediator.end_account(account.as_str());
        }
    }
}
