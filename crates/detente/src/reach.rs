//! Finds who carries a command out: the running server, or this process on its own.
//!
//! Not here: the commands (admin).

use std::sync::Arc;

use accounts::Accounts;
use admin::{Direct, Failure, FailureKind};
use config::Config;
use serde_json::{Map, Value};
use store::{FaultKind, Store};
use store_sqlite::Sqlite;

use crate::cli::ConfigFile;
use crate::{config_file, secret, translate};

/// The administration socket, in the data folder.
pub(crate) const SOCKET: &str = "admin.sock";

/// With what commands begin that make no sense without a running server.
const NEEDS_SERVER: [&str; 3] = ["session ", "announce", "status"];

/// Arguments of a command.
pub(crate) fn args<const N: usize>(args: [(&str, Value); N]) -> Map<String, Value> {
    args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where commands go.
pub(crate) struct Reach {
    config: Config,
    alone: Option<Alone>,
}

/// The store, opened by this process.
struct Alone {
    runtime: tokio::runtime::Runtime,
    port: Direct,
}

impl Reach {
    /// Reads the configuration; what is behind it is looked for when a command needs it.
    ///
    /// # Errors
    /// The configuration has errors.
    pub(crate) fn new(file: &ConfigFile) -> Result<Reach, Failure> {
        Ok(Reach { config: config_file::read(file)?, alone: None })
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
        let store: Arc<dyn Store> = Arc::new(store);
        let settings = translate::accounts(config, secret::token_key(&data)?);
        let accounts = runtime.block_on(Accounts::open(store, settings))?;
        Ok(Alone { runtime, port: Direct::new(Arc::new(accounts), config.server.domains.clone()) })
    }
}
