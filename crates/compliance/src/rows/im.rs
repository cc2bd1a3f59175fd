//! Category "Instant messaging", except rooms.
//!
//! RFC 6121, XEP-0398, XEP-0153, XEP-0054, XEP-0280, XEP-0191, XEP-0223, XEP-0049, XEP-0198, XEP-0313, XEP-0363,
//! XEP-0077, XEP-0157
//!
//! Not here: rooms (`rooms.rs`).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::with::{QUIET, archive, befriend, friends, items, last, publish, strangers};
use super::{Level, Row, client, row};
use crate::client::{By, Client};
use crate::http;
use crate::server::Server;
use crate::verdict::{Said, broken, hold, missing, need};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = first();
    rows.extend(second());
    rows
}

fn first() -> Vec<Row> {
    use Level::{Advanced, Core};
    vec![
        row(
            "RFC 6121",
            "XMPP: Instant Messaging and Presence",
            Core,
            "both subscribe to each other with pushes; presence and its end are seen; messages reach the bare and the full address; one for nobody online waits",
            im,
        ),
        client("XEP-0245", "The /me Command"),
        client("XEP-0084", "User Avatar"),
        row(
            "XEP-0398",
            "User Avatar to vCard-Based Avatars Conversion",
            Advanced,
            "an avatar is published; the vCard has it as a photo, and presence has its hash (XEP-0153)",
            avatar,
        ),
        row("XEP-0054", "vcard-temp", Core, "set; read by oneself and by another", vcard),
        row(
            "XEP-0280",
            "Message Carbons",
            Core,
            "a second device gets copies of what was received and what was sent, and none of what is private",
            carbons,
        ),
        row(
            "XEP-0191",
            "Blocking Command",
            Advanced,
            "block, list, a message is refused, unblock, it comes",
            blocking,
        ),
        row(
            "XEP-0223",
            "Persistent Storage of Private Data via PubSub",
            Advanced,
            "publish with publish-options whitelist; it is there for the next session, and refused to another account",
            private_node,
        ),
    ]
}

fn second() -> Vec<Row> {
    use Level::{Advanced, Core, Noted};
    vec![
        row("XEP-0049", "Private XML Storage", Advanced, "set and get", private_xml),
        client("XEP-0184", "Message Delivery Receipts"),
        row(
            "XEP-0313",
            "Message Archive Management",
            Advanced,
            "a message is found by its correspondent, with paging, under the id that its recipient got",
            mam,
        ),
        client("XEP-0085", "Chat State Notifications"),
        client("XEP-0308", "Last Message Correction"),
        row(
            "XEP-0363",
            "HTTP File Upload",
            Core,
            "slot, PUT, GET gives the same bytes; a file that is too large gets file-too-large",
            upload,
        ),
        client("XEP-0234", "Jingle File Transfer"),
        client("XEP-0261", "Jingle In-Band Bytestreams"),
        row(
            "XEP-0077",
            "In-Band Registration",
            Noted,
            "where it is switched on: make an account, log in, change the password, remove it; then no login",
            registration,
        ),
        row(
            "XEP-0157",
            "Contact Addresses for XMPP Services",
            Noted,
            "where one is configured: an address for abuse in the domain's info",
            contacts,
        ),
    ]
}

fn im(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    befriend(&mut juliet, &mut romeo)?;
    romeo.send("<presence><status>here I am</status></presence>")?;
    juliet.presence("here I am")?;
    for to in [juliet.jid.clone(), juliet.bare().to_owned()] {
        romeo.send(&format!("<message to='{to}' type='chat'><body>to {to}</body></message>"))?;
        let came = juliet.message(&format!("to {to}<"))?;
        hold(came.has(&format!("from='{}'", romeo.jid)), "not from the sender", &came.text)?;
    }
    juliet.send("<presence type='unavailable'/>")?;
    // With the resource: during the handshake some servers say it of the bare address.
    let gone = format!("from='{}'", juliet.jid);
    romeo.wait("the end of presence", |heard| heard.has("type='unavailable'") && heard.has(&gone))?;
    drop(juliet);
    let text = server.name("offline");
    let to = server.bare(0);
    romeo.send(&format!("<message to='{to}' type='chat'><body>{text}</body></message>"))?;
    romeo.fence()?;
    let mut juliet = Client::online(server, 0)?;
    let came = juliet.message(&text)?;
    hold(came.has("<delay xmlns='urn:xmpp:delay'"), "kept without the time it came", &came.text)
}

/// One pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn avatar(server: &Server) -> Said {
    let (mut juliet, mut romeo) = friends(server)?;
    let bytes = BASE64.decode(PNG)?;
    let id: String = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // A card is for everybody to see: only what everybody may see becomes its photo (section 4).
    let open = [("access_model", "open")];
    publish(
        &mut juliet,
        "urn:xmpp:avatar:data",
        &id,
        &format!("<data xmlns='urn:xmpp:avatar:data'>{PNG}</data>"),
        &open,
    )?;
    let info = format!(
        "<metadata xmlns='urn:xmpp:avatar:metadata'><info id='{id}' type='image/png' bytes='{}' width='1' height='1'/>\
         </metadata>",
        bytes.len()
    );
    publish(&mut juliet, "urn:xmpp:avatar:metadata", &id, &info, &open)?;
    // The conversion may take a moment, and then counts for presence that is sent from then on.
    let mut seen = String::new();
    for n in 0..5 {
        juliet.send(&format!("<presence><status>face {n}</status></presence>"))?;
        seen = romeo.presence(&format!("<status>face {n}<"))?.text;
        if seen.contains("vcard-temp:x:update") && seen.contains(&format!("<photo>{id}</photo>")) {
            break;
        }
        std::thread::sleep(QUIET / 5);
    }
    let vcard = romeo.get(&server.bare(0), "<vCard xmlns='vcard-temp'/>")?;
    let photo = vcard.text_of("BINVAL").unwrap_or_default().split_whitespace().collect::<String>();
    need(!photo.is_empty(), "the vCard has no photo")?;
    hold(photo == PNG, "another photo", &vcard.text)?;
    hold(seen.contains(&format!("<photo>{id}</photo>")), "no hash of the photo in presence", &seen)
}

fn vcard(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let name = server.name("Juliet Capulet ");
    juliet
        .set("", &format!("<vCard xmlns='vcard-temp'><FN>{name}</FN><NICKNAME>jules</NICKNAME></vCard>"))?;
    let own = juliet.get("", "<vCard xmlns='vcard-temp'/>")?;
    hold(own.has(&name), "not what was set", &own.text)?;
    let other = romeo.get(&server.bare(0), "<vCard xmlns='vcard-temp'/>")?;
    hold(other.has(&name) && other.has("<NICKNAME>jules"), "another does not see it", &other.text)
}

fn carbons(server: &Server) -> Said {
    let (mut first, mut romeo) = strangers(server)?;
    let mut second = Client::online(server, 0)?;
    second.set("", "<enable xmlns='urn:xmpp:carbons:2'/>")?;
    let to = first.jid.clone();
    romeo.send(&format!("<message to='{to}' type='chat' id='c1'><body>copy this</body></message>"))?;
    first.message("copy this")?;
    let copy = second.message("copy this")?;
    let right =
        copy.has("<received xmlns='urn:xmpp:carbons:2'") && copy.has(&format!("from='{}'", server.bare(0)));
    hold(right, "no copy from the own account", &copy.text)?;
    let to = romeo.jid.clone();
    first.send(&format!("<message to='{to}' type='chat' id='c2'><body>said elsewhere</body></message>"))?;
    let copy = second.message("said elsewhere")?;
    hold(copy.has("<sent xmlns='urn:xmpp:carbons:2'"), "no copy of what was sent", &copy.text)?;
    first.send(&format!(
        "<message to='{to}' type='chat' id='c3'><body>in private</body><private xmlns='urn:xmpp:carbons:2'/></message>"
    ))?;
    first.send(&format!("<message to='{to}' type='chat' id='c4'><body>after it</body></message>"))?;
    second.message("after it")?;
    hold(second.inbox.iter().all(|heard| !heard.has("in private")), "what is private was copied", "carbons")
}

fn blocking(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let item = format!("<item jid='{}'/>", server.bare(1));
    juliet.set("", &format!("<block xmlns='urn:xmpp:blocking'>{item}</block>"))?;
    let list = juliet.get("", "<blocklist xmlns='urn:xmpp:blocking'/>")?;
    let listed = list.has(&item);
    let to = juliet.jid.clone();
    romeo.send(&format!("<message to='{to}' type='chat' id='b1'><body>let me in</body></message>"))?;
    let refused = romeo.wait("refusal", |heard| heard.has("id='b1'") && heard.has("type='error'"));
    juliet.fence()?;
    let through = juliet.inbox.iter().any(|heard| heard.has("let me in"));
    juliet.set("", &format!("<unblock xmlns='urn:xmpp:blocking'>{item}</unblock>"))?;
    hold(listed, "not in the list", &list.text)?;
    hold(!through, "the message came all the same", "blocked")?;
    romeo.send(&format!("<message to='{to}' type='chat' id='b2'><body>and now</body></message>"))?;
    juliet.message("and now")?;
    // It should be refused (section 3.5), and may be dropped: then nothing comes.
    refused.map(drop).or(Ok(()))
}

fn private_node(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let node = format!("urn:example:{}", server.name("private"));
    let options = [("persist_items", "true"), ("access_model", "whitelist")];
    publish(&mut juliet, &node, "one", "<mine xmlns='urn:example:x'/>", &options)?;
    drop(juliet);
    let mut again = Client::bound(server, 0)?;
    let kept = again.get("", &items(&node))?;
    hold(kept.has("<mine xmlns='urn:example:x'"), "not kept", &kept.text)?;
    let other = romeo.ask("get", &server.bare(0), &items(&node))?;
    hold(other.has("type='error'") && !other.has("<mine"), "another account reads it", &other.text)
}

fn private_xml(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    let value = server.name("value");
    client
        .set("", &format!("<query xmlns='jabber:iq:private'><x xmlns='urn:example:p'>{value}</x></query>"))?;
    let got = client.get("", "<query xmlns='jabber:iq:private'><x xmlns='urn:example:p'/></query>")?;
    hold(got.has(&value), "not what was set", &got.text)
}

fn mam(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let own = juliet.info(&server.bare(0))?;
    need(own.has("var='urn:xmpp:mam:2'"), "urn:xmpp:mam:2 is not announced by the account")?;
    let (first, second) = (server.name("earlier"), server.name("later"));
    let to = juliet.jid.clone();
    for text in [&first, &second] {
        romeo.send(&format!("<message to='{to}' type='chat'><body>{text}</body></message>"))?;
    }
    juliet.message(&first)?;
    let came = juliet.message(&second)?;
    let (found, end) = archive(&mut juliet, "", &last(&server.bare(1)))?;
    let Some(found) = found.first() else { return broken(format!("nothing found: {}", end.text)) };
    hold(found.has(&second), "not the last message", &found.text)?;
    hold(!end.has("complete='true'"), "one message of several is said to be all", &end.text)?;
    let id = found.attr_of("result", "id").unwrap_or_default();
    let stamp = came.has("<stanza-id xmlns='urn:xmpp:sid:0'") && came.has(&format!("id='{id}'"));
    hold(stamp, &format!("delivered without the id {id}"), &came.text)?;
    let query = last(&server.bare(1)).replace("<before/>", &format!("<before>{id}</before>"));
    let (found, end) = archive(&mut juliet, "", &query)?;
    hold(
        found.first().is_some_and(|heard| heard.has(&first)),
        "the page before has not the earlier one",
        &end.text,
    )
}

fn upload(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    let service = client.service("urn:xmpp:http:upload:0")?;
    let content = server.name("content of the file ");
    let request = |size: u64| {
        format!(
            "<request xmlns='urn:xmpp:http:upload:0' filename='a b.txt' size='{size}' content-type='text/plain'/>"
        )
    };
    let slot = client.get(&service, &request(content.len() as u64))?;
    let url = |tag: &str| slot.attr_of(tag, "url").map(|url| url.replace("&amp;", "&")).unwrap_or_default();
    let mut headers = "Content-Type: text/plain\r\n".to_owned();
    slot.look(|iq| {
        let put = iq.children().next().and_then(|slot| slot.child("put", "urn:xmpp:http:upload:0"));
        for header in put.iter().flat_map(|put| put.children()) {
            headers += &format!("{}: {}\r\n", header.attr("name").unwrap_or_default(), header.text());
        }
    })?;
    let put = http::request(server, "PUT", &url("put"), &headers, content.as_bytes())?;
    hold(matches!(put.status, 200 | 201), "PUT", &put.status.to_string())?;
    let got = http::request(server, "GET", &url("get"), "", b"")?;
    hold(got.status == 200 && got.body == content.as_bytes(), "GET", &got.status.to_string())?;
    let large = client.ask("get", &service, &request(1 << 50))?;
    hold(large.has("<file-too-large"), "a file of 1 PiB", &large.text)
}

fn registration(server: &Server) -> Said {
    let mut new = Client::connect(server, By::StartTls)?;
    need(new.features.has("http://jabber.org/features/iq-register"), "not offered")?;
    let account = crate::server::Account { name: server.name("fresh"), password: "a long secret".into() };
    new.get("", "<query xmlns='jabber:iq:register'/>")?;
    let set = |password: &str| {
        format!(
            "<query xmlns='jabber:iq:register'><username>{}</username><password>{password}</password></query>",
            account.name
        )
    };
    new.set("", &set(&account.password))?;
    let login = |password: &str| -> Said<Client<'_>> {
        let mut client = Client::connect(server, By::StartTls)?;
        client.authenticate(&crate::server::Account {
            password: password.into(),
            name: account.name.clone(),
        })?;
        client.open()?;
        client.bind("fresh")?;
        Ok(client)
    };
    let mut client = login(&account.password)?;
    client.set("", &set("another secret"))?;
    let mut client = login("another secret")?;
    if login(&account.password).is_ok() {
        return broken("the old password is still good");
    }
    client.send("<iq type='set' id='gone'><query xmlns='jabber:iq:register'><remove/></query></iq>")?;
    let _ = client.wait("the end", |heard| heard.has("id='gone'"));
    match login("another secret") {
        Ok(_) => broken("the account is still there"),
        Err(_) => Ok(()),
    }
}

fn contacts(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    let info = client.info(&server.domain)?;
    if !info.has("http://jabber.org/network/serverinfo") {
        return missing("no form of addresses");
    }
    hold(info.has("abuse-addresses") && info.has("mailto:"), "no address for abuse", &info.text)
}
