//! Group E, first part: requests, answers, what is claimed inside of messages.
//!
//! RFC 6120 section 8, XEP-0280, XEP-0359, XEP-0203, XEP-0191.
//!
//! Not here: addresses and sizes (`stanzas_routing.rs`).

use crate::Outcome;
use crate::client::Client;
use crate::row::{At, On, Row};
use crate::stage::Stage;
use crate::verdict::lives;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = requests();
    rows.extend(errors());
    rows.extend(claims());
    rows.extend(more_claims());
    rows.extend(privacy());
    rows.extend(curiosity());
    rows
}

fn requests() -> Vec<Row> {
    let iq = |text: &str| format!("<iq xmlns='jabber:client' {text}</iq>");
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    let bad = "<bad-request";
    let error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    vec![
        Row::new(
            "E-01",
            "a request without id, type or child, with two children, of an unknown type",
            "ST bad-request; results and errors are never answered",
        )
        .say(At::Active, iq(&format!("type='get'>{ping}")), lives(bad))
        .say(At::Active, iq(&format!("id='1'>{ping}")), lives(bad))
        .say(At::Active, iq(&format!("type='GET' id='1'>{ping}")), lives(bad))
        .say(At::Active, iq("type='get' id='1'>"), lives(bad))
        .say(At::Active, iq("type='set' id='1' to='a.example'>text"), lives(bad))
        .say(At::Active, iq(&format!("type='get' id='1'>{ping}{ping}")), lives(bad))
        .say(
            At::Active,
            iq(&format!("type='get' id='1' to='a.example'>{ping}<x xmlns='urn:x'/>")),
            lives(bad),
        )
        .say(At::Active, iq(&format!("type='result'>{ping}{ping}")), lives(""))
        .say(At::Active, iq("type='error' to='a.example'>"), lives(""))
        .say(At::Active, iq(&format!("type='result' id='1' to='@'>{ping}")), lives("")),
        Row::new(
            "E-02",
            "answers that nobody waits for, to the server, to oneself, to others, to nobody",
            "dropped; nobody is answered",
        )
        .say(At::Active, iq("type='result' id='1'>"), lives(""))
        .say(At::Active, iq("type='result' id='1' to='a.example'>"), lives(""))
        .say(At::Active, iq(&format!("type='error' id='1' to='a.example'>{error}")), lives(""))
        .say(At::Active, iq("type='result' id='still-there'>"), lives(""))
        .say(At::Active, iq("type='result' id='1' to='juliet@a.example'>"), lives(""))
        .say(At::Active, iq("type='result' id='1' to='nobody@a.example/x'>"), lives(""))
        .say(At::Active, iq("type='result' id='1' to='nobody.example'>"), lives("")),
    ]
}

fn errors() -> Vec<Row> {
    let iq = |text: &str| format!("<iq xmlns='jabber:client' {text}</iq>");
    let error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    vec![
        Row::new(
            "E-03",
            "errors to those who are not there, to the server, to other domains",
            "never answered",
        )
        .say(
            At::Active,
            format!("<message xmlns='jabber:client' type='error' to='nobody@a.example'>{error}</message>"),
            lives(""),
        )
        .say(
            At::Active,
            format!("<message xmlns='jabber:client' type='error' to='a.example'>{error}</message>"),
            lives(""),
        )
        .say(
            At::Active,
            format!("<message xmlns='jabber:client' type='error' to='nobody.example'>{error}</message>"),
            lives(""),
        )
        .say(
            At::Active,
            format!("<presence xmlns='jabber:client' type='error' to='nobody@a.example'>{error}</presence>"),
            lives(""),
        )
        .say(
            At::Active,
            format!("<message xmlns='jabber:client' type='error' to='@'>{error}</message>"),
            lives(""),
        )
        .say(
            At::Active,
            iq(&format!("type='error' id='1' to='nobody@a.example'>{error}")),
            lives(""),
        ),
        Row::new(
            "E-05",
            "a roster set, a result or a push for another account's roster",
            "ST forbidden or service-unavailable; it does not reach the client",
        )
        .script(On::All, |stage| {
            let item =
                "<query xmlns='jabber:iq:roster'><item jid='eve@a.example' subscription='both'/></query>";
            let (mut client, to, mut eve) = pair(stage)?;
            let bare = to.split('/').next().unwrap_or_default();
            for (n, to) in [bare, to.as_str()].into_iter().enumerate() {
                let answer = eve.ask(
                    &format!("r{n}"),
                    &format!("<iq xmlns='jabber:client' type='set' id='r{n}' to='{to}'>{item}</iq>"),
                )?;
                if !(answer.contains("<service-unavailable") || answer.contains("<forbidden")) {
                    return Err(answer);
                }
            }
            eve.say(format!("<iq xmlns='jabber:client' type='result' id='r' to='{to}'>{item}</iq>"))?;
            eve.probe("sent")?;
            let seen = client.probe("came")?;
            if seen.contains("jabber:iq:roster") { Err(seen) } else { Ok(()) }
        }),
    ]
}

/// A client of one account that is available, its address, and one of another account.
fn pair(stage: &Stage<'_>) -> Outcome<(Client, String, Client)> {
    let (user, other) = (stage.server.user()?, stage.server.user()?);
    let (client, jid) = stage.online(&user)?;
    let (mut eve, _) = stage.bound(&other)?;
    eve.probe("ready")?;
    Ok((client, jid, eve))
}

/// What eve's message with this inside becomes on its way.
fn sent(stage: &Stage<'_>, inside: &str) -> Outcome<String> {
    let (mut client, to, mut eve) = pair(stage)?;
    eve.say(format!(
        "<message xmlns='jabber:client' to='{to}' type='chat' id='c'><body>b</body>{inside}</message>"
    ))?;
    client.until("<message ").and_then(|_| client.until("</message>"))
}

fn claims() -> Vec<Row> {
    vec![
        Row::new("E-04", "copies (carbons) that a stranger invents", "delivered with the true sender, and not copied to other devices").script(On::All, |stage| {
            let (mut client, to, mut eve) = pair(stage)?;
            let user = to.split('@').next().unwrap_or_default();
            let (mut second, _) = stage.bound_with(user, "<enable xmlns='urn:xmpp:carbons:2'/>")?;
            for name in ["received", "sent"] {
                let copy = format!("<{name} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='{to}' to='eve@a.example' type='chat'><body>invented</body></message></forwarded></{name}>");
                eve.say(format!("<message xmlns='jabber:client' to='{to}' type='chat' id='{name}'>{copy}</message>"))?;
                eve.probe("sent")?;
                let seen = client.probe("came")?;
                if seen.contains("<message") && !seen.contains("from='u") || seen.contains(&format!("<message from='{user}@")) {
                    return Err(seen);
                }
                let seen = second.probe("copied")?;
                if seen.contains("invented") {
                    return Err(format!("copied: {seen}"));
                }
            }
            Ok(())
        }),
        Row::new("E-06", "archive ids that claim to be the recipient's: one, five, in another form of the address, without `by`", "taken out; exactly one true one; those of others and origin ids stay").script(On::All, |stage| {
            let (mut client, to, mut eve) = pair(stage)?;
            let bare = to.split('/').next().unwrap_or_default();
            let id = |by: &str| format!("<stanza-id xmlns='urn:xmpp:sid:0' id='forged' {by}/>");
            let inside = [id(&format!("by='{bare}'")).repeat(5), id(&format!("by='{}'", bare.to_uppercase())), id(""), id("by='other@b.example'").replace("forged", "foreign"), "<origin-id xmlns='urn:xmpp:sid:0' id='origin'/>".into()].concat();
            eve.say(format!("<message xmlns='jabber:client' to='{to}' type='chat' id='c'><body>b</body>{inside}</message>"))?;
            client.until("<message ")?;
            let seen = client.until("</message>")?;
            let own = seen.matches(&format!("by='{bare}'")).count();
            match own == 1 && !seen.contains("forged") && seen.contains("foreign") && seen.contains("origin") {
                true => Ok(()),
                false => Err(seen),
            }
        }),
    ]
}

fn more_claims() -> Vec<Row> {
    vec![
        Row::new("E-08", "delays that claim to be the server's or the recipient's; two hundred of others, in the future", "ours are taken out").script(On::All, |stage| {
            let delay = |from: &str| format!("<delay xmlns='urn:xmpp:delay' from='{from}' stamp='2099-01-01T00:00:00Z'/>");
            let seen = sent(stage, &[delay("a.example"), delay("A.EXAMPLE"), delay("other.example")].concat())?;
            if seen.matches("<delay").count() != 1 || !seen.contains("other.example") {
                return Err(seen);
            }
            sent(stage, &delay("other.example").repeat(200)).map(drop)
        }),
        Row::new("E-09", "pages of an archive, statuses of rooms, events of PubSub, slots for uploads, from a stranger", "delivered with the true sender only").script(On::All, |stage| {
            for inside in [
                "<result xmlns='urn:xmpp:mam:2' queryid='q' id='1'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='bank@a.example'><body>pay</body></message></forwarded></result>",
                "<x xmlns='http://jabber.org/protocol/muc#user'><status code='100'/><status code='307'/></x>",
                "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='x'/></event>",
                "<slot xmlns='urn:xmpp:http:upload:0'/>",
            ] {
                let seen = sent(stage, inside)?;
                let from = seen.split_once("from='").and_then(|(_, rest)| rest.split('\'').next()).unwrap_or_default();
                if !from.starts_with('u') || !from.contains("@a.example/") {
                    return Err(format!("from {from:?}: {seen}"));
                }
            }
            Ok(())
        }),
        Row::new("E-30", "U+0000 and surrogates; characters of four bytes", "refused at the door (A-10, A-12); kept as they are").script(On::All, |stage| {
            let user = stage.server.user()?;
            let (mut client, jid) = stage.online(&user)?;
            let text = "😀\u{10ffff}\u{1d11e}\u{e000}";
            client.say(format!("<message xmlns='jabber:client' to='{jid}' type='chat' id='4'><body>{text}</body></message>"))?;
            client.until("</message>")?;
            client.say("<iq xmlns='jabber:client' type='set' id='m'><query xmlns='urn:xmpp:mam:2'/></iq>")?;
            let seen = client.until("<fin")?;
            client.say(format!("<iq xmlns='jabber:client' type='set' id='p'><query xmlns='jabber:iq:private'><x xmlns='urn:{text}'>{text}</x></query></iq>"))?;
            client.until("id='p'")?;
            let kept = client.ask("q", &format!("<iq xmlns='jabber:client' type='get' id='q'><query xmlns='jabber:iq:private'><x xmlns='urn:{text}'/></query></iq>"))?;
            if seen.contains(text) && kept.matches(text).count() == 2 { Ok(()) } else { Err(format!("{seen}, {kept}")) }
        }),
    ]
}

fn privacy() -> Vec<Row> {
    vec![
        Row::new("E-15", "bookmarks and other nodes of an account but for those that are public by design, read, subscribed to, written, removed by a stranger", "ST; nothing is told, nothing changes").script(On::All, personal_nodes),
        Row::new("E-10", "message, presence, request and answer of somebody who is blocked", "as XEP-0191 says; nothing comes through, nothing is told").script(On::All, |stage| {
            let (mut client, to, mut eve) = pair(stage)?;
            let bare = to.split('/').next().unwrap_or_default();
            eve.say("<presence xmlns='jabber:client'/>")?;
            eve.probe("here")?;
            let blocked = eve_address(&mut eve)?;
            client.ask("b", &format!("<iq xmlns='jabber:client' type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{blocked}'/></block></iq>"))?;
            client.probe("blocked")?;
            for to in [bare, &to] {
                for say in [
                    format!("<message xmlns='jabber:client' to='{to}' type='chat' id='hostile-1'><body>b</body></message>"),
                    format!("<presence xmlns='jabber:client' to='{to}' id='hostile-2'/>"),
                    format!("<presence xmlns='jabber:client' to='{to}' type='subscribe' id='hostile-3'/>"),
                    format!("<iq xmlns='jabber:client' to='{to}' type='get' id='hostile-4'><ping xmlns='urn:xmpp:ping'/></iq>"),
                    format!("<iq xmlns='jabber:client' to='{to}' type='result' id='hostile-5'/>"),
                ] {
                    eve.say(say)?;
                }
            }
            let told = eve.probe("sent")?;
            let came = client.probe("came")?;
            match !came.contains("hostile-") && !told.contains("<presence") && told.matches("<service-unavailable").count() >= 4 {
                true => Ok(()),
                false => Err(format!("came {came}, told {told}")),
            }
        }),
    ]
}

fn curiosity() -> Vec<Row> {
    vec![
        Row::new("E-11", "last activity, vCard, version, disco, PubSub, presence of somebody who has not agreed to it", "no answer tells whether they are there, or exist").script(On::All, |stage| {
            let (_client, online, mut eve) = pair(stage)?;
            let offline = format!("{}@a.example", stage.server.user()?);
            let online = online.split('/').next().unwrap_or_default().to_owned();
            for (n, query) in [
                "<query xmlns='jabber:iq:last'/>",
                "<query xmlns='jabber:iq:version'/>",
                "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                "<query xmlns='http://jabber.org/protocol/disco#items'/>",
                "<vCard xmlns='vcard-temp'/>",
                "<query xmlns='jabber:iq:roster'/>",
                "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='storage:bookmarks'/></pubsub>",
                "<query xmlns='urn:xmpp:mam:2'/>",
            ]
            .into_iter()
            .enumerate()
            {
                let mut answers = Vec::new();
                for to in [online.as_str(), &offline, "nobody@a.example"] {
                    let id = format!("q{n}");
                    let kind = if query.contains("mam") { "set" } else { "get" };
                    let answer = eve.ask(&id, &format!("<iq xmlns='jabber:client' type='{kind}' id='{id}' to='{to}'>{query}</iq>"))?;
                    answers.push(answer.replace(to, "THEM"));
                }
                if answers.iter().any(|answer| *answer != answers[0]) {
                    return Err(format!("{query}: {answers:?}"));
                }
            }
            for to in [online.as_str(), &offline, "nobody@a.example"] {
                eve.say(format!("<presence xmlns='jabber:client' to='{to}' type='probe'/>"))?;
                let seen = eve.probe("probed")?;
                if !seen.is_empty() {
                    return Err(format!("a probe of {to}: {seen}"));
                }
            }
            Ok(())
        }),
        Row::new("E-13", "items of the domain, of other accounts", "no list of users").script(On::All, |stage| {
            let (_client, online, mut eve) = pair(stage)?;
            let bare = online.split('/').next().unwrap_or_default();
            let mut seen = String::new();
            for (n, to) in ["a.example", bare, "b.example"].into_iter().enumerate() {
                for node in ["", "node='all users'", "node='online users'", "node='http://jabber.org/protocol/commands'"] {
                    let id = format!("i{n}");
                    seen += &eve.ask(&id, &format!("<iq xmlns='jabber:client' type='get' id='{id}' to='{to}'><query xmlns='http://jabber.org/protocol/disco#items' {node}/></iq>"))?;
                }
            }
            let user = bare.split('@').next().unwrap_or_default();
            if seen.contains(&format!("jid='{user}")) { Err(seen) } else { Ok(()) }
        }),
        Row::new("E-14", "a message to an unknown and to a known account that is offline", "unknown: ST service-unavailable; known: kept (see docs/manual/security.md)").script(On::All, |stage| {
            let (_client, _, mut eve) = pair(stage)?;
            let offline = stage.server.user()?;
            eve.say("<message xmlns='jabber:client' to='nobody@a.example' type='chat' id='u'><body>b</body></message>")?;
            let unknown = eve.probe_of("nobody@a.example", "unknown")?;
            eve.say(format!("<message xmlns='jabber:client' to='{offline}@a.example' type='chat' id='k'><body>b</body></message>"))?;
            let known = eve.probe_of("nobody@a.example", "known")?;
            if unknown.contains("<service-unavailable") && known.is_empty() { Ok(()) } else { Err(format!("{unknown}, {known}")) }
        }),
    ]
}

/// Bookmarks and other nodes of the owner, asked for, subscribed to, overwritten and removed by a stranger.
fn personal_nodes(stage: &Stage<'_>) -> Outcome {
    const PUBSUB: &str = "xmlns='http://jabber.org/protocol/pubsub'";
    const OWNER: &str = "xmlns='http://jabber.org/protocol/pubsub#owner'";
    let (mut client, online, mut eve) = pair(stage)?;
    let bare = online.split('/').next().unwrap_or_default();
    for (n, node) in ["urn:xmpp:bookmarks:1", "storage:bookmarks", "urn:xmpp:avatar:metadata", "urn:x:own"]
        .into_iter()
        .enumerate()
    {
        let answer = client.ask(&format!("p{n}"), &format!("<iq xmlns='jabber:client' type='set' id='p{n}'><pubsub {PUBSUB}><publish node='{node}'><item id='current'><x xmlns='urn:x'>private</x></item></publish></pubsub></iq>"))?;
        if !answer.contains("type='result'") {
            return Err(answer);
        }
        for (m, (kind, inside)) in [
            ("get", format!("<pubsub {PUBSUB}><items node='{node}'/></pubsub>")),
            ("get", format!("<pubsub {PUBSUB}><items node='{node}' max_items='1'><item id='current'/></items></pubsub>")),
            ("set", format!("<pubsub {PUBSUB}><subscribe node='{node}' jid='{bare}'/></pubsub>")),
            ("set", format!("<pubsub {PUBSUB}><publish node='{node}'><item id='current'><x xmlns='urn:x'>forged</x></item></publish></pubsub>")),
            ("set", format!("<pubsub {PUBSUB}><retract node='{node}' notify='true'><item id='current'/></retract></pubsub>")),
            ("set", format!("<pubsub {OWNER}><delete node='{node}'/></pubsub>")),
            ("set", format!("<pubsub {OWNER}><purge node='{node}'/></pubsub>")),
            ("get", format!("<pubsub {OWNER}><configure node='{node}'/></pubsub>")),
            ("get", format!("<pubsub {OWNER}><affiliations node='{node}'/></pubsub>")),
        ]
        .into_iter()
        .enumerate()
        {
            let id = format!("e{n}-{m}");
            let answer = eve.ask(&id, &format!("<iq xmlns='jabber:client' type='{kind}' id='{id}' to='{bare}'>{inside}</iq>"))?;
            if !answer.contains("type='error'") || answer.contains("private") {
                return Err(format!("{inside}: {answer}"));
            }
        }
        let answer = client.ask(&format!("i{n}"), &format!("<iq xmlns='jabber:client' type='get' id='i{n}'><pubsub {PUBSUB}><items node='{node}'/></pubsub></iq>"))?;
        if !answer.contains(">private<") || answer.contains("forged") {
            return Err(answer);
        }
    }
    Ok(())
}

/// The bare address of a client, as the server knows it.
fn eve_address(client: &mut Client) -> Outcome<String> {
    let answer = client
        .ask("me", "<iq xmlns='jabber:client' type='get' id='me'><query xmlns='jabber:iq:register'/></iq>")?;
    let user = answer
        .split_once("<username>")
        .and_then(|(_, rest)| rest.split('<').next())
        .ok_or_else(|| answer.clone())?;
    Ok(format!("{user}@a.example"))
}
