//! Who carries commands out: the engine, in a server or for one command.
//!
//! Not here: how a command finds one or the other (detente).

use std::sync::Arc;

use engine::{Handle, Input};
use model::query::{AccountFound, AccountQuery, SessionFilter, SessionFound};
use model::storage::{Batch, Loaded, Read};
use serde_json::Value;
use stanza::{Stanza, StanzaError};
use store::{BoxFuture, Store};
use tokio::sync::{Notify, oneshot};

use crate::{Failure, FailureKind, Gauges};

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
    fn rooms(&self) -> &[(String, String)] {
        &[]
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
    /// The domains of this server.
    fn domains(&self) -> &[String];
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
    domains: Vec<String>,
    components: Option<Box<dyn Fn() -> Value + Send + Sync>>,
    servers: Option<Arc<dyn Servers>>,
    rooms: Vec<(String, String)>,
    store: Arc<dyn Store>,
    regroup: Arc<Notify>,
}

impl Live {
    /// Through this way in. Without gauges nothing is told of how it is doing.
    pub fn new(
        engine: Handle,
        gauges: Option<Arc<Gauges>>,
        domains: Vec<String>,
        store: Arc<dyn Store>,
    ) -> Live {
        Live {
            engine,
            gauges,
            domains,
            store,
            regroup: Arc::default(),
            components: None,
            servers: None,
            rooms: Vec::new(),
        }
    }

    /// What is told when groups have changed.
    pub fn regrouping(&self) -> Arc<Notify> {
        self.regroup.clone()
    }

    /// The same with these services of rooms: the domain of each, and that of its accounts.
    #[must_use]
    pub fn with_rooms(self, rooms: Vec<(String, String)>) -> Live {
        Live { rooms, ..self }
    }

    /// The same, knowing how components stand.
    #[must_use]
    pub fn with_components(self, standing: Box<dyn Fn() -> Value + Send + Sync>) -> Live {
        Live { components: Some(standing), ..self }
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

    fn servers(&self) -> Option<&dyn Servers> {
        self.servers.as_deref()
    }

    fn bring(&self, stanza: Stanza) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            self.engine.send(Input::Inject(stanza)).await;
            Ok(())
        })
    }

    fn rooms(&self) -> &[(String, String)] {
        &self.rooms
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

    fn domains(&self) -> &[String] {
        &self.domains
    }
}
