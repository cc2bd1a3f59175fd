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
use std::sync::atomic::AtomicU32;

use accounts::Accounts;
use acme::Keeper;
use admin::{Failure, FailureKind, Gauges, Live, More, Port};
use components::Components;
use config::{Config, LogFormat};
use engine::{Engine, Handle, Input, NoFiles, NoPushes, Services};
use federation::Federation;
use files::Files;
use mediator::Mediator;
use model::query::SessionFilter;
use model::storage::Read;
use net::{Net, NetConfig, Phase, TlsStore};
use relay::Relay;
use store::Store;
use store_sqlite::Sqlite;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Interval;
use tracing_subscriber::EnvFilter;

use crate::adapters::{Known, Reader, ThroughEngine};
use crate::calls::Secret;
use crate::certs::Kept;
use crate::config_file::{accept, environment, locate};
use crate::log::Log;
use crate::push::Push;
use crate::reach::SOCKET;
use crate::reload::{self, Dials, Notices, Parts, Relevel};
use crate::uploads::{self, Shelf};
use crate::{
    calls, certs, cli, domains, first_run, gateways, neighbours, notify, objects, proxy, retention, secret,
    servers, services, translate,
};

/// Inputs of operators that may wait for the engine.
const WAITING: usize = 64;

pub(crate) fn run(args: cli::Serve) -> Result<(), Failure> {
    let file = locate(&args.config)?;
    let config = accept(config::check(&file, environment(), &Reader), &file, true)?;
    let json = match args.log_format {
        Some(format) => matches!(format, cli::LogFormat::Json),
        None => config.log.format == LogFormat::Json,
    };
    let (lines, _flush) = Log::start(json).map_err(failed)?;
    let relevel = log(&config, json, lines)?;
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

pub(crate) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Failed, error)
}

fn level(text: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(text).map_err(|error| failed(format_args!("`level` in [log] is \"{text}\": {error}")))
}

fn log(config: &Config, json: bool, lines: Log) -> Result<Relevel, Failure> {
    let filter = level(&config.log.level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    let builder = builder.with_ansi(std::io::stderr().is_terminal()).log_internal_errors(false);
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
    parts: Parts,
    sweeping: Option<JoinHandle<()>>,
    relaying: Option<JoinHandle<()>>,
    mediating: Option<JoinHandle<()>>,
    federation: Option<Federation>,
    components: Components,
    retention: JoinHandle<()>,
    renewing: JoinHandle<()>,
}

async fn serve(config: Config, file: PathBuf, relevel: Relevel) -> Result<(), Failure> {
    // Before anything else, so that no signal is missed.
    let mut signals = Signals::new()?;
    let mut config = config;
    leave_out_ipv6(&mut config);
    let data = config.data_dir();
    let store = tokio::task::spawn_blocking({
        let (data, options) = (data.clone(), translate::storage(&config));
        move || Sqlite::open(&data, options)
    });
    let store = Arc::new(store.await.map_err(failed)??);
    let mut config = domains::with_added(config, &*store).await?;
    let settings = translate::files(&config);
    let files = match settings {
        Some(settings) => {
            let blobs = objects::open(&config, &data, store.clone())?;
            Some(Arc::new(Files::new(store.clone(), blobs, settings)))
        }
        None => None,
    };
    if config.upload.enabled && files.is_none() {
        tracing::warn!(
            "no files can be uploaded: there is neither a listener `https` nor a `public_url` with https"
        );
    }
    let store: Arc<dyn Store> = store;
    let accounts =
        Accounts::open(store.clone(), translate::accounts(&config, secret::token_key(&data)?)).await?;
    let (mut running, ready) =
        start(&config, &file, store, Known { accounts: Arc::new(accounts), files, streams: None }).await?;
    say(&format!("ready: {ready}"));
    notify::say("READY=1");
    tracing::info!(version = env!("CARGO_PKG_VERSION"), domains = config.server.domains.join(","), "ready");
    let mut pulse = notify::pulse().map(tokio::time::interval);
    loop {
        tokio::select! {
            event = signals.next() => match event {
                Event::Reload => {
                    notify::say("RELOADING=1");
                    config = Box::pin(running.parts.reload(&file, config, &relevel)).await;
                    notify::say("READY=1");
                }
                _ => break,
            },
            () = tick(&mut pulse) => running.show_life(),
            () = running.parts.notices.regrouping.notified() => running.parts.regroup(&config).await,
            () = running.parts.notices.rehosting.notified() => {
                config = Box::pin(running.parts.redomain(config)).await;
            }
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
    known: Known,
) -> Result<(Running, String), Failure> {
    let tls = Arc::new(TlsStore::new());
    let (handle, inputs) = Handle::new(WAITING);
    let (up, ups) = mailbox::mailbox();
    let shelf = known.files.clone().map(|files| Arc::new(Shelf(files)));
    let (mut settings, keeper) = sockets(config, &tls, shelf.clone(), &known)?;
    let (phase, phases) = watch::channel(Phase::Running);
    let federation =
        servers::open(config, &*store, handle.clone(), up.clone(), tls.clone(), phases.clone()).await?;
    let components = gateways::open(config, handle.clone(), up.clone(), tls.clone(), phases.clone());
    known_to(&mut settings, federation.as_ref(), &components);
    let mediator = proxy::open(config)?;
    let more = proxy::more(mediator.as_ref(), gateways::more(federation.as_ref(), &components));
    let gauges = gauges(&mut settings, &handle, &store, more);
    let domains = domains::of(config);
    let live = live(&domains, &handle, gauges, &store, federation.as_ref(), &components)
        .with_certificates(kept(&domains, &keeper, &tls));
    let (port, notices) = commands(live, domains, &known.accounts);
    let pushes = Push::new(config, secret::push_key(&config.data_dir())?, handle.clone());
    settings.pushes = pushes.clone().map(|pushes| Arc::new(pushes) as _);
    let (secret, relay) = relaying(config, &mut settings)?;
    // The sockets first: when one of them is taken, nothing has begun. They are served at the very end.
    let sockets = Net::bind(settings, up, Arc::new(known.clone()), phases).map_err(taken)?;
    let ready = listening(config, &sockets, relay.as_ref(), mediator.as_ref());
    let parts = Parts {
        tls,
        keeper: keeper.clone(),
        net: sockets.adjustable(),
        accounts: known.accounts.clone(),
        engine: handle.clone(),
        started_ms: engine::start_time().now.unix_ms,
        secret,
        dials: Dials::new(config),
        federation: federation.clone(),
        components: components.clone(),
        store: store.clone(),
        files: known.files.clone(),
        pushes: pushes.clone(),
        notices,
    };
    greet(&known.accounts, config, file).await?;
    let machine =
        machine(config, &*store, &parts.secret, parts.started_ms, parts.dials.recipients.clone()).await?;
    let machine = gateways::join(config, machine, &components, federation.as_ref(), &*store).await?;
    let sweeping = known.files.clone().map(uploads::sweep);
    let retention = tokio::spawn(retention::run(store.clone(), parts.dials.archive_days.clone()));
    let services = behind(store, known, shelf, pushes, mediator.as_ref());
    let engine_task = tokio::spawn(engine::run(machine, ups, inputs, services));
    let socket = administration(config)?;
    let running = Running {
        engine: handle,
        engine_task,
        administration: tokio::spawn(socket.run(port)),
        sockets: tokio::spawn(sockets.run()),
        phase,
        sweeping,
        relaying: relay.map(|relay| tokio::spawn(relay.run())),
        mediating: mediator.map(|mediator| tokio::spawn(mediator.run())),
        federation,
        components,
        retention,
        renewing: tokio::spawn(keeper.run()),
        parts,
    };
    Ok((running, ready))
}

/// Where commands go, and what they tell; the accounts give their orders there, too.
fn commands(live: Live, domains: admin::Domains, accounts: &Accounts) -> (Arc<dyn Port>, Notices) {
    let notices = Notices { domains, regrouping: live.regrouping(), rehosting: live.rehosting() };
    let port: Arc<dyn Port> = Arc::new(live);
    accounts.set_orders(Arc::new(ThroughEngine(port.clone())));
    (port, notices)
}

fn taken(error: std::io::Error) -> Failure {
    failed(format_args!("{error}; is another server running on that port?"))
}

/// The relay for calls, if there is one, and that the sockets know it.
fn relaying(config: &Config, settings: &mut NetConfig) -> Result<(Secret, Option<Relay>), Failure> {
    let secret = calls::secret(config)?;
    let relay = calls::open(config, &secret)?;
    settings.relay = relay.clone().map(|relay| Arc::new(calls::Through(relay)) as _);
    Ok((secret, relay))
}

/// The first time there is something to say.
async fn greet(accounts: &Accounts, config: &Config, file: &Path) -> Result<(), Failure> {
    if let Some(welcome) = first_run::welcome(accounts, config, file).await? {
        say(&welcome);
    }
    Ok(())
}

/// Who serves the connections of other servers and components.
fn known_to(settings: &mut NetConfig, federation: Option<&Federation>, components: &Components) {
    settings.servers = federation.map(|federation| Arc::new(federation.clone()) as _);
    settings.components = Some(Arc::new(components.clone()));
}

/// What is measured; the listener for that shows it, too.
fn gauges(settings: &mut NetConfig, engine: &Handle, store: &Arc<dyn Store>, more: More) -> Arc<Gauges> {
    let (version, counters) = (env!("CARGO_PKG_VERSION"), settings.counters.clone());
    let gauges = Gauges::new(version, engine.clone(), store.clone(), counters).with_tally(translate::tally());
    let gauges = Arc::new(gauges.with_more(Some(more)));
    settings.monitor = Some(gauges.clone());
    gauges
}

/// Where commands go.
fn live(
    domains: &admin::Domains,
    engine: &Handle,
    gauges: Arc<Gauges>,
    store: &Arc<dyn Store>,
    federation: Option<&Federation>,
    components: &Components,
) -> Live {
    Live::new(engine.clone(), Some(gauges), domains.clone(), store.clone())
        .with_components(gateways::told(components))
        .with_servers(neighbours::told(federation))
}

/// What the sockets need, and who keeps the certificates that they show: those in files are in service then.
fn sockets(
    config: &Config,
    tls: &Arc<TlsStore>,
    shelf: Option<Arc<Shelf>>,
    known: &Known,
) -> Result<(NetConfig, Keeper), Failure> {
    reload::certificates(config, tls)?;
    let files = shelf.map(|shelf| shelf as _);
    let settings = translate::sockets(config, tls.clone(), files, known.accounts.grants());
    let keeper = certs::open(config, tls.clone(), settings.challenges.clone())?;
    Ok((settings, keeper))
}

/// What commands see of certificates.
fn kept(domains: &admin::Domains, keeper: &Keeper, tls: &Arc<TlsStore>) -> Box<Kept> {
    Box::new(Kept { keeper: keeper.clone(), tls: tls.clone(), domains: domains.clone() })
}

/// The socket for commands.
fn administration(config: &Config) -> Result<admin::Socket, Failure> {
    let path = config.data_dir().join(SOCKET);
    admin::bind(&path).map_err(|error| failed(format_args!("{}: {error}", path.display())))
}

/// Who answers the engine's questions.
fn behind(
    store: Arc<dyn Store>,
    known: Known,
    shelf: Option<Arc<Shelf>>,
    pushes: Option<Push>,
    mediator: Option<&Mediator>,
) -> Services {
    let files: Arc<dyn engine::Files> = match shelf {
        Some(shelf) => shelf,
        None => Arc::new(NoFiles),
    };
    let pushes: Arc<dyn engine::Pushes> = match pushes {
        Some(pushes) => Arc::new(pushes),
        None => Arc::new(NoPushes),
    };
    let known = Known { streams: mediator.cloned(), ..known };
    Services { store, accounts: Arc::new(known), files, pushes, bytestreams: proxy::behind(mediator) }
}

/// The engine, for nobody yet.
pub(crate) async fn machine(
    config: &Config,
    store: &dyn Store,
    secret: &Secret,
    started_ms: u64,
    recipients: Arc<AtomicU32>,
) -> Result<Engine, Failure> {
    let groups = admin::stored_groups(store).await?;
    let hosts = translate::hosts(config, started_ms, secret, &groups);
    let highest = store.read(Read::HighestId).await?.into_highest_id();
    let kernel = kernel::Kernel::new(translate::features(recipients, config.push.content));
    let time = engine::start_time();
    // One that fails here later would make secrets that can be guessed: better none of us.
    let random = Box::new(|bytes: &mut [u8]| {
        if let Err(failure) = secret::random(bytes) {
            tracing::error!("{failure}");
            std::process::abort();
        }
    });
    let services = services::all(config, started_ms);
    Ok(Engine::new(kernel, hosts, highest, time, random).with_services(services))
}

/// A system without IPv6 shall not keep the defaults from working.
pub(crate) fn leave_out_ipv6(config: &mut Config) {
    if TcpListener::bind("[::1]:0").is_ok() {
        return;
    }
    let listen = &mut config.listen;
    let [c2s, c2s_tls] = [&mut listen.c2s, &mut listen.c2s_tls];
    let [turn, turn_tls] = [&mut listen.turn, &mut listen.turn_tls];
    let [s2s, s2s_tls] = [&mut listen.s2s, &mut listen.s2s_tls];
    let bytestreams = &mut listen.bytestreams;
    let web =
        [&mut listen.http, &mut listen.https, &mut listen.shared, &mut listen.acme, &mut listen.metrics];
    for addresses in [c2s, c2s_tls, turn, turn_tls, s2s, s2s_tls, bytestreams].into_iter().chain(web) {
        addresses.retain(|address| !address.starts_with("[::]:"));
    }
    tracing::warn!("this system has no IPv6: addresses that begin with [::] are left out");
}

fn listening(config: &Config, sockets: &Net, relay: Option<&Relay>, mediator: Option<&Mediator>) -> String {
    let listen = &config.listen;
    let counts = [
        ("c2s", &listen.c2s),
        ("c2s-tls", &listen.c2s_tls),
        ("http", &listen.http),
        ("https", &listen.https),
        ("shared", &listen.shared),
        ("metrics", &listen.metrics),
    ];
    let of_components = [
        ("component", &listen.components),
        ("component-tls", &listen.components_tls),
        ("acme", &listen.acme),
    ];
    let of_relay = [("turn", &listen.turn), ("turn-tls", &listen.turn_tls)];
    let of_servers = [("s2s", &listen.s2s), ("s2s-tls", &listen.s2s_tls)];
    // As they were opened (`translate.rs`).
    let of_relay = of_relay.into_iter().filter(|_| config.turn.is_on());
    let counts =
        counts.into_iter().chain(of_relay).chain(of_servers.into_iter().filter(|_| config.federates()));
    let counts = counts.chain(of_components);
    let kinds = counts.flat_map(|(kind, addresses)| std::iter::repeat_n(kind, addresses.len()));
    let words = kinds.zip(sockets.addresses()).map(|(kind, address)| format!("{kind} {address}"));
    let datagrams = relay.and_then(|relay| relay.addresses().ok()).unwrap_or_default();
    let words = words.chain(datagrams.iter().map(|address| format!("turn-udp {address}")));
    let streams = mediator.map(Mediator::addresses).unwrap_or_default();
    let words = words.chain(streams.iter().map(|address| format!("bytestreams {address}")));
    words.collect::<Vec<_>>().join(", ")
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
        self.sweeping.inspect(JoinHandle::abort);
        self.relaying.inspect(JoinHandle::abort);
        self.mediating.inspect(JoinHandle::abort);
        self.retention.abort();
        self.renewing.abort();
        let in_order = async {
            let _ = self.phase.send(Phase::Closing);
            let _ = self.sockets.await;
            if let Some(federation) = self.federation {
                federation.closed().await;
            }
            self.components.closed().await;
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
