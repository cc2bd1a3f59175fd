//! Category "Mobile".
//!
//! XEP-0198, XEP-0352, XEP-0357
//!
//! Not here: inline stream management (`newer_login.rs`).

use super::with::{QUIET, friends, strangers};
use super::{Level, Row, client, row};
use crate::client::{By, Client};
use crate::server::Server;
use crate::verdict::{Said, broken, hold, missing, need};

const SM: &str = "urn:xmpp:sm:3";

pub(super) fn rows() -> Vec<Row> {
    use Level::{Advanced, Core};
    vec![
        row(
            "XEP-0198",
            "Stream Management: acknowledgements",
            Core,
            "enable, send, ask: what was sent is counted; the server asks for its own",
            acks,
        ),
        row(
            "XEP-0198",
            "Stream Management: resumption",
            Core,
            "cut the connection, resume on a new one: what came meanwhile is delivered",
            resume,
        ),
        row(
            "XEP-0352",
            "Client State Indication",
            Core,
            "a contact's presence is held back while inactive, and delivered with what is active again",
            inactive,
        ),
        row(
            "XEP-0357",
            "Push Notifications",
            Advanced,
            "enable with another account as the service; a message for nobody online leads to a notification there",
            push,
        ),
        client("XEP-0286", "Mobile Considerations on LTE Networks"),
    ]
}

fn enable(client: &mut Client<'_>) -> Said<String> {
    need(client.features.has(&format!("<sm xmlns='{SM}'")), "stream management is not offered")?;
    client.send(&format!("<enable xmlns='{SM}' resume='true'/>"))?;
    let answer = client
        .wait("enabled", |heard| heard.text.starts_with("<enabled") || heard.text.starts_with("<failed"))?;
    match answer.attr("id") {
        Some(id) => Ok(id),
        None => broken(format!("not to be resumed: {}", answer.text)),
    }
}

fn acks(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    enable(&mut client)?;
    let me = client.jid.clone();
    client
        .send(&format!("<message to='{me}' type='chat'><body>count me</body></message><r xmlns='{SM}'/>"))?;
    let ack = client.wait("acknowledgement", |heard| heard.text.starts_with("<a "))?;
    hold(ack.attr("h").as_deref() == Some("1"), "one stanza was sent", &ack.text)?;
    client.message("count me")?;
    client.wait("the server's request", |heard| heard.text.starts_with("<r ")).map(drop)
}

fn resume(server: &Server) -> Said {
    let (mut juliet, mut romeo) = (Client::online(server, 0)?, Client::online(server, 1)?);
    let id = enable(&mut juliet)?;
    let jid = juliet.jid.clone();
    juliet.fence()?;
    juliet.cut = true;
    drop(juliet);
    romeo.send(&format!("<message to='{jid}' type='chat'><body>while away</body></message>"))?;
    romeo.fence()?;
    let mut juliet = Client::connect(server, By::StartTls)?;
    juliet.authenticate(&server.accounts[0])?;
    juliet.open()?;
    juliet.send(&format!("<resume xmlns='{SM}' previd='{id}' h='1'/>"))?;
    let answer = juliet
        .wait("resumed", |heard| heard.text.starts_with("<resumed") || heard.text.starts_with("<failed"))?;
    hold(answer.text.starts_with("<resumed"), "not resumed", &answer.text)?;
    juliet.message("while away")?;
    juliet.fence()
}

fn inactive(server: &Server) -> Said {
    let (mut juliet, mut romeo) = friends(server)?;
    need(juliet.features.has("<csi xmlns='urn:xmpp:csi:0'"), "client state is not offered")?;
    juliet.send("<inactive xmlns='urn:xmpp:csi:0'/>")?;
    romeo.fence()?;
    romeo.send("<presence><show>away</show><status>held back</status></presence>")?;
    romeo.fence()?;
    let early = juliet.wait_within(QUIET, "nothing", |heard| heard.has("held back"));
    hold(early.is_err(), "presence comes at once to an inactive client", "presence")?;
    juliet.send("<active xmlns='urn:xmpp:csi:0'/>")?;
    juliet.presence("held back").map(drop)
}

fn push(server: &Server) -> Said {
    let (mut juliet, mut romeo) = strangers(server)?;
    let own = juliet.info(&server.bare(0))?;
    need(own.has("var='urn:xmpp:push:0'"), "urn:xmpp:push:0 is not announced")?;
    let service = romeo.jid.clone();
    let node = server.name("push");
    juliet.set("", &format!("<enable xmlns='urn:xmpp:push:0' jid='{service}' node='{node}'/>"))?;
    juliet.send("<presence type='unavailable'/>")?;
    juliet.fence()?;
    drop(juliet);
    let to = server.bare(0);
    romeo.send(&format!("<message to='{to}' type='chat' id='p'><body>wake up</body></message>"))?;
    let told =
        romeo.wait("notification", |heard| heard.text.starts_with("<iq") && heard.has("urn:xmpp:push:0"));
    let Ok(told) = told else { return missing("enabled, but no notification comes") };
    let (id, from) = (told.attr("id").unwrap_or_default(), told.attr("from").unwrap_or_default());
    romeo.send(&format!("<iq type='result' id='{id}' to='{from}'/>"))?;
    let mut juliet = Client::online(server, 0)?;
    juliet.set("", &format!("<disable xmlns='urn:xmpp:push:0' jid='{service}'/>"))?;
    hold(told.has(&format!("node='{node}'")), "not to the node", &told.text)
}
