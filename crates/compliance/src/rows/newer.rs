//! What is newer than the suites, or not in them: messages, contacts, accounts, services.
//!
//! XEP-0359, XEP-0334, XEP-0441, XEP-0490, XEP-0353, XEP-0482, XEP-0377, XEP-0401, XEP-0379, XEP-0445, XEP-0455,
//! XEP-0060, XEP-0384, XEP-0050, XEP-0012, XEP-0092, XEP-0199, XEP-0202, XEP-0237, XEP-0065
//!
//! Not here: login (`newer_login.rs`), rooms (`newer_rooms.rs`).

use std::net::SocketAddr;

use aws_lc_rs::digest;

use super::with::{archive, friends, items, last, publish, strangers};
use super::{Level, Row, client, row};
use crate::client::{By, Client};
use crate::server::Server;
use crate::socket::{PATIENCE, Socket};
use crate::verdict::{Said, broken, hold, missing, need};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = first();
    rows.extend(second());
    rows.extend(third());
    rows
}

fn first() -> Vec<Row> {
    use Level::Beyond;
    vec![
        row(
            "XEP-0359",
            "Unique and Stable Stanza IDs",
            Beyond,
            "a message comes with one id by the own account; a forged one is removed",
            stable_ids,
        ),
        row(
            "XEP-0334",
            "Message Processing Hints",
            Beyond,
            "no-store: delivered, and not in the archive",
            hints,
        ),
        row(
            "XEP-0441",
            "Message Archive Management Preferences",
            Beyond,
            "with `never` nothing is kept; the default is told",
            preferences,
        ),
        row(
            "XEP-0490",
            "Message Displayed Synchronization",
            Beyond,
            "a read state is published and there for another session",
            displayed,
        ),
        row(
            "XEP-0353",
            "Jingle Message Initiation, Call Invites (XEP-0482)",
            Beyond,
            "what proposes a call and an invitation to one reach the devices of both sides, and the archive",
            calls,
        ),
        row(
            "XEP-0377",
            "Blocking Command Reports",
            Beyond,
            "announced; a report with a block is taken",
            reports,
        ),
    ]
}

fn second() -> Vec<Row> {
    use Level::{Beyond, Noted};
    vec![
        row(
            "XEP-0401",
            "Ad-hoc Account Invitation Generation",
            Noted,
            "an ordinary account gets a link with a token by the command",
            invite,
        ),
        row(
            "XEP-0379",
            "Pre-Authenticated Roster Subscription",
            Noted,
            "who asks with the token of a link is let in without being asked",
            pre_auth,
        ),
        row(
            "XEP-0445",
            "Pre-Authenticated In-Band Registration",
            Noted,
            "a wrong token is refused",
            pre_auth_registration,
        ),
        row(
            "XEP-0455",
            "Service Outage Status",
            Noted,
            "an address for outages in the domain's info",
            outage,
        ),
        row(
            "XEP-0060",
            "Publish-Subscribe (service)",
            Beyond,
            "make a node, subscribe, publish: the subscriber is told; retract: told again; delete: gone",
            pubsub,
        ),
        row(
            "XEP-0384",
            "OMEMO Encryption (the server's part)",
            Noted,
            "keys are published for everybody, and a stranger reads them",
            omemo,
        ),
        row("XEP-0237", "Roster Versioning", Beyond, "a roster that is known is not sent again", versioning),
    ]
}

fn third() -> Vec<Row> {
    use Level::{Beyond, Noted};
    vec![
        row("XEP-0050", "Ad-Hoc Commands", Beyond, "the domain lists commands", commands),
        row(
            "XEP-0012",
            "Last Activity",
            Beyond,
            "of the server: how long it runs; of a contact",
            last_activity,
        ),
        row("XEP-0092", "Software Version", Beyond, "name and version", |server| {
            simple(server, "<query xmlns='jabber:iq:version'/>", "<name>")
        }),
        row("XEP-0199", "XMPP Ping", Beyond, "the server and the own account answer", ping),
        row("XEP-0202", "Entity Time", Beyond, "the server's time", |server| {
            simple(server, "<time xmlns='urn:xmpp:time'/>", "<utc>")
        }),
        row(
            "XEP-0065",
            "SOCKS5 Bytestreams (proxy)",
            Beyond,
            "two clients connect, one activates, bytes pass",
            proxy,
        ),
        row(
            "XEP-0225",
            "Component Connections",
            Noted,
            "offered to who has logged in",
            component_connections,
        ),
        client("XEP-0333", "Displayed Markers"),
        client("XEP-0380", "Explicit Message Encryption"),
        client("XEP-0420", "Stanza Content Encryption"),
    ]
}

fn simple(server: &Server, payload: &str, part: &str) -> Said {
    let mut client = Client::bound(server, 0)?;
    let answer = client.get(&server.domain, payload)?;
    hold(answer.has(part), "not in the answer", &answer.text)
}

fn ping(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    for to in ["", &server.domain, &server.bare(0)] {
        client.get(to, "<ping xmlns='urn:xmpp:ping'/>")?;
    }
    Ok(())
}

fn stable_ids(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let (text, by) = (server.name("stamped"), server.bare(0));
    let to = juliet.jid.clone();
    romeo.send(&format!(
        "<message to='{to}' type='chat'><body>{text}</body><stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='forged'/></message>"
    ))?;
    let came = juliet.message(&text)?;
    need(came.has("<stanza-id"), "no stanza-id")?;
    hold(!came.has("forged"), "a forged id was passed on", &came.text)?;
    hold(came.has(&format!("by='{by}'")), "not by the own account", &came.text)
}

fn hints(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let (kept, not) = (server.name("kept"), server.name("fleeting"));
    let to = juliet.jid.clone();
    romeo.send(&format!("<message to='{to}' type='chat'><body>{kept}</body></message>"))?;
    romeo.send(&format!(
        "<message to='{to}' type='chat'><body>{not}</body><no-store xmlns='urn:xmpp:hints'/></message>"
    ))?;
    juliet.message(&not)?;
    let (found, end) = archive(&mut juliet, "", &last(&server.bare(1)))?;
    let right = found.iter().any(|heard| heard.has(&kept)) && !found.iter().any(|heard| heard.has(&not));
    hold(right, "the archive's last message is not the one before", &end.text)
}

fn preferences(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let set = |default: &str| {
        format!("<prefs xmlns='urn:xmpp:mam:2' default='{default}'><always/><never/></prefs>")
    };
    let before = juliet.get("", "<prefs xmlns='urn:xmpp:mam:2'/>")?;
    let usual = before.attr_of("prefs", "default").unwrap_or("always").to_owned();
    let told = juliet.set("", &set("never"))?;
    let (text, to) = (server.name("unkept"), juliet.jid.clone());
    romeo.send(&format!("<message to='{to}' type='chat'><body>{text}</body></message>"))?;
    juliet.message(&text)?;
    let (found, _) = archive(&mut juliet, "", &last(&server.bare(1)))?;
    juliet.set("", &set(&usual))?;
    hold(told.has("default='never'"), "not as set", &told.text)?;
    hold(!found.iter().any(|heard| heard.has(&text)), "kept all the same", &text)
}

fn displayed(server: &Server) -> Said {
    let mut client = Client::online(server, 0)?;
    let (with, id) = (server.bare(1), server.name("id"));
    let options = [
        ("persist_items", "true"),
        ("max_items", "max"),
        ("send_last_published_item", "never"),
        ("access_model", "whitelist"),
    ];
    let item = format!(
        "<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' by='{}' id='{id}'/></displayed>",
        server.bare(0)
    );
    publish(&mut client, "urn:xmpp:mds:displayed:0", &with, &item, &options)?;
    drop(client);
    let mut again = Client::bound(server, 0)?;
    let kept = again.get("", &items("urn:xmpp:mds:displayed:0"))?;
    hold(kept.has(&id) && kept.has(&format!("id='{with}'")), "not kept", &kept.text)
}

fn calls(server: &Server) -> Said {
    let (mut juliet, mut romeo) = friends(server)?;
    let mut second = Client::online(server, 1)?;
    let mut tablet = Client::online(server, 0)?;
    tablet.set("", "<enable xmlns='urn:xmpp:carbons:2'/>")?;
    let (call, to) = (server.name("call"), server.bare(1));
    for payload in [
        format!(
            "<propose xmlns='urn:xmpp:jingle-message:0' id='{call}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"
        ),
        format!(
            "<invite xmlns='urn:xmpp:call-invites:0' id='{call}'><external uri='https://meet.example/{call}'/></invite>"
        ),
    ] {
        juliet.send(&format!("<message to='{to}' type='chat' id='{call}'>{payload}</message>"))?;
        let part = payload.split(' ').next().unwrap_or_default().to_owned();
        for device in [&mut romeo, &mut second] {
            device.message(&part)?;
        }
        if tablet.message(&part).is_err() {
            return missing(format!("{part}> is not copied to the caller's other devices"));
        }
    }
    let (found, _) = archive(&mut juliet, "", &last(&to))?;
    need(found.iter().any(|heard| heard.has(&call)), "not in the archive")
}

fn reports(server: &Server) -> Said {
    let mut client = Client::online(server, 0)?;
    need(
        client.info(&server.domain)?.has("var='urn:xmpp:reporting:1'"),
        "urn:xmpp:reporting:1 is not announced",
    )?;
    let item = "spammer@elsewhere.example";
    client.set("", &format!(
        "<block xmlns='urn:xmpp:blocking'><item jid='{item}'><report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>\
         </item></block>"
    ))?;
    client.set("", &format!("<unblock xmlns='urn:xmpp:blocking'><item jid='{item}'/></unblock>")).map(drop)
}

/// A link of juliet's, and the token in it.
fn link(server: &Server) -> Said<(String, String)> {
    let mut client = Client::online(server, 0)?;
    let done = client.set(
        &server.domain,
        "<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:invite#invite' action='execute'/>",
    )?;
    let uri = done.texts("value").into_iter().find(|value| value.starts_with("xmpp:"));
    let Some(uri) = uri else { return missing(format!("no link: {}", done.text)) };
    let token = uri
        .split_once("preauth=")
        .map(|(_, rest)| rest.split([';', '&']).next().unwrap_or_default().to_owned());
    match token {
        Some(token) => Ok((uri, token)),
        None => broken(format!("no token in {uri}")),
    }
}

fn invite(server: &Server) -> Said {
    let (uri, token) = match link(server) {
        Err(crate::verdict::Lack::Broken(why)) if why.contains("item-not-found") => {
            return missing("no such command");
        }
        other => other?,
    };
    hold(
        uri.starts_with(&format!("xmpp:{}", server.bare(0))) || uri.contains(&server.domain),
        "to somebody else",
        &uri,
    )?;
    hold(token.len() >= 16, "a short token", &token)
}

fn pre_auth(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let Ok((_, token)) = link(server) else { return missing("no link can be had") };
    let to = server.bare(0);
    romeo.send(&format!(
        "<presence to='{to}' type='subscribe'><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></presence>"
    ))?;
    if romeo.presence("type='subscribed'").is_err() {
        return missing("the token of an invitation does not let in");
    }
    juliet.fence()
}

fn pre_auth_registration(server: &Server) -> Said {
    let mut new = Client::connect(server, By::StartTls)?;
    let announced = new.features.has("urn:xmpp:invite") || new.features.has("urn:xmpp:ibr-token:0");
    need(announced, "not in the features")?;
    let answer = new.ask("set", &server.domain, "<preauth xmlns='urn:xmpp:pars:0' token='not-a-token'/>")?;
    hold(answer.has("type='error'"), "a wrong token", &answer.text)
}

fn outage(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    need(client.info(&server.domain)?.has("external-status-addresses"), "not in the domain's info")
}

fn pubsub(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    // Accounts' own nodes are announced by the domain as well, and that is not the service.
    let service = format!("pubsub.{}", server.domain);
    let info = juliet.ask("get", &service, "<query xmlns='http://jabber.org/protocol/disco#info'/>")?;
    need(info.has("category='pubsub'"), "no service at pubsub.")?;
    let (node, space) = (server.name("news"), "http://jabber.org/protocol/pubsub");
    let owner = format!("{space}#owner");
    juliet.set(&service, &format!("<pubsub xmlns='{space}'><create node='{node}'/></pubsub>"))?;
    romeo.set(
        &service,
        &format!("<pubsub xmlns='{space}'><subscribe node='{node}' jid='{}'/></pubsub>", server.bare(1)),
    )?;
    juliet.set(&service, &format!("<pubsub xmlns='{space}'><publish node='{node}'><item id='1'><x xmlns='urn:example:news'/></item></publish></pubsub>"))?;
    let told = romeo.message(&format!("node='{node}'"))?;
    hold(
        told.has("urn:example:news") || told.has("<item id='1'"),
        "no item in the notification",
        &told.text,
    )?;
    let answer = romeo.ask(
        "set",
        &service,
        &format!("<pubsub xmlns='{space}'><publish node='{node}'><item id='2'><x xmlns='urn:example:news'/></item></publish></pubsub>"),
    )?;
    hold(answer.has("<forbidden"), "a subscriber publishes", &answer.text)?;
    juliet.set(
        &service,
        &format!(
            "<pubsub xmlns='{space}'><retract node='{node}' notify='true'><item id='1'/></retract></pubsub>"
        ),
    )?;
    romeo.message("<retract ")?;
    juliet.set(&service, &format!("<pubsub xmlns='{owner}'><delete node='{node}'/></pubsub>"))?;
    romeo.refused("get", &service, &items(&node), "item-not-found")
}

fn omemo(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let node = "urn:xmpp:omemo:2:bundles";
    let (id, options) = (server.name(""), [("access_model", "open")]);
    publish(
        &mut juliet,
        node,
        &id,
        "<bundle xmlns='urn:xmpp:omemo:2'><spk id='0'>aGk=</spk></bundle>",
        &options,
    )?;
    let seen = romeo.get(&server.bare(0), &items(node))?;
    hold(seen.has(&format!("id='{id}'")), "a stranger does not see it", &seen.text)
}

fn versioning(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    need(client.features.has("urn:xmpp:features:rosterver"), "not in the features")?;
    let whole = client.get("", "<query xmlns='jabber:iq:roster' ver=''/>")?;
    let Some(version) = whole.attr_of("query", "ver") else {
        return broken(format!("no version: {}", whole.text));
    };
    let same = client.get("", &format!("<query xmlns='jabber:iq:roster' ver='{version}'/>"))?;
    hold(!same.has("<query"), "sent again", &same.text)
}

fn commands(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    let list = client.get(
        &server.domain,
        "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
    )?;
    need(list.has("<item "), "no command for an ordinary account")
}

fn last_activity(server: &Server) -> Said {
    let (mut juliet, _romeo) = friends(server)?;
    let own = juliet.get(&server.domain, "<query xmlns='jabber:iq:last'/>")?;
    hold(own.attr_of("query", "seconds").is_some(), "no seconds", &own.text)?;
    let of = juliet.get(&server.bare(1), "<query xmlns='jabber:iq:last'/>")?;
    hold(of.attr_of("query", "seconds").is_some(), "no seconds of a contact", &of.text)
}

/// XEP-0065 section 6: both connect to the proxy, whoever began activates.
fn proxy(server: &Server) -> Said {
    let (mut juliet, romeo) = strangers(server)?;
    let service = juliet.service("http://jabber.org/protocol/bytestreams")?;
    let told = juliet.get(&service, "<query xmlns='http://jabber.org/protocol/bytestreams'/>")?;
    let port = told.attr_of("streamhost", "port").and_then(|port| port.parse::<u16>().ok()).unwrap_or(0);
    let sid = server.name("sid");
    let text = format!("{sid}{}{}", juliet.jid, romeo.jid);
    let hash: String = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let connect = || -> Said<Socket> {
        let mut socket = Socket::connect(SocketAddr::new(server.address, port))?;
        socket.write(&[5, 1, 0])?;
        exactly(&mut socket, 2)?;
        socket.write(&[&[5, 1, 0, 3, hash.len() as u8], hash.as_bytes(), &[0, 0]].concat())?;
        let answer = exactly(&mut socket, 5 + hash.len() + 2)?;
        hold(answer.get(1) == Some(&0), "the proxy refuses", &format!("{answer:?}"))?;
        Ok(socket)
    };
    let (mut his, mut hers) = (connect()?, connect()?);
    juliet.set(
        &service,
        &format!("<query xmlns='http://jabber.org/protocol/bytestreams' sid='{sid}'><activate>{}</activate></query>", romeo.jid),
    )?;
    hers.write(b"through the proxy")?;
    hold(exactly(&mut his, 17)? == b"through the proxy", "other bytes", "proxy")
}

fn exactly(socket: &mut Socket, count: usize) -> Said<Vec<u8>> {
    let mut out = Vec::new();
    while out.len() < count {
        match socket.read(PATIENCE)? {
            Some(piece) if !piece.is_empty() => out.extend(piece),
            _ => return broken(format!("only {} bytes of {count}", out.len())),
        }
    }
    Ok(out)
}

fn component_connections(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    let name = format!("echo.{}", server.domain);
    let answer = client.ask(
        "set",
        "",
        &format!("<bind xmlns='urn:xmpp:component:0'><hostname>{name}</hostname></bind>"),
    )?;
    // An account is no component: what matters is whether the server knows the request at all.
    need(
        !answer.has("<service-unavailable") && !answer.has("<feature-not-implemented"),
        "the request is not known",
    )
}
