//! Category "Web".
//!
//! RFC 7395, XEP-0124, XEP-0206, XEP-0156
//!
//! Not here: frames and bodies (`lanes.rs`).

use super::{Level, Row, row};
use crate::client::{By, Client};
use crate::http;
use crate::server::Server;
use crate::verdict::{Said, hold, missing};

pub(super) fn rows() -> Vec<Row> {
    use Level::{Core, Noted};
    vec![
        row(
            "RFC 7395",
            "XMPP over WebSocket",
            Core,
            "login over wss at /xmpp-websocket, a message to oneself",
            |server| talk(server, By::WebSocket),
        ),
        row(
            "XEP-0206",
            "XMPP over BOSH (with XEP-0124)",
            Core,
            "login over https at /http-bind, a message to oneself",
            |server| talk(server, By::Bosh),
        ),
        row(
            "XEP-0156",
            "Discovering Alternative XMPP Connection Methods",
            Noted,
            "host-meta as XML and as JSON name a WebSocket, and other origins may read it",
            host_meta,
        ),
    ]
}

fn talk(server: &Server, by: By) -> Said {
    let mut client = Client::login(server, 0, by)?;
    client.send("<presence/>")?;
    let me = client.jid.clone();
    client.send(&format!("<message to='{me}' type='chat' id='w'><body>over the web</body></message>"))?;
    client.message("over the web")?;
    client.send("<presence type='unavailable'/>")?;
    client.fence()
}

fn host_meta(server: &Server) -> Said {
    for (path, what) in [("/.well-known/host-meta", "<XRD"), ("/.well-known/host-meta.json", "\"links\"")] {
        let answer = http::here(server, "GET", path, "Origin: https://elsewhere.example\r\n", b"")?;
        if answer.status != 200 {
            return missing(format!("{path} answers {}", answer.status));
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let right = body.contains(what) && body.contains("urn:xmpp:alt-connections:websocket");
        hold(right, &format!("{path} names no WebSocket"), &body)?;
        hold(answer.head.contains("access-control-allow-origin: *"), "not for other origins", &answer.head)?;
    }
    Ok(())
}
