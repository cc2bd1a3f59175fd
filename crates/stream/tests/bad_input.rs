//! Bad input, by the rows of the security bar: the same verdict over every transport, however the bytes are cut.
//!
//! Groups A (XML stream), B (TLS), D (binding, stream management), I (WebSocket, BOSH).
//!
//! Not here: rows about logins (bad_logins.rs) and time (times.rs), XML that no stream can tell apart (crate `xml`).

mod pair;

use model::link::Transport;
use pair::client::plain;
use pair::store::PASSWORD;
use pair::table::*;
use pair::{Pair, TRANSPORTS, settings};
use sasl::Condition as Sasl;
use stream::Misbehaviour as M;
use xml::{Error as Xml, Fault, Limit, Restricted};

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
    // An answer and an abort have their place amid an exchange.
    let own = |input: &str| input.contains("xmpp-sasl'/>") && !input.starts_with("<auth");
    rows.retain(|(_, at, _, input, _, _)| *at != Exchange || !own(input));
    run(rows);
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
