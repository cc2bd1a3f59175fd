//! Notifications that wait to be sent, and are sent again where that may help.
//!
//! RFC 8030 sections 5 and 8.4, RFC 6585 section 4 (429)
//!
//! Not here: one request (`post.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use address::Bare;
use bytes::Bytes;
use model::push::{Notification, Subscription};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use turn::peers::Peers;

use crate::endpoint::Endpoint;
use crate::post::{Post, Said, post};
use crate::shares::{Share, Shares};
use crate::vapid::Vapid;
use crate::{encrypt, limits};

/// Hears that an endpoint takes nothing more.
pub type Gone = Box<dyn Fn(&Notification) + Send + Sync>;

/// How notifications are sent.
pub struct Settings {
    /// Who we are.
    pub vapid: Vapid,
    /// Which addresses may be connected to.
    pub peers: Peers,
    /// Which authorities are believed.
    pub roots: RootCertStore,
    /// The pauses after failures; as many as there are further tries.
    pub pauses: Vec<Duration>,
    /// For one try.
    pub patience: Duration,
    /// Who hears that an endpoint is gone.
    pub gone: Gone,
}

impl Settings {
    /// As it is in the field: the authorities that browsers believe, and no address but public ones.
    pub fn new(vapid: Vapid, gone: Gone) -> Settings {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Settings {
            vapid,
            peers: Peers::default(),
            roots,
            pauses: limits::PAUSES.into(),
            patience: limits::TRY,
            gone,
        }
    }
}

/// Sends. Cheap to clone.
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

struct Inner {
    settings: Settings,
    tls: Arc<ClientConfig>,
    room: Arc<Semaphore>,
    connections: Semaphore,
    accounts: Shares<Bare>,
    hosts: Shares<String>,
    /// The latest notification of each node: an older one is not sent any more, and hears of that.
    latest: Mutex<HashMap<(Bare, String), Arc<Place>>>,
}

/// A notification's place in the queue, in all that bounds it.
struct Place {
    overtaken: Notify,
    account: Share<Bare>,
    host: Share<String>,
    _room: OwnedSemaphorePermit,
}

/// What is to be done after an answer.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Done,
    Gone,
    /// It will not help to say it again.
    Drop,
    Again(Option<Duration>),
}

impl Sender {
    /// With these settings.
    ///
    /// # Panics
    /// Never: the cipher suites are those of the library itself.
    pub fn new(settings: Settings) -> Sender {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // The library's own suites and versions go together.
        #[allow(clippy::expect_used)]
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(settings.roots.clone())
            .with_no_client_auth();
        Sender(Arc::new(Inner {
            settings,
            tls: Arc::new(tls),
            room: Arc::new(Semaphore::new(limits::QUEUE_MAX)),
            connections: Semaphore::new(limits::CONNECTIONS_MAX),
            accounts: Shares::new(limits::QUEUE_PER_ACCOUNT_MAX, limits::CONNECTIONS_PER_ACCOUNT_MAX),
            hosts: Shares::new(limits::QUEUE_PER_HOST_MAX, limits::CONNECTIONS_PER_HOST_MAX),
            latest: Mutex::default(),
        }))
    }

    /// The public key by which push services know us.
    pub fn key(&self) -> &str {
        self.0.settings.vapid.public()
    }

    /// Whether something can be sent there.
    ///
    /// # Errors
    /// Not, and why.
    pub fn check(&self, to: &Subscription) -> Result<(), &'static str> {
        let endpoint = Endpoint::parse(&to.endpoint)?;
        if let Ok(ip) = endpoint.host.parse::<std::net::IpAddr>()
            && !self.0.settings.peers.admit(ip.to_canonical())
        {
            return Err("the endpoint is no public address");
        }
        encrypt::is_usable(to).then_some(()).ok_or("the key is none of a browser")
    }

    /// Takes a notification to be sent; `false` if too many wait, of all, of its account or for its host. Within a runtime
    /// only.
    pub fn send(&self, notification: Notification) -> bool {
        let inner = self.0.clone();
        // It was looked at when the subscription was made.
        let Ok(endpoint) = Endpoint::parse(&notification.to.endpoint) else { return true };
        let Some(place) = inner.enlist(&notification, &endpoint) else { return false };
        tokio::spawn(async move { inner.carry(notification, endpoint, place).await });
        true
    }
}

impl Inner {
    async fn carry(&self, notification: Notification, endpoint: Endpoint, place: Arc<Place>) {
        let account = &notification.account;
        if let Ok(body) = encrypt::encrypt(&notification.to, &notification.text) {
            match self.insist(&notification, &endpoint, body.into(), &place).await {
                Next::Done => {}
                Next::Gone => {
                    tracing::info!(%account, host = endpoint.host, "a browser has ended its subscription");
                    (self.settings.gone)(&notification);
                }
                Next::Drop | Next::Again(_) => {
                    tracing::info!(%account, host = endpoint.host, "a notification could not be sent");
                }
            }
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (notification.account, notification.node);
        if latest.get(&key).is_some_and(|latest| Arc::ptr_eq(latest, &place)) {
            latest.remove(&key);
        }
    }

    /// Gives a notification its place: it is the latest of its node. `None` if there is none for it.
    fn enlist(&self, notification: &Notification, endpoint: &Endpoint) -> Option<Arc<Place>> {
        let place = Arc::new(Place {
            overtaken: Notify::new(),
            account: self.accounts.join(&notification.account)?,
            host: self.hosts.join(&endpoint.host)?,
            _room: self.room.clone().try_acquire_owned().ok()?,
        });
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (notification.account.clone(), notification.node.clone());
        if let Some(older) = latest.insert(key, place.clone()) {
            older.overtaken.notify_one();
        }
        Some(place)
    }

    /// Tries, and tries again. What is overtaken while it waits goes no further.
    async fn insist(&self, of: &Notification, endpoint: &Endpoint, body: Bytes, place: &Place) -> Next {
        let mut pauses = self.settings.pauses.iter();
        loop {
            let connection = tokio::select! {
                biased;
                () = place.overtaken.notified() => return Next::Done,
                connection = self.connection(place) => connection,
            };
            let next = match self.attempt(of, endpoint, body.clone()).await {
                Some(said) => judge(&said),
                None => Next::Again(None),
            };
            drop(connection);
            let Next::Again(asked) = next else { return next };
            let Some(pause) = pauses.next() else { return Next::Drop };
            let pause = asked.unwrap_or_default().max(*pause).min(limits::PAUSE_MAX);
            tokio::select! {
                biased;
                () = place.overtaken.notified() => return Next::Done,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Waits for a connection: first in the shares, so that nobody holds one of all while he waits for his own.
    async fn connection<'a>(&'a self, place: &'a Place) -> [Option<SemaphorePermit<'a>>; 3] {
        // None of them is ever closed.
        [
            place.account.connection().await,
            place.host.connection().await,
            self.connections.acquire().await.ok(),
        ]
    }

    async fn attempt(&self, of: &Notification, endpoint: &Endpoint, body: Bytes) -> Option<Said> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let authorization = self.settings.vapid.authorization(&endpoint.audience(), now)?;
        let topic = Some(&of.node[..]).filter(|node| is_topic(node));
        let request = Post { endpoint, authorization, topic, urgent: of.urgent, body };
        let said =
            tokio::time::timeout(self.settings.patience, post(request, &self.tls, &self.settings.peers));
        let said = said.await;
        let host = &endpoint.host;
        match said {
            Ok(Ok(said)) => Some(said),
            Ok(Err(error)) => {
                tracing::debug!(host, %error, "a push service cannot be reached");
                None
            }
            Err(_) => {
                tracing::debug!(host, "a push service does not answer");
                None
            }
        }
    }
}

/// RFC 8030 section 5.4.
fn is_topic(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn judge(said: &Said) -> Next {
    match said.status {
        200..=299 => Next::Done,
        404 | 410 => Next::Gone,
        408 | 425 | 429 | 500..=599 => Next::Again(said.after),
        _ => Next::Drop,
    }
}
