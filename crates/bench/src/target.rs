//! The server under measurement: where it is, how to reach it, and what it turned out to offer.
//!
//! Not here: logging in (`login.rs`).

use crate::cli::{Cli, Mechanism};
use crate::meter::Tree;
use crate::scram::KeyCache;
use crate::{Outcome, report::Report, tls};
use rustls::{ClientConfig, pki_types::ServerName};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(|fault| format!("{what}: {fault}").into()),
        Err(_) => Err(format!("{what}: not done after {} s", limit.as_secs()).into()),
    }
}

/// How connections are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Direct,
    /// STARTTLS.
    StartTls,
    /// None.
    Plain,
}

/// What the server chose, for the report.
#[derive(Debug, Default, Clone)]
pub struct Chosen {
    /// SASL mechanism.
    pub mechanism: String,
    /// SCRAM iterations.
    pub iterations: u32,
    /// TLS version, cipher suite, key exchange.
    pub tls: String,
}

/// The server.
pub struct Target {
    /// Where it listens.
    pub at: SocketAddr,
    /// How it is secured.
    pub security: Security,
    /// Its XMPP domain.
    pub domain: String,
    /// The same for TLS.
    pub name: ServerName<'static>,
    /// TLS settings.
    pub tls: Arc<ClientConfig>,
    /// Which SASL mechanism to use.
    pub mechanism: Mechanism,
    /// Derived SCRAM keys.
    pub keys: KeyCache,
    /// Its processes.
    pub processes: Option<Tree>,
    /// Whether it is the relay.
    pub relay: bool,
    patience: Duration,
    chosen: Mutex<Chosen>,
}

impl Target {
    /// The server that the command line names.
    ///
    /// # Errors
    /// A domain that is no name.
    pub(crate) fn new(cli: &Cli) -> Outcome<Self> {
        let security = if cli.plain {
            Security::Plain
        } else if cli.starttls {
            Security::StartTls
        } else {
            Security::Direct
        };
        let direct = security == Security::Direct;
        Ok(Self {
            at: SocketAddr::new(cli.host, cli.port.unwrap_or(if direct { 5223 } else { 5222 })),
            security,
            domain: cli.domain.clone(),
            name: ServerName::try_from(cli.domain.clone())?,
            tls: tls::client(direct)?,
            mechanism: cli.mechanism,
            keys: KeyCache::default(),
            processes: cli.server_pid.map(Tree),
            relay: cli.relay,
            patience: Duration::from_secs(cli.patience),
            chosen: Mutex::default(),
        })
    }

    /// A server with direct TLS; nothing is waited for longer than `patience`.
    ///
    /// # Errors
    /// A domain that is no name.
    pub fn direct(at: SocketAddr, domain: &str, patience: Duration) -> Outcome<Self> {
        Ok(Self {
            at,
            security: Security::Direct,
            domain: domain.to_owned(),
            name: ServerName::try_from(domain.to_owned())?,
            tls: tls::client(true)?,
            mechanism: Mechanism::Auto,
            keys: KeyCache::default(),
            processes: None,
            relay: false,
            patience,
            chosen: Mutex::default(),
        })
    }

    /// Waits for `work`, but not for ever.
    ///
    /// # Errors
    /// Its own, or that it took longer than `--patience`.
    pub async fn patiently<T>(&self, what: &str, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        within(self.patience, what, work).await
    }

    /// [`Self::patiently`] for long preparations: ten times as long.
    pub async fn very_patiently<T>(&self, what: &str, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        within(self.patience * 10, what, work).await
    }

    /// Notes what the server chose.
    pub fn note(&self, change: impl FnOnce(&mut Chosen)) {
        change(&mut self.chosen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what the server chose to `report`.
    pub(crate) fn describe(&self, report: &mut Report) {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.set("tls", chosen.tls);
        if !chosen.mechanism.is_empty() {
            report.set("mechanism", chosen.mechanism);
        }
        if chosen.iterations > 0 {
            report.set("iterations", chosen.iterations);
        }
    }
}
