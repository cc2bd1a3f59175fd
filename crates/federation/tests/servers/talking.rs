//! Messages, presence, requests and rooms between servers that trust each other.
//!
//! Not here: servers that do not (`believing.rs`), servers that cannot be reached (`missing.rs`).

use federation::Srv;

use crate::world::{Server, Session, World, closed_port};

const ROMEO: &str = "romeo@a.example/garden";
const JULIET: &str = "juliet@b.example/balcony";

/// Two servers, with somebody at each.
async fn pair(world: &World) -> (Server, Server, Session, Session) {
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    let (romeo, juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
    (a, b, romeo, juliet)
}

/// One writes, the other reads it.
async fn greets(from: &Session, to: &mut Session, word: &str) {
    let jid = to.jid.as_str().to_owned();
    from.send(&format!("<message to='{jid}' type='chat' id='{word}'><body>{word}</body></message>")).await;
    to.expect(&["<body", word, &format!("from='{}'", from.jid.as_str())]).await;
}

#[tokio::test]
async fn a_message_arrives_and_is_answered() {
    let world = World::new();
    let (a, b, mut romeo, mut juliet) = pair(&world).await;
    greets(&romeo, &mut juliet, "hello").await;
    greets(&juliet, &mut romeo, "again").await;
    a.cleared("b.example").await;
    b.cleared("a.example").await;
    assert_eq!((a.counters.stanzas[0].value(), a.counters.stanzas[1].value()), (1, 1));
    // XEP-0288: one connection is enough.
    assert_eq!((a.counters.streams[0].value(), a.counters.streams[1].value()), (1, 0));
    // And in peace it is closed.
    a.stop(true).await;
    b.stop(true).await;
}

#[tokio::test]
async fn many_arrive_in_order_from_both_sides_at_once() {
    let world = World::new();
    let (_a, _b, mut romeo, mut juliet) = pair(&world).await;
    const MANY: usize = 300;
    // Strangers may not send that much.
    greets(&romeo, &mut juliet, "hello").await;
    greets(&juliet, &mut romeo, "again").await;
    for n in 0..MANY {
        for (from, to) in [(&romeo, JULIET), (&juliet, ROMEO)] {
            from.send(&format!("<message to='{to}' type='chat'><body>no {n}.</body></message>")).await;
        }
    }
    for session in [&mut romeo, &mut juliet] {
        for n in 0..MANY {
            let next = session.expect(&["<body"]).await;
            assert!(next.contains(&format!("no {n}.")), "{n}: {next}");
        }
    }
}

#[tokio::test]
async fn requests_are_answered() {
    let world = World::new();
    let (_a, _b, mut romeo, mut juliet) = pair(&world).await;
    romeo.send("<iq to='b.example' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    romeo.expect(&["type='result'", "id='1'", "from='b.example'"]).await;
    romeo.send(&format!("<iq to='{JULIET}' type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>")).await;
    juliet.expect(&["id='2'", ROMEO]).await;
    juliet.send(&format!("<iq to='{ROMEO}' type='result' id='2'/>")).await;
    romeo.expect(&["type='result'", "id='2'", JULIET]).await;
    romeo.send("<iq to='nobody@b.example/x' type='get' id='3'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    romeo.expect(&["type='error'", "id='3'", "service-unavailable"]).await;
}

/// RFC 6121 section 3.1, 4.2, 4.3 and 4.5.
#[tokio::test]
async fn contacts_see_one_another() {
    let world = World::new();
    let (a, b, mut romeo, mut juliet) = pair(&world).await;
    romeo.send("<presence/>").await;
    juliet.send("<presence/>").await;
    romeo.send("<presence to='juliet@b.example' type='subscribe'/>").await;
    juliet.expect(&["type='subscribe'", "from='romeo@a.example'"]).await;
    juliet.send("<presence to='romeo@a.example' type='subscribed'/>").await;
    romeo.expect(&["type='subscribed'", "from='juliet@b.example'"]).await;
    romeo.expect(&["<presence", &format!("from='{JULIET}'")]).await;
    juliet.send("<presence><show>away</show></presence>").await;
    romeo.expect(&["away", JULIET]).await;
    // Who comes later asks (probe), and is answered.
    let mut window = a.client("romeo@a.example/window").await;
    window.send("<presence/>").await;
    window.expect(&["away", JULIET]).await;
    // After a broken stream both sides look after one another.
    juliet.send("<presence><show>dnd</show></presence>").await;
    romeo.expect(&["dnd"]).await;
    juliet.send("<presence type='unavailable'/>").await;
    romeo.expect(&["type='unavailable'", JULIET]).await;
    a.cleared("b.example").await;
    b.cleared("a.example").await;
}

#[tokio::test]
async fn a_room_is_shared() {
    let world = World::new();
    let (_a, _b, mut romeo, mut juliet) = pair(&world).await;
    let join = |nick: &str| {
        format!(
            "<presence to='room@conference.b.example/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
    };
    juliet.send(&join("juliet")).await;
    juliet.expect(&["room@conference.b.example/juliet", "code='110'"]).await;
    let unlock = "<iq to='room@conference.b.example' type='set' id='c'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>";
    juliet.send(unlock).await;
    juliet.expect(&["type='result'", "id='c'"]).await;
    romeo.send(&join("romeo")).await;
    romeo.expect(&["room@conference.b.example/romeo", "code='110'"]).await;
    juliet.expect(&["room@conference.b.example/romeo"]).await;
    let say = "<message to='room@conference.b.example' type='groupchat' id='g'><body>to all</body></message>";
    romeo.send(say).await;
    for session in [&mut romeo, &mut juliet] {
        session.expect(&["to all", "from='room@conference.b.example/romeo'", "groupchat"]).await;
    }
}

#[tokio::test]
async fn tls_may_come_first() {
    // On a port of its own, and on one for everything, where ALPN tells what it is.
    for shared in [false, true] {
        let world = World::new();
        let a = world.server("a.example").await;
        let b = world.start(crate::world::Plan { direct: true, shared, ..world.plan("b.example") }).await;
        world.dns.srv.lock().unwrap().remove("_xmpp-server._tcp.b.example");
        let (mut romeo, mut juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
        greets(&romeo, &mut juliet, "hello").await;
        greets(&juliet, &mut romeo, "and back").await;
    }
}

#[tokio::test]
async fn servers_are_tried_in_order() {
    let world = World::new();
    let (_a, _b, romeo, mut juliet) = pair(&world).await;
    let closed = closed_port().await.port();
    {
        let mut table = world.dns.srv.lock().unwrap();
        let records = table.get_mut("_xmpp-server._tcp.b.example").unwrap();
        let good = Srv { priority: 20, ..records[0].clone() };
        let nobody = Srv { priority: 5, target: "nowhere.example".into(), ..good.clone() };
        *records = vec![good.clone(), Srv { priority: 10, port: closed, ..good }, nobody];
    }
    greets(&romeo, &mut juliet, "hello").await;
}

#[tokio::test]
async fn without_stream_management_and_the_way_back_all_arrives_too() {
    let world = World::new();
    let plain = |settings: &mut s2s::Settings| {
        (settings.bidi, settings.stream_management) = (false, false);
    };
    let a = world.start(crate::world::Plan { stream: plain, ..world.plan("a.example") }).await;
    let b = world.server("b.example").await;
    let (mut romeo, mut juliet) = (a.client(ROMEO).await, b.client(JULIET).await);
    greets(&romeo, &mut juliet, "hello").await;
    greets(&juliet, &mut romeo, "again").await;
    a.cleared("b.example").await;
    b.cleared("a.example").await;
    assert_eq!((a.counters.streams[0].value(), a.counters.streams[1].value()), (1, 1));
}

#[tokio::test]
async fn three_servers_talk_with_one_another() {
    let world = World::new();
    let (_a, _b, mut romeo, mut juliet) = pair(&world).await;
    let c = world.server("c.example").await;
    let mut nurse = c.client("nurse@c.example/house").await;
    greets(&romeo, &mut nurse, "one").await;
    greets(&nurse, &mut juliet, "two").await;
    greets(&juliet, &mut romeo, "three").await;
    greets(&nurse, &mut romeo, "four").await;
}
