//! What is newer than the suites: login.
//!
//! XEP-0388, XEP-0386, XEP-0440, XEP-0474, XEP-0480, XEP-0484, XEP-0478
//!
//! Not here: the exchange of SCRAM (`scram.rs`).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Level, Row, row};
use crate::client::{By, Client, SASL2};
use crate::server::Server;
use crate::verdict::{Said, broken, hold, missing, need};

pub(super) fn rows() -> Vec<Row> {
    use Level::{Beyond, Noted};
    vec![
        row(
            "XEP-0388",
            "Extensible SASL Profile",
            Beyond,
            "SCRAM in SASL2: the server's proof and the address in the success, features follow without a new stream",
            sasl2,
        ),
        row(
            "XEP-0386",
            "Bind 2",
            Noted,
            "bound in the same step, with the tag in the resource; carbons and stream management are on at once",
            bind2,
        ),
        row(
            "XEP-0440",
            "SASL Channel-Binding Type Capability",
            Beyond,
            "SCRAM-*-PLUS with a type that is announced; one with false data is refused",
            channel_binding,
        ),
        row(
            "XEP-0474",
            "SASL SCRAM Downgrade Protection",
            Beyond,
            "the hash in the challenge is that of what was offered",
            downgrade,
        ),
        row("XEP-0480", "SASL Upgrade Tasks", Beyond, "upgrades are offered", upgrade),
        row(
            "XEP-0484",
            "Fast Authentication Streamlining Tokens",
            Beyond,
            "a token comes with a login, and logs in; a wrong one does not",
            fast,
        ),
        row(
            "XEP-0478",
            "Stream Limits Advertisement",
            Beyond,
            "the longest stanza is in the features; one that long passes",
            limits,
        ),
        row("XEP-0390", "Entity Capabilities 2.0", Noted, "hashes in the stream's features", caps2),
        row(
            "XEP-0368",
            "Direct TLS without a round trip more",
            Beyond,
            "login by SASL2 and Bind 2 in three round trips after TLS",
            |server| {
                let mut client = bound(server, By::Direct, "<tag>Test</tag>")?.0;
                client.fence()
            },
        ),
    ]
}

/// Logged in by SASL2 and Bind 2. With what was in the success.
fn bound<'a>(server: &'a Server, by: By, inside: &str) -> Said<(Client<'a>, crate::lanes::Heard)> {
    let mut client = Client::connect(server, by)?;
    let mechanism = client.best_sasl2()?;
    need(client.features.has("<bind xmlns='urn:xmpp:bind:0'"), "Bind 2 is not offered")?;
    let bind = format!("{}<bind xmlns='urn:xmpp:bind:0'>{inside}</bind>", agent());
    let (success, _) = client.sasl2(&server.accounts[0], mechanism, ("n,,", b""), &bind)?;
    hold(success.has("<bound xmlns='urn:xmpp:bind:0'"), "not bound", &success.text)?;
    success.text_of("authorization-identifier").unwrap_or_default().clone_into(&mut client.jid);
    hold(client.jid.contains('/'), "no full address", &success.text)?;
    client.wait("features", |heard| heard.has("<features"))?;
    Ok((client, success))
}

/// Some servers give tokens only to devices with a name.
fn agent() -> &'static str {
    "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Compliance</software></user-agent>"
}

fn sasl2(server: &Server) -> Said {
    let mut client = Client::connect(server, By::StartTls)?;
    let mechanism = client.best_sasl2()?;
    let (success, _) = client.sasl2(&server.accounts[0], mechanism, ("n,,", b""), "")?;
    let address = success.text_of("authorization-identifier").unwrap_or_default();
    hold(address == server.bare(0), "another address", &success.text)?;
    client.wait("features", |heard| heard.has("<features"))?;
    client.bind("sasl2")?;
    client.fence()
}

fn bind2(server: &Server) -> Said {
    let (mut client, success) = bound(
        server,
        By::StartTls,
        "<tag>Compliance</tag><enable xmlns='urn:xmpp:sm:3'/><enable xmlns='urn:xmpp:carbons:2'/>",
    )?;
    let resource = client.jid.split_once('/').map_or("", |(_, resource)| resource);
    hold(resource.starts_with("Compliance"), "the tag is not in the resource", &client.jid)?;
    need(
        success.has("<enabled xmlns='urn:xmpp:sm:3'"),
        "bound, but without stream management in the same step",
    )?;
    client.send("<r xmlns='urn:xmpp:sm:3'/>")?;
    client.wait("acknowledgement", |heard| heard.text.starts_with("<a "))?;
    client.send("<presence/>")?;
    let mut other = Client::online(server, 0)?;
    let to = server.bare(1);
    other.send(&format!("<message to='{to}' type='chat'><body>copied by bind2</body></message>"))?;
    client.message("copied by bind2").map(drop)
}

fn channel_binding(server: &Server) -> Said {
    let mut client = Client::connect(server, By::StartTls)?;
    let offer = client.features.clone();
    need(offer.has("<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'"), "no types are announced")?;
    let plus = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"]
        .into_iter()
        .find(|name| offer.has(&format!("<mechanism>{name}<")));
    let Some(plus) = plus else { return missing("no SCRAM-*-PLUS is offered") };
    let exporter = offer.has("type='tls-exporter'");
    let kind = if exporter { "tls-exporter" } else { "tls-server-end-point" };
    need(offer.has(&format!("type='{kind}'")), "neither tls-exporter nor tls-server-end-point")?;
    let header = format!("p={kind},,");
    if !offer.has("<authentication xmlns='urn:xmpp:sasl:2'") {
        return missing("SCRAM-*-PLUS only without SASL2, which is not tried here");
    }
    let data = |client: &mut Client<'_>| {
        let socket = client.way.socket()?;
        if exporter { socket.exporter() } else { socket.end_point() }
    };
    let right = data(&mut client)?;
    client.sasl2(&server.accounts[0], plus, (&header, &right), "")?;
    let mut client = Client::connect(server, By::StartTls)?;
    let mut wrong = data(&mut client)?;
    wrong[0] ^= 1;
    match client.sasl2(&server.accounts[0], plus, (&header, &wrong), "") {
        Ok(_) => broken("false data of the channel were taken"),
        Err(_) => Ok(()),
    }
}

fn downgrade(server: &Server) -> Said {
    let mut client = Client::connect(server, By::StartTls)?;
    let mechanism = client.best_sasl2()?;
    let offer = client.features.clone();
    let (_, rest) = offer.text.split_once("<authentication xmlns='urn:xmpp:sasl:2'").unwrap_or_default();
    let mechanisms: Vec<String> = rest
        .split("</authentication>")
        .next()
        .unwrap_or_default()
        .split("<inline")
        .next()
        .unwrap_or_default()
        .split("<mechanism>")
        .skip(1)
        .filter_map(|part| part.split('<').next())
        .map(str::to_owned)
        .collect();
    let bindings: Vec<String> = offer
        .text
        .split("<channel-binding type='")
        .skip(1)
        .filter_map(|part| part.split('\'').next())
        .map(str::to_owned)
        .collect();
    let (_, scram) = client.sasl2(&server.accounts[0], mechanism, ("n,,", b""), "")?;
    let Some(told) = scram.part('h') else { return missing("no attribute h in the challenge") };
    let own = scram.downgrade_hash(&mechanisms, &bindings);
    hold(told == own, &format!("not the hash {own} of the offer"), &scram.challenge)
}

fn upgrade(server: &Server) -> Said {
    let client = Client::connect(server, By::StartTls)?;
    client.best_sasl2()?;
    need(client.features.has("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'"), "no upgrade is offered")
}

fn fast(server: &Server) -> Said {
    let mut client = Client::connect(server, By::StartTls)?;
    let mechanism = client.best_sasl2()?;
    need(client.features.has("<fast xmlns='urn:xmpp:fast:0'"), "not offered")?;
    need(client.features.has("<mechanism>HT-SHA-256-NONE"), "no HT-SHA-256-NONE")?;
    let inside = format!("{}<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>", agent());
    let (success, _) = client.sasl2(&server.accounts[0], mechanism, ("n,,", b""), &inside)?;
    let Some(token) = success.attr_of("token", "token") else {
        return broken(format!("no token: {}", success.text));
    };
    for (token, good) in [("not-this-one", false), (token, true)] {
        let mut again = Client::connect(server, By::StartTls)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
        let name = &server.accounts[0].name;
        let proof = [name.as_bytes(), b"\0", hmac::sign(&key, b"Initiator").as_ref()].concat();
        again.send(&format!(
            "<authenticate xmlns='{SASL2}' mechanism='HT-SHA-256-NONE'><initial-response>{}</initial-response>{}\
             <fast xmlns='urn:xmpp:fast:0'/></authenticate>",
            BASE64.encode(proof),
            agent()
        ))?;
        let answer = again.wait("outcome", |heard| heard.has("<success") || heard.has("<failure"))?;
        hold(answer.has("<success") == good, "a wrong token logs in, or a right one does not", &answer.text)?;
        if good {
            let proof = BASE64.encode(hmac::sign(&key, b"Responder"));
            hold(answer.has(&proof), "the server does not prove that it knows the token", &answer.text)?;
        }
    }
    Ok(())
}

fn limits(server: &Server) -> Said {
    let mut client = Client::login(server, 0, By::StartTls)?;
    need(client.features.has("<limits xmlns='urn:xmpp:stream-limits:0'"), "not in the features")?;
    let most = client.features.text_of("max-bytes").and_then(|text| text.parse::<usize>().ok());
    let Some(most) = most else { return missing("max-bytes is not told") };
    let (me, head) = (client.jid.clone(), "<message id='long' to=''><body></body></message>".len());
    let body = "x".repeat(most.min(1_000_000) - head - me.len());
    client.send(&format!("<message id='long' to='{me}'><body>{body}</body></message>"))?;
    let came = client.wait("the long message", |heard| heard.has("id='long'"))?;
    hold(came.has(&body), "not the whole message", "message")
}

fn caps2(server: &Server) -> Said {
    let client = Client::bound(server, 0)?;
    need(client.features.has("<c xmlns='urn:xmpp:caps'"), "not in the features")
}
