//! `detente serve`: puts the parts together and keeps them until they are told to stop.
//!
//! The order of the start: configuration, store, accounts, engine, administration, sockets. The order of the end: sockets,
//! engine, store, so that whatever was acknowledged is stored.
//!
//! Not here: the parts.

use std::io::{IsTerminal, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use accounts::Accounts;
use admin::{Failure, FailureKind, Live, Port};
use config::{Config, LogFormat};
use engine::{Engine, Handle, Input, Services};
use model::query::SessionFilter;
use model::storage::Read;
use net::{Current, Net, Phase, TlsStore};
use store::Store;
use store_sqlite::Sqlite;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Interval;
use tracing_subscriber::EnvFilter;

use crate::adapters::{Known, Reader, ThroughEngine};
use crate::config_file::{accept, environment, locate};
use crate::reach::SOCKET;
use crate::{cli, first_run, notify, secret, translate};

/// Inputs that may wait for the engine, from streams and from operators.
const WAITING: (usize, usize) = (4_096, 64);

pub(crate) fn run(args: cli::Serve) -> Result<(), Failure> {
    let file = locate(&args.config)?;
    let config = accept(config::check(&file, environment(), &Reader), &file, true)?;
    let relevel = log(&config, args.log_format)?;
    if rustix::process::geteuid().is_root() {
        tracing::warn!("this server runs as root and needs not: give it a user of its own");
    }
    // A core dump would hold keys and messages, and nobody would look after it.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Core, none) {
        tracing::warn!("core dumps cannot be switched off: {error}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(serve(config, file, relevel))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Failed, error)
}

/// Changes how much is logged.
type Relevel = Box<dyn Fn(&str) -> Result<(), Failure>>;

fn level(text: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(text).map_err(|error| failed(format_args!("`level` in [log] is \"{text}\": {error}")))
}

fn log(config: &Config, format: Option<cli::LogFormat>) -> Result<Relevel, Failure> {
    let filter = level(&config.log.level)?;
    let json = match format {
        Some(format) => matches!(format, cli::LogFormat::Json),
        None => config.log.format == LogFormat::Json,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    Ok(match json {
        true => {
            let builder = builder.json().with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Box::new(move |text| handle.reload(level(text)?).map_err(failed))
        }
        false => {
            let builder = builder.with_target(false).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.init();
            Box::new(move |text| handle.reload(level(text)?).map_err(failed))
        }
    })
}

/// What runs, and how it is stopped.
struct Running {
    engine: Handle,
    engine_task: JoinHandle<()>,
    sockets: JoinHandle<()>,
    administration: JoinHandle<()>,
    phase: watch::Sender<Phase>,
    tls: Arc<TlsStore>,
    streams: Current,
}

async fn serve(mut config: Config, file: PathBuf, relevel: Relevel) -> Result<(), Failure> {
    // Before anything else, so that no signal is missed.
    let mut signals = Signals::new()?;
    leave_out_ipv6(&mut config);
    let data = config.data_dir();
    let store = tokio::task::spawn_blocking({
        let (data, options) = (data.clone(), translate::storage(&config));
        move || Sqlite::open(&data, options)
    });
    let store: Arc<dyn Store> = Arc::new(store.await.map_err(failed)??);
    let accounts =
        Accounts::open(store.clone(), translate::accounts(&config, secret::token_key(&data)?)).await?;
    let (mut running, ready) = start(&config, &file, store, Arc::new(accounts)).await?;
    say(&format!("ready: {ready}"));
    notify::say("READY=1");
    tracing::info!(version = env!("CARGO_PKG_VERSION"), domains = config.server.domains.join(","), "ready");
    let mut pulse = notify::pulse().map(tokio::time::interval);
    loop {
        tokio::select! {
            event = signals.next() => match event {
                Event::Reload => {
                    notify::say("RELOADING=1");
                    config = reload(&file, config, &running, &relevel);
                    notify::say("READY=1");
                }
                _ => break,
            },
            () = tick(&mut pulse) => running.show_life(),
            // It ends only when it is told to. Without it nobody is served: better to be started again.
            _ = &mut running.engine_task => return Err(failed("the engine has ended; the log says why")),
        }
    }
    notify::say("STOPPING=1");
    tracing::info!("stopping");
    running.stop(&mut signals).await;
    tracing::info!("stopped");
    Ok(())
}

async fn tick(pulse: &mut Option<Interval>) {
    match pulse {
        Some(pulse) => _ = pulse.tick().await,
        None => std::future::pending().await,
    }
}

/// For the person or program that started us. Whether somebody still listens is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

async fn start(
    config: &Config,
    file: &Path,
    store: Arc<dyn Store>,
    accounts: Arc<Accounts>,
) -> Result<(Running, String), Failure> {
    let tls = Arc::new(TlsStore::new());
    certificates(config, &tls)?;
    let (handle, inputs) = Handle::new(WAITING.1);
    let (up, ups) = mpsc::channel(WAITING.0);
    let port: Arc<dyn Port> = Arc::new(Live::new(handle.clone(), config.server.domains.clone()));
    accounts.set_orders(Arc::new(ThroughEngine(port.clone())));
    let known = Known(accounts.clone());
    // The sockets first: when one of them is taken, nothing has begun. They are served at the very end.
    let (phase, phases) = watch::channel(Phase::Running);
    let settings = translate::sockets(config, tls.clone());
    let streams = settings.stream.clone();
    let sockets = Net::bind(settings, up, Arc::new(known.clone()), phases)
        .map_err(|error| failed(format_args!("{error}; is another server running on that port?")))?;
    let ready = listening(config, &sockets);
    if let Some(welcome) = first_run::welcome(&accounts, config, file).await? {
        say(&welcome);
    }
    let machine = machine(config, &*store).await?;
    let services = Services { store, accounts: Arc::new(known) };
    let engine_task = tokio::spawn(engine::run(machine, ups, inputs, services));
    let path = config.data_dir().join(SOCKET);
    let socket = admin::bind(&path).map_err(|error| failed(format_args!("{}: {error}", path.display())))?;
    let running = Running {
        engine: handle,
        engine_task,
        administration: tokio::spawn(socket.run(port)),
        sockets: tokio::spawn(sockets.run()),
        phase,
        tls,
        streams,
    };
    Ok((running, ready))
}

async fn machine(config: &Config, store: &dyn Store) -> Result<Engine, Failure> {
    let highest = store.read(Read::HighestId).await?.into_highest_id();
    let kernel = kernel::Kernel::new(crate::translate::features());
    let time = engine::start_time();
    let hosts = translate::hosts(config, time.now.unix_ms);
    // One that fails here later would make secrets that can be guessed: better none of us.
    let random = Box::new(|bytes: &mut [u8]| {
        if let Err(failure) = secret::random(bytes) {
            tracing::error!("{failure}");
            std::process::abort();
        }
    });
    Ok(Engine::new(kernel, hosts, highest, time, random))
}

/// Loads all certificates; those that cannot be loaded leave the old ones in service.
fn certificates(config: &Config, tls: &TlsStore) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for identity in config.identities() {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| failed(format_args!("{}: {error}", path.display())))
        };
        let loaded = read(&identity.certificate).and_then(|chain| {
            let key = read(&identity.key)?;
            tls.load(&identity.domain, &chain, &key)
                .map_err(|error| failed(format_args!("certificate of {}: {error}", identity.domain)))
        });
        if let Err(failure) = loaded {
            outcome = Err(failure);
        }
    }
    outcome
}

/// On SIGHUP: certificates, what streams may ask for, how much is logged. A configuration with errors changes nothing
/// (L-04). Gives back what runs now.
fn reload(file: &Path, mut now: Config, running: &Running, relevel: &Relevel) -> Config {
    let checked = config::check(file, environment(), &Reader);
    for fault in &checked.faults {
        tracing::warn!("{fault}");
    }
    let Some(mut config) = checked.config else {
        tracing::error!("the configuration has errors: the server goes on with the old one");
        return now;
    };
    leave_out_ipv6(&mut config);
    now.tls = config.tls.clone();
    for (name, domain) in &mut now.domain {
        let new = config.domain.get(name).cloned().unwrap_or_default();
        (domain.certificate, domain.key) = (new.certificate, new.key);
    }
    now.limits = config::Limits {
        stanza_bytes: config.limits.stanza_bytes,
        rate_bytes_per_second: config.limits.rate_bytes_per_second,
        burst_bytes: config.limits.burst_bytes,
        authenticate_seconds: config.limits.authenticate_seconds,
        idle_seconds: config.limits.idle_seconds,
        answer_seconds: config.limits.answer_seconds,
        auth_failures: config.limits.auth_failures,
        ..now.limits
    };
    now.log.level = config.log.level.clone();
    for outcome in [certificates(&now, &running.tls), relevel(&now.log.level)] {
        if let Err(failure) = outcome {
            tracing::error!("{failure}");
        }
    }
    running.streams.replace(translate::streams(&now));
    match now == config {
        true => tracing::info!("reloaded"),
        false => tracing::warn!("reloaded; some of what has changed takes effect at the next start"),
    }
    now
}

/// A system without IPv6 shall not keep the defaults from working.
fn leave_out_ipv6(config: &mut Config) {
    if TcpListener::bind("[::1]:0").is_ok() {
        return;
    }
    let listen = &mut config.listen;
    for addresses in [&mut listen.c2s, &mut listen.c2s_tls, &mut listen.http, &mut listen.https] {
        addresses.retain(|address| !address.starts_with("[::]:"));
    }
    tracing::warn!("this system has no IPv6: addresses that begin with [::] are left out");
}

fn listening(config: &Config, sockets: &Net) -> String {
    let listen = &config.listen;
    let counts = [
        ("c2s", &listen.c2s),
        ("c2s-tls", &listen.c2s_tls),
        ("http", &listen.http),
        ("https", &listen.https),
    ];
    let kinds = counts.into_iter().flat_map(|(kind, addresses)| std::iter::repeat_n(kind, addresses.len()));
    let words: Vec<String> =
        kinds.zip(sockets.addresses()).map(|(kind, address)| format!("{kind} {address}")).collect();
    words.join(", ")
}

impl Running {
    /// The service manager hears of life when the engine answers a question, of which it can only say: nobody.
    fn show_life(&self) {
        let nobody = SessionFilter::Domain(String::new());
        let answer = Input::Sessions(nobody, Box::new(|_| notify::say("WATCHDOG=1")));
        // If there is no room the engine is stuck, and it is right that nothing is said.
        let _ = self.engine.sender().try_send(answer);
    }

    /// Sockets, then the engine; the store when the last of them lets it go. A second signal ends it at once.
    async fn stop(self, signals: &mut Signals) {
        self.administration.abort();
        let in_order = async {
            let _ = self.phase.send(Phase::Closing);
            let _ = self.sockets.await;
            self.engine.send(Input::Shutdown).await;
            let _ = self.engine_task.await;
        };
        tokio::select! {
            () = in_order => {}
            () = signals.stop() => tracing::warn!("a second signal: not waiting for clients any longer"),
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

enum Event {
    Stop,
    Reload,
}

impl Signals {
    fn new() -> Result<Signals, Failure> {
        let listen = |kind| signal(kind).map_err(failed);
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.hangup.recv() => Event::Reload,
        }
    }

    async fn stop(&mut self) {
        while let Event::Reload = self.next().await {}
    }
}
