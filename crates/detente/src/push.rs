//! Push, as the engine and HTTP see it: what goes out to the web, and what programs post for clients.
//!
//! Not here: encryption and requests (crate `webpush`), stanzas of the service (crate `push`), HTTP (crate `net`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
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
use zeroize::Zeroizing;

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
    addresses: RwLock<HashMap<Jid, String>>,
    engine: Handle,
    waiting: Mutex<HashMap<String, Waiting>>,
    ended: Mutex<Ended>,
    count: AtomicU64,
}

struct Waiting {
    client: Jid,
    tell: oneshot::Sender<Outcome>,
}

/// A place among those that wait; free again when its post is over, or its program has gone.
struct Place<'a> {
    inner: &'a Inner,
    id: String,
    told: oneshot::Receiver<Outcome>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Addresses that their clients have ended, the oldest first.
#[derive(Default)]
struct Ended {
    tokens: HashSet<String>,
    order: VecDeque<String>,
}

impl Push {
    /// What the configuration says; `None`: there is no such service.
    pub(crate) fn new(config: &Config, secret: Zeroizing<[u8; 32]>, engine: Handle) -> Option<Push> {
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
        Some(Push(Arc::new(Inner {
            sender: Sender::new(settings),
            ways: Ways::new(&secret),
            addresses: RwLock::new(addresses(config)),
            engine,
            waiting: Mutex::default(),
            ended: Mutex::default(),
            count: AtomicU64::new(0),
        })))
    }
}

/// Where programs post for clients of each domain's service.
fn addresses(config: &Config) -> HashMap<Jid, String> {
    let address =
        |domain: &String| Some((crate::services::push_domain(config, domain)?, config.push_address(domain)?));
    config.server.domains.iter().filter_map(address).collect()
}

impl Push {
    /// Domains have come or gone.
    pub(crate) fn replace(&self, config: &Config) {
        *self.0.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses(config);
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
                let addresses = inner.addresses.read().unwrap_or_else(PoisonError::into_inner);
                let Some(address) = addresses.get(&service).cloned() else {
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
        let mut place = match self.wait(&id, &client) {
            Ok(place) => place,
            Err(status) => return status,
        };
        let mut w = Writer::new(ns::CLIENT);
        w.open("push", ns::UNIFIED_PUSH).attr("application", way.application).attr("instance", way.instance);
        w.text(BASE64_STANDARD.encode(body)).close();
        let stanza = Stanza::iq_set(&id, w.finish()).from(&service).to(&client);
        self.engine.send(Input::Inject(stanza)).await;
        match tokio::time::timeout(ANSWER, &mut place.told).await {
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
    fn wait(&self, id: &str, client: &Jid) -> Result<Place<'_>, Status> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            return Err(503);
        }
        if waiting.values().filter(|known| known.client.bare_str() == client.bare_str()).count()
            >= WAITING_PER_CLIENT_MAX
        {
            return Err(429);
        }
        let (tell, told) = oneshot::channel();
        waiting.insert(id.to_owned(), Waiting { client: client.clone(), tell });
        Ok(Place { inner: self, id: id.to_owned(), told })
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

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Pushes as _;
    use net::Pushes as _;
    use tokio::sync::mpsc;

    fn push() -> (Push, mpsc::Receiver<Input>) {
        let mut config = Config::default();
        config.server.domains = vec!["a.example".into(), "b.example".into()];
        let (engine, inputs) = Handle::new(WAITING_PER_CLIENT_MAX + 4);
        (Push::new(&config, Zeroizing::new([3; 32]), engine).unwrap(), inputs)
    }

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    /// The token of an address for this client.
    fn token(push: &Push, until_ms: u64) -> String {
        let found = push.answer(PushQuery::Open {
            service: jid("push.b.example"),
            client: jid("alice@b.example/phone"),
            application: "app".into(),
            instance: "way".into(),
            until_ms,
        });
        let PushFound::Way(address) = found else { panic!("{found:?}") };
        address.strip_prefix("https://b.example:5281/push/").expect(&address).to_owned()
    }

    async fn brought(inputs: &mut mpsc::Receiver<Input>) -> Stanza {
        match inputs.recv().await {
            Some(Input::Inject(stanza)) => stanza,
            _ => panic!("nothing was brought"),
        }
    }

    #[tokio::test]
    async fn what_is_posted_comes_to_the_client_and_its_answer_back() {
        let (push, mut inputs) = push();
        let token = token(&push, u64::MAX);
        for (outcome, status) in
            [(Outcome::Taken, 201), (Outcome::Later, 503), (Outcome::Taken, 201), (Outcome::Gone, 404)]
        {
            let posting = tokio::spawn(push.post(token.clone(), Bytes::from_static(b"\0hello")));
            let stanza = brought(&mut inputs).await;
            let text = format!("{stanza:?}");
            let id = stanza.id.unwrap().to_string();
            assert!(text.contains("from='push.b.example' to='alice@b.example/phone'"), "{text}");
            assert!(text.contains("application='app' instance='way'>AGhlbGxv</push>"), "{text}");
            // Nobody answers for her, and no answer counts twice.
            for (who, id) in [("eve@b.example/phone", &id[..]), ("alice@b.example/phone", "up-999")] {
                let (client, id) = (jid(who), id.to_owned());
                push.answer(PushQuery::Answered { client, id, outcome: Outcome::Gone });
            }
            assert!(!posting.is_finished());
            let client = jid("alice@b.example/phone");
            push.answer(PushQuery::Answered { client, id, outcome });
            assert_eq!(posting.await.unwrap(), status);
        }
        assert_eq!(push.post(token, Bytes::from_static(b"a")).await, 404, "it has been ended");
        assert!(push.0.waiting.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_no_address_of_ours_brings_nothing() {
        let (push, mut inputs) = push();
        for token in [String::new(), "AAAA".into(), token(&push, 0)] {
            assert_eq!(push.post(token, Bytes::from_static(b"a")).await, 404);
        }
        assert!(inputs.try_recv().is_err());
        let found = push.answer(PushQuery::Open {
            service: jid("push.elsewhere.example"),
            client: jid("alice@b.example/phone"),
            application: String::new(),
            instance: String::new(),
            until_ms: u64::MAX,
        });
        assert!(matches!(found, PushFound::Refused(_)), "{found:?}");
    }

    #[tokio::test]
    async fn one_client_is_not_posted_to_without_end() {
        let (push, mut inputs) = push();
        let token = token(&push, u64::MAX);
        let post = || tokio::spawn(push.post(token.clone(), Bytes::from_static(b"a")));
        let posts: Vec<_> = (0..WAITING_PER_CLIENT_MAX).map(|_| post()).collect();
        for _ in &posts {
            brought(&mut inputs).await;
        }
        assert_eq!(post().await.unwrap(), 429);
        // Programs that do not wait for their answers leave nothing behind.
        for post in posts {
            post.abort();
            assert!(post.await.unwrap_err().is_cancelled());
        }
        assert!(push.0.waiting.lock().unwrap().is_empty());
    }
}
