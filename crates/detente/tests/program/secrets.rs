//! What nobody may find in the log, whatever its level: passwords, tokens, and what people write to each other.
//!
//! Not here: what is in the database (crate `accounts`).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::Server;
use crate::world::World;

/// Words that are in nothing but secrets. In base64 they begin where a group of three does, so that they are found there.
const WORDS: [&str; 6] = [
    "canaryPassword99",
    "canaryRegister99",
    "canaryChanged9999",
    "canaryBody999999",
    "canaryCard999999",
    "canaryWrong999999",
];

/// A stream without TLS, which loopback may have.
struct Wire(TcpStream);

impl Wire {
    fn open(address: &str) -> Wire {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut wire = Wire(stream);
        wire.header();
        wire
    }

    fn header(&mut self) {
        let header = "<stream:stream xmlns='jabber:client' to='localhost' version='1.0' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";
        self.ask(header, "</stream:features>");
    }

    /// Says something; gives what comes up to this.
    fn ask(&mut self, xml: &str, until: &str) -> String {
        self.0.write_all(xml.as_bytes()).unwrap();
        let (mut seen, mut byte) = (String::new(), [0]);
        while !seen.ends_with(until) {
            let n = self.0.read(&mut byte).unwrap();
            assert_eq!(n, 1, "closed after {seen}, which was to have {until}");
            seen.push(char::from(byte[0]));
        }
        seen
    }

    /// A request to the server that succeeds.
    fn request(&mut self, id: &str, kind: &str, to: &str, payload: &str) -> String {
        let seen =
            self.ask(&format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>"), &format!("id='{id}'"));
        let rest = self.ask("", ">");
        assert!((seen + &rest).contains("result"), "{id}: {rest}");
        if rest.ends_with("/>") { rest } else { self.ask("", "</iq>") }
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits =
            three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        let digit = |at: usize| char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
        (0..4).map(|at| if at <= three.len() { digit(at) } else { '=' }).collect::<String>()
    };
    text.as_bytes().chunks(3).map(group).collect()
}

/// What stands between two marks.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before)
        .and_then(|(_, rest)| rest.split_once(after))
        .map(|(found, _)| found)
        .unwrap_or_else(|| panic!("no {before} in {text}"))
}

/// Row L-02 of the list of bad input.
#[test]
fn l02_no_secret_is_in_the_log_at_any_level() {
    let world = World::new();
    let here = "127.0.0.1:0";
    let server = Server::start_with(
        &world,
        &[
            ("DETENTE_LOG__LEVEL", "trace"),
            ("DETENTE_AUTH__INSECURE_LOOPBACK", "true"),
            ("DETENTE_TURN__EXTERNAL_ADDRESS", "127.0.0.1"),
            ("DETENTE_LISTEN__TURN", here),
        ],
    );
    let mut secrets: Vec<String> = WORDS.map(str::to_owned).into();
    let made = world.run_with(&["user", "add", "bob@localhost", "--password-stdin"], WORDS[0]);
    assert_eq!(made.code, 0, "{made:?}");
    let c2s = server.address("c2s");

    // Wrong passwords, and words that are no XML.
    let wrong = base64(&format!("\0bo\0{}", WORDS[5]));
    Wire::open(&c2s).ask(
        &format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{wrong}</auth>"),
        "</failure>",
    );
    Wire::open(&c2s).ask(&format!("<{}", WORDS[5].repeat(3) + "\0"), "</stream:stream>");
    secrets.push(wrong);

    // A login that asks for a token, then all that has a secret in it.
    let right = base64(&format!("\0bob\0{}", WORDS[0]));
    let mut bob = Wire::open(&c2s);
    let success = bob.ask(
        &format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{right}</initial-response>\
             <user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>\
             <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/><bind xmlns='urn:xmpp:bind:0'/></authenticate>"
        ),
        "</success>",
    );
    secrets.push(right);
    if success.contains("<token ") {
        secrets.push(between(&success, " token='", "'").to_owned());
    }
    bob.ask("", "</stream:features>");
    bob.ask("<presence/>", "/>");
    let resume = bob.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", ">");
    let resume = if resume.contains("<enabled") { resume } else { bob.ask("", ">") };
    let _ = resume;
    bob.request("card", "set", "", &format!("<vCard xmlns='vcard-temp'><FN>{}</FN></vCard>", WORDS[4]));
    bob.ask(
        &format!("<message to='bob@localhost' type='chat' id='m1'><body>{}</body></message>", WORDS[3]),
        "</message>",
    );
    bob.ask(
        &format!("<message to='nobody@localhost' id='m2'><body>{}</body></message>", WORDS[3]),
        "</message>",
    );
    bob.request("page", "set", "", "<query xmlns='urn:xmpp:mam:2'/>");
    let relay = bob.request("relay", "get", " to='localhost'", "<services xmlns='urn:xmpp:extdisco:2'/>");
    secrets.push(between(&relay, " password='", "'").to_owned());
    bob.request(
        "change",
        "set",
        "",
        &format!(
            "<query xmlns='jabber:iq:register'><username>bob</username><password>{}</password></query>",
            WORDS[2]
        ),
    );
    // In-band registration is off by default: the password must not be told because it is refused.
    Wire::open(&c2s).ask(
        &format!(
            "<iq type='set' id='new'><query xmlns='jabber:iq:register'><username>eve</username><password>{}</password>\
             </query></iq>",
            WORDS[1]
        ),
        ">",
    );
    let invited = world.run(&["invite"]);
    let uri = invited
        .out
        .split(|c: char| c.is_whitespace())
        .find(|word| word.starts_with("xmpp:"))
        .map(str::to_owned);
    secrets.push(between(&(uri.unwrap_or_else(|| panic!("{invited:?}")) + ";"), "preauth=", ";").to_owned());

    let said = server.stop();
    assert_eq!(said.code, 0, "{said:?}");
    let log = said.out + &said.err;
    assert!(log.contains("\"TRACE\"") || log.contains("\"DEBUG\""), "nothing is logged at all: {log}");
    for secret in secrets {
        for form in [base64(&secret), secret] {
            let found = log.lines().find(|line| line.contains(form.trim_end_matches('=')));
            assert_eq!(found, None, "{form}");
        }
    }
}
