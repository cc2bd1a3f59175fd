//! Who carries commands out: the engine, in a server or for one command.
//!
//! Not here: how a command finds one or the other (detente).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use engine::{Handle, Input};
use model::query::{AccountFound, AccountQuery, SessionFilter, SessionFound};
use model::storage::{Batch, Loaded, Read};
use serde_json::Value;
use stanza::{Stanza, StanzaError};
use store::{BoxFuture, Store};
use tokio::sync::{Notify, oneshot};

use crate::{Certificates, Failure, FailureKind, Gauges};

/// Where commands go.
pub trait Port: Send + Sync {
    /// A question or an order about accounts.
    fn account(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Failure>>;
    /// Who is connected; `None` where nobody can be.
    fn sessions(&self, filter: SessionFilter) -> BoxFuture<'_, Result<Option<Vec<SessionFound>>, Failure>>;
    /// How the server is doing; `None` where none runs.
    fn status(&self) -> BoxFuture<'_, Option<Value>> {
        Box::pin(std::future::ready(None))
    }
    /// How components stand, a list of objects; `None` where no server runs.
    fn components(&self) -> Option<Value> {
        None
    }
    /// Who keeps certificates; `None` where no server runs.
    fn certificates(&self) -> Option<&dyn Certificates> {
        None
    }
    /// Other servers; `None` where no server runs, or it talks with no others.
    fn servers(&self) -> Option<&dyn Servers> {
        None
    }
    /// Brings a stanza of the server itself on its way; `from` and `to` are set.
    fn bring(&self, stanza: Stanza) -> BoxFuture<'_, Result<(), Failure>> {
        let _ = stanza;
        Box::pin(std::future::ready(Err(crate::sessions::nobody())))
    }
    /// The services with rooms, and whose each is: the domain of the service, and that of its accounts.
    fn rooms(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Asks something of a place of a service, in the name of the domain that the service belongs to; `from` and `to` are
    /// set.
    fn request(&self, request: Stanza) -> BoxFuture<'_, Result<Result<Stanza, StanzaError>, Failure>> {
        let _ = request;
        Box::pin(std::future::ready(Err(crate::sessions::nobody())))
    }
    /// Reads what is stored.
    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Failure>> {
        let _ = read;
        Box::pin(std::future::ready(Err(crate::sessions::nobody())))
    }
    /// Stores something that no account and no room has in memory.
    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<(), Failure>> {
        let _ = batch;
        Box::pin(std::future::ready(Err(crate::sessions::nobody())))
    }
    /// Groups have changed: those who are online shall see it.
    fn regroup(&self) {}
    /// Domains have changed. Whether there is a running server that takes that over.
    fn rehost(&self) -> bool {
        false
    }
    /// How often a running server has taken domains over.
    fn rehosted(&self) -> u64 {
        0
    }
    /// The domains of this server.
    fn domains(&self) -> Vec<String>;
    /// Those of them that stand in the configuration, whatever was added by commands.
    fn configured(&self) -> Vec<String> {
        self.domains()
    }
}

/// Of one moment.
#[derive(Debug, Default)]
struct Names {
    all: Vec<String>,
    configured: Vec<String>,
    /// Services with rooms, and whose they are.
    rooms: Vec<(String, String)>,
}

impl Names {
    fn new(all: &[String], added: &[String], rooms: Vec<(String, String)>) -> Names {
        let configured = all.iter().filter(|name| !added.contains(name)).cloned().collect();
        Names { all: all.to_vec(), configured, rooms }
    }
}

/// The domains of a server, which may change. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    names: Arc<RwLock<Names>>,
    times: Arc<AtomicU64>,
}

impl Domains {
    /// All of them, those of them that commands have added, and the services with rooms: the domain of each, and that of
    /// its accounts.
    pub fn new(all: &[String], added: &[String], rooms: Vec<(String, String)>) -> Domains {
        Domains { names: Arc::new(RwLock::new(Names::new(all, added, rooms))), times: Arc::default() }
    }

    /// Those of now.
    pub fn names(&self) -> Vec<String> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).all.clone()
    }

    /// Those of them that stand in the configuration.
    pub fn configured(&self) -> Vec<String> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).configured.clone()
    }

    /// The services with rooms.
    pub fn rooms(&self) -> Vec<(String, String)> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).rooms.clone()
    }

    /// From now on these.
    pub fn replace(&self, all: &[String], added: &[String], rooms: Vec<(String, String)>) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Names::new(all, added, rooms);
        self.times.fetch_add(1, Ordering::Relaxed);
    }
}

/// Other servers, for operators. Domains are prepared.
pub trait Servers: Send + Sync {
    /// A list of objects, one for each domain of which anything is known.
    fn list(&self) -> BoxFuture<'_, Value>;
    /// One domain, as an object.
    fn show<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Value>;
    /// Connects to a domain anew on behalf of one of ours, and says what came of it.
    fn test<'a>(&'a self, local: &'a str, domain: &'a str) -> BoxFuture<'a, Result<Value, Failure>>;
    /// A domain is blocked, or is so no longer: takes effect at once.
    fn bar(&self, domain: &str, barred: bool);
    /// Whether the configuration lets this server talk with a domain.
    fn configured(&self, domain: &str) -> bool;
}

/// In a running server.
pub struct Live {
    engine: Handle,
    gauges: Option<Arc<Gauges>>,
    domains: Domains,
    components: Option<Box<dyn Fn() -> Value + Send + Sync>>,
    certificates: Option<Box<dyn Certificates>>,
    servers: Option<Arc<dyn Servers>>,
    store: Arc<dyn Store>,
    regroup: Arc<Notify>,
    rehost: Arc<Notify>,
}

impl Live {
    /// Through this way in. Without gauges nothing is told of how it is doing.
    pub fn new(engine: Handle, gauges: Option<Arc<Gauges>>, domains: Domains, store: Arc<dyn Store>) -> Live {
        Live {
            engine,
            gauges,
            domains,
            store,
            regroup: Arc::default(),
            rehost: Arc::default(),
            components: None,
            certificates: None,
            servers: None,
        }
    }

    /// What is told when groups have changed.
    pub fn regrouping(&self) -> Arc<Notify> {
        self.regroup.clone()
    }

    /// What is told when domains have changed.
    pub fn rehosting(&self) -> Arc<Notify> {
        self.rehost.clone()
    }

    /// The same, knowing how components stand.
    #[must_use]
    pub fn with_components(self, standing: Box<dyn Fn() -> Value + Send + Sync>) -> Live {
        Live { components: Some(standing), ..self }
    }

    /// The same, with who keeps certificates.
    #[must_use]
    pub fn with_certificates(self, kept: Box<dyn Certificates>) -> Live {
        Live { certificates: Some(kept), ..self }
    }

    /// The same, knowing other servers.
    #[must_use]
    pub fn with_servers(self, servers: Option<Arc<dyn Servers>>) -> Live {
        Live { servers, ..self }
    }

    async fn ask<T: Send + 'static>(
        &self,
        input: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Input,
    ) -> Result<T, Failure> {
        let (tx, rx) = oneshot::channel();
        let reply = Box::new(move |found| {
            // Whoever asked may have gone.
            let _ = tx.send(found);
        });
        self.engine.send(input(reply)).await;
        rx.await.map_err(|_| Failure::new(FailureKind::Unreachable, "the server is stopping"))
    }
}

impl Port for Live {
    fn account(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Failure>> {
        Box::pin(self.ask(move |reply| Input::Account(query, reply)))
    }

    fn sessions(&self, filter: SessionFilter) -> BoxFuture<'_, Result<Option<Vec<SessionFound>>, Failure>> {
        Box::pin(async move { self.ask(move |reply| Input::Sessions(filter, reply)).await.map(Some) })
    }

    fn status(&self) -> BoxFuture<'_, Option<Value>> {
        Box::pin(async {
            match &self.gauges {
                Some(gauges) => Some(gauges.status().await),
                None => None,
            }
        })
    }

    fn components(&self) -> Option<Value> {
        self.components.as_ref().map(|standing| standing())
    }

    fn certificates(&self) -> Option<&dyn Certificates> {
        self.certificates.as_deref()
    }

    fn servers(&self) -> Option<&dyn Servers> {
        self.servers.as_deref()
    }

    fn bring(&self, stanza: Stanza) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            self.engine.send(Input::Inject(stanza)).await;
            Ok(())
        })
    }

    fn rooms(&self) -> Vec<(String, String)> {
        self.domains.rooms()
    }

    fn request(&self, request: Stanza) -> BoxFuture<'_, Result<Result<Stanza, StanzaError>, Failure>> {
        Box::pin(self.ask(move |reply| Input::Request(Box::new(request), reply)))
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Failure>> {
        Box::pin(async move { Ok(self.store.read(read).await?) })
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move { Ok(self.store.commit(batch).await?) })
    }

    fn regroup(&self) {
        self.regroup.notify_one();
    }

    fn rehosted(&self) -> u64 {
        self.domains.times.load(Ordering::Relaxed)
    }

    fn rehost(&self) -> bool {
        self.rehost.notify_one();
        true
    }

    fn domains(&self) -> Vec<String> {
        self.domains.names()
    }

    fn configured(&self) -> Vec<String> {
        self.domains.configured()
    }
}
