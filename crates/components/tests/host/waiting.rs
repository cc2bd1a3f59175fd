//! What waits while a component is away, and what a component that sends too much can do to others.

use std::time::Duration;

use components::Settings;
use model::rights::Rights;

use crate::world::{BRIDGE, Server, settings};

fn message(id: u32) -> String {
    format!("<message to='bot@{BRIDGE}' type='chat' id='m{id}'><body>number {id}.</body></message>")
}

#[tokio::test]
async fn a_restart_of_the_component_loses_nothing() {
    let server = Server::new(settings(Rights::default())).await;
    let romeo = server.client("romeo@a.example/garden").await;
    let mut bridge = server.component().await;
    server.connected(true).await;
    romeo.send(&message(1)).await;
    bridge.expect(&["number 1.", "</message>"]).await;
    // It breaks before what it got counts as delivered: that comes again.
    drop(bridge);
    server.connected(false).await;
    romeo.send(&message(2)).await;
    romeo.send(&message(3)).await;
    let mut bridge = server.component().await;
    bridge.expect(&["number 1.", "number 2.", "number 3.", "</message>"]).await;
    // Closed in peace: it has read to the end.
    bridge.send("</stream:stream>").await;
    let rest = bridge.rest().await;
    assert!(!rest.contains("number"), "{rest}");
    server.cleared().await;
    server.stop(true).await;
}

#[tokio::test]
async fn a_restart_of_the_server_loses_nothing() {
    let server = Server::new(settings(Rights::default())).await;
    let romeo = server.client("romeo@a.example/garden").await;
    romeo.send(&message(1)).await;
    let ping = "<iq type='get' id='ping' to='a.example'><ping xmlns='urn:xmpp:ping'/></iq>";
    let mut romeo = romeo;
    romeo.send(ping).await;
    romeo.expect(&["id='ping'"]).await;
    let store = server.stop(false).await;
    let server = Server::on(settings(Rights::default()), store).await;
    let mut bridge = server.component().await;
    bridge.expect(&["number 1.", "</message>"]).await;
    drop(bridge);
    server.stop(true).await;
}

#[tokio::test]
async fn what_has_waited_long_enough_comes_back_once() {
    let short = Settings { wait: Duration::from_millis(100), ..settings(Rights::default()) };
    let server = Server::new(short).await;
    let mut romeo = server.client("romeo@a.example/garden").await;
    romeo.send(&message(1)).await;
    romeo.expect(&["type='error'", "id='m1'", "<remote-server-timeout "]).await;
    server.cleared().await;
    // Nobody would believe that it comes again.
    let mut bridge = server.component().await;
    romeo.send(&message(2)).await;
    let heard = bridge.expect(&["number 2."]).await;
    assert!(!heard.contains("number 1."), "{heard}");
    drop(bridge);
    server.stop(true).await;
}

/// H-07: it is slowed down; others notice nothing.
/// More in a moment than may be on its way at a time: a component that reads gets all of it.
#[tokio::test]
async fn who_reads_fast_gets_everything() {
    let server = Server::new(settings(Rights::default())).await;
    let mut bridge = server.component().await;
    for id in 0..30 {
        let ping = |n| {
            format!(
                "<iq type='get' from='{BRIDGE}' to='a.example' id='p{id}-{n}'><ping xmlns='urn:xmpp:ping'/></iq>"
            )
        };
        bridge.send(&(0..100).map(ping).collect::<String>()).await;
        bridge.expect(&[&format!("id='p{id}-99'")]).await;
    }
    drop(bridge);
    server.stop(false).await;
}

#[tokio::test]
async fn a_flood_delays_nobody_else() {
    let slow = s2s::Rate { bytes_per_second: 65_536, burst_bytes: 65_536 };
    let server = Server::new(Settings { rate: slow, ..settings(Rights::default()) }).await;
    let mut romeo = server.client("romeo@a.example/garden").await;
    let mut bridge = server.component().await;
    server.connected(true).await;
    let one =
        format!("<message from='bot@{BRIDGE}' to='juliet@a.example' type='chat'><body>spam</body></message>");
    let flood = tokio::spawn(async move { bridge.flood(&one.repeat(20_000)).await });
    for id in 0..20 {
        let ping = format!("<iq type='get' id='p{id}' to='a.example'><ping xmlns='urn:xmpp:ping'/></iq>");
        romeo.send(&ping).await;
        romeo.expect(&[&format!("id='p{id}'")]).await;
    }
    assert!(!flood.is_finished(), "two megabytes were taken at once");
    flood.abort();
    server.stop(false).await;
}
