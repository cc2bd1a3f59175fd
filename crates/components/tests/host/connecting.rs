//! Who gets in, and who does not.

use model::rights::Rights;

use crate::world::{BRIDGE, HOST, SECRET, Server, settings};

#[tokio::test]
async fn a_component_speaks_with_our_people_and_is_listed() {
    let server = Server::new(settings(Rights::default())).await;
    let mut romeo = server.client("romeo@a.example/garden").await;
    let mut bridge = server.component().await;
    server.connected(true).await;
    romeo.send(&format!("<message to='bot@{BRIDGE}' type='chat' id='1'><body>hello</body></message>")).await;
    let heard = bridge.expect(&["<message ", "hello", "</message>"]).await;
    assert!(heard.contains("from='romeo@a.example/garden'"), "{heard}");
    bridge
        .send(&format!(
            "<message from='bot@{BRIDGE}/x' to='romeo@a.example' type='chat'><body>ho</body></message>"
        ))
        .await;
    romeo.expect(&["from='bot@bridge.a.example/x'", "<body>ho</body>"]).await;
    let items =
        "<iq type='get' id='2' to='a.example'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>";
    romeo.send(items).await;
    romeo.expect(&["id='2'", "<item jid='bridge.a.example' name='The bridge'/>"]).await;
    drop(bridge);
    server.connected(false).await;
    romeo.send(&items.replace("'2'", "'3'")).await;
    let listed = romeo.expect(&["id='3'"]).await;
    assert!(!listed.contains(BRIDGE), "{listed}");
    server.stop(true).await;
}

/// H-01, H-02, and what else is no component.
#[tokio::test]
async fn who_is_not_believed_hears_why() {
    let server = Server::new(settings(Rights::default())).await;
    let first = {
        let mut peer = server.connect().await;
        peer.greet(BRIDGE).await;
        peer.proof(SECRET)
    };
    let message = |from: &str| format!("<message from='{from}' to='romeo@{HOST}'><body>a</body></message>");
    for (domain, said, shaken, condition) in [
        (
            BRIDGE,
            "<handshake>0000000000000000000000000000000000000000</handshake>".to_owned(),
            false,
            "not-authorized",
        ),
        (BRIDGE, "<handshake/>".to_owned(), false, "not-authorized"),
        (BRIDGE, format!("<handshake>{first}</handshake>"), false, "not-authorized"),
        (BRIDGE, message("bot@bridge.a.example"), false, "not-authorized"),
        ("nobody.a.example", String::new(), false, "host-unknown"),
        (HOST, String::new(), false, "host-unknown"),
        (BRIDGE, message("bot@other.example"), true, "invalid-from"),
        (BRIDGE, message("romeo@a.example"), true, "invalid-from"),
        (BRIDGE, message("x.bridge.a.example"), true, "invalid-from"),
        (BRIDGE, "<message to='romeo@a.example'/>".to_owned(), true, "improper-addressing"),
        (BRIDGE, "<unheard/>".to_owned(), true, "unsupported-stanza-type"),
        (BRIDGE, "<handshake/>".to_owned(), true, "unsupported-stanza-type"),
    ] {
        let mut peer = server.connect().await;
        peer.greet(domain).await;
        if shaken {
            peer.shake(SECRET).await;
            peer.expect(&["<handshake"]).await;
        }
        peer.send(&said).await;
        let rest = peer.rest().await;
        assert!(rest.contains(&format!("<{condition} ")), "{domain} {said}: {rest}");
        server.connected(false).await;
    }
    server.stop(true).await;
}

/// H-03: who is there stays; who says nothing makes room.
#[tokio::test]
async fn of_two_the_one_that_lives_stays() {
    let server = Server::new(settings(Rights::default())).await;
    let mut first = server.component().await;
    let mut second = server.connect().await;
    second.greet(BRIDGE).await;
    second.shake(SECRET).await;
    first.expect(&["id='are-you-there'", "</iq>"]).await;
    first.send(&format!("<iq type='error' from='{BRIDGE}' to='{HOST}' id='are-you-there'/>")).await;
    let rest = second.rest().await;
    assert!(rest.contains("<conflict "), "{rest}");

    let mut third = server.connect().await;
    third.greet(BRIDGE).await;
    third.shake(SECRET).await;
    third.expect(&["<handshake"]).await;
    let rest = first.rest().await;
    assert!(rest.contains("<conflict "), "{rest}");
    server.connected(true).await;
    drop(third);
    server.stop(true).await;
}

#[tokio::test]
async fn a_component_that_is_taken_away_loses_its_connection() {
    let server = Server::new(settings(Rights::default())).await;
    let mut bridge = server.component().await;
    server.components.replace(components::Settings::default());
    let rest = bridge.rest().await;
    assert!(rest.contains("<not-authorized "), "{rest}");
    drop(bridge);
    server.stop(true).await;
}
