//! Category "Core".
//!
//! RFC 6120, RFC 7590, XEP-0368, XEP-0030, XEP-0115, XEP-0114, XEP-0163
//!
//! Not here: connections between servers (`servers.rs`).

use aws_lc_rs::digest;

use super::with::{QUIET, friends, publish};
use super::{Level, Row, row};
use crate::caps;
use crate::client::{By, Client};
use crate::lanes::{Heard, Way};
use crate::server::Server;
use crate::socket::Socket;
use crate::verdict::{Said, broken, hold, missing, need};
use std::net::SocketAddr;

pub(super) fn rows() -> Vec<Row> {
    use Level::{Advanced, Core};
    vec![
        row(
            "RFC 6120",
            "XMPP: Core",
            Core,
            "STARTTLS, SCRAM with a check of the server's proof, bind; unknown requests get service-unavailable, bad XML gets not-well-formed",
            streams,
        ),
        row(
            "RFC 7590",
            "Use of TLS",
            Core,
            "no login and no mechanism before TLS; TLS 1.3 and 1.2 are both taken",
            tls,
        ),
        row(
            "XEP-0368",
            "SRV records for XMPP over TLS (direct TLS)",
            Advanced,
            "TLS from the first byte with ALPN xmpp-client, login",
            direct,
        ),
        row(
            "XEP-0030",
            "Service Discovery",
            Core,
            "info and items of the domain, info of the own account",
            disco,
        ),
        row(
            "XEP-0115",
            "Entity Capabilities",
            Advanced,
            "the hash in the stream's features is that of the server's info; capabilities in presence reach contacts",
            capabilities,
        ),
        row(
            "XEP-0114",
            "Jabber Component Protocol",
            Core,
            "a component with the secret connects, and answers a client's request; a wrong secret is refused",
            component,
        ),
        row(
            "XEP-0163",
            "Personal Eventing Protocol",
            Advanced,
            "publish; a contact whose capabilities name node+notify is notified, and not without",
            pep,
        ),
    ]
}

fn streams(server: &Server) -> Said {
    let mut client = Client::connect(server, By::StartTls)?;
    let offered = client.features.texts("mechanism");
    let scram =
        ["SCRAM-SHA-256", "SCRAM-SHA-1"].into_iter().find(|name| offered.iter().any(|one| one == *name));
    let Some(scram) = scram else { return broken(format!("no SCRAM among {offered:?}")) };
    client.scram(&server.accounts[0], scram)?;
    client.open()?;
    client.bind("core")?;
    hold(client.bare() == server.bare(0), "not my address", &client.jid)?;
    client.refused("get", &server.domain, "<x xmlns='urn:example:unknown'/>", "service-unavailable")?;
    let nobody = format!("nobody-here@{}", server.domain);
    client.refused("get", &nobody, "<x xmlns='urn:example:unknown'/>", "service-unavailable")?;
    client.send("<message to=></message>")?;
    match client.wait("stream error", |heard| heard.has("http://etherx.jabber.org/streams")) {
        Ok(heard) => {
            hold(heard.has("<not-well-formed") || heard.has("<bad-format"), "wrong error", &heard.text)
        }
        Err(lack) => Err(lack),
    }
}

fn tls(server: &Server) -> Said {
    let mut clear =
        Client::on(server, Way::stream(Socket::connect(SocketAddr::new(server.address, server.c2s))?));
    clear.open()?;
    hold(clear.features.has("<starttls"), "no STARTTLS", &clear.features.text)?;
    hold(!clear.features.has("<mechanism>"), "mechanisms before TLS", &clear.features.text)?;
    clear.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>")?;
    let answer = clear.wait("refusal", |heard| heard.has("<failure") || heard.has("<error"));
    if answer.is_ok_and(|answer| answer.has("<success")) {
        return broken("logged in without TLS");
    }
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut socket = Socket::connect(SocketAddr::new(server.address, server.c2s_tls))?;
        socket.secure_with(&server.domain, "xmpp-client", &[version])?;
    }
    Ok(())
}

fn direct(server: &Server) -> Said {
    let mut client = Client::login(server, 0, By::Direct)?;
    let agreed = client.way.socket()?.alpn().map(<[u8]>::to_vec);
    hold(agreed.is_none_or(|agreed| agreed == b"xmpp-client"), "another protocol was agreed on", "ALPN")?;
    client.fence()
}

fn disco(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    let info = client.info(&server.domain)?;
    hold(info.has("category='server'") && info.has("type='im'"), "no identity of a server", &info.text)?;
    need(info.has("var='http://jabber.org/protocol/disco#info'"), "disco#info does not name itself")?;
    client.get(&server.domain, "<query xmlns='http://jabber.org/protocol/disco#items'/>")?;
    let own = client.info(&server.bare(0))?;
    hold(
        own.has("category='account'") && own.has("type='registered'"),
        "no identity of an account",
        &own.text,
    )
}

fn capabilities(server: &Server) -> Said {
    let (mut juliet, mut romeo) = friends(server)?;
    let features = juliet.features.clone();
    let Some(told) = features.attr_of("c", "ver").filter(|_| features.has("http://jabber.org/protocol/caps"))
    else {
        return missing("no capabilities in the stream's features");
    };
    let node = format!("{}#{told}", features.attr_of("c", "node").unwrap_or_default());
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>");
    let info = juliet.get(&server.domain, &query)?;
    let hash = info.look(|iq| iq.children().next().map(caps::hash))?.unwrap_or_default();
    hold(hash == told, &format!("the hash of the info is {hash}, not {told}"), &node)?;
    romeo.send("<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='abc='/></presence>")?;
    let seen = juliet.presence("node='urn:x'")?;
    hold(seen.has("ver='abc='"), "capabilities were changed", &seen.text)
}

fn component(server: &Server) -> Said {
    let Some((name, secret)) = &server.component_as else { return missing("no component is configured") };
    let open = |secret: &str| -> Said<(Way, bool)> {
        let mut way = Way::stream(Socket::connect(SocketAddr::new(server.address, server.component))?);
        way.open_as("jabber:component:accept", "", name)?;
        let until = std::time::Instant::now() + crate::socket::PATIENCE;
        while way.id.is_empty() && std::time::Instant::now() < until {
            way.listen(server, std::time::Instant::now() + std::time::Duration::from_millis(100))?;
        }
        let hash =
            digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{}{secret}", way.id).as_bytes());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        way.send(server, &format!("<handshake>{hash}</handshake>"))?;
        let came = way.listen(server, until)?;
        let taken = came && way.heard.front().is_some_and(|heard| heard.has("<handshake"));
        Ok((way, taken))
    };
    hold(!open("wrong")?.1, "a wrong secret was taken", name)?;
    let (mut way, taken) = open(secret)?;
    hold(taken, "the secret was refused", name)?;
    let mut client = Client::bound(server, 0)?;
    client.send(&format!("<iq type='get' id='c1' to='{name}'><ping xmlns='urn:xmpp:ping'/></iq>"))?;
    way.heard.clear();
    way.listen(server, std::time::Instant::now() + crate::socket::PATIENCE)?;
    let Some(asked) = way.heard.pop_front() else { return broken("the request did not reach the component") };
    hold(asked.has(&format!("from='{}'", client.jid)), "from somebody else", &asked.text)?;
    let id = asked.attr("id").unwrap_or_default();
    way.send(server, &format!("<iq type='result' id='{id}' from='{name}' to='{}'/>", client.jid))?;
    let answer = client.wait("the component's answer", |heard| heard.has("id='c1'"))?;
    hold(answer.has("type='result'"), "no result", &answer.text)
}

/// Presence whose capabilities name one feature, and answers for whoever asks.
fn interested(client: &mut Client<'_>, node: &str) -> Said {
    let query = format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/>\
         <feature var='{node}+notify'/></query>"
    );
    let tree = xml::Tree::parse(query.as_bytes(), "jabber:client");
    let hash = tree.ok().and_then(|tree| tree.root().map(caps::hash)).unwrap_or_default();
    client.send(&format!(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:c' ver='{hash}'/></presence>"
    ))?;
    // The own account may ask, and the contact's.
    let named = format!("' node='urn:c#{hash}'>");
    let query = query.replacen("'>", &named, 1);
    let is =
        |heard: &Heard| heard.text.starts_with("<iq") && heard.has("type='get'") && heard.has("disco#info");
    let mut asked = client.wait("the question what these capabilities are", is)?;
    loop {
        let to = asked.attr("from").map(|from| format!(" to='{from}'")).unwrap_or_default();
        let id = asked.attr("id").unwrap_or_default();
        client.send(&format!("<iq type='result' id='{id}'{to}>{query}</iq>"))?;
        match client.wait_within(QUIET, "another question", is) {
            Ok(another) => asked = another,
            Err(_) => break,
        }
    }
    client.fence()
}

fn pep(server: &Server) -> Said {
    let (mut juliet, mut romeo) = friends(server)?;
    let node = format!("urn:example:{}", server.name("node"));
    publish(&mut romeo, &node, "one", "<first xmlns='urn:example:x'/>", &[])?;
    juliet.fence()?;
    let quiet = juliet.wait_within(QUIET, "nothing", |heard| heard.has(&node));
    hold(quiet.is_err(), "notified without having asked for it", &node)?;
    interested(&mut juliet, &node)?;
    publish(&mut romeo, &node, "two", "<second xmlns='urn:example:x'/>", &[])?;
    let told = juliet.message("<second")?;
    hold(
        told.has(&format!("from='{}'", server.bare(1))) && told.has(&node),
        "not from the account",
        &told.text,
    )
}
