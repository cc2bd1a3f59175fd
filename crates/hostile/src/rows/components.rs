//! Group H: what a component may do that it should not.
//!
//! XEP-0114 1.6, XEP-0356 0.4.1
//!
//! Not here: one stream alone (`crates/s2s`), what components may do (`crates/components`).

use crate::Outcome;
use crate::client::{Transport, shown};
use crate::peer::{Peer, handshake};
use crate::row::{On, Row};
use crate::server::{COMPONENTS, SECRET};
use crate::stage::Stage;
use crate::verdict::stream_error;

const OURS: &str = "a.example";
/// One connection for each component; who comes second while it lives is refused.
const ONCE: On = On::Only(Transport::StartTls);
const FIRST: &str = COMPONENTS[0];
const SECOND: &str = COMPONENTS[1];
const THIRD: &str = COMPONENTS[2];
const FIFTH: &str = COMPONENTS[3];
const SEVENTH: &str = COMPONENTS[4];

fn connect(stage: &Stage<'_>) -> Outcome<Peer> {
    Peer::connect(stage.server.address(), stage.server.world()?.component)
}

/// A component that has its domain.
fn attached(stage: &Stage<'_>, domain: &str) -> Outcome<Peer> {
    let mut peer = connect(stage)?;
    let id = peer.greet_as(domain)?;
    peer.say(handshake(&id, SECRET));
    peer.until("<handshake/>")?;
    Ok(peer)
}

fn dies(peer: &mut Peer, condition: &str) -> Outcome {
    let seen = peer.rest()?;
    match stream_error(&seen) == Some(condition) {
        true => Ok(()),
        false => Err(format!("not {condition} but {:?}", shown(&seen))),
    }
}

fn ping(from: &str, to: &str, id: &str) -> String {
    format!("<iq type='get' from='{from}' to='{to}' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>")
}

pub(super) fn rows() -> Vec<Row> {
    let row = |id, title, expected| Row::new(id, title, expected).federating();
    vec![
        row(
            "H-01",
            "a wrong handshake, an empty one, that of another stream, a domain that is no component's, a stanza instead",
            "SE not-authorized, host-unknown",
        )
        .script(ONCE, handshakes),
        row(
            "H-02",
            "stanzas from domains that are not its own: ours, a user's, one below, another component's, one of another server; none",
            "SE invalid-from, improper-addressing",
        )
        .script(ONCE, |stage| {
            for (from, condition) in [
                ("juliet@a.example", "invalid-from"),
                (OURS, "invalid-from"),
                (FIRST, "invalid-from"),
                ("x@c.example", "invalid-from"),
                ("x.h2.a.example", "invalid-from"),
                ("", "improper-addressing"),
            ] {
                let mut peer = attached(stage, SECOND)?;
                peer.say(ping(from, OURS, "1"));
                dies(&mut peer, condition).map_err(|fault| format!("{from}: {fault}"))?;
            }
            Ok(())
        }),
        row("H-03", "a second connection for the same domain", "SE conflict; the one that lives stays").script(ONCE, second),
        row("H-05", "privileges that were not granted: contacts, requests and messages in a user's name", "ST forbidden")
            .script(ONCE, forbidden),
        row("H-07", "a flood of requests", "all are answered, and nobody else waits").budget(3_000, 16 * 1024).script(
            ONCE,
            |stage| {
                let mut peer = attached(stage, SEVENTH)?;
                for round in 0..20 {
                    let pings: String = (0..100).map(|n| ping(SEVENTH, OURS, &format!("f{round}-{n}"))).collect();
                    peer.say(pings);
                    peer.until(&format!("id='f{round}-99'"))?;
                }
                Ok(())
            },
        ),
    ]
}

fn handshakes(stage: &Stage<'_>) -> Outcome {
    let mut first = connect(stage)?;
    let replayed = handshake(&first.greet_as(FIRST)?, SECRET);
    for said in [
        replayed.as_str(),
        "<handshake/>",
        &handshake("", SECRET),
        &handshake("x", "swordfish"),
        &ping(FIRST, OURS, "1"),
    ] {
        let mut peer = connect(stage)?;
        peer.greet_as(FIRST)?;
        peer.say(said);
        dies(&mut peer, "not-authorized").map_err(|fault| format!("{said}: {fault}"))?;
    }
    for domain in [OURS, "c.example", "x.h1.a.example", "conference.a.example"] {
        let mut peer = connect(stage)?;
        peer.greet_as(domain)?;
        peer.say(handshake("", SECRET));
        dies(&mut peer, "host-unknown").map_err(|fault| format!("{domain}: {fault}"))?;
    }
    Ok(())
}

/// The first is asked whether it lives.
fn second(stage: &Stage<'_>) -> Outcome {
    let (mut first, mut second) = (attached(stage, THIRD)?, connect(stage)?);
    let alive = |peer: &mut Peer, id: &str| {
        peer.say(ping(THIRD, OURS, id));
        peer.until(&format!("id='{id}'")).map(drop)
    };
    let id = second.greet_as(THIRD)?;
    second.say(handshake(&id, SECRET));
    // It is asked for a sign of life, and anything will do.
    first.until("<iq ")?;
    alive(&mut first, "alive")?;
    dies(&mut second, "conflict")?;
    alive(&mut first, "still")
}

fn forbidden(stage: &Stage<'_>) -> Outcome {
    let mut peer = attached(stage, FIFTH)?;
    let roster = format!(
        "<iq type='get' from='{FIFTH}' to='juliet@a.example' id='roster'><query xmlns='jabber:iq:roster'/></iq>"
    );
    let asked = format!(
        "<iq type='set' from='{FIFTH}' to='juliet@a.example' id='asked'><privileged_iq xmlns='urn:xmpp:privilege:2'>\
         <iq xmlns='jabber:client' type='get' id='own'><query xmlns='jabber:iq:version'/></iq></privileged_iq></iq>"
    );
    for (say, id) in [(roster, "id='roster'"), (asked, "id='asked'")] {
        peer.say(say);
        peer.until(id)?;
        let seen = peer.until("</iq>")?;
        if !seen.contains("type='error'") {
            return Err(format!("it may: {:?}", shown(&seen)));
        }
    }
    let spoken = format!(
        "<message from='{FIFTH}' to='{OURS}' id='spoken'><privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'>\
         <message xmlns='jabber:client' from='juliet@a.example' to='x@a.example'><body>hostile-payload</body></message>\
         </forwarded></privilege></message>"
    );
    peer.say(spoken);
    peer.until("id='spoken'")?;
    peer.until("<forbidden").map(drop)
}
