//! What rows need before they begin: contacts, strangers, rooms; and questions that several of them ask.
//!
//! Not here: anything that is judged.

use std::time::Duration;

use crate::client::Client;
use crate::lanes::Heard;
use crate::server::Server;
use crate::verdict::{Said, broken, need};

/// How long something may take that shall *not* come.
pub(super) const QUIET: Duration = Duration::from_millis(1_500);

const ROSTER: &str = "jabber:iq:roster";

fn remove(client: &mut Client<'_>, contact: &str) -> Said {
    let item = format!("<query xmlns='{ROSTER}'><item jid='{contact}' subscription='remove'/></query>");
    client.ask("set", "", &item).map(drop)
}

/// Both accounts online, without each other in their rosters and nothing waiting.
pub(super) fn strangers(server: &Server) -> Said<(Client<'_>, Client<'_>)> {
    let (mut juliet, mut romeo) = (Client::online(server, 0)?, Client::online(server, 1)?);
    remove(&mut juliet, &server.bare(1))?;
    remove(&mut romeo, &server.bare(0))?;
    juliet.fence()?;
    romeo.fence()?;
    juliet.inbox.clear();
    romeo.inbox.clear();
    Ok((juliet, romeo))
}

/// Both online, each seeing the other.
pub(super) fn friends(server: &Server) -> Said<(Client<'_>, Client<'_>)> {
    let (mut juliet, mut romeo) = (Client::online(server, 0)?, Client::online(server, 1)?);
    let roster = juliet.get("", &format!("<query xmlns='{ROSTER}'/>"))?;
    let known = roster.text.split("<item ").any(|item| {
        item.contains(&format!("jid='{}'", server.bare(1))) && item.contains("subscription='both'")
    });
    if !known {
        let (hers, his) = (server.bare(0), server.bare(1));
        remove(&mut juliet, &his)?;
        remove(&mut romeo, &hers)?;
        befriend(&mut juliet, &mut romeo)?;
    }
    let online = |heard: &Heard| heard.text.starts_with("<presence") && !heard.has("type=");
    let from = romeo.jid.clone();
    juliet.wait("the contact's presence", |heard| online(heard) && heard.has(&format!("from='{from}'")))?;
    juliet.fence()?;
    romeo.fence()?;
    Ok((juliet, romeo))
}

/// The whole handshake of RFC 6121 section 3, in both directions.
pub(super) fn befriend(juliet: &mut Client<'_>, romeo: &mut Client<'_>) -> Said {
    let (hers, his) = (juliet.bare().to_owned(), romeo.bare().to_owned());
    one_way(juliet, romeo, &hers, &his)?;
    one_way(romeo, juliet, &his, &hers)
}

fn one_way(asking: &mut Client<'_>, asked: &mut Client<'_>, from: &str, to: &str) -> Said {
    asking.send(&format!("<presence to='{to}' type='subscribe'/>"))?;
    asked.presence("type='subscribe'")?;
    asked.send(&format!("<presence to='{from}' type='subscribed'/>"))?;
    asking.presence("type='subscribed'")?;
    let jid = format!("jid='{to}'");
    asking.wait("roster push", |heard| {
        heard.has(ROSTER)
            && heard.has(&jid)
            && (heard.has("subscription='to'") || heard.has("subscription='both'"))
    })?;
    Ok(())
}

/// An owner in a room of his own, unlocked, with these settings.
pub(super) fn room<'a>(
    server: &'a Server,
    who: usize,
    settings: &[(&str, &str)],
) -> Said<(Client<'a>, String)> {
    let mut owner = Client::online(server, who)?;
    let service = owner.service("http://jabber.org/protocol/muc")?;
    let room = format!("{}@{service}", server.name("room"));
    join(&mut owner, &room, "owner")?;
    // Servers differ in what can be set, and refuse what they do not know.
    let form = owner.get(&room, "<query xmlns='http://jabber.org/protocol/muc#owner'/>")?;
    let known: Vec<_> = settings.iter().filter(|(name, _)| form.has(&format!("'{name}'"))).copied().collect();
    configure(&mut owner, &room, &known)?;
    Ok((owner, room))
}

/// Enters and sees oneself there.
pub(super) fn join(client: &mut Client<'_>, room: &str, nick: &str) -> Said<Heard> {
    client.send(&format!(
        "<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
    ))?;
    let from = format!("from='{room}/{nick}'");
    let seen = client.presence(&from)?;
    need(!seen.has("type='error'"), &seen.text)?;
    if seen.has("code='110'") { Ok(seen) } else { broken(format!("no status 110: {}", seen.text)) }
}

pub(super) fn configure(owner: &mut Client<'_>, room: &str, settings: &[(&str, &str)]) -> Said {
    let mut fields =
        "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>".to_owned();
    for (name, value) in settings {
        fields += &format!("<field var='{name}'><value>{value}</value></field>");
    }
    owner.set(
        room,
        &format!(
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>{fields}\
             </x></query>"
        ),
    )?;
    Ok(())
}

/// Asks an archive; gives the results and the end.
pub(super) fn archive(client: &mut Client<'_>, of: &str, inside: &str) -> Said<(Vec<Heard>, Heard)> {
    let name = client.server.name("query");
    let end = client.set(of, &format!("<query xmlns='urn:xmpp:mam:2' queryid='{name}'>{inside}</query>"))?;
    let ours = |heard: &Heard| heard.has("urn:xmpp:mam:2") && heard.has(&format!("queryid='{name}'"));
    let (found, rest) = std::mem::take(&mut client.inbox).into_iter().partition(ours);
    client.inbox = rest;
    Ok((found, end))
}

/// The last message of an archive with somebody.
pub(super) fn last(with: &str) -> String {
    let with = match with {
        "" => String::new(),
        with => format!("<field var='with'><value>{with}</value></field>"),
    };
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>urn:xmpp:mam:2</value></field>{with}</x><set xmlns='http://jabber.org/protocol/rsm'><max>1</max>\
         <before/></set>"
    )
}

/// Publishes to the own account, with options.
pub(super) fn publish(
    client: &mut Client<'_>,
    node: &str,
    id: &str,
    payload: &str,
    options: &[(&str, &str)],
) -> Said {
    let mut fields = String::new();
    for (name, value) in options {
        fields += &format!("<field var='pubsub#{name}'><value>{value}</value></field>");
    }
    if !options.is_empty() {
        fields = format!(
            "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
             <value>http://jabber.org/protocol/pubsub#publish-options</value></field>{fields}</x></publish-options>"
        );
    }
    client.set(
        "",
        &format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{node}'><item id='{id}'>{payload}\
             </item></publish>{fields}</pubsub>"
        ),
    )?;
    Ok(())
}

pub(super) fn items(node: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>")
}
