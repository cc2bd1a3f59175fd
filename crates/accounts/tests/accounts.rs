//! The account store over both engines: orders, logins, tokens, registration.
//!
//! Not here: the mechanisms (sasl), the engines (store suite).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use accounts::{Accounts, Settings, limits};
use address::Bare;
use model::grant::Grant;
use model::invite::{Invite, Purpose};
use model::link::Client;
use model::query::{AccountFound, AccountQuery, Password, Which};
use sasl::{Channel, Condition, Exchange, Hash, Mechanism, Nonce, Offer, Slot, Step};
use stanza::{IqType, Kind, Stanza};
use store::Store;
use stream::{Answer, Ask, Issued, Login, Registration};

const START: u64 = 1_700_000_000;

struct World {
    accounts: Accounts,
    store: Arc<dyn Store>,
    now: Arc<AtomicU64>,
    _temp: Option<Temp>,
}

/// A directory that goes with its test.
struct Temp(std::path::PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn memory() -> (Arc<dyn Store>, Option<Temp>) {
    (Arc::new(store::memory::Memory::new()), None)
}

fn sqlite() -> (Arc<dyn Store>, Option<Temp>) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("detente-accounts-{}-{number}", std::process::id()));
    let store = store_sqlite::Sqlite::open(&path, store_sqlite::Options::default()).unwrap();
    (Arc::new(store), Some(Temp(path)))
}

fn settings(now: &Arc<AtomicU64>) -> Settings {
    let now = now.clone();
    Settings {
        registration: vec!["open.example".to_owned()],
        iterations: 4_096,
        clock: Arc::new(move || now.load(Ordering::Relaxed) * 1_000),
        ..Settings::new(vec!["a.example".to_owned(), "open.example".to_owned()], [7; 32])
    }
}

impl World {
    async fn new((store, temp): (Arc<dyn Store>, Option<Temp>)) -> World {
        let now = Arc::new(AtomicU64::new(START));
        let accounts = Accounts::open(store.clone(), settings(&now)).await.unwrap();
        World { accounts, store, now, _temp: temp }
    }

    async fn with_bob(parts: (Arc<dyn Store>, Option<Temp>)) -> World {
        let world = World::new(parts).await;
        assert_eq!(world.answer(create("bob@a.example", "pencil")).await, "done");
        world
    }

    async fn answer(&self, query: AccountQuery) -> String {
        match self.accounts.answer(query).await.unwrap() {
            AccountFound::Done => "done".to_owned(),
            AccountFound::No => "no".to_owned(),
            AccountFound::Exists => "exists".to_owned(),
            AccountFound::Refused(why) => format!("refused: {why}"),
            AccountFound::Count(n) => n.to_string(),
            AccountFound::Invited(made) => made.0.token,
            AccountFound::Invitations(found) => {
                found.iter().map(|one| format!("{}x{}", one.domain, one.left)).collect::<Vec<_>>().join(" ")
            }
            AccountFound::Accounts(infos) => infos
                .iter()
                .map(|info| {
                    let flag = |on, mark| if on { mark } else { "" };
                    format!("{}{}{}", info.account, flag(info.admin, "+"), flag(info.suspended, "-"))
                })
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    async fn ask(&self, ask: Ask) -> Answer {
        self.accounts.ask(ask, ip("127.0.0.1")).await
    }

    async fn password(&self, account: &str, password: &str) -> bool {
        let password = sasl::Password::parse(password).unwrap();
        match self.ask(Ask::Password { account: bare(account), password }).await {
            Answer::Password(right) => right,
            _ => panic!("not an answer to that"),
        }
    }

    /// Salt and iterations, as the client of SCRAM sees them.
    async fn challenge(&self, account: &str, hash: Hash, mechanism: Mechanism) -> String {
        let channel = Channel::proxied();
        let offer = Offer::sasl1(&[mechanism], &channel);
        let mut exchange =
            Exchange::start(mechanism, &offer, &channel, Nonce::fixed("server").unwrap()).unwrap();
        assert!(matches!(exchange.handle_initial(Some(b"n,,n=bob,r=client")), Step::Ask(_)));
        let Answer::Keys(keys) = self.ask(Ask::Keys { account: bare(account), hash }).await else {
            panic!("not an answer to that")
        };
        let Step::Challenge(bytes) = exchange.handle_answer(sasl::Answer::Keys(keys)) else {
            panic!("no challenge")
        };
        String::from_utf8(bytes).unwrap()
    }

    async fn login(&self, login: Login) -> Result<Option<Issued>, Condition> {
        match self.ask(Ask::Login(Box::new(login))).await {
            Answer::Login(issued) => Ok(issued),
            Answer::Refused(condition) => Err(condition),
            _ => panic!("not an answer to that"),
        }
    }

    /// A token for an installation.
    async fn token(&self, client: &str) -> sasl::Token {
        let login = Login { request: Some(Mechanism::HtSha256None), ..login("bob@a.example", client) };
        self.login(login).await.ok().flatten().unwrap().token
    }

    async fn slots(&self, client: &str) -> Vec<(Slot, String, bool)> {
        let ask = Ask::Tokens { account: bare("bob@a.example"), client: client.to_owned() };
        let Answer::Tokens(tokens) = self.ask(ask).await else { panic!("not an answer to that") };
        tokens.into_iter().map(|c| (c.slot, c.token.expose().to_owned(), c.expired)).collect()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn bare(text: &str) -> Bare {
    Bare::parse(text).unwrap()
}

fn create(account: &str, password: &str) -> AccountQuery {
    AccountQuery::Create { account: bare(account), password: Password::new(password) }
}

fn login(account: &str, client: &str) -> Login {
    Login {
        account: bare(account),
        grant: Grant::default(),
        mechanism: Mechanism::ScramSha256,
        client: Client { id: Some(client.to_owned()), ..Client::default() },
        token: None,
        count: None,
        early_data: false,
        invalidate: false,
        request: None,
    }
}

/// XEP-0480: keys are added where they are missing, to who still may.
async fn keys_are_added_once_and_by_right_only(parts: Parts) {
    let world = World::with_bob(parts).await;
    let bob = || bare("bob@a.example");
    let keys = |hash| {
        let password = sasl::Password::parse("other").unwrap();
        Box::new(sasl::ScramKeys::derive(hash, &password, b"salt of it", 4_096).unwrap())
    };
    let missing = async |account: &str| match world
        .ask(Ask::Missing { account: bare(account), hashes: vec![Hash::Sha512, Hash::Sha1] })
        .await
    {
        Answer::Missing { hashes, iterations: 4_096 } => format!("{hashes:?}"),
        Answer::Refused(condition) => condition.name().to_owned(),
        _ => panic!("not an answer to that"),
    };
    assert_eq!(missing("bob@a.example").await, "[]", "nobody wants keys for the other");
    assert_eq!(missing("eve@a.example").await, "not-authorized");
    let wider = Settings { hashes: vec![Hash::Sha512, Hash::Sha256, Hash::Sha1], ..settings(&world.now) };
    world.accounts.reload(&wider).unwrap();
    assert_eq!(missing("bob@a.example").await, "[Sha512]");
    let grant = world.accounts.grants().of(&bob());
    let upgrade = |keys| Ask::Upgrade { account: bob(), grant: grant.clone(), keys };
    let before = world.challenge("bob@a.example", Hash::Sha256, Mechanism::ScramSha256).await;
    for (hash, mechanism, added) in
        [(Hash::Sha256, Mechanism::ScramSha256, false), (Hash::Sha512, Mechanism::ScramSha512, true)]
    {
        assert!(matches!(world.ask(upgrade(keys(hash))).await, Answer::Upgraded));
        let challenge = world.challenge("bob@a.example", hash, mechanism).await;
        assert_eq!(challenge.contains(&sasl::encode_base64(b"salt of it")), added, "{hash:?}");
    }
    assert_eq!(world.challenge("bob@a.example", Hash::Sha256, Mechanism::ScramSha256).await, before);
    assert_eq!(missing("bob@a.example").await, "[]");
    world.accounts.grants().revoke(&bob());
    let refused = world.ask(upgrade(keys(Hash::Sha256))).await;
    assert!(matches!(refused, Answer::Refused(Condition::NotAuthorized)));
}

/// C-28: a password that was changed while its exchange went on is of no use, nor is a stream without a resource.
async fn c28_what_was_granted_is_taken_back(parts: Parts) {
    let world = World::with_bob(parts).await;
    let bob = || bare("bob@a.example");
    let password = || Password::new("new");
    for (order, holds) in [
        (AccountQuery::SetPassword { account: bob(), password: password() }, false),
        (AccountQuery::EndSessions { account: bob() }, false),
        (AccountQuery::SetAdmin { account: bob(), admin: true }, true),
        (AccountQuery::SetPassword { account: bare("nobody@a.example"), password: password() }, true),
        (AccountQuery::Suspend { account: bob(), suspended: true }, false),
        (AccountQuery::Suspend { account: bob(), suspended: false }, true),
        (AccountQuery::Remove { account: bob() }, false),
    ] {
        let grant = world.accounts.grants().of(&bob());
        let login = |grant| Login { grant, ..login("bob@a.example", "phone") };
        let about = format!("{order:?} {holds}");
        world.answer(order).await;
        assert_eq!(grant.holds(), holds, "{about}");
        assert_eq!(world.login(login(grant)).await.is_ok(), holds, "{about}");
    }
}

fn by_token(token: &sasl::Token, client: &str, count: Option<u64>) -> Login {
    let token = Some(token.clone());
    Login { mechanism: Mechanism::HtSha256None, token, count, ..login("bob@a.example", client) }
}

macro_rules! over_both {
    ($($name:ident)*) => {
        mod over_memory { $(#[tokio::test] async fn $name() { super::$name(super::memory()).await } )* }
        mod over_sqlite { $(#[tokio::test] async fn $name() { super::$name(super::sqlite()).await } )* }
    };
}

type Parts = (Arc<dyn Store>, Option<Temp>);

over_both! {
    orders_are_carried_out
    domains_are_listed_in_pages
    c05a_unknown_and_suspended_look_like_the_others
    c05b_passwords_are_checked
    c12_passwords_that_cannot_be_are_refused
    c22_a_token_is_used_moved_and_counted
    c23_a_token_belongs_to_one_installation_and_mechanism
    c24_tokens_end
    keys_are_added_once_and_by_right_only
    c28_what_was_granted_is_taken_back
    tokens_are_bounded_and_rotate
    j02_registration_is_limited
    l01_nothing_stored_is_a_secret_in_clear
    j04_an_invitation_is_used_once_whoever_is_first
    j05_invitations_end_are_revoked_and_keep_names
    j06_the_name_of_who_left_is_given_to_no_stranger
    a_way_back_works_once_and_for_nothing_else
}

async fn orders_are_carried_out(parts: Parts) {
    let world = World::new(parts).await;
    assert!(world.accounts.is_empty().await.unwrap());
    let bob = || bare("bob@a.example");
    let stranger = || bare("eve@a.example");
    let pass = |text| Password::new(text);
    let long = "x".repeat(1_024);
    for (query, expected) in [
        (create("bob@a.example", "pencil"), "done"),
        (create("bob@a.example", "other"), "exists"),
        (create("Bob@A.example", "other"), "exists"),
        (create("a.example", "pencil"), "refused: an account's address has the form name@domain"),
        (create("bob@b.example", "pencil"), "refused: the domain is not one of this server's"),
        (create("eve@a.example", ""), "refused: the password is empty"),
        (create("eve@a.example", &long), "refused: the password is longer than 1,023 bytes"),
        (AccountQuery::CheckPassword { account: bob(), password: pass("pencil") }, "done"),
        (AccountQuery::CheckPassword { account: bob(), password: pass("Pencil") }, "no"),
        (AccountQuery::CheckPassword { account: bob(), password: pass("") }, "no"),
        (AccountQuery::CheckPassword { account: stranger(), password: pass("pencil") }, "no"),
        (AccountQuery::SetPassword { account: bob(), password: pass("pen") }, "done"),
        (AccountQuery::SetPassword { account: stranger(), password: pass("pen") }, "no"),
        (AccountQuery::CheckPassword { account: bob(), password: pass("pencil") }, "no"),
        (AccountQuery::CheckPassword { account: bob(), password: pass("pen") }, "done"),
        (AccountQuery::SetAdmin { account: bob(), admin: true }, "done"),
        (AccountQuery::Suspend { account: bob(), suspended: true }, "done"),
        (AccountQuery::Show { account: bob() }, "bob@a.example+-"),
        (AccountQuery::CheckPassword { account: bob(), password: pass("pen") }, "no"),
        (AccountQuery::Suspend { account: bob(), suspended: false }, "done"),
        (AccountQuery::SetAdmin { account: bob(), admin: false }, "done"),
        (AccountQuery::Show { account: bob() }, "bob@a.example"),
        (AccountQuery::Suspend { account: stranger(), suspended: true }, "no"),
        (AccountQuery::Show { account: stranger() }, "no"),
        (AccountQuery::Remove { account: stranger() }, "no"),
        (AccountQuery::Remove { account: bob() }, "done"),
        (AccountQuery::Remove { account: bob() }, "no"),
        (AccountQuery::Show { account: bob() }, "no"),
    ] {
        assert_eq!(world.answer(query).await, expected);
    }
    assert!(world.accounts.is_empty().await.unwrap());
}

async fn domains_are_listed_in_pages(parts: Parts) {
    let world = World::new(parts).await;
    for account in ["a@a.example", "b@open.example", "c@a.example", "d@a.example"] {
        assert_eq!(world.answer(create(account, "pencil")).await, "done");
    }
    let list = |after: Option<&str>, limit| AccountQuery::List {
        domain: "a.example".to_owned(),
        after: after.map(bare),
        limit,
        which: Which::All,
    };
    assert_eq!(world.answer(list(None, 100)).await, "a@a.example c@a.example d@a.example");
    assert_eq!(world.answer(list(None, 2)).await, "a@a.example c@a.example");
    assert_eq!(world.answer(list(Some("c@a.example"), 2)).await, "d@a.example");
    assert_eq!(world.answer(list(None, 0)).await, "");
    for account in ["b@open.example", "d@a.example"] {
        let account = bare(account);
        world.answer(AccountQuery::Suspend { account: account.clone(), suspended: true }).await;
        world.answer(AccountQuery::SetAdmin { account, admin: true }).await;
    }
    for (domain, which, found) in [
        ("a.example", Which::All, "a@a.example c@a.example d@a.example+-"),
        ("a.example", Which::Suspended, "d@a.example+-"),
        ("a.example", Which::Admins, "d@a.example+-"),
        ("b.example", Which::All, ""),
    ] {
        let domain = || domain.to_owned();
        let list = AccountQuery::List { domain: domain(), after: None, limit: 9, which };
        assert_eq!(world.answer(list).await, found);
        let count = found.split_whitespace().count().to_string();
        assert_eq!(world.answer(AccountQuery::Count { domain: domain(), which }).await, count);
    }
}

async fn c05a_unknown_and_suspended_look_like_the_others(parts: Parts) {
    let world = World::with_bob(parts).await;
    let look = |account: &'static str| world.challenge(account, Hash::Sha256, Mechanism::ScramSha256);
    let (real, unknown) = (look("bob@a.example").await, look("nobody@a.example").await);
    assert_eq!(real.len(), unknown.len());
    assert!(real.contains(",i=4096,") && unknown.contains(",i=4096,"), "{real} {unknown}");
    assert_eq!(unknown, look("nobody@a.example").await, "the same each time");
    assert_ne!(unknown, look("other@a.example").await);
    // Suspended, the account gets a salt of its own, which stays.
    world.answer(AccountQuery::Suspend { account: bare("bob@a.example"), suspended: true }).await;
    let suspended = look("bob@a.example").await;
    assert_eq!((suspended.len(), &suspended), (real.len(), &look("bob@a.example").await));
    assert_ne!(suspended, real);
    // After a restart too.
    let again = Accounts::open(world.store.clone(), settings(&world.now)).await.unwrap();
    let World { store, now, _temp, .. } = world;
    let world = World { accounts: again, store, now, _temp };
    assert_eq!(unknown, world.challenge("nobody@a.example", Hash::Sha256, Mechanism::ScramSha256).await);
}

async fn c05b_passwords_are_checked(parts: Parts) {
    let world = World::with_bob(parts).await;
    assert!(world.password("bob@a.example", "pencil").await);
    assert!(!world.password("bob@a.example", "pen").await);
    assert!(!world.password("eve@a.example", "pencil").await);
    world.answer(AccountQuery::Suspend { account: bare("bob@a.example"), suspended: true }).await;
    assert!(!world.password("bob@a.example", "pencil").await);
    // C-17: proven just before that.
    assert_eq!(world.login(login("bob@a.example", "x")).await.err(), Some(Condition::AccountDisabled));
    assert_eq!(world.login(login("eve@a.example", "x")).await.err(), Some(Condition::NotAuthorized));
}

async fn c12_passwords_that_cannot_be_are_refused(parts: Parts) {
    let world = World::with_bob(parts).await;
    for password in ["", "\u{ad}", "a\u{7}b", &"x".repeat(1_024), &"x".repeat(1 << 20)] {
        let query =
            AccountQuery::SetPassword { account: bare("bob@a.example"), password: Password::new(password) };
        assert!(world.answer(query).await.starts_with("refused: the password "));
    }
    assert!(world.password("bob@a.example", "pencil").await);
}

async fn c22_a_token_is_used_moved_and_counted(parts: Parts) {
    let world = World::with_bob(parts).await;
    let token = world.token("phone").await;
    let text = token.expose().to_owned();
    assert_eq!(world.slots("phone").await, [(Slot::New, text.clone(), false)]);
    assert!(world.login(by_token(&token, "phone", Some(5))).await.is_ok_and(|issued| issued.is_none()));
    assert_eq!(world.slots("phone").await, [(Slot::Current, text, false)]);
    for (count, expected) in [
        (Some(5), Some(Condition::NotAuthorized)),
        (Some(4), Some(Condition::NotAuthorized)),
        (None, None),
        (Some(6), None),
        (Some(6), Some(Condition::NotAuthorized)),
    ] {
        assert_eq!(world.login(by_token(&token, "phone", count)).await.err(), expected, "{count:?}");
    }
    let early = Login { early_data: true, ..by_token(&token, "phone", None) };
    assert_eq!(world.login(early).await.err(), Some(Condition::NotAuthorized));
    let parallel = [0; 8].map(|_| Box::pin(world.login(by_token(&token, "phone", Some(9)))));
    let mut won = 0;
    for outcome in futures(parallel).await {
        won += usize::from(outcome.is_ok());
    }
    assert_eq!(won, 1, "exactly one of those that come at once");
}

/// All of them at once, on this task.
async fn futures<F: Future + Unpin>(all: [F; 8]) -> Vec<F::Output> {
    let mut all: Vec<_> = all.into_iter().map(|future| (future, None)).collect();
    std::future::poll_fn(move |cx| {
        for (future, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(output) = std::pin::Pin::new(future).poll(cx)
            {
                *done = Some(output);
            }
        }
        match all.iter().all(|(_, done)| done.is_some()) {
            true => std::task::Poll::Ready(all.iter_mut().filter_map(|(_, done)| done.take()).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

async fn c23_a_token_belongs_to_one_installation_and_mechanism(parts: Parts) {
    let world = World::with_bob(parts).await;
    let token = world.token("phone").await;
    world.token("tablet").await;
    let other = sasl::Token::random().unwrap();
    for (row, login) in [
        ("installation", by_token(&token, "tablet", None)),
        ("no installation", Login { client: Client::default(), ..by_token(&token, "phone", None) }),
        ("mechanism", Login { mechanism: Mechanism::HtSha256Expr, ..by_token(&token, "phone", None) }),
        ("made up", by_token(&other, "phone", None)),
        ("none", Login { token: None, ..by_token(&token, "phone", None) }),
        ("account", Login { account: bare("eve@a.example"), ..by_token(&token, "phone", None) }),
        ("long", by_token(&token, &"x".repeat(limits::CLIENT_ID_BYTES_MAX + 1), None)),
    ] {
        assert_eq!(world.login(login).await.err(), Some(Condition::NotAuthorized), "{row}");
    }
    assert!(world.login(by_token(&token, "phone", None)).await.is_ok());
    let nobody = Ask::Tokens { account: bare("eve@a.example"), client: "phone".to_owned() };
    assert!(matches!(world.ask(nobody).await, Answer::Tokens(tokens) if tokens.is_empty()));
}

async fn c24_tokens_end(parts: Parts) {
    let world = World::with_bob(parts).await;
    let bob = || bare("bob@a.example");
    for (row, end) in [
        ("password", AccountQuery::SetPassword { account: bob(), password: Password::new("pencil") }),
        ("suspended", AccountQuery::Suspend { account: bob(), suspended: true }),
        ("no longer", AccountQuery::Suspend { account: bob(), suspended: false }),
        ("sessions", AccountQuery::EndSessions { account: bob() }),
    ] {
        let token = match row {
            "no longer" => sasl::Token::random().unwrap(),
            _ => world.token("phone").await,
        };
        assert_eq!(world.answer(end).await, "done");
        assert!(world.slots("phone").await.is_empty(), "{row}");
        assert!(world.login(by_token(&token, "phone", None)).await.is_err(), "{row}");
    }
    let token = world.token("phone").await;
    let invalidate = Login { invalidate: true, ..by_token(&token, "phone", None) };
    assert!(world.login(invalidate).await.is_ok_and(|issued| issued.is_none()));
    assert!(world.slots("phone").await.is_empty());
    let token = world.token("phone").await;
    world.now.fetch_add(limits::TOKEN_SECONDS, Ordering::Relaxed);
    assert!(world.slots("phone").await.iter().all(|(_, _, expired)| *expired));
    let late = world.login(by_token(&token, "phone", None)).await;
    assert_eq!(late.err(), Some(Condition::CredentialsExpired));
    let token = world.token("phone").await;
    world.answer(AccountQuery::Remove { account: bob() }).await;
    world.answer(create("bob@a.example", "pencil")).await;
    let reborn = world.login(by_token(&token, "phone", None)).await;
    assert_eq!(reborn.err(), Some(Condition::NotAuthorized), "a new account of the same name");
}

async fn tokens_are_bounded_and_rotate(parts: Parts) {
    let world = World::with_bob(parts).await;
    for n in 0..limits::TOKEN_CLIENTS_MAX + 2 {
        world.token(&format!("client-{n}")).await;
        world.now.fetch_add(1, Ordering::Relaxed);
    }
    for (client, there) in [("client-0", false), ("client-1", false), ("client-2", true)] {
        assert_eq!(!world.slots(client).await.is_empty(), there, "{client}");
    }
    let token = world.token("phone").await;
    world.now.fetch_add(limits::TOKEN_ROTATION_SECONDS, Ordering::Relaxed);
    let issued = world.login(by_token(&token, "phone", None)).await.ok().flatten().unwrap();
    assert_eq!(issued.expires, world.now.load(Ordering::Relaxed) + limits::TOKEN_SECONDS);
    let slots: Vec<_> = world.slots("phone").await.into_iter().map(|(slot, ..)| slot).collect();
    assert_eq!(slots, [Slot::New, Slot::Current]);
    // The client may not have got it: both work until the new one is used.
    assert!(world.login(by_token(&token, "phone", None)).await.is_ok());
    let newer = world.slots("phone").await[0].1.clone();
    assert!(world.login(by_token(&sasl::Token::stored(newer), "phone", None)).await.is_ok());
    assert!(world.login(by_token(&token, "phone", None)).await.is_err());
}

async fn j02_registration_is_limited(parts: Parts) {
    let world = World::new(parts).await;
    let register = async |domain: &str, kind, inner: &str, from: &str| {
        let payload = format!("<query xmlns='jabber:iq:register'>{inner}</query>");
        let iq = Stanza { id: Some("1".into()), ..Stanza::new(Kind::Iq(kind)) };
        let iq = Stanza { payload: stanza::Payload::canonical(payload.into_bytes().into()), ..iq };
        let ask = Ask::Register(Box::new(Registration { domain: bare(domain), iq, token: None }));
        let Answer::Registration(reply) = world.accounts.ask(ask, ip(from)).await else {
            panic!("not an answer to that")
        };
        let condition = reply.payload.child("error", stanza::ns::CLIENT).map(|error| {
            let tree = error.tree().unwrap();
            tree.root().unwrap().children().next().unwrap().name().to_owned()
        });
        condition.unwrap_or_else(|| {
            reply.payload.children().next().map_or("done", |child| child.name()).to_owned()
        })
    };
    let fields = |name: &str| format!("<username>{name}</username><password>pencil</password>");
    let form = |name: &str| {
        let field = |var, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
        let fields =
            field("FORM_TYPE", "jabber:iq:register") + &field("username", name) + &field("password", "pen");
        format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
    };
    let home = "2001:db8:1::1";
    for (domain, kind, inner, from, expected) in [
        ("open.example", IqType::Set, form("f"), "2001:db8:3::1", "done"),
        ("open.example", IqType::Set, form("f"), "2001:db8:3::1", "conflict"),
        (
            "open.example",
            IqType::Set,
            form("").replace("iq:register", "iq:other"),
            "2001:db8:3::1",
            "bad-request",
        ),
        ("open.example", IqType::Set, form("") + &fields("g"), "2001:db8:3::1", "not-acceptable"),
        ("a.example", IqType::Set, fields("eve"), home, "not-allowed"),
        ("open.example", IqType::Get, String::new(), home, "query"),
        ("open.example", IqType::Set, fields("eve"), home, "done"),
        ("open.example", IqType::Set, fields("Eve"), "2001:db8:1::2", "conflict"),
        ("open.example", IqType::Set, "<username>x</username>".to_owned(), home, "not-acceptable"),
        ("open.example", IqType::Set, fields("a@b"), home, "not-acceptable"),
        ("open.example", IqType::Set, "<remove/>".to_owned(), home, "unexpected-request"),
        ("open.example", IqType::Set, fields("eve3"), home, "done"),
        ("open.example", IqType::Set, fields("eve4"), home, "done"),
        ("open.example", IqType::Set, fields("eve5"), home, "done"),
        ("open.example", IqType::Set, fields("eve6"), home, "resource-constraint"),
        ("open.example", IqType::Set, fields("eve"), home, "resource-constraint"),
        ("open.example", IqType::Set, fields("eve6"), "2001:db8:2::1", "done"),
    ] {
        assert_eq!(register(domain, kind, &inner, from).await, expected, "{domain} {inner}");
    }
    world.now.fetch_add(limits::REGISTRATION_WINDOW_SECONDS, Ordering::Relaxed);
    assert_eq!(register("open.example", IqType::Set, &fields("eve7"), home).await, "done");
    assert!(world.password("eve@open.example", "pencil").await);
}

async fn l01_nothing_stored_is_a_secret_in_clear(parts: Parts) {
    let world = World::with_bob(parts).await;
    let token = world.token("phone").await;
    let owner = model::storage::Owner::from("bob@a.example");
    let document = model::storage::Read::Doc { space: model::spaces::ACCOUNT, owner: owner.clone() };
    let document = world.store.read(document).await.unwrap().into_doc().unwrap();
    let tokens = model::storage::Read::Map { space: model::storage::Space("token"), owner };
    let tokens = world.store.read(tokens).await.unwrap().into_map();
    assert_eq!(tokens.len(), 1);
    let all = format!("{} {:?}", String::from_utf8_lossy(&document), tokens);
    for secret in ["pencil", token.expose(), "phone"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

/// An invitation of bob's, or one for a name, or a way back for bob.
fn wanted(purpose: Purpose, name: Option<&str>, uses: u32) -> AccountQuery {
    let account = (purpose != Purpose::Account).then(|| bare("bob@a.example"));
    AccountQuery::Invite(Box::new(Invite {
        domain: "a.example".into(),
        purpose,
        account,
        name: name.map(str::to_owned),
        seconds: 3_600,
        uses,
        by: Some(bare("bob@a.example")),
    }))
}

fn redeem(account: &str, token: &str) -> AccountQuery {
    AccountQuery::Redeem {
        account: bare(account),
        password: Password::new("pencil2"),
        token: Password::new(token),
    }
}

async fn j04_an_invitation_is_used_once_whoever_is_first(parts: Parts) {
    let world = World::with_bob(parts).await;
    let token = world.answer(wanted(Purpose::Contact, None, 1)).await;
    assert!(token.len() >= 26 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "140 random bits");
    let names = ["a", "b", "c", "d"].map(|name| format!("{name}@a.example"));
    let answers = tokio::join!(
        world.answer(redeem(&names[0], &token)),
        world.answer(redeem(&names[1], &token)),
        world.answer(redeem(&names[2], &token)),
        world.answer(redeem(&names[3], &token)),
    );
    let mut answers = [answers.0, answers.1, answers.2, answers.3];
    answers.sort();
    assert_eq!(answers, ["done", "no", "no", "no"]);
    // The token itself is nowhere in storage.
    let map =
        model::storage::Read::Map { space: model::storage::Space("invitation"), owner: "server".into() };
    let other = world.answer(wanted(Purpose::Account, None, 2)).await;
    let stored = format!("{:?}", world.store.read(map).await.unwrap().into_map());
    assert!(!stored.contains(&other) && stored.contains("bob@a.example"));
    for (account, expected) in [
        ("e@a.example", "done"),
        ("e@a.example", "exists"),
        ("f@open.example", "no"),
        ("f@a.example", "done"),
        ("g@a.example", "no"),
    ] {
        assert_eq!(world.answer(redeem(account, &other)).await, expected, "{account}");
    }
    // Who came by bob's invitation is vouched for, once.
    let vouch = |contact: &str, token: &str| AccountQuery::Vouch {
        account: bare("bob@a.example"),
        contact: bare(contact),
        token: Password::new(token),
    };
    let mut vouched = 0;
    for name in &names {
        vouched += u32::from(world.answer(vouch(name, "")).await == "done");
        assert_eq!(world.answer(vouch(name, "")).await, "no");
    }
    assert_eq!(vouched, 1);
    let token = world.answer(wanted(Purpose::Contact, None, 1)).await;
    assert_eq!(world.answer(vouch("x@y.example", &token)).await, "done");
    assert_eq!(world.answer(vouch("x@y.example", &token)).await, "no");
}

async fn j05_invitations_end_are_revoked_and_keep_names(parts: Parts) {
    let world = World::with_bob(parts).await;
    let token = world.answer(wanted(Purpose::Account, Some("juliet"), 1)).await;
    let look = |token: &str| AccountQuery::LookUp { token: Password::new(token) };
    assert_eq!(world.answer(look(&token)).await, "a.examplex1");
    assert_eq!(world.answer(look("other")).await, "no");
    assert_eq!(world.answer(redeem("romeo@a.example", &token)).await, "no");
    let other = world.answer(wanted(Purpose::Account, None, 1)).await;
    assert_eq!(world.answer(redeem("juliet@a.example", &other)).await, "exists");
    // Who has begun may finish for a while; nobody begins any more.
    world.now.fetch_add(3_600, Ordering::Relaxed);
    assert_eq!(world.answer(look(&token)).await, "no");
    assert_eq!(world.answer(redeem("juliet@a.example", &token)).await, "done");
    world.now.fetch_add(limits::INVITE_GRACE_SECONDS, Ordering::Relaxed);
    assert_eq!(world.answer(redeem("late@a.example", &other)).await, "no");
    for _ in 0..limits::INVITES_PER_ACCOUNT_MAX {
        assert!(!world.answer(wanted(Purpose::Contact, None, 1)).await.starts_with("refused"));
    }
    assert!(world.answer(wanted(Purpose::Contact, None, 1)).await.starts_with("refused: there are too many"));
    let all = AccountQuery::Invitations { domain: "a.example".into(), by: None };
    let AccountFound::Invitations(all) = world.accounts.answer(all).await.unwrap() else { panic!() };
    let revoke = |id: &str| AccountQuery::Revoke { domain: "a.example".into(), id: id.to_owned() };
    assert_eq!(world.answer(revoke(&all[0].id)).await, "done");
    assert_eq!(world.answer(revoke(&all[0].id)).await, "no");
    assert!(!world.answer(wanted(Purpose::Contact, None, 1)).await.starts_with("refused"));
}

async fn j06_the_name_of_who_left_is_given_to_no_stranger(parts: Parts) {
    let world = World::with_bob(parts).await;
    for name in ["juliet@a.example", "nurse@a.example", "mercutio@a.example", "tybalt@open.example"] {
        assert_eq!(world.answer(create(name, "pencil")).await, "done");
        assert_eq!(world.answer(AccountQuery::Remove { account: bare(name) }).await, "done");
    }
    let payload =
        "<query xmlns='jabber:iq:register'><username>Tybalt</username><password>p</password></query>";
    let iq = Stanza { id: Some("1".into()), ..Stanza::new(Kind::Iq(IqType::Set)) };
    let iq = Stanza { payload: stanza::Payload::canonical(payload.into()), ..iq };
    let ask = Ask::Register(Box::new(Registration { domain: bare("open.example"), iq, token: None }));
    let Answer::Registration(reply) = world.accounts.ask(ask, ip("2001:db8:6::1")).await else { panic!() };
    let refused = reply.payload.child("error", stanza::ns::CLIENT).is_some_and(|error| {
        error
            .tree()
            .is_ok_and(|tree| tree.root().is_some_and(|el| el.children().any(|el| el.name() == "conflict")))
    });
    assert!(refused, "{reply:?}");
    let any = world.answer(wanted(Purpose::Account, None, 2)).await;
    assert_eq!(world.answer(redeem("juliet@a.example", &any)).await, "exists");
    // An operator knows to whom: by an invitation for that name, or without one.
    let named = world.answer(wanted(Purpose::Account, Some("nurse"), 1)).await;
    assert_eq!(world.answer(redeem("nurse@a.example", &named)).await, "done");
    assert_eq!(world.answer(create("mercutio@a.example", "pencil")).await, "done");
    assert_eq!(world.answer(redeem("romeo@a.example", &any)).await, "done");
}

async fn a_way_back_works_once_and_for_nothing_else(parts: Parts) {
    let world = World::with_bob(parts).await;
    let token = world.answer(wanted(Purpose::Recovery, None, 5)).await;
    let recover = |account: &str| AccountQuery::Recover {
        account: bare(account),
        password: Password::new("pencil3"),
        token: Password::new(token.as_str()),
    };
    assert_eq!(world.answer(redeem("eve@a.example", &token)).await, "no");
    assert_eq!(world.answer(recover("eve@a.example")).await, "no");
    assert_eq!(world.answer(recover("bob@a.example")).await, "done");
    assert!(world.password("bob@a.example", "pencil3").await);
    assert_eq!(world.answer(recover("bob@a.example")).await, "no");
    assert_eq!(world.answer(wanted(Purpose::Recovery, None, 1)).await.len(), limits::INVITE_TOKEN_CHARS);
}
