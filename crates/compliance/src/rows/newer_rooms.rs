//! What is newer than the suites: rooms.
//!
//! XEP-0421, XEP-0317, XEP-0486, XEP-0500, XEP-0502
//!
//! Not here: what the suites name (`rooms.rs`).

use super::with::{join, room};
use super::{Level, Row, row};
use crate::client::Client;
use crate::server::Server;
use crate::verdict::{Said, hold, missing, need};

pub(super) fn rows() -> Vec<Row> {
    use Level::{Beyond, Noted};
    vec![
        row(
            "XEP-0421",
            "Occupant identifiers for semi-anonymous MUCs",
            Beyond,
            "in presence and messages; the same after entering again under another nick; a forged one is removed",
            occupant_ids,
        ),
        row(
            "XEP-0317",
            "Hats",
            Beyond,
            "an owner makes a hat and gives it; it is in the occupant's presence",
            hats,
        ),
        row(
            "XEP-0486",
            "MUC Avatars",
            Beyond,
            "an owner sets a room's vCard; another reads it and its hash in the room's info",
            avatars,
        ),
        row(
            "XEP-0500",
            "MUC Slow Mode",
            Beyond,
            "an owner sets it; the second message of a participant is refused",
            slow,
        ),
        row(
            "XEP-0502",
            "MUC Activity Indicator",
            Beyond,
            "a room's info says how much is said there",
            activity,
        ),
        row("XEP-0369", "Mediated Information eXchange (MIX)", Noted, "a channel is made and joined", mix),
    ]
}

fn occupant_ids(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[])?;
    need(owner.info(&room)?.has("var='urn:xmpp:occupant-id:0'"), "not announced by rooms")?;
    let mut guest = Client::online(server, 1)?;
    let id = |client: &mut Client<'_>, nick: &str| -> Said<String> {
        let seen = join(client, &room, nick)?;
        hold(seen.has("<occupant-id xmlns='urn:xmpp:occupant-id:0'"), "not in presence", &seen.text)?;
        Ok(seen.attr_of("occupant-id", "id").unwrap_or_default().to_owned())
    };
    let first = id(&mut guest, "guest")?;
    guest.send(&format!(
        "<message to='{room}' type='groupchat' id='o'><body>mine</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/></message>"
    ))?;
    let seen = owner.message("<body>mine")?;
    hold(seen.has(&format!("id='{first}'")) && !seen.has("forged"), "not the same in messages", &seen.text)?;
    guest.send(&format!("<presence to='{room}/guest' type='unavailable'/>"))?;
    guest.presence("type='unavailable'")?;
    let second = id(&mut guest, "another")?;
    hold(first == second, "another id after coming back", &second)
}

fn hats(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[])?;
    let mut guest = Client::online(server, 1)?;
    join(&mut guest, &room, "guest")?;
    let command = |name: &str, fields: &[(&str, &str)]| {
        let fields: String = fields
            .iter()
            .map(|(name, value)| format!("<field var='hats#{name}'><value>{value}</value></field>"))
            .collect();
        format!(
            "<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:{name}' action='complete'>\
             <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:hats:commands</value></field>\
             {fields}</x></command>"
        )
    };
    let (uri, jid) = ("urn:example:hat", server.bare(1));
    let made = owner.ask("set", &room, &command("create", &[("title", "Teacher"), ("uri", uri)]))?;
    if made.has("type='error'") {
        return missing("no commands for hats");
    }
    owner.set(&room, &command("assign", &[("jid", &jid), ("uri", uri)]))?;
    let seen = guest.presence("<hats xmlns='urn:xmpp:hats:0'")?;
    hold(seen.has("title='Teacher'") && seen.has(uri), "another hat", &seen.text)
}

fn avatars(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[])?;
    let card = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==</BINVAL></PHOTO></vCard>";
    owner.set(&room, card)?;
    let mut guest = Client::online(server, 1)?;
    let seen = guest.get(&room, "<vCard xmlns='vcard-temp'/>")?;
    hold(seen.has("<BINVAL>iVBORw0KGgo"), "another does not see it", &seen.text)?;
    let info = guest.info(&room)?;
    need(info.has("muc#roominfo_avatarhash"), "the vCard is kept, but its hash is not in the room's info")
}

fn slow(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[])?;
    let form = owner.get(&room, "<query xmlns='http://jabber.org/protocol/muc#owner'/>")?;
    need(form.has("muc#roomconfig_slow_mode_duration"), "not in the form for owners")?;
    super::with::configure(&mut owner, &room, &[("muc#roomconfig_slow_mode_duration", "60")])?;
    let mut guest = Client::online(server, 1)?;
    join(&mut guest, &room, "guest")?;
    for id in ["s1", "s2"] {
        guest
            .send(&format!("<message to='{room}' type='groupchat' id='{id}'><body>{id}</body></message>"))?;
    }
    let refused = guest.message("type='error'")?;
    hold(refused.has("id='s2'") && refused.has("<policy-violation"), "wrong refusal", &refused.text)
}

fn activity(server: &Server) -> Said {
    // Only of rooms that everybody may find and enter (section 8).
    let settings = [("muc#roomconfig_persistentroom", "1"), ("muc#roomconfig_publicroom", "1")];
    let (mut owner, room) = room(server, 0, &settings)?;
    owner.send(&format!("<message to='{room}' type='groupchat' id='a'><body>busy here</body></message>"))?;
    owner.message("busy here")?;
    let info = owner.info(&room)?;
    owner.set(&room, "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>")?;
    need(info.has("var='{urn:xmpp:muc-activity}message-activity'"), "not in a room's info")
}

fn mix(server: &Server) -> Said {
    let mut client = Client::online(server, 0)?;
    let service = client.service("urn:xmpp:mix:core:1")?;
    let channel = server.name("channel");
    client.set(&service, &format!("<create xmlns='urn:xmpp:mix:core:1' channel='{channel}'/>"))?;
    let joined = client.set(
        "",
        &format!(
            "<client-join xmlns='urn:xmpp:mix:pam:2' channel='{channel}@{service}'><join xmlns='urn:xmpp:mix:core:1'>\
             <nick>J</nick><subscribe node='urn:xmpp:mix:nodes:messages'/></join></client-join>"
        ),
    )?;
    hold(joined.has("<join xmlns='urn:xmpp:mix:core:1'"), "not joined", &joined.text)
}
