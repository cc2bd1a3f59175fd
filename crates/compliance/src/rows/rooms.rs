//! Category "Instant messaging": rooms and bookmarks.
//!
//! XEP-0045, XEP-0249, XEP-0313 (of rooms), XEP-0402, XEP-0048, XEP-0410, XEP-0433, XEP-0424, XEP-0425
//!
//! Not here: what is newer (`newer_rooms.rs`).

use super::with::{QUIET, archive, join, last, publish, room};
use super::{Level, Row, client, row};
use crate::client::Client;
use crate::server::Server;
use crate::verdict::{Said, broken, hold, missing, need};

const ADMIN: &str = "http://jabber.org/protocol/muc#admin";

pub(super) fn rows() -> Vec<Row> {
    use Level::{Advanced, Core, Noted};
    vec![
        row(
            "XEP-0045",
            "Multi-User Chat",
            Core,
            "make and configure a room, enter, speak, whisper, change nick, subject; kick, ban, members only, password; destroy",
            muc,
        ),
        row(
            "XEP-0249",
            "Direct MUC Invitations",
            Core,
            "an invitation reaches another account; a mediated one too",
            invitations,
        ),
        row(
            "XEP-0313",
            "Message Archive Management of rooms",
            Advanced,
            "a room's archive has what was said, under the id that occupants saw; not for those who may not enter",
            archives,
        ),
        row(
            "XEP-0402",
            "PEP Native Bookmarks, and old ones (XEP-0048)",
            Advanced,
            "a bookmark that is published is seen in private storage, and the other way round",
            bookmarks,
        ),
        row(
            "XEP-0410",
            "MUC Self-Ping",
            Advanced,
            "a ping to oneself in a room: answered inside, not-acceptable outside",
            self_ping,
        ),
        row("XEP-0433", "Extended Channel Search", Noted, "a room is found by a word in its name", search),
        row(
            "XEP-0424",
            "Message Retraction in rooms",
            Noted,
            "an author's retraction reaches others, and the archive no longer shows the text",
            retraction,
        ),
        row(
            "XEP-0425",
            "Moderated Message Retraction",
            Noted,
            "a moderator retracts: all hear of it, the archive no longer shows the text; others may not",
            moderation,
        ),
        client("XEP-0066", "Out of Band Data"),
        client("XEP-0385", "Stateless Inline Media Sharing"),
        client("XEP-0392", "Consistent Color Generation"),
        client("XEP-0393", "Message Styling"),
    ]
}

fn say(client: &mut Client<'_>, room: &str, text: &str) -> Said {
    client.send(&format!("<message to='{room}' type='groupchat' id='{text}'><body>{text}</body></message>"))
}

fn muc(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[])?;
    let mut guest = Client::online(server, 1)?;
    join(&mut guest, &room, "guest")?;
    owner.presence(&format!("from='{room}/guest'"))?;
    say(&mut guest, &room, "good-evening")?;
    let heard = owner.message("good-evening")?;
    hold(heard.has(&format!("from='{room}/guest'")), "not from the occupant", &heard.text)?;
    guest.message("good-evening")?;
    owner.send(&format!("<message to='{room}/guest' type='chat'><body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/></message>"))?;
    let heard = guest.message("psst")?;
    hold(heard.has(&format!("from='{room}/owner'")), "whispered by somebody else", &heard.text)?;
    guest.send(&format!("<presence to='{room}/visitor'/>"))?;
    owner.presence("code='303'")?;
    guest.presence(&format!("from='{room}/visitor'"))?;
    owner.send(&format!("<message to='{room}' type='groupchat'><subject>of love</subject></message>"))?;
    guest.message("<subject>of love</subject>")?;
    guest
        .refused("set", &room, &change("nick='owner'", "role='none'"), "not-allowed")
        .or_else(|_| guest.refused("set", &room, &change("nick='owner'", "role='none'"), "forbidden"))?;
    owner.set(&room, &change("nick='visitor'", "role='none'"))?;
    guest.presence("code='307'")?;
    let jid = server.bare(1);
    doors(server, &mut owner, &mut guest, &room, &jid)?;
    owner.set(&room, "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>")?;
    owner.presence("<destroy").map(drop)
}

fn change(who: &str, what: &str) -> String {
    format!("<query xmlns='{ADMIN}'><item {who} {what}/></query>")
}

/// Bans, members only, password.
fn doors(_: &Server, owner: &mut Client<'_>, guest: &mut Client<'_>, room: &str, jid: &str) -> Said {
    let mut refused = |owner: &mut Client<'_>, condition: &str| -> Said {
        guest.send(&format!(
            "<presence to='{room}/again'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ))?;
        let from = format!("from='{room}/again'");
        let seen = guest.presence(&from)?;
        hold(seen.has(&format!("<{condition}")), &format!("not {condition}"), &seen.text)?;
        owner.fence()
    };
    owner.set(room, &change(&format!("jid='{jid}'"), "affiliation='outcast'"))?;
    refused(owner, "forbidden")?;
    owner.set(room, &change(&format!("jid='{jid}'"), "affiliation='none'"))?;
    super::with::configure(owner, room, &[("muc#roomconfig_membersonly", "1")])?;
    refused(owner, "registration-required")?;
    super::with::configure(
        owner,
        room,
        &[
            ("muc#roomconfig_membersonly", "0"),
            ("muc#roomconfig_passwordprotectedroom", "1"),
            ("muc#roomconfig_roomsecret", "sesame"),
        ],
    )?;
    refused(owner, "not-authorized")
}

fn invitations(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[])?;
    let mut guest = Client::online(server, 1)?;
    let to = server.bare(1);
    owner.send(&format!(
        "<message to='{to}'><x xmlns='jabber:x:conference' jid='{room}' reason='come'/></message>"
    ))?;
    guest.message(&format!("jid='{room}'"))?;
    owner.send(&format!(
        "<message to='{room}'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{to}'><reason>do come</reason>\
         </invite></x></message>"
    ))?;
    let seen = guest.message("do come")?;
    hold(seen.has(&format!("from='{room}'")), "not from the room", &seen.text)
}

fn archives(server: &Server) -> Said {
    let settings =
        [("muc#roomconfig_enablearchiving", "1"), ("muc#roomconfig_membersonly", "1"), ("mam", "1")];
    let (mut owner, room) = room(server, 0, &settings)?;
    let info = owner.info(&room)?;
    need(info.has("var='urn:xmpp:mam:2'"), "urn:xmpp:mam:2 is not announced by the room")?;
    let text = server.name("kept");
    say(&mut owner, &room, &text)?;
    let seen = owner.message(&text)?;
    let (found, end) = archive(&mut owner, &room, &last(""))?;
    let Some(found) = found.first() else { return broken(format!("nothing found: {}", end.text)) };
    let id = found.attr_of("result", "id").unwrap_or_default();
    hold(found.has(&text), "not what was said", &found.text)?;
    let stamp = seen.has("<stanza-id xmlns='urn:xmpp:sid:0'") && seen.has(&format!("id='{id}'"));
    hold(stamp, &format!("said without the id {id}"), &seen.text)?;
    let mut stranger = Client::online(server, 1)?;
    let answer =
        stranger.ask("set", &room, &format!("<query xmlns='urn:xmpp:mam:2'>{}</query>", last("")))?;
    let leaked = stranger.inbox.iter().any(|heard| heard.has(&text));
    hold(answer.has("type='error'") && !leaked, "a stranger reads a room for members", &answer.text)
}

fn bookmarks(server: &Server) -> Said {
    let mut client = Client::online(server, 0)?;
    let room = format!("{}@rooms.example", server.name("room"));
    let options = [
        ("persist_items", "true"),
        ("max_items", "max"),
        ("send_last_published_item", "never"),
        ("access_model", "whitelist"),
    ];
    let conference = |name: &str| {
        format!(
            "<conference xmlns='urn:xmpp:bookmarks:1' name='{name}' autojoin='true'><nick>J</nick></conference>"
        )
    };
    publish(&mut client, "urn:xmpp:bookmarks:1", &room, &conference("new"), &options)?;
    let old =
        client.get("", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>")?;
    if !old.has(&format!("jid='{room}'")) {
        return missing("a bookmark in PEP does not show up in private storage");
    }
    let other = format!("{}@rooms.example", server.name("room"));
    client.set("", &format!(
        "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='{other}' name='old'/>\
         </storage></query>"
    ))?;
    let new = client.get("", &super::with::items("urn:xmpp:bookmarks:1"))?;
    hold(
        new.has(&format!("id='{other}'")),
        "a bookmark in private storage does not show up in PEP",
        &new.text,
    )?;
    let info = client.info(&server.bare(0))?;
    hold(info.has("var='urn:xmpp:bookmarks:1#compat'"), "#compat is not announced", "info")
}

fn self_ping(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[])?;
    owner.get(&format!("{room}/owner"), "<ping xmlns='urn:xmpp:ping'/>")?;
    let mut stranger = Client::online(server, 1)?;
    stranger.refused("get", &format!("{room}/owner"), "<ping xmlns='urn:xmpp:ping'/>", "not-acceptable")
}

fn search(server: &Server) -> Said {
    let word = server.name("verona");
    let settings = [
        ("muc#roomconfig_roomname", word.as_str()),
        ("muc#roomconfig_publicroom", "1"),
        ("muc#roomconfig_persistentroom", "1"),
    ];
    let (mut owner, room) = room(server, 0, &settings)?;
    let service = owner.service("urn:xmpp:channel-search:0:search")?;
    let found = owner.get(
        &service,
        &format!(
            "<search xmlns='urn:xmpp:channel-search:0:search'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:channel-search:0:search-params</value></field>\
         <field var='q'><value>{word}</value></field><field var='sinname'><value>true</value></field>\
         <field var='key'><value>{{urn:xmpp:channel-search:0:order}}address</value></field></x></search>"
        ),
    )?;
    owner.set(&room, "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>")?;
    hold(found.has(&room), "not found", &found.text)
}

fn retraction(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[("muc#roomconfig_enablearchiving", "1"), ("mam", "1")])?;
    let mut guest = Client::online(server, 1)?;
    join(&mut guest, &room, "guest")?;
    let text = server.name("regret");
    say(&mut guest, &room, &text)?;
    let seen = owner.message(&text)?;
    let id = seen.attr_of("stanza-id", "id").unwrap_or_default().to_owned();
    guest.send(&format!(
        "<message to='{room}' type='groupchat' id='r1'><retract xmlns='urn:xmpp:message-retract:1' id='{id}'/></message>"
    ))?;
    owner.message("<retract xmlns='urn:xmpp:message-retract:1'")?;
    // It may take a moment.
    for _ in 0..5 {
        let (found, _) = archive(&mut owner, &room, "")?;
        if !found.iter().any(|heard| heard.has(&format!("<body>{text}"))) {
            return Ok(());
        }
        std::thread::sleep(QUIET / 5);
    }
    missing("passed on, but the archive still shows the text")
}

fn moderation(server: &Server) -> Said {
    let (mut owner, room) = room(server, 0, &[("muc#roomconfig_enablearchiving", "1"), ("mam", "1")])?;
    let info = owner.info(&room)?;
    if !info.has("var='urn:xmpp:message-moderate:1'") {
        let older = info.has("var='urn:xmpp:message-moderate:0'");
        return missing(if older {
            "only its older version (:0) is announced"
        } else {
            "not announced by rooms"
        });
    }
    let mut guest = Client::online(server, 1)?;
    join(&mut guest, &room, "guest")?;
    let text = server.name("insult");
    say(&mut guest, &room, &text)?;
    let seen = owner.message(&text)?;
    let id = seen.attr_of("stanza-id", "id").unwrap_or_default().to_owned();
    let moderate = format!(
        "<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>"
    );
    let answer = guest.ask("set", &room, &moderate)?;
    hold(answer.has("type='error'"), "everybody may moderate", &answer.text)?;
    owner.set(&room, &moderate)?;
    let told = guest.message("<moderated xmlns='urn:xmpp:message-moderate:1'")?;
    hold(told.has(&id), "not that message", &told.text)?;
    let (found, _) = archive(&mut owner, &room, "")?;
    hold(
        found.iter().all(|heard| !heard.has(&format!("<body>{text}"))),
        "the archive still shows the text",
        &text,
    )
}
