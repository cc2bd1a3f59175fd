//! What components do in the name of users, and what they may not.
//!
//! XEP-0356 0.4.1

use model::rights::{Reach, Rights, Sight};

use crate::world::{BRIDGE, Server, settings};

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";

fn all() -> Rights {
    Rights {
        roster: Reach::Both,
        push: true,
        message: true,
        iq: vec![(PUBSUB.to_owned(), Reach::Both)],
        presence: Sight::Managed,
        ..Rights::default()
    }
}

fn iq(ty: &str, id: &str, to: &str, inner: &str) -> String {
    format!("<iq from='{BRIDGE}' to='{to}' type='{ty}' id='{id}'>{inner}</iq>")
}

fn spoken(version: u8, to: &str, inner: &str) -> String {
    format!(
        "<message from='{BRIDGE}' to='{to}' id='out'><privilege xmlns='urn:xmpp:privilege:{version}'>\
         <forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></privilege></message>"
    )
}

fn asked(ty: &str, inner: &str) -> String {
    iq(
        ty,
        "asked",
        "romeo@a.example",
        &format!("<privileged_iq xmlns='urn:xmpp:privilege:2'>{inner}</privileged_iq>"),
    )
}

#[tokio::test]
async fn rosters_are_read_changed_and_told() {
    let server = Server::new(settings(all())).await;
    let mut romeo = server.client("romeo@a.example/garden").await;
    let mut bridge = server.component().await;
    let perms = bridge.expect(&["urn:xmpp:privilege:2", "urn:xmpp:privilege:1", "</message>"]).await;
    assert!(perms.contains("<perm access='roster' type='both' push='true'/>"), "{perms}");
    // Who is there already is shown.
    bridge.expect(&["<presence from='romeo@a.example/garden'", "to='bridge.a.example'"]).await;
    romeo.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>").await;
    romeo.expect(&["id='r'"]).await;
    let item = "<query xmlns='jabber:iq:roster'><item jid='bot@bridge.a.example' name='Bot'/></query>";
    bridge.send(&iq("set", "s", "romeo@a.example", item)).await;
    romeo.expect(&["type='set'", "jid='bot@bridge.a.example' name='Bot'"]).await;
    let heard = bridge.expect(&["type='set'", "bot@bridge.a.example", "</iq>", "id='s'"]).await;
    assert!(heard.contains("from='romeo@a.example' to='bridge.a.example'"), "{heard}");
    // Its own may be tied to him at once, nobody else.
    for (id, contact, subscription) in
        [("t", "bot@bridge.a.example", "both"), ("u", "x@other.example", "none")]
    {
        let item = format!(
            "<query xmlns='jabber:iq:roster'><item jid='{contact}' name='Bot' subscription='both'/></query>"
        );
        bridge.send(&iq("set", id, "romeo@a.example", &item)).await;
        let name = format!("jid='{contact}' name='Bot' subscription='{subscription}'");
        romeo.expect(&["type='set'", &name]).await;
    }
    bridge.expect(&["<presence from='romeo@a.example/garden' to='bot@bridge.a.example'"]).await;
    bridge.send(&iq("get", "g", "romeo@a.example", "<query xmlns='jabber:iq:roster'/>")).await;
    let heard = bridge.expect(&["id='g' type='result'", "name='Bot'", "</iq>"]).await;
    assert!(heard.contains("from='romeo@a.example'"), "{heard}");
    drop(bridge);
    server.stop(true).await;
}

#[tokio::test]
async fn a_message_in_a_users_name_reaches_all_and_is_kept() {
    let server = Server::new(settings(all())).await;
    let mut romeo = server.client("romeo@a.example/garden").await;
    let mut juliet = server.client("juliet@a.example/balcony").await;
    let mut bridge = server.component().await;
    for (version, namespace) in [(1, "jabber:client"), (2, "jabber:client"), (2, "jabber:component:accept")] {
        let body = format!("<body>version {version} {namespace}</body>");
        let inner = format!(
            "<message xmlns='{namespace}' from='romeo@a.example' to='juliet@a.example' type='chat' id='in'>{body}</message>"
        );
        bridge.send(&spoken(version, "a.example", &inner)).await;
        juliet.expect(&["from='romeo@a.example'", &body]).await;
        romeo.expect(&["urn:xmpp:carbons:2", "<sent", &body]).await;
        romeo.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>").await;
        romeo.expect(&["<result xmlns='urn:xmpp:mam:2'", &body]).await;
    }
    drop(bridge);
    server.stop(true).await;
}

#[tokio::test]
async fn a_request_in_a_users_name_is_answered() {
    let server = Server::new(settings(all())).await;
    let _romeo = server.client("romeo@a.example/garden").await;
    let mut bridge = server.component().await;
    let publish = format!(
        "<iq xmlns='jabber:client' type='set' id='own'><pubsub xmlns='{PUBSUB}'><publish node='n'>\
         <item id='1'><x xmlns='urn:x'/></item></publish></pubsub></iq>"
    );
    bridge.send(&asked("set", &publish)).await;
    let heard = bridge.expect(&["id='asked' type='result'", "<privilege", "</privilege>"]).await;
    assert!(heard.contains("to='romeo@a.example' id='own' type='result'"), "{heard}");
    let items = format!(
        "<iq xmlns='jabber:client' type='get' id='own'><pubsub xmlns='{PUBSUB}'><items node='n'/></pubsub></iq>"
    );
    bridge.send(&asked("get", &items)).await;
    bridge.expect(&["id='asked' type='result'", "<x xmlns='urn:x'/>", "</privilege>"]).await;
    // What fails, fails inside.
    bridge.send(&asked("get", &items.replace("node='n'", "node='none'"))).await;
    bridge.expect(&["id='asked' type='result'", "type='error'", "item-not-found", "</privilege>"]).await;
    drop(bridge);
    server.stop(true).await;
}

/// The user's own device is asked in his name, and answers to his own address, or to none.
#[tokio::test]
async fn a_request_to_the_users_own_device_is_answered() {
    let rights = Rights { iq: vec![("urn:x".to_owned(), Reach::Both)], ..all() };
    let server = Server::new(settings(rights)).await;
    let mut romeo = server.client("romeo@a.example/garden").await;
    let mut bridge = server.component().await;
    for to in ["to='romeo@a.example'", ""] {
        let inner = "<iq xmlns='jabber:client' type='get' id='own' to='romeo@a.example/garden'><x xmlns='urn:x'/></iq>";
        bridge.send(&asked("get", inner)).await;
        let heard = romeo.expect(&["type='get'", "urn:x", "from='romeo@a.example'"]).await;
        let id = heard.split_once(" id='").unwrap().1.split_once('\'').unwrap().0.to_owned();
        romeo.send(&format!("<iq {to} type='result' id='{id}'><y xmlns='urn:x'/></iq>")).await;
        bridge.expect(&["id='asked' type='result'", "<y xmlns='urn:x'/>", "</privilege>"]).await;
    }
    // An answer that nobody waits for is no harm.
    romeo.send("<iq type='result' id='commission-0'/>").await;
    drop(bridge);
    server.stop(true).await;
}

/// H-05, and what is ordinary stays so.
#[tokio::test]
async fn nothing_is_done_without_the_right_to_it() {
    let none = Server::new(settings(Rights::default())).await;
    let get = Server::new(settings(Rights {
        roster: Reach::Get,
        iq: vec![(PUBSUB.to_owned(), Reach::Get)],
        ..Rights::default()
    }))
    .await;
    let every = Server::new(settings(all())).await;
    let from = |from: &str| {
        format!("<message xmlns='jabber:client' from='{from}' to='juliet@a.example'><body>a</body></message>")
    };
    let roster = "<query xmlns='jabber:iq:roster'/>";
    let item = "<query xmlns='jabber:iq:roster'><item jid='x@y.example'/></query>";
    let inner = |ty: &str, more: &str, ns: &str| {
        format!("<iq xmlns='jabber:client' type='{ty}' id='i'{more}><x xmlns='{ns}'/></iq>")
    };
    for (server, said, want) in [
        (&none, iq("get", "1", "romeo@a.example", roster), "forbidden"),
        (&none, iq("set", "1", "romeo@a.example", item), "forbidden"),
        (&none, spoken(2, "a.example", &from("romeo@a.example")), "forbidden"),
        (&none, asked("get", &inner("get", "", PUBSUB)), "forbidden"),
        (&get, iq("set", "1", "romeo@a.example", item), "forbidden"),
        (&get, asked("set", &inner("set", "", PUBSUB)), "forbidden"),
        (&get, asked("get", &inner("get", "", "jabber:iq:private")), "forbidden"),
        (&every, asked("get", &inner("set", "", PUBSUB)), "forbidden"),
        (&every, asked("get", &inner("get", " from='juliet@a.example'", PUBSUB)), "forbidden"),
        (&every, asked("get", "<iq type='get' xmlns='jabber:server'/>"), "forbidden"),
        (&every, asked("get", "<iq xmlns='jabber:client' type='get' id='i'/>"), "bad-request"),
        (
            &every,
            asked("get", &inner("get", "", PUBSUB)).replace("to='romeo@a.example'", "to='romeo@a.example/x'"),
            "forbidden",
        ),
        (
            &every,
            asked("get", &inner("get", "", PUBSUB)).replace("to='romeo@a.example'", "to='a.example'"),
            "forbidden",
        ),
        (
            &every,
            asked("get", &inner("get", "", PUBSUB)).replace("to='romeo@a.example'", "to='x@other.example'"),
            "forbidden",
        ),
        (&every, spoken(2, "a.example", &from("romeo@a.example/garden")), "forbidden"),
        (&every, spoken(2, "a.example", &from("romeo@other.example")), "forbidden"),
        (&every, spoken(1, "a.example", &from("bot@bridge.a.example")), "forbidden"),
        (&every, spoken(2, "a.example", &from("nobody@a.example")), "item-not-found"),
        (&every, spoken(2, "a.example", "<body xmlns='jabber:client'/>"), "bad-request"),
        (&every, spoken(2, "other.example", &from("romeo@a.example")), "remote-server-not-found"),
        (&every, iq("get", "1", "nobody@a.example", roster), "service-unavailable"),
        // Ordinary requests are what they are for everybody.
        (&every, iq("get", "1", "a.example", "<ping xmlns='urn:xmpp:ping'/>"), "type='result'"),
        (&every, iq("get", "1", "a.example", "<x xmlns='urn:unheard'/>"), "service-unavailable"),
        (&every, iq("get", "1", BRIDGE, "<ping xmlns='urn:xmpp:ping'/>"), "<ping xmlns='urn:xmpp:ping'/>"),
    ] {
        server.register(&address::Jid::parse("romeo@a.example").unwrap()).await;
        let mut bridge = server.component().await;
        bridge.send(&said).await;
        bridge.expect(&[want]).await;
        bridge.send("</stream:stream>").await;
        bridge.rest().await;
    }
    for server in [none, get, every] {
        server.stop(true).await;
    }
}
