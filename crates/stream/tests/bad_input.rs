//! Bad input, by the rows of the security bar: the same verdict over every transport, however the bytes are cut.
//!
//! Groups A (XML stream), B (TLS), C (authentication), D (binding, stream management), I (WebSocket, BOSH).
//!
//! Not here: rows about time (times.rs) and XML that no stream can tell apart (crate `xml`).

mod pair;

use std::time::Duration;

use model::link::Transport;
use pair::client::{hashed_token, plain};
use pair::store::PASSWORD;
use pair::{Pair, TRANSPORTS, settings};
use sasl::Condition as Sasl;
use stream::Misbehaviour as M;
use xml::{Error as Xml, Fault, Limit, Restricted};

/// How far the stream has come before the input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Start,
    /// TCP only: features read, no TLS.
    Clear,
    Offered,
    /// PLAIN begun, empty challenge read.
    Exchange,
    Unbound,
    Active,
    /// Active, with stream management.
    Managed,
}

/// Over which transports a row makes sense.
#[derive(Clone, Copy, Debug)]
enum On {
    All,
    Streams,
    Frames,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// This stream error, and the end.
    Dies(&'static str),
    /// Exactly this answer, and the stream goes on.
    Lives(&'static str),
    /// A clean end.
    Ends,
}

use At::*;
use On::*;
use Verdict::*;

type Row = (&'static str, At, On, String, Verdict, Vec<M>);

fn run(rows: Vec<Row>) {
    for (row, at, on, input, verdict, notes) in &rows {
        for transport in TRANSPORTS {
            let framed = matches!(transport, Transport::WebSocket | Transport::Bosh);
            let fits = match on {
                All => true,
                Streams => !framed,
                Frames => framed,
            };
            if !fits || (*at == Clear && transport != Transport::Tcp) {
                continue;
            }
            for byte_by_byte in [false, true] {
                let mut pair = prepare(transport, *at);
                pair.byte_by_byte = byte_by_byte;
                let name = format!("{row} {transport:?} {:.200}", input);
                let mut said = pair.say(input);
                said.push_str(&pair.pass(Duration::from_secs(5)));
                check(&mut pair, &name, *at, &said, *verdict);
                assert_eq!(&pair.notes, notes, "{name}");
            }
        }
    }
}

fn check(pair: &mut Pair, name: &str, at: At, said: &str, verdict: Verdict) {
    let bound = matches!(at, Active | Managed);
    match verdict {
        Dies(condition) => {
            let error = format!("<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
            assert!(said.contains(&error) && said.ends_with("</stream:error>[close]"), "{name}: {said}");
            assert_eq!(said.starts_with("[open]"), at == Start, "{name}: {said}");
            assert_eq!(pair.closed, 1, "{name}");
            assert_eq!(pair.ups().last().map(String::as_str), bound.then_some("closed 7 Broken"), "{name}");
            // What comes after the end is ignored.
            assert_eq!(pair.say("<message/>[][open to='example.org' version='1.0'][close]"), "", "{name}");
            pair.eof();
            assert!(pair.ups().is_empty() && pair.pass(Duration::from_secs(3600)).is_empty(), "{name}");
            assert_eq!((pair.closed, pair.stream.wants_input()), (1, false), "{name}");
        }
        Lives(expected) => {
            assert_eq!(said, expected, "{name}");
            assert_eq!(pair.closed, 0, "{name}");
            if bound {
                pair.ups();
                pair.tell("<message id='later'/>");
                assert_eq!(
                    pair.ups(),
                    ["stanza <message from='juliet@example.org/balcony' id='later'/>"],
                    "{name}"
                );
            }
        }
        Ends => {
            assert_eq!(said, "[close]", "{name}");
            assert_eq!(pair.closed, 1, "{name}");
            assert_eq!(pair.ups().last().map(String::as_str), bound.then_some("closed 7 Clean"), "{name}");
        }
    }
}

fn prepare(transport: Transport, at: At) -> Pair {
    let mut pair = match at {
        Start => {
            let mut pair = Pair::new(transport);
            pair.secure();
            pair
        }
        Clear => {
            let mut pair = Pair::new(transport);
            pair.open();
            pair
        }
        Offered | Exchange | Unbound => Pair::secured(transport, settings()),
        Active | Managed => Pair::bound(transport),
    };
    match at {
        Unbound => pair.log_in(),
        Exchange => {
            pair.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>");
        }
        Managed => {
            pair.say("<enable xmlns='urn:xmpp:sm:3'/>");
            pair.ups();
        }
        _ => {}
    }
    pair
}

fn open(attributes: &str) -> String {
    format!("[open {attributes}]")
}

fn auth(mechanism: &str, data: &str) -> String {
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{data}</auth>")
}

fn row(id: &'static str, at: At, on: On, input: impl Into<String>, verdict: Verdict, note: M) -> Row {
    (id, at, on, input.into(), verdict, vec![note])
}

#[test]
fn headers() {
    let long = "a".repeat(2000) + ".example";
    run(vec![
        row("A-22", Start, All, open("version='1.0'"), Dies("improper-addressing"), M::ImproperAddressing),
        row(
            "A-22",
            Start,
            All,
            open("to='' version='1.0'"),
            Dies("improper-addressing"),
            M::ImproperAddressing,
        ),
        row(
            "A-22",
            Start,
            All,
            open("to='a@example.org' version='1.0'"),
            Dies("improper-addressing"),
            M::ImproperAddressing,
        ),
        row(
            "A-22",
            Start,
            All,
            open("to='example.org/x' version='1.0'"),
            Dies("improper-addressing"),
            M::ImproperAddressing,
        ),
        row(
            "A-22",
            Start,
            All,
            open(&format!("to='{long}' version='1.0'")),
            Dies("improper-addressing"),
            M::ImproperAddressing,
        ),
        row(
            "A-22",
            Start,
            All,
            open("to='a b.example' version='1.0'"),
            Dies("improper-addressing"),
            M::ImproperAddressing,
        ),
        row(
            "A-22",
            Start,
            All,
            open("to='unknown.example' version='1.0'"),
            Dies("host-unknown"),
            M::UnknownHost,
        ),
        row("A-22", Start, All, open("to='127.0.0.1' version='1.0'"), Dies("host-unknown"), M::UnknownHost),
        row("A-23", Start, All, open("to='example.org'"), Dies("unsupported-version"), M::WrongVersion),
        row(
            "A-23",
            Start,
            All,
            open("to='example.org' version='0.9'"),
            Dies("unsupported-version"),
            M::WrongVersion,
        ),
        row(
            "A-23",
            Start,
            All,
            open("to='example.org' version='1.0abc'"),
            Dies("unsupported-version"),
            M::WrongVersion,
        ),
        row(
            "6120-4.9.3.9",
            Start,
            All,
            open("to='example.org' from='a@other.example' version='1.0'"),
            Dies("invalid-from"),
            M::ForgedFrom,
        ),
        row(
            "6120-4.9.3.9",
            Start,
            All,
            open("to='example.org' from='@' version='1.0'"),
            Dies("invalid-from"),
            M::ForgedFrom,
        ),
        row(
            "A-17",
            Start,
            Streams,
            "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' to='example.org' version='1.0'>",
            Dies("invalid-namespace"),
            M::WrongNamespace,
        ),
        row(
            "A-19",
            Start,
            Streams,
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>",
            Dies("invalid-namespace"),
            M::WrongNamespace,
        ),
        row(
            "A-19",
            Start,
            Streams,
            "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>",
            Dies("invalid-namespace"),
            M::WrongNamespace,
        ),
        row(
            "A-17",
            Start,
            Streams,
            "<s:flood xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' to='example.org' version='1.0'>",
            Dies("bad-format"),
            M::NotOpened,
        ),
        row(
            "A-13",
            Start,
            Streams,
            "<?xml version='1.1'?>",
            Dies("restricted-xml"),
            M::Xml(Xml::Restricted(Restricted::Version)),
        ),
        row(
            "A-13",
            Start,
            Streams,
            "<?xml version='1.0' standalone='no'?>",
            Dies("restricted-xml"),
            M::Xml(Xml::Restricted(Restricted::NotStandalone)),
        ),
        row("A-22", Start, Streams, "<message/>", Dies("invalid-namespace"), M::WrongNamespace),
        row("I-09", Start, Frames, "<message/>", Dies("bad-format"), M::NotOpened),
        row(
            "A-24",
            Start,
            Streams,
            format!(
                "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0' xml:lang='{}'>",
                "x".repeat(100_000)
            ),
            Dies("policy-violation"),
            M::Xml(Xml::LimitPassed(Limit::AttributeBytes)),
        ),
    ]);
}

#[test]
fn headers_that_are_odd_and_right() {
    for transport in TRANSPORTS {
        for attributes in [
            "to='example.org' version='1.1'",
            "to='example.org' version='2.0'",
            "to='EXAMPLE.org' version='1.0'",
            "to='example.org' version='1.0' from='juliet@example.org/x'",
            "to='example.org' version='1.0' xml:lang='nonsense!'",
            "to='example.org' version='1.0' a='1' b='2' c='3' d='4' e='5'",
        ] {
            let mut pair = Pair::new(transport);
            pair.secure();
            let said = pair.open_as(attributes);
            assert!(said.starts_with("[open]<stream:features>"), "{transport:?} {attributes}: {said}");
            assert_eq!(pair.notes, []);
        }
    }
}

#[test]
fn a18_another_prefix_is_as_good() {
    let mut pair = Pair::new(Transport::DirectTls);
    pair.secure();
    let header = "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";
    assert!(pair.say(header).starts_with("[open]<stream:features>"));
    assert_eq!(pair.say("</s:stream>"), "[close]");
}

#[test]
fn before_tls() {
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let failure = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required/></failure>";
    let notes = vec![M::EncryptionRequired, M::AuthFailed(Sasl::EncryptionRequired)];
    run(vec![
        ("B-02", Clear, All, auth("PLAIN", &plain("", "juliet", PASSWORD)), Lives(failure), notes.clone()),
        ("B-02", Clear, All, auth("SCRAM-SHA-1", "biwsbj1hLHI9Yg=="), Lives(failure), notes),
        row("A-21", Clear, All, "<message/>", Dies("not-authorized"), M::NotAuthorized),
        row("B-14", Offered, All, starttls, Dies("policy-violation"), M::UnexpectedStartTls),
        row("B-15", Unbound, All, starttls, Dies("policy-violation"), M::UnexpectedStartTls),
        row("B-15", Active, All, starttls, Dies("policy-violation"), M::UnexpectedStartTls),
    ]);
}

#[test]
fn b01_what_follows_starttls_is_never_taken_for_encrypted() {
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let plain = auth("PLAIN", &plain("", "juliet", PASSWORD));
    let header = pair::client::tcp("[open to='example.org' version='1.0']");
    for after in [" ", "<", "<message/>", plain.as_str(), header.as_str()] {
        // In one segment: we see it at once.
        let mut pair = Pair::new(Transport::Tcp);
        pair.open();
        let said = pair.say(&format!("{starttls}{after}"));
        assert!(said.contains("<policy-violation") && said.ends_with("[close]"), "{said}");
        assert_eq!((pair.start_tls, pair.closed), (0, 1));
        assert_eq!(pair.notes, [M::BytesBeforeTls]);
        // In the next segment: the shell gives it to us although the handshake is due.
        let mut pair = Pair::new(Transport::Tcp);
        pair.open();
        assert!(pair.say(starttls).contains("<proceed"));
        assert!(!pair.stream.wants_input());
        assert_eq!(pair.say(after), "", "the peer hears TLS now, no plain error");
        assert_eq!((pair.start_tls, pair.closed), (1, 1));
        assert_eq!(pair.notes, [M::BytesBeforeTls]);
        pair.tls(pair::tls());
        assert_eq!(pair.open(), "");
        assert!(pair.store.asked.is_empty() && pair.authenticated.is_empty());
    }
}

#[test]
fn starttls_without_a_certificate_is_not_offered() {
    let mut pair = Pair::with(Transport::Tcp, stream::Settings { starttls: false, ..settings() });
    assert_eq!(pair.open(), "[open]<stream:features></stream:features>");
    let said = pair.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(said.contains("<policy-violation"), "{said}");
}

#[test]
fn before_authentication() {
    let compress = "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>";
    let no_compression =
        "<failure xmlns='http://jabber.org/protocol/compress'><unsupported-method/></failure>";
    let failed = "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    let big = |bytes: usize| {
        let start = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>";
        format!("{start}{}</auth>", "A".repeat(bytes - start.len() - "</auth>".len()))
    };
    let invalid = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><invalid-mechanism/></failure>";
    let mut rows = vec![
        row(
            "C-25",
            Offered,
            All,
            "<resume xmlns='urn:xmpp:sm:3' previd='sm-1' h='0'/>",
            Lives(failed),
            M::UnexpectedManagement,
        ),
        row("D-10", Offered, All, "<enable xmlns='urn:xmpp:sm:3'/>", Lives(failed), M::UnexpectedManagement),
        ("B-06", Offered, All, compress.into(), Lives(no_compression), vec![]),
        row("A-34", Offered, All, big(10_000), Lives(invalid), M::AuthFailed(Sasl::InvalidMechanism)),
        row(
            "A-33",
            Offered,
            All,
            big(10_001),
            Dies("policy-violation"),
            M::Xml(Xml::LimitPassed(Limit::ElementBytes)),
        ),
        row(
            "C-16",
            Exchange,
            All,
            "<response xmlns='urn:xmpp:sasl:2'>AA==</response>",
            Dies("not-authorized"),
            M::NotAuthorized,
        ),
        row("C-16", Exchange, All, auth("PLAIN", ""), Dies("not-authorized"), M::NotAuthorized),
        row(
            "A-33",
            Exchange,
            All,
            format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>", "A".repeat(10_000)),
            Dies("policy-violation"),
            M::Xml(Xml::LimitPassed(Limit::ElementBytes)),
        ),
    ];
    for early in [
        "<message/>",
        "<presence/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:auth'/></iq>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>",
        "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<response xmlns='urn:xmpp:sasl:2'/>",
        "<next xmlns='urn:xmpp:sasl:2' task='x'/>",
        "<a xmlns='urn:xmpp:sm:3' h='1'/>",
        "<active xmlns='urn:xmpp:csi:0'/>",
        "<junk xmlns='urn:x'/>",
    ] {
        rows.push(row("A-21 C-16 C-25", Offered, All, early, Dies("not-authorized"), M::NotAuthorized));
        rows.push(row("C-16", Exchange, All, early, Dies("not-authorized"), M::NotAuthorized));
    }
    // An answer and an abort have their place amid an exchange; stream management is no longer answered there.
    rows.retain(|(_, at, _, input, _, _)| {
        *at != Exchange || !(input.contains("xmpp-sasl'/>") && !input.starts_with("<auth"))
    });
    run(rows);
}

#[test]
fn c_authentication() {
    let ok = plain("", "juliet", PASSWORD);
    let raw = |text: &str| sasl::encode_base64(text.as_bytes());
    let cases = [
        ("C-01", "PLAIN", plain("romeo@example.org", "juliet", PASSWORD), Sasl::InvalidAuthzid),
        ("C-01", "PLAIN", plain("juliet@other.example", "juliet", PASSWORD), Sasl::InvalidAuthzid),
        ("C-01", "PLAIN", plain("juliet@example.org/x", "juliet", PASSWORD), Sasl::InvalidAuthzid),
        ("C-01", "PLAIN", plain("juliet", "juliet", PASSWORD), Sasl::InvalidAuthzid),
        ("C-02", "PLAIN", raw("juliet"), Sasl::MalformedRequest),
        ("C-02", "PLAIN", raw("\0juliet"), Sasl::MalformedRequest),
        ("C-02", "PLAIN", raw("\0juliet\0a\0b"), Sasl::MalformedRequest),
        ("C-02", "PLAIN", raw("\0\0a"), Sasl::MalformedRequest),
        ("C-02", "PLAIN", raw("\0juliet\0"), Sasl::MalformedRequest),
        ("C-02", "PLAIN", "=".into(), Sasl::MalformedRequest),
        ("C-03", "PLAIN", ok.trim_end_matches('=').to_owned() + "!", Sasl::IncorrectEncoding),
        ("C-03", "PLAIN", format!(" {ok}"), Sasl::IncorrectEncoding),
        ("C-03", "PLAIN", format!("{ok}\n"), Sasl::IncorrectEncoding),
        ("C-03", "PLAIN", "AA".into(), Sasl::IncorrectEncoding),
        ("C-03", "PLAIN", "==".into(), Sasl::IncorrectEncoding),
        ("C-03", "PLAIN", "<x xmlns='urn:x'/>".into(), Sasl::MalformedRequest),
        ("C-15", "EXTERNAL", "=".into(), Sasl::InvalidMechanism),
        ("C-15", "ANONYMOUS", "".into(), Sasl::InvalidMechanism),
        ("C-15", "plain", ok.clone(), Sasl::InvalidMechanism),
        ("C-15", "", ok.clone(), Sasl::InvalidMechanism),
        ("C-15", "HT-SHA-256-NONE", hashed_token("juliet", "t", b""), Sasl::InvalidMechanism),
        ("C-xx", "PLAIN", plain("", "juliet", "wrong"), Sasl::NotAuthorized),
        ("C-xx", "PLAIN", plain("", "nobody", PASSWORD), Sasl::NotAuthorized),
        ("C-xx", "PLAIN", plain("", "a@b", PASSWORD), Sasl::NotAuthorized),
        ("C-xx", "PLAIN", plain("", "a b", PASSWORD), Sasl::NotAuthorized),
    ];
    for transport in TRANSPORTS {
        for (row, mechanism, data, condition) in &cases {
            let mut pair = Pair::secured(transport, settings());
            assert_eq!(pair.say(&auth(mechanism, data)), "", "{row}: an answer so soon");
            assert_eq!(
                pair.pass(Duration::from_secs(1)),
                format!(
                    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{}/></failure>",
                    condition.name()
                ),
                "{row} {mechanism} {data}"
            );
            assert_eq!(pair.notes, [M::AuthFailed(*condition)], "{row} {data}");
            assert!(pair.authenticated.is_empty());
            pair.log_in();
        }
    }
}

#[test]
fn c_sasl2() {
    let ok = plain("", "juliet", PASSWORD);
    let initial = format!("<initial-response>{ok}</initial-response>");
    let agent = "<user-agent id='uuid'/>";
    let fast = "<fast xmlns='urn:xmpp:fast:0'/>";
    let token = |mechanism: &str, secret: &str, binding: &[u8], fast: &str| {
        let data = hashed_token("juliet", secret, binding);
        (mechanism.to_owned(), format!("<initial-response>{data}</initial-response>{agent}{fast}"))
    };
    let (expr, endp, none) = ("HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE");
    let cases = [
        ("C-15", ("X".into(), initial.clone()), Sasl::InvalidMechanism),
        ("C-02", ("PLAIN".into(), format!("{initial}{initial}")), Sasl::MalformedRequest),
        ("C-03", ("PLAIN".into(), "<initial-response>=</initial-response>".into()), Sasl::IncorrectEncoding),
        ("C-23", ("PLAIN".into(), format!("{initial}{agent}{fast}")), Sasl::MalformedRequest),
        ("C-23", token(none, "secret", b"", ""), Sasl::MalformedRequest),
        (
            "C-23",
            token(expr, "secret", &pair::EXPORTER, "<fast xmlns='urn:xmpp:fast:0' count='x'/>"),
            Sasl::MalformedRequest,
        ),
        ("C-23", token(none, "secret", b"", fast), Sasl::NotAuthorized),
        ("C-23", token(endp, "secret", &pair::END_POINT, fast), Sasl::NotAuthorized),
        ("C-23", token(expr, "secret", &pair::END_POINT, fast), Sasl::NotAuthorized),
        ("C-23", token(expr, "guess", &pair::EXPORTER, fast), Sasl::NotAuthorized),
        (
            "C-22",
            token(expr, "secret", &pair::EXPORTER, "<fast xmlns='urn:xmpp:fast:0' count='4'/>"),
            Sasl::NotAuthorized,
        ),
        ("C-24", token(expr, "old", &pair::EXPORTER, fast), Sasl::CredentialsExpired),
    ];
    let kept = |slot, secret: &str, expired| pair::store::Kept {
        slot,
        secret: secret.into(),
        mechanism: sasl::Mechanism::HtSha256Expr,
        expired,
        count: 4,
    };
    for transport in TRANSPORTS {
        for (row, (mechanism, inside), condition) in &cases {
            let mut pair = Pair::secured(transport, settings());
            let tokens = vec![kept(sasl::Slot::Current, "secret", false), kept(sasl::Slot::New, "old", true)];
            pair.store.tokens.insert("uuid".into(), tokens);
            pair.tell(&format!(
                "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>{inside}</authenticate>"
            ));
            assert_eq!(
                pair.pass(Duration::from_secs(1)),
                format!(
                    "<failure xmlns='urn:xmpp:sasl:2'><{} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>",
                    condition.name()
                ),
                "{row} {mechanism} {inside}"
            );
            assert!(pair.authenticated.is_empty() && pair.ups().is_empty());
        }
    }
}

#[test]
fn c23_a_token_of_another_installation_is_none() {
    let mut pair = Pair::secured(Transport::DirectTls, settings());
    let (slot, mechanism) = (sasl::Slot::Current, sasl::Mechanism::HtSha256None);
    let kept = pair::store::Kept { slot, secret: "secret".into(), mechanism, expired: false, count: 0 };
    pair.store.tokens.insert("uuid".into(), vec![kept]);
    let attempt = |id: &str| {
        format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>{}</initial-response>\
             <user-agent {id}/><fast xmlns='urn:xmpp:fast:0' invalidate='true'/></authenticate>",
            hashed_token("juliet", "secret", b"")
        )
    };
    for (id, condition) in [("id='other'", "not-authorized"), ("", "malformed-request")] {
        pair.tell(&attempt(id));
        assert!(pair.pass(Duration::from_secs(1)).contains(condition));
    }
    assert!(pair.say(&attempt("id='uuid'")).starts_with("<success"));
    assert!(pair.store.tokens["uuid"].is_empty(), "it was to be invalidated");
}

#[test]
fn c01_sasl2_authzid_must_agree_with_from() {
    for (from, authzid, right) in [
        ("juliet@example.org", "juliet@example.org", true),
        ("juliet@example.org/x", "JULIET@example.org", true),
        ("romeo@example.org", "juliet@example.org", false),
        ("romeo@example.org", "", true),
    ] {
        let mut pair = Pair::new(Transport::WebSocket);
        pair.secure();
        pair.open_as(&format!("to='example.org' from='{from}' version='1.0'"));
        let initial = plain(authzid, "juliet", PASSWORD);
        pair.tell(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{initial}</initial-response></authenticate>"
        ));
        let said = pair.pass(Duration::from_secs(1));
        assert_eq!(said.starts_with("<success"), right, "{from} {authzid}: {said}");
        assert_eq!(said.contains("<invalid-authzid"), !right);
    }
}

#[test]
fn b17_early_data_authenticates_only_by_a_counted_token() {
    let (slot, mechanism) = (sasl::Slot::Current, sasl::Mechanism::HtSha256None);
    let token = hashed_token("juliet", "secret", b"");
    let plain = plain("", "juliet", PASSWORD);
    for (mechanism_name, data, fast, right) in [
        ("PLAIN", &plain, "", false),
        ("HT-SHA-256-NONE", &token, "<fast xmlns='urn:xmpp:fast:0'/>", false),
        ("HT-SHA-256-NONE", &token, "<fast xmlns='urn:xmpp:fast:0' count='1'/>", true),
    ] {
        let mut pair = Pair::new(Transport::DirectTls);
        pair.tls(stream::Tls { early_data: true, ..pair::tls() });
        let kept = pair::store::Kept { slot, secret: "secret".into(), mechanism, expired: false, count: 0 };
        pair.store.tokens.insert("uuid".into(), vec![kept]);
        pair.open();
        pair.tell(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism_name}'><initial-response>{data}</initial-response>\
             <user-agent id='uuid'/>{fast}<bind xmlns='urn:xmpp:bind:0'/></authenticate>"
        ));
        assert_eq!(
            pair.pass(Duration::from_secs(1)).starts_with("<success"),
            right,
            "{mechanism_name} {fast}"
        );
        assert_eq!(pair.ups().len(), usize::from(right));
    }
}

#[test]
fn a_disabled_account_is_told_only_with_the_right_password() {
    for (password, condition) in [(PASSWORD, "account-disabled"), ("wrong", "not-authorized")] {
        let mut pair = Pair::secured(Transport::Tcp, settings());
        pair.store.refuse = Some(Sasl::AccountDisabled);
        pair.tell(&auth("PLAIN", &plain("", "juliet", password)));
        assert!(pair.pass(Duration::from_secs(1)).contains(condition));
    }
}

#[test]
fn a48_the_restart_after_sasl_keeps_domain_and_user() {
    for transport in TRANSPORTS {
        for (attributes, condition, note) in [
            ("to='other.example' version='1.0'", "not-authorized", M::ChangedAddress),
            ("to='example.org' from='romeo@example.org' version='1.0'", "invalid-from", M::ForgedFrom),
        ] {
            let mut pair = Pair::secured(transport, settings());
            pair.say(&auth("PLAIN", &plain("", "juliet", PASSWORD)));
            let said = pair.open_as(attributes);
            assert!(said.starts_with(&format!("[open]<stream:error><{condition} ")), "{transport:?} {said}");
            assert_eq!((pair.notes.clone(), pair.closed), (vec![note], 1));
        }
        // Without a restart nothing goes on.
        let mut pair = Pair::secured(transport, settings());
        pair.say(&auth("PLAIN", &plain("", "juliet", PASSWORD)));
        let said = pair.say("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        assert!(said.starts_with("[open]<stream:error>") && pair.closed == 1, "{said}");
    }
    // And one that nobody expects.
    let second = "<stream:stream xmlns='jabber:client' to='example.org' version='1.0'/>";
    run(vec![
        row("A-48", Active, Streams, second, Dies("policy-violation"), M::UnexpectedHeader),
        row(
            "A-48",
            Active,
            Frames,
            open("to='example.org' version='1.0'"),
            Dies("policy-violation"),
            M::UnexpectedHeader,
        ),
        row(
            "A-48",
            Offered,
            Frames,
            open("to='example.org' version='1.0'"),
            Dies("policy-violation"),
            M::UnexpectedHeader,
        ),
        row(
            "A-48",
            Exchange,
            Frames,
            open("to='example.org' version='1.0'"),
            Dies("policy-violation"),
            M::UnexpectedHeader,
        ),
        row(
            "A-48",
            Unbound,
            Frames,
            open("to='example.org' version='1.0'"),
            Dies("policy-violation"),
            M::UnexpectedHeader,
        ),
    ]);
}

#[test]
fn while_unbound() {
    let failed = "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    let bad_resume =
        "<failed xmlns='urn:xmpp:sm:3'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    let resource = |text: &str| {
        format!(
            "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{text}</resource></bind></iq>"
        )
    };
    let bad = "<iq id='1' type='error'><error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>not a possible resource</text></error></iq>";
    let no_id = "<iq type='error'><error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    run(vec![
        row("D-03", Unbound, All, resource(&"a".repeat(1024)), Lives(bad), M::UnusableStanza),
        row("D-03", Unbound, All, resource(&"ä".repeat(512)), Lives(bad), M::UnusableStanza),
        row("D-03", Unbound, All, resource("a\u{202e}b"), Lives(bad), M::UnusableStanza),
        row(
            "D-03",
            Unbound,
            All,
            "<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            Lives(no_id),
            M::UnusableStanza,
        ),
        row("6120-7.1", Unbound, All, "<message/>", Dies("not-authorized"), M::NotAuthorized),
        row("6120-7.1", Unbound, All, "<presence/>", Dies("not-authorized"), M::NotAuthorized),
        row(
            "6120-7.1",
            Unbound,
            All,
            "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
            Dies("not-authorized"),
            M::NotAuthorized,
        ),
        row("D-10", Unbound, All, "<enable xmlns='urn:xmpp:sm:3'/>", Lives(failed), M::UnexpectedManagement),
        row("D-10", Unbound, All, "<r xmlns='urn:xmpp:sm:3'/>", Lives(failed), M::UnexpectedManagement),
        ("D-10", Unbound, All, "<resume xmlns='urn:xmpp:sm:3'/>".into(), Lives(bad_resume), vec![]),
        (
            "D-10",
            Unbound,
            All,
            "<resume xmlns='urn:xmpp:sm:3' previd='x' h='-1'/>".into(),
            Lives(bad_resume),
            vec![],
        ),
        row("C-16", Unbound, All, auth("PLAIN", ""), Dies("not-authorized"), M::NotAuthorized),
    ]);
}

#[test]
fn d03_a_resource_of_the_longest_length_is_bound_whole() {
    let long = "a".repeat(1023);
    let mut pair = Pair::secured(Transport::Tcp, settings());
    pair.log_in();
    let bound = pair.say(&format!(
        "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{long}</resource></bind></iq>"
    ));
    assert!(bound.contains(&format!("<jid>juliet@example.org/{long}</jid>")));
}

#[test]
fn while_active() {
    let failed = "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    let malformed = "<message id='m' type='error'><error type='modify'><jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    let second = "<iq id='b' type='error'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    let stanza = |bytes: usize| {
        let start = "<message xmlns='jabber:client'><body>";
        format!("{start}{}</body></message>", "A".repeat(bytes - start.len() - "</body></message>".len()))
    };
    let mut rows = vec![
        row(
            "A-20",
            Active,
            All,
            "<junk xmlns='urn:x'/>",
            Dies("unsupported-stanza-type"),
            M::UnsupportedElement,
        ),
        row(
            "A-20",
            Active,
            All,
            "<junk xmlns='jabber:client'/>",
            Dies("unsupported-stanza-type"),
            M::UnsupportedElement,
        ),
        row(
            "A-20",
            Active,
            All,
            "<sleepy xmlns='urn:xmpp:csi:0'/>",
            Dies("unsupported-stanza-type"),
            M::UnsupportedElement,
        ),
        row("A-20", Active, All, auth("PLAIN", ""), Dies("policy-violation"), M::UnsupportedElement),
        row(
            "A-20",
            Active,
            All,
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>",
            Dies("policy-violation"),
            M::UnsupportedElement,
        ),
        row(
            "A-19",
            Active,
            All,
            "<message xmlns='jabber:server'/>",
            Dies("invalid-namespace"),
            M::WrongNamespace,
        ),
        row("A-45", Active, All, "<message to='@' id='m'/>", Lives(malformed), M::UnusableStanza),
        row(
            "A-45",
            Active,
            All,
            "<iq type='bogus' id='b'/>",
            Lives(
                "<iq id='b' type='error'><error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            ),
            M::UnusableStanza,
        ),
        row("A-45", Active, All, "<message to='@' type='error'/>", Lives(""), M::UnusableStanza),
        row(
            "D-04",
            Active,
            All,
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            Lives(second),
            M::SecondBind,
        ),
        row("D-09", Managed, All, "<enable xmlns='urn:xmpp:sm:3'/>", Lives(failed), M::UnexpectedManagement),
        row("D-10", Active, All, "<a xmlns='urn:xmpp:sm:3' h='0'/>", Lives(failed), M::UnexpectedManagement),
        row("D-10", Active, All, "<r xmlns='urn:xmpp:sm:3'/>", Lives(failed), M::UnexpectedManagement),
        row(
            "D-10",
            Active,
            All,
            "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
            Lives(failed),
            M::UnexpectedManagement,
        ),
        row("D-06", Managed, All, "<a xmlns='urn:xmpp:sm:3'/>", Dies("bad-format"), M::UnexpectedManagement),
        row(
            "D-06",
            Managed,
            All,
            "<a xmlns='urn:xmpp:sm:3' h='-1'/>",
            Dies("bad-format"),
            M::UnexpectedManagement,
        ),
        row(
            "D-06",
            Managed,
            All,
            "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
            Dies("bad-format"),
            M::UnexpectedManagement,
        ),
        ("A-34", Active, All, stanza(262_144), Lives(""), vec![]),
        row(
            "A-33",
            Active,
            All,
            stanza(262_145),
            Dies("policy-violation"),
            M::Xml(Xml::LimitPassed(Limit::ElementBytes)),
        ),
        row("A-15", Active, Streams, "text<message/>", Dies("bad-format"), M::Xml(Xml::TextBetweenElements)),
        row(
            "A-14",
            Active,
            Streams,
            "<?xml version='1.0'?><message/>",
            Dies("not-well-formed"),
            M::Xml(Xml::NotWellFormed(Fault::XmlDeclaration)),
        ),
        row(
            "A-01",
            Active,
            All,
            "<message><!-- --></message>",
            Dies("restricted-xml"),
            M::Xml(Xml::Restricted(Restricted::Comment)),
        ),
        row(
            "A-08",
            Active,
            All,
            "<message></presence>",
            Dies("not-well-formed"),
            M::Xml(Xml::NotWellFormed(Fault::EndTag)),
        ),
        ("A-47", Active, All, "[close]".into(), Ends, vec![]),
        ("A-46", Active, All, "[close]<message/>".into(), Ends, vec![]),
        ("A-47", Offered, All, "[close]".into(), Ends, vec![]),
        ("A-16", Active, Streams, " \n\t\r\n ".into(), Lives(""), vec![]),
    ];
    for from in [
        "romeo@example.org",
        "juliet@example.org/other",
        "example.org",
        "juliet@other.example/balcony",
        "@",
        "",
    ] {
        let forged = format!("<message from='{from}'/>");
        rows.push(row("D-05", Active, All, forged, Dies("invalid-from"), M::ForgedFrom));
    }
    for from in ["juliet@example.org", "juliet@example.org/balcony", "JULIET@Example.ORG/balcony"] {
        rows.push(("D-05", Active, All, format!("<message from='{from}'/>"), Lives(""), vec![]));
    }
    run(rows);
}

#[test]
fn frames_hold_exactly_one_element() {
    let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";
    let message = "<message xmlns='jabber:client'/>";
    let bad = |at, input: &str| row("I-08", at, Frames, input, Dies("bad-format"), M::BadFrame);
    run(vec![
        bad(Active, &format!("{message}{message}")),
        bad(Active, "<message xmlns='jabber:client'>"),
        bad(Active, "<mess"),
        bad(Active, &format!("<?xml version='1.0'?>{message}")),
        bad(Active, header),
        bad(Start, header),
        row(
            "I-08",
            Active,
            Frames,
            "</message>",
            Dies("not-well-formed"),
            M::Xml(Xml::NotWellFormed(Fault::EndTag)),
        ),
        row(
            "I-08",
            Active,
            Frames,
            format!("{message}text"),
            Dies("bad-format"),
            M::Xml(Xml::TextBetweenElements),
        ),
        row(
            "I-08",
            Active,
            Frames,
            "<message xmlns=''/>",
            Dies("unsupported-stanza-type"),
            M::UnsupportedElement,
        ),
    ]);
}
