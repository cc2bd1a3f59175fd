//! A stage for tests of features: one account, one host, a store and a book of accounts, all in memory.
//!
//! What happens comes back as readable lines, in order:
//!
//! | line | meaning |
//! |---|---|
//! | `phone: <iq …/>` | sent to the session with that resource (` #7` behind it: with token 7) |
//! | `-> <message …/>` | routed to another place |
//! | `put space key = value` | stored in a map (without key: a document); `del …` removes |
//! | `log space #id with = value` | appended to a log |
//! | `ask create bob@example.org` | asked of the accounts (reads and session lists are answered without a line) |
//! | `hold phone`, `release phone` | messages for the session wait, and go on |
//! | `close phone` | the session is to end |
//!
//! Questions are answered at once, from what was written before. Not here: two accounts at a time; the kernel's
//! halves are played one after the other with [`Scene::send`] and [`Scene::get`].
#![allow(dead_code)] // a stage has more than each play needs

#[path = "scene/book.rs"]
mod book;
#[path = "scene/lines.rs"]
mod lines;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use address::{Bare, Jid};
use book::Known;
use kernel::{
    Account, Direction, Effect, Effects, Feature, Host, HostFacts, Item, Kernel, Now, Resume, Turn,
};
use lines::{tell, tell_query};
use model::link::{About, Client, SessionId, Transport};
use model::query::{Found, Query, SessionFilter, SessionFound, UploadFound, UploadQuery};
use model::storage::{Batch, Loaded, Owner, Read};
use stanza::{Condition, Stanza};
use store::Store;
use store::memory::Memory;
use xml::{Event, Framing, Limits, Parser};

/// The account on stage.
pub(crate) const OWN: &str = "alice@example.org";
/// The host on stage.
pub(crate) const HOST: &str = "example.org";

/// The stage. Its fields may be changed at will between two inputs.
pub(crate) struct Scene {
    pub(crate) kernel: Kernel,
    pub(crate) account: Account,
    pub(crate) host: Host,
    pub(crate) store: Memory,
    /// Who is registered; alice is, with the password `secret`.
    pub(crate) book: BTreeMap<String, Known>,
    /// Sessions besides those of the account on stage.
    pub(crate) elsewhere: Vec<SessionFound>,
    /// The clock, in Unix milliseconds.
    pub(crate) now_ms: u64,
    /// The id of the next input.
    pub(crate) next_id: u64,
    /// What the files answer next, and what they were asked.
    pub(crate) files: (UploadFound, Vec<UploadQuery>),
    /// Whether questions fail, as when the disk is full.
    pub(crate) broken: bool,
    /// After how many milliseconds the account, or the host, wants to be woken, as it said last.
    pub(crate) wish: Option<u64>,
    sessions: u64,
    names: BTreeMap<u64, String>,
}

/// Asks that wait for their answer.
enum Asked {
    Account(Query, Resume<Account>),
    Host(Query, Resume<Host>),
}

impl Scene {
    /// A stage on which these features play.
    pub(crate) fn new(features: Vec<Box<dyn Feature>>) -> Scene {
        let mut scene = Scene {
            kernel: Kernel::new(features),
            account: Account::new(Bare::parse(OWN).unwrap(), true),
            host: Host::new(jid(HOST), Arc::new(HostFacts::default())),
            store: Memory::new(),
            book: BTreeMap::new(),
            elsewhere: Vec::new(),
            now_ms: 1_000_000_000_000,
            next_id: 1,
            files: (UploadFound::Off, Vec::new()),
            broken: false,
            wish: None,
            sessions: 0,
            names: BTreeMap::new(),
        };
        scene.register(OWN, "secret", false);
        scene.reload();
        scene
    }

    /// A stage with one feature and a session `phone`.
    pub(crate) fn one(feature: impl Feature + 'static) -> Scene {
        let mut scene = Scene::new(vec![Box::new(feature)]);
        scene.open("phone");
        scene
    }

    /// Puts an account into the book.
    pub(crate) fn register(&mut self, account: &str, password: &str, admin: bool) {
        let known = Known { password: password.into(), suspended: false, admin };
        self.book.insert(account.into(), known);
    }

    /// Sets what the operator says of the host.
    pub(crate) fn facts(&mut self, facts: HostFacts) {
        self.host.facts = Arc::new(facts);
        self.account.facts = self.host.facts.clone();
        self.account.apply_groups();
    }

    /// Puts a contact into the roster without telling anybody.
    pub(crate) fn contact(&mut self, contact: &str, to: Direction, from: Direction) {
        let item = Item { to, from, listed: true, ..Item::default() };
        let mut fx = Effects::default();
        self.account.roster.set(&Owner::from(OWN), &jid(contact), item, &mut fx);
        self.carry_out(fx);
    }

    /// Binds a resource; its sessions are numbered from 1.
    pub(crate) fn open(&mut self, resource: &str) -> Vec<String> {
        self.open_with(resource, false)
    }

    /// Binds a resource; `carbons` if it wants them at once.
    pub(crate) fn open_with(&mut self, resource: &str, carbons: bool) -> Vec<String> {
        self.sessions += 1;
        let id = SessionId(self.sessions);
        self.names.insert(id.0, resource.to_owned());
        let jid = jid(OWN).with_resource(resource).unwrap();
        self.play(Some(id), |kernel, turn| kernel.open(turn, id, jid, about(), carbons))
    }

    /// Ends a session.
    pub(crate) fn close(&mut self, resource: &str) -> Vec<String> {
        let id = self.session(resource);
        self.play(None, |kernel, turn| kernel.close(turn, id))
    }

    /// The session broadcasts available presence.
    pub(crate) fn available(&mut self, resource: &str, priority: i8) -> Vec<String> {
        self.send(resource, &format!("<presence><priority>{priority}</priority></presence>"))
    }

    /// The session sends a stanza; `from` is set as the stream does.
    pub(crate) fn send(&mut self, resource: &str, xml: &str) -> Vec<String> {
        let id = self.session(resource);
        let own = self.account.session(id).unwrap().jid.clone();
        let stanza = stanza(xml).from(&own);
        self.play(Some(id), |kernel, turn| kernel.leave(turn, stanza))
    }

    /// A stanza comes in for the account.
    pub(crate) fn get(&mut self, xml: &str) -> Vec<String> {
        let stanza = stanza(xml);
        self.play(None, |kernel, turn| kernel.arrive(turn, stanza))
    }

    /// A client has got stanzas with these tokens.
    pub(crate) fn acknowledge(&mut self, resource: &str, tokens: &[u64]) -> Vec<String> {
        let id = self.session(resource);
        self.play(None, |kernel, turn| kernel.acknowledged(turn, id, tokens.to_vec()))
    }

    /// A stanza for the host.
    pub(crate) fn host(&mut self, xml: &str) -> Vec<String> {
        let stanza = stanza(xml);
        let (now, id) = self.tick();
        let mut fx = Effects::default();
        self.kernel.host(&mut Turn::new(now, id, &mut self.host, None, &mut fx), stanza);
        self.carry_out(fx)
    }

    /// Whatever else the kernel can do with the account.
    pub(crate) fn play(
        &mut self,
        session: Option<SessionId>,
        act: impl FnOnce(&Kernel, &mut Turn<'_, Account>),
    ) -> Vec<String> {
        let (now, id) = self.tick();
        let mut fx = Effects::default();
        act(&self.kernel, &mut Turn::new(now, id, &mut self.account, session, &mut fx));
        self.carry_out(fx)
    }

    /// The process starts again: all sessions are gone, the account comes back from the store.
    pub(crate) fn reload(&mut self) {
        let account = self.account.jid.clone();
        let loaded = self.kernel.reads(&account).into_iter().map(|read| self.read(read)).collect::<Vec<_>>();
        self.account = self.kernel.hydrate(account, true, loaded);
        self.account.facts = self.host.facts.clone();
        self.account.apply_groups();
        self.names.clear();
    }

    /// The answer of the store.
    pub(crate) fn read(&self, read: Read) -> Loaded {
        store::block_on(self.store.read(read)).unwrap()
    }

    /// Carries effects out, answers questions, and tells what happened.
    pub(crate) fn carry_out(&mut self, fx: Effects) -> Vec<String> {
        let (mut lines, mut asked) = (Vec::new(), VecDeque::new());
        self.take(fx, &mut lines, &mut asked);
        while let Some(next) = asked.pop_front() {
            let (now, id) = self.tick();
            let mut fx = Effects::default();
            match next {
                Asked::Account(query, resume) => {
                    let found = self.answer(query);
                    resume(&mut Turn::new(now, id, &mut self.account, None, &mut fx), found);
                }
                Asked::Host(query, resume) => {
                    let found = self.answer(query);
                    resume(&mut Turn::new(now, id, &mut self.host, None, &mut fx), found);
                }
            }
            self.take(fx, &mut lines, &mut asked);
        }
        lines
    }

    fn take(&mut self, mut fx: Effects, lines: &mut Vec<String>, asked: &mut VecDeque<Asked>) {
        self.wish = fx.take_wake().or(self.wish);
        for effect in fx.take() {
            match effect {
                Effect::Send { to, stanza, token } => {
                    let token = token.map(|token| format!(" #{token}")).unwrap_or_default();
                    lines.push(format!("{}: {stanza:?}{token}", self.name(to)));
                }
                Effect::Watch(..) => {}
                Effect::Route(stanza) => lines.push(format!("-> {stanza:?}")),
                Effect::Write(write) => {
                    lines.push(tell(&write));
                    store::block_on(self.store.commit(Batch::from(write))).unwrap();
                }
                Effect::Ask(account, query, resume) => {
                    assert_eq!(account, self.account.jid, "the scene has one account");
                    lines.extend(tell_query(&query));
                    asked.push_back(Asked::Account(query, resume));
                }
                Effect::AskHost(host, query, resume) => {
                    assert_eq!(host, self.host.domain, "the scene has one host");
                    lines.extend(tell_query(&query));
                    asked.push_back(Asked::Host(query, resume));
                }
                Effect::AskSpot(..) => panic!("the scene has no service"),
                Effect::Hold(session) => lines.push(format!("hold {}", self.name(session))),
                Effect::Release(session) => lines.push(format!("release {}", self.name(session))),
                Effect::Close(session, error) => {
                    let why = error.map(|error| format!(" {error:?}")).unwrap_or_default();
                    lines.push(format!("close {}{why}", self.name(session)));
                }
            }
        }
    }

    /// The answer to a question.
    pub(crate) fn answer(&mut self, query: Query) -> Result<Found, stanza::StanzaError> {
        if self.broken {
            return Err(Condition::InternalServerError.into());
        }
        Ok(match query {
            Query::Read(read) => Found::Loaded(self.read(read)),
            Query::Upload(query) => Found::Upload(self.files(query)),
            Query::Request(request) => {
                let refused = request.error(Condition::ItemNotFound.into());
                Found::Answer(Box::new(refused.expect("a request may be answered")))
            }
            Query::Activate(_) => Found::Activated(model::bytestream::Activated::Off),
            Query::Push(_) => Found::Push(model::push::PushFound::Off),
            Query::Sessions(filter) => Found::Sessions(self.sessions(&filter)),
            Query::Account(query) => Found::Account(self.accounts(query)),
        })
    }

    fn files(&mut self, query: UploadQuery) -> UploadFound {
        self.files.1.push(query);
        self.files.0.clone()
    }

    fn sessions(&self, filter: &SessionFilter) -> Vec<SessionFound> {
        let own = self.account.sessions.iter().map(|session| SessionFound {
            jid: session.jid.clone(),
            priority: session.available.as_ref().map(|available| available.priority),
            about: Some(session.about.clone()),
            idle: session.available.as_ref().is_some_and(|available| {
                available.stanza.payload.text_of("show", stanza::ns::CLIENT).is_some()
            }),
        });
        let mut found: Vec<_> = own.chain(self.elsewhere.iter().cloned()).collect();
        found.retain(|session| match filter {
            SessionFilter::Of(account) => session.jid.bare_str() == account.as_str(),
            SessionFilter::Domain(domain) => session.jid.domain() == domain,
        });
        found.sort_by(|a, b| a.jid.cmp(&b.jid));
        found
    }

    fn tick(&mut self) -> (Now, u64) {
        self.next_id += 1;
        (Now { unix_ms: self.now_ms }, self.next_id - 1)
    }

    /// The number of a session that is open.
    pub(crate) fn session(&self, resource: &str) -> SessionId {
        self.account.resource(resource).unwrap_or_else(|| panic!("no session {resource}")).id
    }

    fn name(&self, id: SessionId) -> String {
        self.names.get(&id.0).cloned().unwrap_or_else(|| format!("session {}", id.0))
    }
}

/// Plays the same script with the features in many orders and demands the same effects: what stands on one step must
/// commute. The script hands out what each of its inputs caused; within one input the order does not count.
pub(crate) fn commute(
    features: impl Fn() -> Vec<Box<dyn Feature>>,
    script: impl Fn(&mut Scene) -> Vec<Vec<String>>,
) {
    let run = |order: Vec<Box<dyn Feature>>| {
        let names = order.iter().map(|feature| feature.card().name).collect::<Vec<_>>();
        let mut seen = script(&mut Scene::new(order));
        seen.iter_mut().for_each(|lines| lines.sort());
        (names, seen)
    };
    let (_, expected) = run(features());
    assert!(expected.iter().any(|lines| !lines.is_empty()), "a script without effects shows nothing");
    for turn in 0..features().len() {
        for reversed in [false, true] {
            let mut order = features();
            order.rotate_left(turn);
            if reversed {
                order.reverse();
            }
            let (names, seen) = run(order);
            assert_eq!(seen, expected, "in the order {names:?}");
        }
    }
}

/// A stanza from its text; the content namespace need not be written.
pub(crate) fn stanza(xml: &str) -> Stanza {
    let mut parser = Parser::new(Framing::Stream, Limits::SERVER);
    parser.push(b"<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>");
    parser.push(xml.as_bytes());
    loop {
        match parser.next().unwrap_or_else(|error| panic!("{error}: {xml}")) {
            Some(Event::Element(element)) => {
                return Stanza::from_element(&element).unwrap_or_else(|bad| panic!("{bad:?}: {xml}"));
            }
            Some(_) => {}
            None => panic!("no whole element: {xml}"),
        }
    }
}

/// An address.
pub(crate) fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

/// An error answer as it appears in a line: what stands between the iq's tags.
pub(crate) fn error(ty: &str, condition: &str) -> String {
    format!("<error type='{ty}'><{condition} xmlns='{}'/></error>", stanza::ns::STANZAS)
}

fn about() -> Arc<About> {
    Arc::new(About {
        ip: std::net::Ipv4Addr::LOCALHOST.into(),
        transport: Transport::Tcp,
        tls: Some("TLSv1.3".into()),
        mechanism: "SCRAM-SHA-256",
        client: Client { id: None, software: Some("Tester".into()), device: Some("Bench".into()) },
    })
}
