//! BOSH: a login, order, replays, rules, the end.

use std::time::Duration;

use net::Phase;

use crate::world::client::{Client, Response, auth, bind, message};
use crate::world::{DOMAIN, World};

const NS: &str = "xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'";
const NOT_FOUND: &str =
    "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' condition='item-not-found'/>";

/// One client with its session.
struct Bosh<'a> {
    world: &'a World,
    http: Client,
    sid: String,
    rid: u64,
}

fn post(client: &mut Client, body: &str) {
    client.request("POST /http-bind", "Content-Type: text/xml; charset=utf-8\r\n", body);
}

fn ask(client: &mut Client, body: &str) -> String {
    post(client, body);
    let response = client.response();
    assert_eq!(response.status, 200, "{response:?}");
    assert!(response.head.contains("content-type: text/xml; charset=utf-8"));
    response.body
}

fn attr<'a>(body: &'a str, name: &str) -> &'a str {
    body.split_once(&format!(" {name}='"))
        .unwrap_or_else(|| panic!("no {name} in {body}"))
        .1
        .split('\'')
        .next()
        .unwrap()
}

impl<'a> Bosh<'a> {
    fn new(world: &'a World) -> Bosh<'a> {
        Bosh::with(world, "wait='60' hold='1'")
    }

    fn with(world: &'a World, wishes: &str) -> Bosh<'a> {
        let mut http = Client::plain(world.http);
        let body = format!(
            "<body {NS} rid='1000' to='{DOMAIN}' {wishes} ver='1.10' xmpp:version='1.0' xml:lang='en' \
             route='xmpp:evil.example:25'/>"
        );
        let created = ask(&mut http, &body);
        assert!(created.contains("<mechanism>PLAIN</mechanism>"), "{created}");
        assert_eq!(attr(&created, "xmpp:restartlogic"), "true");
        assert_eq!(attr(&created, "from"), DOMAIN);
        let sid = attr(&created, "sid").to_owned();
        assert!(sid.len() >= 27, "{sid}");
        Bosh { world, http, sid, rid: 1000 }
    }

    fn body(&self, rid: u64, attrs: &str, inner: &str) -> String {
        format!("<body {NS} rid='{rid}' sid='{}' {attrs}>{inner}</body>", self.sid)
    }

    /// Sends the next request and waits for its answer.
    fn say(&mut self, attrs: &str, inner: &str) -> String {
        self.rid += 1;
        let body = self.body(self.rid, attrs, inner);
        ask(&mut self.http, &body)
    }

    fn log_in(&mut self, user: &str) {
        let success = self.say("", &auth(user, "pencil"));
        assert!(success.contains("<success"), "{success}");
        let features = self.say(&format!("xmpp:restart='true' to='{DOMAIN}' xml:lang='en'"), "");
        assert!(features.contains("urn:ietf:params:xml:ns:xmpp-bind"), "{features}");
        let bound = self.say("", bind());
        assert!(bound.contains("type='result'"), "{bound}");
    }

    /// Sends a request on a connection of its own and does not wait.
    fn start(&self, rid: u64, attrs: &str, inner: &str) -> Client {
        let mut client = Client::plain(self.world.http);
        post(&mut client, &self.body(rid, attrs, inner));
        client
    }
}

fn answer(client: &mut Client) -> String {
    let Response { status, body, .. } = client.response();
    assert_eq!(status, 200);
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_has_no_more_sessions_than_connections() {
    let world = World::with(|config| config.limits.connections_per_address = 3);
    let http = std::sync::Mutex::new(Client::plain(world.http));
    let create = |rid: u32| {
        ask(
            &mut http.lock().unwrap(),
            &format!(
                "<body {NS} rid='{rid}' to='{DOMAIN}' wait='60' hold='1' ver='1.10' xmpp:version='1.0'/>"
            ),
        )
    };
    // The connection itself is one.
    let first = create(1);
    assert!(first.contains(" sid='") && create(1).contains(" sid='"));

    let third = create(1);
    assert!(third.contains("condition='policy-violation'"), "{third}");
    let sid = attr(&first, "sid");
    ask(&mut http.lock().unwrap(), &format!("<body {NS} rid='2' sid='{sid}' type='terminate'/>"));
    crate::world::until("one is over", || {
        let body =
            format!("<body {NS} rid='1' to='{DOMAIN}' wait='60' hold='1' ver='1.10' xmpp:version='1.0'/>");
        ask(&mut http.lock().unwrap(), &body).contains(" sid='")
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_over_bosh() {
    let world = World::new();
    let mut juliet = Bosh::new(&world);
    juliet.log_in("juliet");
    assert!(world.hear("bind juliet").contains("Bosh 127.0.0.1"));
    // A held request is answered when something comes.
    let mut held = juliet.start(juliet.rid + 1, "", "");
    let mut romeo = Client::tls(&world, world.direct);
    romeo.log_in("romeo");
    romeo.send(message("juliet", 1, "hello"));
    let came = answer(&mut held);
    assert!(came.contains("<message xmlns='jabber:client'") && came.contains("hello"), "{came}");
    // What comes while no request is held waits for the next one.
    romeo.send(message("juliet", 2, "one") + &message("juliet", 3, "two"));
    world.hear("stanza 2 Some(\"m3\")");
    juliet.rid += 1;
    let came = juliet.say("", "");
    assert!(came.contains("one") && came.contains("two"), "{came}");
    // And the other way.
    let mut held = juliet.start(juliet.rid + 1, "", "");
    let _other = juliet.start(juliet.rid + 2, "", &message("romeo", 9, "back"));
    romeo.until("back");
    assert_eq!(
        answer(&mut held),
        "<body xmlns='http://jabber.org/protocol/httpbind'/>",
        "only one request is held"
    );
    // The end.
    juliet.rid += 2;
    let ended = juliet.say("type='terminate'", "<presence xmlns='jabber:client' type='unavailable'/>");
    assert!(ended.contains("<body"), "{ended}");
    world.hear("closed 1 Clean");
    world.until("no session is left", |c| c.streams(model::link::Transport::Bosh).value() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_out_of_order_are_handled_in_order() {
    let world = World::new();
    let mut juliet = Bosh::new(&world);
    juliet.log_in("juliet");
    let rid = juliet.rid;
    let before = world.counters.bytes_in.value();
    let mut second = juliet.start(rid + 2, "", &message("nobody", 2, "x"));
    // Only once the second has been read the first is sent.
    world.until("the second came", |c| c.bytes_in.value() > before + 200);
    let mut first = juliet.start(rid + 1, "", &message("nobody", 1, "x"));
    answer(&mut first);
    assert_eq!(world.hear("stanza"), "stanza 1 Some(\"m1\")");
    assert_eq!(world.hear("stanza"), "stanza 1 Some(\"m2\")");
    let mut last = juliet.start(rid + 3, "pause='10'", "");
    answer(&mut second);
    answer(&mut last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_given_again_and_nothing_happens_twice() {
    let world = World::new();
    let mut juliet = Bosh::new(&world);
    juliet.log_in("juliet");
    let mut romeo = Client::tls(&world, world.direct);
    romeo.log_in("romeo");
    let rid = juliet.rid + 1;
    // The connection breaks while the request is held; what comes then is kept for the replay.
    let held = juliet.start(rid, "", &message("romeo", 1, "once"));
    romeo.until("once");
    drop(held);
    world.until("the socket is closed", |c| c.sockets.value() == 2);
    romeo.send(message("juliet", 2, "for the replay"));
    world.hear("stanza 2");
    let again = juliet.body(rid, "", &message("romeo", 1, "once"));
    let came = ask(&mut juliet.http, &again);
    assert!(came.contains("for the replay"), "{came}");
    // The same answer, byte by byte.
    assert_eq!(ask(&mut juliet.http, &again), came);
    juliet.rid += 1;
    let (mut one, body) = (juliet.start(juliet.rid + 1, "", ""), juliet.body(juliet.rid + 1, "", ""));
    // The same request twice at once: the older connection is let go, the newer one gets the answer.
    world.until("the request is there", |c| c.sockets.value() == 3);
    let mut two = Client::plain(world.http);
    post(&mut two, &body);
    let (older, newer) = {
        // Which of the two came first is not known.
        let mut ended = None;
        while ended.is_none() {
            ended = [&mut one, &mut two].into_iter().position(|client| {
                client.tcp.set_nonblocking(true).unwrap();
                let ready = client.tcp.peek(&mut [0]).is_ok();
                client.tcp.set_nonblocking(false).unwrap();
                ready
            });
        }
        if ended == Some(0) { (&mut one, &mut two) } else { (&mut two, &mut one) }
    };
    assert!(answer(older).contains("type='error'"));
    romeo.send(message("juliet", 3, "to the newer"));
    assert!(answer(newer).contains("to the newer"));
    romeo.send(message("romeo", 4, "done"));
    let seen = romeo.until("done");
    assert!(!seen.contains("once"), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_numbers_and_wrong_sessions_look_alike() {
    let world = World::new();
    let mut client = Client::plain(world.http);
    let nobody = ask(&mut client, &format!("<body {NS} rid='5' sid='nobody'/>"));
    assert_eq!(nobody, NOT_FOUND);
    for offset in [-3i64, -50, 4, 5, 100_000] {
        let mut juliet = Bosh::new(&world);
        juliet.log_in("juliet");
        let rid = juliet.rid.checked_add_signed(offset).unwrap();
        let body = juliet.body(rid, "", "");
        assert_eq!(ask(&mut juliet.http, &body), NOT_FOUND, "{offset}");
        assert_eq!(juliet.say("", ""), NOT_FOUND, "the session has ended");
        world.hear("closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_need_and_wishes_without_measure() {
    let world = World::new();
    let mut juliet = Bosh::with(&world, "wait='1000000000' hold='1000'");
    juliet.log_in("juliet");
    let mut held = juliet.start(juliet.rid + 1, "", "");
    world.until("it is held", |c| c.http[1].value() >= 4 && c.sockets.value() == 2);
    // A second empty one at once only asks whether there is something.
    let mut second = juliet.start(juliet.rid + 2, "", "");
    let bodies = [answer(&mut held), answer(&mut second)];
    assert!(bodies.iter().all(|body| body.contains("policy-violation")), "{bodies:?}");
    world.hear("closed 1 Broken");
    // The wishes were cut down.
    let mut http = Client::plain(world.http);
    let created = ask(
        &mut http,
        &format!("<body {NS} rid='1' to='{DOMAIN}' wait='1000000000' hold='1000' xmpp:version='1.0'/>"),
    );
    assert_eq!(
        (attr(&created, "wait"), attr(&created, "hold"), attr(&created, "requests")),
        ("60", "1", "2")
    );
    // Polling too fast.
    let mut poller = Bosh::with(&world, "wait='0' hold='0'");
    poller.say("", "");
    assert!(poller.say("", "").contains("policy-violation"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_pausing_and_being_gone() {
    let world = World::with(|config| {
        config.http.bosh_limits.wait = Duration::from_secs(1);
        config.http.bosh_limits.inactivity = Duration::from_millis(300);
    });
    let mut juliet = Bosh::new(&world);
    juliet.log_in("juliet");
    // After the wait comes an empty answer.
    assert_eq!(juliet.say("", ""), "<body xmlns='http://jabber.org/protocol/httpbind'/>");
    // A pause is answered at once, and prolongs the time without a request.
    let start = std::time::Instant::now();
    assert_eq!(juliet.say("pause='100'", ""), "<body xmlns='http://jabber.org/protocol/httpbind'/>");
    assert!(start.elapsed() < Duration::from_millis(900));
    // The next request ends the pause; then nothing comes any more.
    juliet.say("", "");
    assert_eq!(world.hear("closed"), "closed 1 Broken");
    assert_eq!(juliet.say("", ""), NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_bodies() {
    let world = World::new();
    let mut client = Client::plain(world.http);
    for (body, want) in [
        ("x".to_owned(), "bad-request"),
        (format!("<body {NS} rid='1'/>"), "improper-addressing"),
        (format!("<body {NS} rid='9007199254740993' to='{DOMAIN}'/>"), "bad-request"),
        (format!("<!DOCTYPE a [<!ENTITY b 'c'>]><body {NS} rid='1' to='{DOMAIN}'/>"), "bad-request"),
        (format!("<body {NS} rid='1' to='nobody.example' xmpp:version='1.0'/>"), "remote-stream-error"),
    ] {
        let answer = ask(&mut client, &body);
        assert!(answer.contains(&format!("type='terminate' condition='{want}'")), "{body}: {answer}");
    }
    // Too much before a login.
    let juliet = Bosh::new(&world);
    let big = juliet.body(1001, "", &format!("<a xmlns='b'>{}</a>", "x".repeat(20_000)));
    assert!(ask(&mut client, &big).contains("policy-violation"));
    assert!(ask(&mut client, &juliet.body(1001, "", "")).contains("item-not-found"), "it has ended");
    // A stanza before a login is a stream error, told in the last body.
    let mut juliet = Bosh::new(&world);
    let ended = juliet.say("", &message("romeo", 1, "x"));
    assert!(ended.contains("remote-stream-error") && ended.contains("<not-authorized"), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_protect_a_session() {
    let world = World::new();
    let sha1 = |text: &str| {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (one, two) = (sha1("seed"), sha1(&sha1("seed")));
    let mut juliet = Bosh::with(&world, &format!("wait='60' hold='1' newkey='{two}'"));
    assert!(juliet.say(&format!("key='{one}'"), &auth("juliet", "pencil")).contains("<success"));
    let mut thief = Client::plain(world.http);
    let stolen = juliet.body(juliet.rid + 1, "", "");
    assert_eq!(ask(&mut thief, &stolen), NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_pages_are_told_whether_they_may() {
    let world = World::with(|config| {
        config.http.origins = net::Origins::Listed(vec!["https://app.example".into()]);
    });
    let mut client = Client::plain(world.http);
    client.request(
        "OPTIONS /http-bind",
        "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n",
        "",
    );
    let response = client.response();
    assert_eq!(response.status, 204);
    assert!(response.head.contains("access-control-allow-origin: https://app.example"), "{}", response.head);
    assert!(!response.head.contains("credentials"));
    client.request("POST /http-bind", "Origin: https://evil.example\r\n", "<body/>");
    assert_eq!(client.response().status, 403);
    assert_eq!(Client::plain(world.http).get("/http-bind", "").status, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_stops() {
    let world = World::new();
    let mut juliet = Bosh::new(&world);
    juliet.log_in("juliet");
    let mut held = juliet.start(juliet.rid + 1, "", "");
    world.until("it is held", |c| c.sockets.value() == 2);
    let mut romeo = Bosh::new(&world);
    romeo.log_in("romeo"); // and has no request open
    world.phase.send(Phase::Closing).unwrap();
    let last = answer(&mut held);
    assert!(last.contains("<system-shutdown") && last.contains("type='terminate'"), "{last}");
    world.done.await.unwrap();
}
