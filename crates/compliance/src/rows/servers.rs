//! Between servers, as far as it can be seen without being one: streams, TLS, what is offered.
//!
//! RFC 6120, XEP-0220, XEP-0288, XEP-0368
//!
//! Not here: messages across (the federation tests in `interop`).

use std::net::SocketAddr;

use super::{Level, Row, row};
use crate::client::Client;
use crate::lanes::Way;
use crate::server::Server;
use crate::socket::Socket;
use crate::verdict::{Said, hold, missing, need};

pub(super) fn rows() -> Vec<Row> {
    use Level::{Beyond, Core};
    vec![
        row(
            "RFC 6120",
            "Connections between servers",
            Core,
            "a stream on the port for servers, STARTTLS, features after it; a message before the domain is proved is not taken",
            streams,
        ),
        row(
            "XEP-0368",
            "Direct TLS between servers",
            Beyond,
            "TLS from the first byte with ALPN xmpp-server, features",
            direct,
        ),
        row(
            "XEP-0220",
            "Server Dialback",
            Beyond,
            "offered after TLS to who shows no certificate; a wrong key is found out",
            dialback,
        ),
        row(
            "XEP-0288",
            "Bidirectional Server-to-Server Connections",
            Beyond,
            "offered after TLS",
            |server| {
                need(secured(server)?.features.has("<bidi xmlns='urn:xmpp:features:bidi'"), "not offered")
            },
        ),
    ]
}

/// A domain that exists nowhere.
const ELSEWHERE: &str = "elsewhere.invalid";

fn open(client: &mut Client<'_>) -> Said {
    let to = client.server.domain.clone();
    let more = format!("from='{ELSEWHERE}' xmlns:db='jabber:server:dialback'");
    client.way.open_as("jabber:server", &more, &to)?;
    client.features = client.wait("features", |heard| heard.has("<features"))?;
    Ok(())
}

fn begin(server: &Server) -> Said<Client<'_>> {
    let socket = Socket::connect(SocketAddr::new(server.address, server.s2s))?;
    let mut client = Client::on(server, Way::stream(socket));
    open(&mut client)?;
    Ok(client)
}

/// Encrypted by STARTTLS, features read.
fn secured(server: &Server) -> Said<Client<'_>> {
    let mut client = begin(server)?;
    client.way.send(server, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")?;
    client.wait("proceed", |heard| heard.has("<proceed"))?;
    client.way.socket()?.secure(&server.domain, "")?;
    open(&mut client)?;
    Ok(client)
}

fn streams(server: &Server) -> Said {
    let clear = begin(server)?;
    hold(
        clear.features.has("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'"),
        "no STARTTLS",
        &clear.features.text,
    )?;
    let mut client = secured(server)?;
    let text = server.name("forged");
    let mut juliet = Client::online(server, 0)?;
    let to = server.bare(0);
    // The stream may well end over this.
    let _ = client.way.send(
        server,
        &format!("<message from='x@{ELSEWHERE}' to='{to}' type='chat'><body>{text}</body></message>"),
    );
    let _ = client.wait_within(super::with::QUIET, "refusal", |heard| heard.has("<error"));
    juliet.fence()?;
    hold(juliet.inbox.iter().all(|heard| !heard.has(&text)), "taken from who has proved nothing", &text)
}

fn direct(server: &Server) -> Said {
    let mut socket = Socket::connect(SocketAddr::new(server.address, server.s2s_tls))?;
    socket.secure(&server.domain, "xmpp-server")?;
    let mut client = Client::on(server, Way::stream(socket));
    open(&mut client)
}

fn dialback(server: &Server) -> Said {
    let mut client = secured(server)?;
    if !client.features.has("<dialback xmlns='urn:xmpp:features:dialback'") {
        return missing("not offered");
    }
    let verify = format!(
        "<db:verify from='{ELSEWHERE}' to='{}' id='not-a-stream'>not-a-key</db:verify>",
        server.domain
    );
    client.way.send(server, &verify)?;
    let answer =
        client.wait("the answer", |heard| heard.has("verify") && heard.has("jabber:server:dialback"))?;
    hold(answer.has("type='invalid'") || answer.has("type='error'"), "a wrong key", &answer.text)
}
