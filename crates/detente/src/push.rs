//! Push, as the engine and HTTP see it: what goes out to the web, and what programs post for clients.
//!
//! Not here: encryption and requests (crate `webpush`), stanzas of the service (crate `push`), HTTP (crate `net`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use address::Jid;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use config::Config;
use engine::{Handle, Input};
use model::push::{Outcome, PushFound, PushQuery};
use net::{Pending, Status};
use stanza::{Stanza, ns};
use tokio::sync::oneshot;
use webpush::{Secret, Sender, Settings, Vapid, Way, Ways};
use xml::Writer;

/// How long a program that posts waits for the client. What the client has not answered then reaches it when it comes
/// back, if its session waits.
const ANSWER: Duration = Duration::from_secs(20);
/// Most posts that wait for clients.
const WAITING_MAX: usize = 1_000;
/// Most of them for one client.
const WAITING_PER_CLIENT_MAX: usize = 16;
/// Most addresses that are remembered because their client ended them before their time.
const ENDED_MAX: usize = 10_000;

/// See the file's header. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Push(Arc<Inner>);

struct Inner {
    sender: Sender,
    ways: Ways,
    /// What stands before the token in an address, for each service.
    addresses: HashMap<Jid, String>,
    engine: Handle,
    waiting: Mutex<HashMap<String, Waiting>>,
    ended: Mutex<Ended>,
    count: AtomicU64,
}

struct Waiting {
    client: Jid,
    tell: oneshot::Sender<Outcome>,
}

/// Addresses that their clients have ended, the oldest first.
#[derive(Default)]
struct Ended {
    tokens: HashSet<String>,
    order: VecDeque<String>,
}

impl Push {
    /// What the configuration says; `None`: there is no such service.
    pub(crate) fn new(config: &Config, secret: [u8; 32], engine: Handle) -> Option<Push> {
        let services: Vec<(&String, Jid)> = config
            .server
            .domains
            .iter()
            .filter_map(|domain| Some((domain, crate::services::push_domain(config, domain)?)))
            .collect();
        let first = services.first()?.0;
        let secret = Secret::new(secret);
        let contact = config.push.contact.clone().unwrap_or_else(|| format!("https://{first}"));
        let bring = engine.clone();
        let gone = move |of: &model::push::Notification| {
            let (bring, stanza) = (bring.clone(), push::gone(&of.service, &of.account, &of.node));
            tokio::spawn(async move { bring.send(Input::Inject(stanza)).await });
        };
        let mut settings = Settings::new(Vapid::new(&secret, &contact), Box::new(gone));
        settings.peers.allowed =
            config.push.allowed_addresses.iter().filter_map(|range| range.parse().ok()).collect();
        let address = |(domain, service): (&String, Jid)| Some((service, config.push_address(domain)?));
        Some(Push(Arc::new(Inner {
            sender: Sender::new(settings),
            ways: Ways::new(&secret),
            addresses: services.into_iter().filter_map(address).collect(),
            engine,
            waiting: Mutex::default(),
            ended: Mutex::default(),
            count: AtomicU64::new(0),
        })))
    }
}

impl engine::Pushes for Push {
    fn answer(&self, query: PushQuery) -> PushFound {
        let inner = &self.0;
        match query {
            PushQuery::Key => PushFound::Key(inner.sender.key().to_owned()),
            PushQuery::Check(to) => match inner.sender.check(&to) {
                Ok(()) => PushFound::Done,
                Err(why) => PushFound::Refused(why),
            },
            PushQuery::Send(notification) => match inner.sender.send(*notification) {
                true => PushFound::Done,
                false => PushFound::Full,
            },
            PushQuery::Open { service, client, application, instance, until_ms } => {
                let Some(address) = inner.addresses.get(&service) else {
                    return PushFound::Refused("this server is not reached with https");
                };
                let (service, client) = (service.to_string(), client.to_string());
                match inner.ways.seal(&Way { service, client, application, instance, until_ms }) {
                    Some(token) => PushFound::Way(format!("{address}{token}")),
                    None => PushFound::Off,
                }
            }
            PushQuery::Answered { client, id, outcome } => {
                let mut waiting = inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody answers for others.
                if waiting.get(&id).is_some_and(|known| known.client == client)
                    && let Some(known) = waiting.remove(&id)
                {
                    let _ = known.tell.send(outcome);
                }
                PushFound::Done
            }
        }
    }
}

impl net::Pushes for Push {
    fn post(&self, token: String, body: Bytes) -> Pending<'static, Status> {
        let inner = self.0.clone();
        Box::pin(async move { inner.post(token, &body).await })
    }
}

impl Inner {
    async fn post(&self, token: String, body: &[u8]) -> Status {
        let way = self.ways.open(&token, engine::start_time().now.unix_ms).filter(|_| !self.is_ended(&token));
        let Some(way) = way else { return 404 };
        let (Ok(service), Ok(client)) = (Jid::parse(&way.service), Jid::parse(&way.client)) else {
            return 404;
        };
        let id = format!("up-{}", self.count.fetch_add(1, Ordering::Relaxed));
        let told = match self.wait(&id, &client) {
            Ok(told) => told,
            Err(status) => return status,
        };
        let mut w = Writer::new(ns::CLIENT);
        w.open("push", ns::UNIFIED_PUSH).attr("application", way.application).attr("instance", way.instance);
        w.text(BASE64_STANDARD.encode(body)).close();
        let stanza = Stanza::iq_set(&id, w.finish()).from(&service).to(&client);
        self.engine.send(Input::Inject(stanza)).await;
        let outcome = tokio::time::timeout(ANSWER, told).await;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        match outcome {
            Ok(Ok(Outcome::Taken)) => 201,
            Ok(Ok(Outcome::Gone)) => {
                self.end(token);
                404
            }
            Ok(Ok(Outcome::Later) | Err(_)) => 503,
            // Its session is there, and waits: it will come (section 5 of RFC 8030 knows no word for that but this).
            Err(_) => 201,
        }
    }

    /// Waits for a client's answer; refused with a status if too many do.
    fn wait(&self, id: &str, client: &Jid) -> Result<oneshot::Receiver<Outcome>, Status> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            return Err(503);
        }
        if waiting.values().filter(|known| known.client == *client).count() >= WAITING_PER_CLIENT_MAX {
            return Err(429);
        }
        let (tell, told) = oneshot::channel();
        waiting.insert(id.to_owned(), Waiting { client: client.clone(), tell });
        Ok(told)
    }

    fn is_ended(&self, token: &str) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).tokens.contains(token)
    }

    fn end(&self, token: String) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.order.len() >= ENDED_MAX
            && let Some(oldest) = ended.order.pop_front()
        {
            ended.tokens.remove(&oldest);
        }
        ended.tokens.insert(token.clone());
        ended.order.push_back(token);
    }
}
