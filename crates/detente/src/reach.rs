//! Finds who carries a command out: the running server, or this process on its own.
//!
//! Not here: the commands (admin).

use std::sync::Arc;

use accounts::Accounts;
use admin::{Failure, FailureKind, Live, Port};
use config::Config;
use engine::{Handle, Input, NoBytestreams, NoFiles, NoPushes, Services};
use files::Files;
use model::query::{AccountFound, AccountQuery, SessionFilter, SessionFound};
use model::storage::{Batch, Loaded, Read};
use serde_json::{Map, Value};
use store::{BoxFuture, FaultKind, Store};
use store_sqlite::Sqlite;
use tokio::task::JoinHandle;

use crate::adapters::Known;
use crate::cli::ConfigFile;
use crate::{config_file, secret, serve, translate};

/// The administration socket, in the data folder.
pub(crate) const SOCKET: &str = "admin.sock";

/// With what commands begin that make no sense without a running server.
const NEEDS_SERVER: [&str; 7] =
    ["session ", "announce", "status", "cert ", "s2s list", "s2s show", "s2s test"];

/// Arguments of a command.
pub(crate) fn args<const N: usize>(args: [(&str, Value); N]) -> Map<String, Value> {
    args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where commands go.
pub(crate) struct Reach {
    config: Config,
    alone: Option<Alone>,
}

/// The store, opened by this process, and an engine to which nobody is connected: what follows for other accounts (whose
/// contact is removed) follows as in a server.
struct Alone {
    runtime: tokio::runtime::Runtime,
    port: Unconnected,
    engine: Handle,
    task: Option<JoinHandle<()>>,
}

struct Unconnected(Live);

impl Port for Unconnected {
    fn account(&self, query: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Failure>> {
        self.0.account(query)
    }

    fn sessions(&self, _: SessionFilter) -> BoxFuture<'_, Result<Option<Vec<SessionFound>>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Loaded, Failure>> {
        self.0.read(read)
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<(), Failure>> {
        self.0.write(batch)
    }

    fn bring(&self, stanza: stanza::Stanza) -> BoxFuture<'_, Result<(), Failure>> {
        self.0.bring(stanza)
    }

    fn rooms(&self) -> Vec<(String, String)> {
        self.0.rooms()
    }

    fn request(
        &self,
        request: stanza::Stanza,
    ) -> BoxFuture<'_, Result<Result<stanza::Stanza, stanza::StanzaError>, Failure>> {
        self.0.request(request)
    }

    fn domains(&self) -> Vec<String> {
        self.0.domains()
    }

    fn configured(&self) -> Vec<String> {
        self.0.configured()
    }
}

impl Reach {
    /// Reads the configuration; what is behind it is looked for when a command needs it.
    ///
    /// # Errors
    /// The configuration has errors.
    pub(crate) fn new(file: &ConfigFile) -> Result<Reach, Failure> {
        Ok(Reach { config: config_file::read(file)?, alone: None })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Carries a command out.
    ///
    /// # Errors
    /// What the command says, or nobody can do it.
    pub(crate) fn run(&mut self, command: &str, args: Map<String, Value>) -> Result<Value, Failure> {
        if self.alone.is_none() {
            let socket = self.config.data_dir().join(SOCKET);
            if let Some(answer) = admin::ask(&socket, command, &args) {
                return answer;
            }
            if NEEDS_SERVER.iter().any(|word| command.starts_with(word)) {
                let text = format!("the server does not run: nobody answers at {}", socket.display());
                return Err(Failure::new(FailureKind::Unreachable, text));
            }
        }
        let alone = match &self.alone {
            Some(alone) => alone,
            None => self.alone.insert(Alone::open(&self.config)?),
        };
        alone.runtime.block_on(admin::run(&alone.port, command, args))
    }
}

impl Alone {
    fn open(config: &Config) -> Result<Alone, Failure> {
        let data = config.data_dir();
        let store = Sqlite::open(&data, translate::storage(config)).map_err(|fault| match fault.kind() {
            FaultKind::InUse => {
                let text = format!(
                    "a server runs on {} but does not answer at its socket {SOCKET}; is it starting or stopping?",
                    data.display()
                );
                Failure::new(FailureKind::Unreachable, text)
            }
            _ => fault.into(),
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(FailureKind::Failed, error))?;
        let store = Arc::new(store);
        let config = &runtime.block_on(crate::domains::with_added(config.clone(), &*store))?;
        let files = translate::files(config).map(|of| Arc::new(Files::new(store.clone(), store.clone(), of)));
        let store: Arc<dyn Store> = store;
        let settings = translate::accounts(config, secret::token_key(&data)?);
        let accounts = Arc::new(runtime.block_on(Accounts::open(store.clone(), settings))?);
        let started = engine::start_time().now.unix_ms;
        // Nobody asks for credentials here.
        let machine = runtime.block_on(serve::machine(
            config,
            &*store,
            &Default::default(),
            started,
            Arc::default(),
        ))?;
        let (engine, inputs) = Handle::new(1);
        let (_, streams) = mailbox::mailbox();
        let known = Known { accounts, files, streams: None };
        let services = Services {
            store: store.clone(),
            accounts: Arc::new(known),
            files: Arc::new(NoFiles),
            pushes: Arc::new(NoPushes),
            bytestreams: Arc::new(NoBytestreams),
        };
        let task = Some(runtime.spawn(engine::run(machine, streams, inputs, services)));
        let domains = crate::domains::of(config);
        let port = Unconnected(Live::new(engine.clone(), None, domains, store));
        Ok(Alone { runtime, port, engine, task })
    }
}

impl Drop for Alone {
    /// Nothing is left half done.
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        self.runtime.block_on(async {
            self.engine.send(Input::Shutdown).await;
            if task.await.is_err() {
                tracing::error!("the engine has failed");
            }
        });
    }
}
