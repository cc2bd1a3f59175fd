//! The operations, and what each may cost.
//!
//! The bounds are what was measured, and a tenth more. Whoever makes something dearer than that raises the bound here,
//! with the reason in the commit; whoever makes it cheaper lowers it.
//!
//! Not here: counting (`tests/memory.rs`, `main.rs`).

use crate::server::{DOMAIN, Server};

/// An operation that can be done again and again.
pub struct Work {
    /// Its name.
    pub name: &'static str,
    /// What one of it is.
    pub what: &'static str,
    /// How many of it one round does.
    pub each: usize,
    /// At most so many requests for memory for one.
    pub requests: f64,
    /// At most so many instructions for one, as callgrind counts them on x86-64 in a release build.
    pub instructions: u64,
    begin: fn() -> Worker,
}

impl Work {
    /// Prepares it.
    pub fn begin(&self) -> Worker {
        (self.begin)()
    }
}

/// An operation that is prepared.
pub struct Worker {
    server: Server,
    round: Box<dyn FnMut(&mut Server)>,
}

impl Worker {
    fn new(server: Server, round: impl FnMut(&mut Server) + 'static) -> Worker {
        Worker { server, round: Box::new(round) }
    }

    /// Does it once.
    ///
    /// # Panics
    /// If not everything arrives that should.
    pub fn round(&mut self) {
        (self.round)(&mut self.server);
    }
}

/// All of them.
pub const WORKS: &[Work] = &[
    Work {
        name: "message",
        what: "a message from one client to another, that no archive keeps",
        each: 1,
        requests: 24.0,
        instructions: 37_000,
        begin: || message("<no-permanent-store xmlns='urn:xmpp:hints'/>", 1),
    },
    Work {
        name: "messages",
        what: "the same, twenty in one read",
        each: 20,
        requests: 14.5,
        instructions: 34_500,
        begin: || message("<no-permanent-store xmlns='urn:xmpp:hints'/>", 20),
    },
    Work {
        name: "message-archived",
        what: "a message that both archives keep",
        each: 1,
        requests: 53.0,
        instructions: 52_500,
        begin: || message("", 1),
    },
    Work {
        name: "message-acked",
        what: "a message with acknowledgements on both sides (XEP-0198)",
        each: 1,
        requests: 56.0,
        instructions: 50_000,
        begin: acked,
    },
    Work {
        name: "ping",
        what: "a ping of the server (XEP-0199)",
        each: 1,
        requests: 25.0,
        instructions: 27_000,
        begin: ping,
    },
    Work {
        name: "presence",
        what: "one delivery of a presence to 50 contacts",
        each: 50,
        requests: 3.8,
        instructions: 9_000,
        begin: presence,
    },
    Work {
        name: "room",
        what: "one delivery of a message in a room of 100",
        each: 100,
        requests: 6.5,
        instructions: 11_000,
        begin: room,
    },
    Work {
        name: "page",
        what: "a page of 50 of an archive of 1,000",
        each: 1,
        requests: 787.0,
        instructions: 654_000,
        begin: page,
    },
    Work {
        name: "login",
        what: "login, binding, roster, presence and logout",
        each: 1,
        requests: 241.0,
        instructions: 193_000,
        begin: || logins(0),
    },
    Work {
        name: "login-50",
        what: "the same with 50 contacts who are there",
        each: 1,
        requests: 879.0,
        instructions: 1_703_000,
        begin: || logins(50),
    },
];

const BODY: &str = "<body>Wherefore art thou, and why do I have to ask each time?</body>";

/// How long one operation takes in the clients' world: limits for strangers and others count time.
const ROUND_MS: u64 = 100;

fn login(server: &mut Server, name: &str, managed: bool) -> usize {
    server.account(name);
    let client = server.connect();
    let plain = sasl::encode_base64(format!("\0{name}\0secret").as_bytes());
    let enable = if managed { "<enable xmlns='urn:xmpp:sm:3'/>" } else { "" };
    let header = format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}' version='1.0'>"
    );
    let login = format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{plain}</initial-response>\
         <bind xmlns='urn:xmpp:bind:0'><tag>T</tag>{enable}</bind></authenticate>"
    );
    server.say(client, header.as_bytes());
    server.say(client, login.as_bytes());
    assert!(text(server, client).contains("<success "), "{name} is logged in");
    server.say(client, b"<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq><presence/>");
    client
}

fn text(server: &mut Server, client: usize) -> String {
    String::from_utf8(std::mem::take(server.heard(client))).expect("the server speaks UTF-8")
}

/// Two who see each other.
fn befriend(server: &mut Server, (a, a_name): (usize, &str), (b, b_name): (usize, &str)) {
    for (who, to, what) in [
        (a, b_name, "subscribe"),
        (b, a_name, "subscribed"),
        (b, a_name, "subscribe"),
        (a, b_name, "subscribed"),
    ] {
        server.say(who, format!("<presence to='{to}@{DOMAIN}' type='{what}'/>").as_bytes());
        server.pass(ROUND_MS);
    }
}

/// Juliet and Romeo who see each other, his full address, and all that he has heard.
fn pair(managed: bool) -> (Server, usize, usize, String, String) {
    let mut server = Server::new();
    let juliet = login(&mut server, "juliet", managed);
    let romeo = login(&mut server, "romeo", managed);
    befriend(&mut server, (juliet, "juliet"), (romeo, "romeo"));
    let heard = text(&mut server, romeo);
    let from = heard
        .split(" from='romeo@example.org/")
        .nth(1)
        .or_else(|| heard.split(" to='romeo@example.org/").nth(1));
    let resource = from.and_then(|rest| rest.split('\'').next()).expect("he hears his own address");
    let address = format!("romeo@{DOMAIN}/{resource}");
    server.heard(juliet).clear();
    (server, juliet, romeo, address, heard)
}

/// Reads what came, which must be about as much as the time before.
fn expect(server: &mut Server, client: usize, before: &mut usize) {
    let heard = server.heard(client);
    let most = before.abs_diff(heard.len());
    assert!(!heard.is_empty() && (*before == 0 || most <= 64), "{}", String::from_utf8_lossy(heard));
    *before = heard.len();
    heard.clear();
}

fn message(hint: &str, count: usize) -> Worker {
    let (mut server, juliet, romeo, address, _) = pair(false);
    let one = format!(
        "<message to='{address}' id='a1b2c3d4' type='chat'>{BODY}<request xmlns='urn:xmpp:receipts'/>\
         <origin-id xmlns='urn:xmpp:sid:0' id='a1b2c3d4'/>{hint}</message>"
    );
    let all = one.repeat(count);
    server.say(juliet, all.as_bytes());
    let heard = text(&mut server, romeo);
    assert_eq!(heard.matches(BODY).count(), count, "{heard}");
    assert_eq!(text(&mut server, juliet), "");
    let mut before = 0;
    Worker::new(server, move |server| {
        server.pass(ROUND_MS);
        server.say(juliet, all.as_bytes());
        expect(server, romeo, &mut before);
    })
}

fn acked() -> Worker {
    let (server, juliet, romeo, address, heard) = pair(true);
    let said = format!(
        "<message to='{address}' id='a1b2c3d4' type='chat'>{BODY}<no-permanent-store xmlns='urn:xmpp:hints'/></message>\
         <r xmlns='urn:xmpp:sm:3'/>"
    );
    let mut counted: usize =
        ["<iq ", "<presence", "<message "].iter().map(|start| heard.matches(start).count()).sum();
    let mut before = (0, 0);
    Worker::new(server, move |server| {
        server.pass(ROUND_MS);
        server.say(juliet, said.as_bytes());
        expect(server, romeo, &mut before.0);
        counted += 1;
        server.say(romeo, format!("<a xmlns='urn:xmpp:sm:3' h='{counted}'/>").as_bytes());
        expect(server, juliet, &mut before.1);
    })
}

fn ping() -> Worker {
    let (server, juliet, ..) = pair(false);
    let mut before = 0;
    Worker::new(server, move |server| {
        server.pass(ROUND_MS);
        server.say(juliet, b"<iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>");
        expect(server, juliet, &mut before);
    })
}

/// Contacts of Juliet who are there.
fn contacts(server: &mut Server, juliet: usize, count: usize) -> Vec<usize> {
    let contact = |number| {
        let name = format!("contact{number:02}");
        let client = login(server, &name, false);
        befriend(server, (juliet, "juliet"), (client, &name));
        client
    };
    let all: Vec<usize> = (0..count).map(contact).collect();
    all.iter().for_each(|client| server.heard(*client).clear());
    all
}

fn presence() -> Worker {
    let mut server = Server::new();
    let juliet = login(&mut server, "juliet", false);
    let contacts = contacts(&mut server, juliet, 50);
    let mut before = vec![0; contacts.len()];
    let mut away = false;
    Worker::new(server, move |server| {
        server.pass(ROUND_MS);
        away = !away;
        let show = if away { "away" } else { "chat" };
        server.say(juliet, format!("<presence><show>{show}</show></presence>").as_bytes());
        server.heard(juliet).clear();
        for (client, before) in contacts.iter().zip(&mut before) {
            expect(server, *client, before);
        }
    })
}

fn room() -> Worker {
    let mut server = Server::new();
    let enter = |number| {
        let client = login(&mut server, &format!("user{number:02}"), false);
        let join = format!(
            "<presence to='hall@rooms.{DOMAIN}/user{number:02}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        );
        server.say(client, join.as_bytes());
        if number == 0 {
            let unlock = format!(
                "<iq type='set' id='c1' to='hall@rooms.{DOMAIN}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                 <x xmlns='jabber:x:data' type='submit'/></query></iq>"
            );
            server.say(client, unlock.as_bytes());
        }
        server.pass(ROUND_MS);
        assert!(text(&mut server, client).contains("code='110'"), "user{number:02} is in the room");
        client
    };
    let clients: Vec<usize> = (0..100).map(enter).collect();
    clients.iter().for_each(|client| server.heard(*client).clear());
    let said = format!("<message to='hall@rooms.{DOMAIN}' type='groupchat' id='a1b2c3d4'>{BODY}</message>");
    let mut before = vec![0; clients.len()];
    Worker::new(server, move |server| {
        server.pass(1_000);
        server.say(clients[0], said.as_bytes());
        for (client, before) in clients.iter().zip(&mut before) {
            expect(server, *client, before);
        }
    })
}

fn page() -> Worker {
    let (mut server, juliet, romeo, address, _) = pair(false);
    for number in 0..1_000 {
        server.say(
            juliet,
            format!("<message to='{address}' id='m{number}' type='chat'>{BODY}</message>").as_bytes(),
        );
        server.pass(ROUND_MS);
    }
    server.heard(romeo).clear();
    let query = b"<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2' queryid='f1'>\
        <set xmlns='http://jabber.org/protocol/rsm'><max>50</max><before/></set></query></iq>";
    server.say(romeo, query);
    let heard = text(&mut server, romeo);
    assert_eq!((heard.matches(BODY).count(), heard.matches("<fin ").count()), (50, 1), "{heard}");
    let mut before = 0;
    Worker::new(server, move |server| {
        server.pass(ROUND_MS);
        server.say(romeo, query);
        expect(server, romeo, &mut before);
    })
}

fn logins(count: usize) -> Worker {
    let mut server = Server::new();
    let juliet = login(&mut server, "juliet", false);
    let contacts = contacts(&mut server, juliet, count);
    server.leave(juliet);
    let mut before = 0;
    Worker::new(server, move |server| {
        server.pass(ROUND_MS);
        let juliet = login(server, "juliet", false);
        expect(server, juliet, &mut before);
        server.leave(juliet);
        server.forget_after(juliet);
        contacts.iter().for_each(|client| server.heard(*client).clear());
    })
}
