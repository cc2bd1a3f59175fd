//! Category "A/V calls".
//!
//! XEP-0215
//!
//! Not here: the messages of a call (`newer.rs`).

use super::{Level, Row, client, row};
use crate::client::Client;
use crate::server::Server;
use crate::verdict::{Said, hold};

pub(super) fn rows() -> Vec<Row> {
    vec![
        client("XEP-0167", "Jingle RTP Sessions"),
        client("XEP-0176", "Jingle ICE-UDP Transport Method"),
        client("XEP-0320", "Use of DTLS-SRTP in Jingle Sessions"),
        row(
            "XEP-0215",
            "External Service Discovery",
            Level::Core,
            "a STUN and a TURN server with address and port; for TURN a name, a password and when they expire",
            external,
        ),
        client("XEP-0293", "Jingle RTP Feedback Negotiation"),
        client("XEP-0294", "Jingle RTP Header Extensions Negotiation"),
        client("XEP-0338", "Jingle Grouping Framework"),
        client("XEP-0339", "Source-Specific Media Attributes in Jingle"),
    ]
}

fn external(server: &Server) -> Said {
    let mut client = Client::bound(server, 0)?;
    let told = client.get(&server.domain, "<services xmlns='urn:xmpp:extdisco:2'/>")?;
    let service = |kind: &str| {
        told.text.split("<service ").find(|one| one.contains(&format!("type='{kind}'"))).map(str::to_owned)
    };
    for kind in ["stun", "turn"] {
        let one = service(kind).unwrap_or_default();
        hold(one.contains("host='") && one.contains("port='"), &format!("no {kind}"), &told.text)?;
    }
    let turn = service("turn").unwrap_or_default();
    let secret = ["username='", "password='", "expires='"].iter().all(|name| turn.contains(name));
    hold(secret, "no credentials for TURN", &turn)
}
