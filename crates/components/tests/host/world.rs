//! A server in one process with a socket for components, clients, and components that say what they are told to.
//!
//! Not here: what is tried with them.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use address::Jid;
use components::{Component, Components, Counters, Parts, Settings};
use engine::{Engine, Handle, Input, NoBytestreams, NoFiles, NoPushes, Services};
use kernel::{HostFacts, Kernel};
use mailbox::{Mailbox, Share};
use model::grant::Grant;
use model::link::{
    About, Bind, Client, ClientState, Down, Link, Resource, SessionId, StreamId, Transport, Up,
};
use model::query::{AccountFound, AccountQuery};
use model::rights::Rights;
use model::spaces::{ACCOUNT, SPOOL};
use model::storage::{Batch, LogQuery, Owner, Read, Write};
use net::{Phase, TlsStore};
use stanza::Stanza;
use store::memory::Memory;
use store::{BoxFuture, Fault, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The only domain with accounts.
pub(crate) const HOST: &str = "a.example";
/// The component's.
pub(crate) const BRIDGE: &str = "bridge.a.example";
pub(crate) const SECRET: &str = "not to be guessed by anybody at all";

static COUNT: AtomicU64 = AtomicU64::new(1);

/// A server that runs.
pub(crate) struct Server {
    pub(crate) store: Arc<Memory>,
    pub(crate) components: Components,
    path: PathBuf,
    mailbox: Mailbox,
    engine: Handle,
    engine_task: JoinHandle<()>,
    phase: watch::Sender<Phase>,
}

pub(crate) fn settings(rights: Rights) -> Settings {
    let component = Component {
        domain: Jid::parse(BRIDGE).unwrap(),
        secret: s2s::Secret::new(SECRET),
        name: "The bridge".to_owned(),
        rights: Arc::new(Rights { domains: vec![HOST.to_owned()], ..rights }),
    };
    Settings {
        components: HashMap::from([(BRIDGE.to_owned(), component)]),
        wait: Duration::from_secs(30),
        ping: Duration::from_millis(300),
        ..Settings::default()
    }
}

impl Server {
    pub(crate) async fn new(settings: Settings) -> Server {
        Server::on(settings, Arc::default()).await
    }

    pub(crate) async fn on(settings: Settings, store: Arc<Memory>) -> Server {
        let (phase, phases) = watch::channel(Phase::Running);
        let (mailbox, ups) = mailbox::mailbox();
        let (engine, inputs) = Handle::new(64);
        let parts = Parts {
            engine: engine.clone(),
            mailbox: mailbox.clone(),
            tls: Arc::new(TlsStore::new()),
            counters: Arc::new(Counters::default()),
            phase: phases,
        };
        let components = Components::new(settings, parts);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("components-{}-{number}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        tokio::spawn(components.clone().listen(UnixListener::bind(&path).unwrap()));
        let random = |bytes: &mut [u8]| {
            let salt = COUNT.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            bytes.iter_mut().zip(salt.iter().cycle()).for_each(|(byte, salt)| *byte = *salt);
        };
        let highest = store.read(Read::HighestId).await.unwrap().into_highest_id();
        let kernel = Kernel::new(features::all("0", "linux", pubsub::features()));
        let host = (Jid::parse(HOST).unwrap(), Arc::new(HostFacts::default()));
        let spooled = engine::spooled(&*store).await.unwrap();
        let machine = Engine::new(kernel, vec![host], highest, engine::start_time(), Box::new(random))
            .with_neighbours(vec![Arc::new(components.clone())], spooled);
        let services = Services {
            store: store.clone(),
            accounts: Arc::new(Everybody),
            files: Arc::new(NoFiles),
            pushes: Arc::new(NoPushes),
            bytestreams: Arc::new(NoBytestreams),
        };
        let engine_task = tokio::spawn(engine::run(machine, ups, inputs, services));
        Server { store, components, path, mailbox, engine, engine_task, phase }
    }

    /// A connection on which nothing was said.
    pub(crate) async fn connect(&self) -> Peer {
        Peer {
            stream: UnixStream::connect(&self.path).await.unwrap(),
            said: String::new(),
            id: String::new(),
        }
    }

    /// The component, with its handshake done.
    pub(crate) async fn component(&self) -> Peer {
        let mut peer = self.connect().await;
        peer.greet(BRIDGE).await;
        peer.shake(SECRET).await;
        peer.expect(&["<handshake"]).await;
        peer
    }

    /// Whoever connects here exists, and is available.
    pub(crate) async fn client(&self, address: &str) -> Session {
        let jid = Jid::parse(address).unwrap();
        self.register(&jid).await;
        let link = Arc::new(Pipe::default());
        let share = self.mailbox.share();
        let bind = Bind {
            stream: StreamId(1),
            link: link.clone(),
            account: jid.bare(),
            grant: Grant::default(),
            resource: Resource::Asked(jid.clone()),
            carbons: true,
            enable: None,
            client_state: ClientState::Active,
            about: Arc::new(About {
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                transport: Transport::Tcp,
                tls: None,
                mechanism: "PLAIN",
                client: Client::default(),
            }),
        };
        share.send(Up::Bind(Box::new(bind))).await;
        let mut session = Session { jid, link, share, id: SessionId(0), seen: Vec::new() };
        session.id = session.bound().await;
        session.send("<presence/>").await;
        session.expect(&["<presence", address]).await;
        session
    }

    pub(crate) async fn register(&self, jid: &Jid) {
        let owner = Owner::from(jid.bare().text());
        let account = Write::DocPut { space: ACCOUNT, owner, value: "{}".into() };
        self.store.commit(Batch::from(account)).await.unwrap();
    }

    /// Waits until nothing is in the spool for the component.
    pub(crate) async fn cleared(&self) {
        let spooled = async || {
            let query = LogQuery::new(SPOOL, Owner::from(BRIDGE));
            self.store.read(query.into()).await.unwrap().into_page().entries.len()
        };
        let cleared = async {
            while spooled().await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, cleared).await.expect("the spool is cleared in the end");
    }

    /// Waits until the component is there, or gone.
    pub(crate) async fn connected(&self, there: bool) {
        let seen = async {
            while self.components.standing()[0].connected.is_some() != there {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("it comes or goes in the end");
    }

    /// Stops in peace, or at once as if killed.
    pub(crate) async fn stop(self, in_peace: bool) -> Arc<Memory> {
        if !in_peace {
            self.engine_task.abort();
        }
        let _ = self.phase.send(Phase::Closing);
        self.components.closed().await;
        self.engine.send(Input::Shutdown).await;
        let _ = self.engine_task.await;
        let _ = std::fs::remove_file(&self.path);
        self.store
    }
}

/// A component's side of a connection.
pub(crate) struct Peer {
    stream: UnixStream,
    /// What was said to it and not looked for.
    said: String,
    /// Of the stream.
    id: String,
}

impl Peer {
    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// As much as goes; whether all did.
    pub(crate) async fn flood(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    pub(crate) async fn greet(&mut self, domain: &str) {
        let header =
            "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'";
        self.send(&format!("<?xml version='1.0'?>{header} to='{domain}'>")).await;
        let header = self.expect(&["<stream:stream", ">"]).await;
        let id = header.split("id='").nth(1).and_then(|rest| rest.split('\'').next());
        self.id = id.unwrap_or_default().to_owned();
    }

    pub(crate) async fn shake(&mut self, secret: &str) {
        let text = format!("<handshake>{}</handshake>", self.proof(secret));
        self.send(&text).await;
    }

    pub(crate) fn proof(&self, secret: &str) -> String {
        let text = format!("{}{secret}", self.id);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What came until all these words have, in this order; it is taken.
    pub(crate) async fn expect(&mut self, words: &[&str]) -> String {
        let found = |said: &str| {
            words.iter().try_fold(0, |at, word| said[at..].find(word).map(|found| at + found + word.len()))
        };
        let waiting = async {
            loop {
                if let Some(end) = found(&self.said) {
                    return self.said.drain(..end).collect();
                }
                let mut buffer = [0; 4096];
                match self.stream.read(&mut buffer).await.unwrap_or(0) {
                    0 => return String::new(),
                    n => self.said.push_str(&String::from_utf8_lossy(&buffer[..n])),
                }
            }
        };
        let text: String = tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_default();
        assert!(!text.is_empty(), "{words:?} did not come: {}", self.said);
        text
    }

    /// All that comes until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ =
            tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("it is closed");
        std::mem::take(&mut self.said) + &String::from_utf8_lossy(&rest)
    }
}

/// A client's session.
pub(crate) struct Session {
    pub(crate) jid: Jid,
    link: Arc<Pipe>,
    share: Share,
    id: SessionId,
    /// What came and was not looked for.
    seen: Vec<String>,
}

impl Session {
    async fn bound(&self) -> SessionId {
        loop {
            if let Down::Bound(bound) = self.link.next().await {
                return bound.expect("it gets its resource").session;
            }
        }
    }

    pub(crate) async fn send(&self, xml: &str) {
        let mut stanza = parsed(xml);
        stanza.from = Some(self.jid.clone());
        self.share.send(Up::Stanza(self.id, stanza)).await;
    }

    /// The next stanza that has all of these in it.
    pub(crate) async fn expect(&mut self, words: &[&str]) -> String {
        let has = |text: &String| words.iter().all(|word| text.contains(word));
        if let Some(at) = self.seen.iter().position(has) {
            return self.seen.remove(at);
        }
        let waiting = async {
            loop {
                if let Down::Stanza(stanza) = self.link.next().await {
                    let text = String::from_utf8(stanza.to_stored()).unwrap();
                    if has(&text) {
                        return text;
                    }
                    self.seen.push(text);
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(text) => text,
            Err(_) => panic!("{words:?} did not come to {}: {:#?}", self.jid.as_str(), self.seen),
        }
    }
}

fn parsed(xml: &str) -> Stanza {
    let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    let mut parser = xml::Parser::new(xml::Framing::Stream, xml::Limits::SERVER);
    parser.push(format!("{header}{xml}").as_bytes());
    loop {
        match parser.next().unwrap() {
            Some(xml::Event::Element(element)) => return Stanza::from_element(&element).unwrap(),
            Some(_) => {}
            None => panic!("no stanza: {xml}"),
        }
    }
}

#[derive(Default)]
struct Pipe {
    downs: Mutex<VecDeque<Down>>,
    came: Notify,
}

impl Pipe {
    async fn next(&self) -> Down {
        loop {
            if let Some(down) = self.downs.lock().unwrap().pop_front() {
                return down;
            }
            self.came.notified().await;
        }
    }
}

impl Link for Pipe {
    fn send(&self, down: Down) {
        self.downs.lock().unwrap().push_back(down);
        self.came.notify_one();
    }

    fn backlog(&self) -> usize {
        0
    }
}

struct Everybody;

impl engine::Accounts for Everybody {
    fn answer(&self, _: AccountQuery) -> BoxFuture<'_, Result<AccountFound, Fault>> {
        Box::pin(std::future::ready(Ok(AccountFound::Done)))
    }
}
