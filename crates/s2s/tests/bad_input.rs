//! Bad input, by the rows of the security bar, to all three kinds of streams: what it is answered with, what is noted,
//! and the same however the bytes are cut.
//!
//! Groups A (XML stream), B (TLS), G (servers), H (components).
//!
//! Not here: rows about connections and DNS (federation), XML that no stream can tell apart (crate `xml`).

mod pair;

use Stage::*;
use Want::*;
use pair::table::{Row, Stage, Want, run};

const STANZA: &str = "<message from='a@them.example' to='b@ours.example'><body>x</body></message>";
const VALID: &str = "<db:result from='them.example' to='ours.example' type='valid'/>";

fn header(attrs: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         xmlns:db='jabber:server:dialback' {attrs}>"
    )
}

fn row(id: &'static str, stage: Stage, input: impl Into<String>, want: Want, note: &'static str) -> Row {
    Row { id, stage, input: input.into(), want, note }
}

#[test]
fn headers() {
    let long = header(&format!("to='ours.example' x='{}", "y".repeat(20_000)));
    run(vec![
        row("A-22", Start, header("version='1.0'"), Dies("improper-addressing"), "ImproperAddressing"),
        row("A-22", Start, header("to='' version='1.0'"), Dies("improper-addressing"), "ImproperAddressing"),
        row(
            "A-22",
            Start,
            header("to='a@ours.example' version='1.0'"),
            Dies("improper-addressing"),
            "ImproperAddressing",
        ),
        row("A-22", Start, header("to='else.example' version='1.0'"), Dies("host-unknown"), "UnknownHost"),
        row("A-23", Start, header("to='ours.example'"), Dies("unsupported-version"), "WrongVersion"),
        row(
            "A-23",
            Start,
            header("to='ours.example' version='0.9'"),
            Dies("unsupported-version"),
            "WrongVersion",
        ),
        row(
            "G-05",
            Start,
            header("to='ours.example' from='muc.ours.example' version='1.0'"),
            Dies("invalid-from"),
            "ForgedFrom",
        ),
        row(
            "G-05",
            Start,
            header("to='ours.example' from='OURS.example.' version='1.0'"),
            Dies("invalid-from"),
            "ForgedFrom",
        ),
        row(
            "G-23",
            Start,
            header("to='ours.example' from='blocked.example' version='1.0'"),
            Dies("policy-violation"),
            "Blocked",
        ),
        row(
            "G-04",
            Start,
            header("to='ours.example' from='a@them.example' version='1.0'"),
            Dies("invalid-from"),
            "ForgedFrom",
        ),
        row(
            "A-17",
            Start,
            header("to='ours.example' version='1.0'").replace("jabber:server'", "jabber:client'"),
            Dies("invalid-namespace"),
            "WrongNamespace",
        ),
        row(
            "A-17",
            Start,
            header("to='ours.example' version='1.0'").replace(" xmlns='jabber:server'", ""),
            Dies("invalid-namespace"),
            "WrongNamespace",
        ),
        row(
            "A-17",
            Start,
            header("to='ours.example' version='1.0'").replace("etherx", "other"),
            Dies("invalid-namespace"),
            "WrongNamespace",
        ),
        row("A-07", Start, STANZA, Dies("invalid-namespace"), "WrongNamespace"),
        row("A-33", Start, long, Dies("policy-violation"), "Xml(LimitPassed("),
        row("B-13", Start, "GET / HTTP/1.1\r\n\r\n", Dies("bad-format"), "Xml("),
        row("A-01", Start, "<!DOCTYPE a [<!ENTITY b 'c'>]>", Dies("restricted-xml"), "Xml(Restricted"),
        row(
            "A-22",
            Start,
            header("to='OURS.Example' from='them.example' version='1.1'"),
            Says("<required/></starttls></stream:features>"),
            "",
        ),
    ]);
}

#[test]
fn before_tls() {
    run(vec![
        row(
            "B-01",
            Opened,
            format!("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{STANZA}"),
            Dies("policy-violation"),
            "BytesBeforeTls",
        ),
        row("B-01", Opened, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n", Says("<proceed "), ""),
        row(
            "B-02",
            Opened,
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
            Says("<encryption-required/></failure>"),
            "EncryptionRequired",
        ),
        row(
            "B-02",
            Opened,
            "<db:result from='them.example' to='ours.example'>key</db:result>",
            Says("type='error'><error type='modify'><policy-violation"),
            "EncryptionRequired",
        ),
        row(
            "B-02",
            Opened,
            "<db:verify from='them.example' to='ours.example' id='1'>key</db:verify>",
            Says("type='error'><error type='modify'><policy-violation"),
            "EncryptionRequired",
        ),
        row("G-08", Opened, "<bidi xmlns='urn:xmpp:bidi'/>", Silent, "UnexpectedBidi"),
        row("A-21", Opened, STANZA, Dies("not-authorized"), "NotAuthorized"),
        row(
            "A-21",
            Opened,
            "<iq type='get' id='1' from='them.example' to='ours.example'><query xmlns='jabber:iq:auth'/></iq>",
            Dies("not-authorized"),
            "NotAuthorized",
        ),
        row(
            "A-19",
            Opened,
            STANZA.replace("<message", "<message xmlns='jabber:client'"),
            Dies("invalid-namespace"),
            "WrongNamespace",
        ),
        row(
            "B-06",
            Opened,
            "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
            Says("<unsupported-method/>"),
            "",
        ),
        row("A-20", Opened, "<x xmlns='urn:x'/>", Dies("not-authorized"), "NotAuthorized"),
        row(
            "D-20",
            Opened,
            "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
            Says("<failed "),
            "UnexpectedManagement",
        ),
        row("A-48", Opened, "<?xml version='1.0'?>", Dies("not-well-formed"), "Xml("),
        row("A-07", Opened, "</stream:stream>", Closes, ""),
        row(
            "A-33",
            Opened,
            format!("<x>{}</x>", "y".repeat(10_000)),
            Dies("policy-violation"),
            "Xml(LimitPassed(ElementBytes))",
        ),
        row("A-26", Opened, "<x>".repeat(9), Dies("policy-violation"), "Xml(LimitPassed(Depth))"),
    ]);
}

#[test]
fn in_tls_before_authentication() {
    let auth = |text: &str| {
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{text}</auth>")
    };
    let auth_as = |domain: &str| auth(&sasl::encode_base64(domain.as_bytes()));
    run(vec![
        row(
            "B-14",
            Secure,
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            Dies("policy-violation"),
            "UnexpectedStartTls",
        ),
        row("A-21", Secure, STANZA, Dies("not-authorized"), "NotAuthorized"),
        row("C-19", Secure, auth("="), Says("<success "), ""),
        row("C-19", Secure, auth(""), Says("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), ""),
        row(
            "C-19",
            Secure,
            format!("{}<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", auth("")),
            Says("<success "),
            "",
        ),
        row(
            "C-19",
            Secure,
            format!("{}<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", auth("")),
            Says("<aborted/>"),
            "AuthFailed(Aborted)",
        ),
        row("C-19", Secure, auth_as("THEM.example"), Says("<success "), ""),
        row(
            "C-19",
            Secure,
            auth_as("muc.them.example"),
            Says("<invalid-authzid/>"),
            "AuthFailed(InvalidAuthzid)",
        ),
        row(
            "C-19",
            Secure,
            auth_as("a@them.example"),
            Says("<invalid-authzid/>"),
            "AuthFailed(InvalidAuthzid)",
        ),
        row("C-03", Secure, auth("***"), Says("<incorrect-encoding/>"), "AuthFailed(IncorrectEncoding)"),
        row(
            "C-19",
            Secure,
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
            Says("<invalid-mechanism/>"),
            "AuthFailed(InvalidMechanism)",
        ),
        row("C-20", Secure, auth_as("x.example").repeat(3), Dies("policy-violation"), "TooManyFailures"),
        row(
            "C-20",
            Secure,
            "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            Dies("policy-violation"),
            "UnexpectedSasl",
        ),
        row("A-21", Secure, format!("{}{STANZA}", auth("")), Dies("not-authorized"), "NotAuthorized"),
        // Replay of what was right: a second authentication on the same stream.
        row(
            "C-20",
            Secure,
            format!(
                "{}{}{}",
                auth("="),
                header("to='ours.example' from='them.example' version='1.0'"),
                auth("=")
            ),
            Dies("policy-violation"),
            "UnexpectedSasl",
        ),
        row(
            "A-48",
            Secure,
            format!("{}{}", auth("="), header("to='muc.ours.example' from='them.example' version='1.0'")),
            Dies("not-authorized"),
            "ChangedAddress",
        ),
        row(
            "A-48",
            Secure,
            format!("{}{}", auth("="), header("to='ours.example' from='muc.them.example' version='1.0'")),
            Dies("not-authorized"),
            "ChangedAddress",
        ),
        row(
            "A-48",
            Secure,
            format!("{}{}", auth("="), header("to='ours.example' version='1.0'")),
            Dies("not-authorized"),
            "ChangedAddress",
        ),
        row("A-21", Secure, format!("{}{STANZA}", auth("=")), Dies("invalid-namespace"), "WrongNamespace"),
        row("G-09", Doubtful, auth("="), Says("<not-authorized/></failure>"), "AuthFailed(NotAuthorized)"),
        row(
            "G-09",
            Doubtful,
            "<db:result from='them.example' to='ours.example'>key</db:result>",
            Says("type='error'><error type='auth'><not-authorized"),
            "Certificate",
        ),
        row(
            "G-09",
            Doubtful,
            format!("<bidi xmlns='urn:xmpp:bidi'/>{STANZA}"),
            Dies("not-authorized"),
            "NotAuthorized",
        ),
        row(
            "G-08",
            Secure,
            format!("<bidi xmlns='urn:xmpp:bidi'/>{STANZA}"),
            Dies("not-authorized"),
            "NotAuthorized",
        ),
        row(
            "G-08",
            Secure,
            "<bidi xmlns='urn:xmpp:bidi'/><bidi xmlns='urn:xmpp:bidi'/>",
            Silent,
            "UnexpectedBidi",
        ),
    ]);
}

#[test]
fn dialback_that_was_not_asked_for() {
    let verified = "<db:verify from='them.example' to='ours.example' id='1' type='valid'/>";
    for stage in [Secure, Ready, Bidi] {
        run(vec![
            row("G-03", stage, VALID, Silent, "UnsolicitedDialback"),
            row("G-03", stage, verified, Silent, "UnsolicitedDialback"),
            row("G-03", stage, VALID.replace("valid", "invalid"), Silent, "UnsolicitedDialback"),
            row("G-03", stage, VALID.replace("valid", "error"), Silent, "UnsolicitedDialback"),
            row("G-03", stage, VALID.replace("valid", "perhaps"), Silent, "MalformedDialback"),
        ]);
    }
    run(vec![
        row("G-03", Secure, format!("{VALID}{STANZA}"), Dies("not-authorized"), "NotAuthorized"),
        row(
            "G-03",
            Calling,
            VALID.replace("them.example' to='ours.example", "them.example' to='muc.ours.example"),
            Silent,
            "UnsolicitedDialback",
        ),
        row(
            "G-03",
            Calling,
            VALID.replace("them.example'", "muc.them.example'"),
            Silent,
            "UnsolicitedDialback",
        ),
        row("G-03", Calling, VALID, Logs("ready ours.example>them.example"), ""),
        row(
            "G-03",
            Calling,
            format!("{VALID}{VALID}"),
            Logs("ready ours.example>them.example"),
            "UnsolicitedDialback",
        ),
        row("G-03", Calling, verified, Silent, "UnsolicitedDialback"),
        // A question on a stream that goes one way only.
        row(
            "G-03",
            Calling,
            "<db:result from='them.example' to='ours.example'>key</db:result>",
            Silent,
            "UnsolicitedDialback",
        ),
        row(
            "G-03",
            Calling,
            "<db:verify from='them.example' to='ours.example' id='1'>key</db:verify>",
            Silent,
            "UnsolicitedDialback",
        ),
        row("G-08", Calling, STANZA, Dies("not-authorized"), "NotAuthorized"),
        row("G-08", Calling, format!("{VALID}{STANZA}"), Dies("not-authorized"), "NotAuthorized"),
    ]);
}

#[test]
fn dialback_questions() {
    let key = "8b5c";
    let result = |from: &str, to: &str| format!("<db:result from='{from}' to='{to}'>{key}</db:result>");
    let verify =
        |to: &str, id: &str| format!("<db:verify from='them.example' to='{to}' id='{id}'>{key}</db:verify>");
    run(vec![
        row(
            "G-06",
            Secure,
            result("them.example", "else.example"),
            Says("from='else.example' to='them.example' type='error'><error type='cancel'><item-not-found"),
            "UnknownHost",
        ),
        row(
            "G-05",
            Secure,
            result("muc.ours.example", "ours.example"),
            Says("<not-acceptable"),
            "ForgedFrom",
        ),
        row("G-23", Secure, result("blocked.example", "ours.example"), Says("<policy-violation"), "Blocked"),
        row(
            "G-01",
            Secure,
            result("THEM.example.", "Ours.Example"),
            Says("from='ours.example' to='them.example' type='valid'/>"),
            "",
        ),
        row(
            "G-01",
            Secure,
            "<db:result from='lax.example' to='ours.example'/>",
            Says("<not-acceptable"),
            "MalformedDialback",
        ),
        row(
            "G-01",
            Secure,
            format!("<db:result from='lax.example' to='ours.example'>{}</db:result>", "a".repeat(300)),
            Says("<not-acceptable"),
            "MalformedDialback",
        ),
        row("G-01", Secure, "<db:result from='lax.example'>1</db:result>", Silent, "MalformedDialback"),
        row(
            "G-01",
            Secure,
            "<db:result from='a@lax.example' to='ours.example'>1</db:result>",
            Silent,
            "MalformedDialback",
        ),
        row(
            "G-01",
            Secure,
            "<db:else from='lax.example' to='ours.example'>1</db:else>",
            Dies("unsupported-stanza-type"),
            "UnsupportedElement",
        ),
        row("G-01", Secure, result("lax.example", "ours.example"), Logs("verify lax.example dial=true"), ""),
        row(
            "G-01",
            Secure,
            result("other.example", "ours.example"),
            Logs("verify other.example dial=false"),
            "",
        ),
        row("G-01", Secure, result("lax.example", "ours.example").repeat(2), Silent, "UnsolicitedDialback"),
        row(
            "G-18",
            Secure,
            (0..20).map(|n| result(&format!("lax{n}.example"), "ours.example")).collect::<String>(),
            Says("<resource-constraint"),
            "TooManyPairs",
        ),
        row(
            "G-01",
            Ready,
            result("muc.them.example", "ours.example"),
            Logs("verify muc.them.example dial=false"),
            "",
        ),
        row("G-02", Secure, verify("ours.example", "1"), Says("id='1' type='invalid'/>"), "WrongKey"),
        row(
            "G-02",
            Secure,
            verify("else.example", "1"),
            Says("type='error'><error type='cancel'><item-not-found"),
            "UnknownHost",
        ),
        row(
            "G-02",
            Secure,
            "<db:verify from='them.example' to='ours.example'>1</db:verify>",
            Silent,
            "MalformedDialback",
        ),
        // The key of XEP-0185 for these, then the same for another stream and another domain.
        row(
            "G-02",
            Secure,
            verify("ours.example", "D60000229F").replace(key, KEY),
            Says("type='valid'/>"),
            "",
        ),
        row(
            "G-02",
            Secure,
            verify("ours.example", "D60000229G").replace(key, KEY),
            Says("type='invalid'/>"),
            "WrongKey",
        ),
        row(
            "G-02",
            Secure,
            verify("muc.ours.example", "D60000229F").replace(key, KEY),
            Says("type='invalid'/>"),
            "WrongKey",
        ),
        row(
            "G-02",
            Secure,
            verify("ours.example", "D60000229F").replace(key, KEY).replace("them.", "lax."),
            Says("type='invalid'/>"),
            "WrongKey",
        ),
    ]);
}

/// HMAC-SHA-256 under SHA-256("our secret") of "them.example ours.example D60000229F".
const KEY: &str = "fe198cb4faf2c0d2e5ded8d51c9eb5421e9085f19f48f4111ac3e2d6473aef65";

#[test]
fn stanzas() {
    let from = |from: &str| STANZA.replace("a@them.example", from);
    let to = |to: &str| STANZA.replace("b@ours.example", to);
    for stage in [Ready, Bidi] {
        run(vec![
            row(
                "G-07",
                stage,
                STANZA.replace("from='a@them.example' ", ""),
                Dies("improper-addressing"),
                "ImproperAddressing",
            ),
            row(
                "G-07",
                stage,
                STANZA.replace(" to='b@ours.example'", ""),
                Dies("improper-addressing"),
                "ImproperAddressing",
            ),
            row("G-07", stage, from(""), Dies("improper-addressing"), "ImproperAddressing"),
            row("G-07", stage, to(""), Dies("improper-addressing"), "ImproperAddressing"),
            row("G-07", stage, from("@"), Dies("improper-addressing"), "ImproperAddressing"),
            row("G-04", stage, from("a@muc.them.example"), Dies("invalid-from"), "ForgedFrom"),
            row("G-04", stage, from("a@else.example"), Dies("invalid-from"), "ForgedFrom"),
            row(
                "G-04",
                stage,
                from("them.example@else.example/them.example"),
                Dies("invalid-from"),
                "ForgedFrom",
            ),
            row("G-05", stage, from("b@ours.example"), Dies("invalid-from"), "ForgedFrom"),
            row("G-06", stage, to("b@else.example"), Dies("host-unknown"), "UnknownHost"),
            row("G-04", stage, from("a b@else.example"), Dies("invalid-from"), "ForgedFrom"),
            row("G-07", stage, from("a b@them.example"), Logs("unusable None"), "UnusableStanza"),
            row(
                "G-07",
                stage,
                to("a b@ours.example"),
                Logs(
                    "unusable Some(<message from='ours.example' to='a@them.example' type='error'><error type='modify'><jid-malformed",
                ),
                "UnusableStanza",
            ),
            row(
                "G-01",
                stage,
                from("A@Them.Example./r"),
                Logs("stanza <message from='a@them.example/r' to='b@ours.example'"),
                "",
            ),
            row(
                "A-45",
                stage,
                STANZA.replace("<message", "<message type='strange'"),
                Logs("stanza <message"),
                "",
            ),
            row(
                "A-45",
                stage,
                "<iq from='a@them.example' to='b@ours.example' type='get' id='1'/>",
                Logs("unusable Some(<iq from='b@ours.example' to='a@them.example' id='1' type='error'"),
                "UnusableStanza",
            ),
            row(
                "A-19",
                stage,
                STANZA.replace("<message", "<message xmlns='jabber:client'"),
                Dies("invalid-namespace"),
                "WrongNamespace",
            ),
            row("A-20", stage, "<x xmlns='urn:x'/>", Dies("unsupported-stanza-type"), "UnsupportedElement"),
            row(
                "A-20",
                stage,
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
                Dies("policy-violation"),
                "UnexpectedSasl",
            ),
            row(
                "B-15",
                stage,
                "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
                Dies("policy-violation"),
                "UnexpectedStartTls",
            ),
            row("A-15", stage, "text", Dies("bad-format"), "Xml(TextBetweenElements)"),
            row("A-05", stage, "<!-- a -->", Dies("restricted-xml"), "Xml(Restricted"),
            row(
                "A-33",
                stage,
                to(&format!("b@ours.example/{}", "y".repeat(70_000))),
                Dies("policy-violation"),
                "Xml(LimitPassed(AttributeBytes))",
            ),
            row(
                "A-26",
                stage,
                format!("<message>{}", "<x>".repeat(64)),
                Dies("policy-violation"),
                "Xml(LimitPassed(Depth))",
            ),
            row("G-21", stage, "<a xmlns='urn:xmpp:sm:3' h='1'/>", Silent, "UnexpectedManagement"),
            row("G-21", stage, "<r xmlns='urn:xmpp:sm:3'/>", Silent, "UnexpectedManagement"),
            row("A-47", stage, format!("{STANZA}</stream:stream>{STANZA}"), Closes, ""),
            row(
                "A-06",
                stage,
                "<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
                Logs("closed PeerError { condition: HostGone, see_other_host: None }"),
                "",
            ),
        ]);
    }
    run(vec![
        row("G-04", Ready, to("room@muc.ours.example"), Logs("stanza <message"), ""),
        row("G-23", Lax, STANZA.replace("them.example", "lax.example"), Logs("stanza <message"), ""),
        row(
            "A-33",
            Ready,
            to("b@ours.example").replace("<body>x", &format!("<body>{}", "y".repeat(524_288))),
            Dies("policy-violation"),
            "Xml(LimitPassed(ElementBytes))",
        ),
        row(
            "A-44",
            Ready,
            STANZA.replace("<body>x</body>", "<body xmlns='jabber:client'>&lt;x&gt;</body>"),
            Logs("<body>&lt;x&gt;</body>"),
            "",
        ),
    ]);
}

#[test]
fn stream_management() {
    let enable = "<enable xmlns='urn:xmpp:sm:3'/>";
    let ack = |h: &str| format!("{enable}<a xmlns='urn:xmpp:sm:3' h='{h}'/>");
    let resume = |id: &str, h: &str| format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>");
    run(vec![
        row("G-21", Ready, ack("0"), Says("<enabled "), ""),
        row("G-21", Ready, ack("1"), Dies("undefined-condition"), "HandledCountTooHigh"),
        row("G-21", Ready, ack("4294967295"), Dies("undefined-condition"), "HandledCountTooHigh"),
        row("G-21", Ready, ack("4294967296"), Dies("bad-format"), "UnexpectedManagement"),
        row("G-21", Ready, ack("-1"), Dies("bad-format"), "UnexpectedManagement"),
        row("G-21", Ready, ack("+1"), Dies("bad-format"), "UnexpectedManagement"),
        row("G-21", Ready, ack(""), Dies("bad-format"), "UnexpectedManagement"),
        row("G-21", Ready, format!("{enable}{enable}"), Says("<failed "), "UnexpectedManagement"),
        row(
            "G-21",
            Ready,
            format!("{enable}{STANZA}<r xmlns='urn:xmpp:sm:3'/>"),
            Says("<a xmlns='urn:xmpp:sm:3' h='1'/>"),
            "",
        ),
        row(
            "G-21",
            Ready,
            format!("{STANZA}{enable}<r xmlns='urn:xmpp:sm:3'/>"),
            Says("<a xmlns='urn:xmpp:sm:3' h='0'/>"),
            "",
        ),
        row("G-21", Ready, resume("unknown", "0"), Says("<failed xmlns='urn:xmpp:sm:3'><item-not-found"), ""),
        row("G-21", Ready, resume("", "0"), Says("<unexpected-request"), "UnexpectedManagement"),
        row("G-21", Ready, resume("x", "x"), Says("<unexpected-request"), "UnexpectedManagement"),
        row(
            "G-21",
            Ready,
            format!("{enable}{}", resume("x", "0")),
            Says("<unexpected-request"),
            "UnexpectedManagement",
        ),
        row("G-21", Secure, resume("x", "0"), Says("<unexpected-request"), "UnexpectedManagement"),
        row(
            "G-21",
            Ready,
            "<enabled xmlns='urn:xmpp:sm:3'/>",
            Dies("unsupported-stanza-type"),
            "UnsupportedElement",
        ),
        row(
            "G-21",
            Ready,
            "<resumed xmlns='urn:xmpp:sm:3' h='0'/>",
            Dies("unsupported-stanza-type"),
            "UnsupportedElement",
        ),
        row(
            "G-21",
            Calling,
            "<enabled xmlns='urn:xmpp:sm:3'/>",
            Dies("unsupported-stanza-type"),
            "UnsupportedElement",
        ),
    ]);
}

#[test]
fn servers_that_we_call() {
    let features = |inner: &str| format!("<stream:features>{inner}</stream:features>");
    let hello = header("from='them.example' to='ours.example' id='x' version='1.0'");
    let starttls = features("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    let proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    run(vec![
        row("A-17", Call, hello.replace("jabber:server'", "jabber:client'"), Dies("invalid-namespace"), "WrongNamespace"),
        row("A-49", Call, hello.replace("id='x'", ""), Dies("bad-format"), "NotOpened"),
        row("A-49", Call, hello.replace("id='x'", &format!("id='{}'", "x".repeat(257))), Dies("bad-format"), "NotOpened"),
        row("A-23", Call, hello.replace("'1.0'>", "'0.9'>"), Dies("unsupported-version"), "WrongVersion"),
        row("A-20", Call, format!("{hello}{STANZA}"), Dies("unsupported-stanza-type"), "UnsupportedElement"),
        row("B-16", Call, format!("{hello}{}", features("")), Logs("closed NoTls"), ""),
        row("B-16", Call, format!("{hello}{}", features("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>")), Logs("closed NoTls"), ""),
        row("B-01", Call, format!("{hello}{starttls}{proceed}{STANZA}"), Dies("policy-violation"), "BytesBeforeTls"),
        row("B-01", Call, format!("{hello}{starttls}{proceed}{}", features("")), Dies("policy-violation"), "BytesBeforeTls"),
        row("G-11", Call, format!("{hello}{starttls}<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"), Logs("closed NoTls"), ""),
        row("G-11", Call, format!("{hello}{starttls}{STANZA}"), Dies("unsupported-stanza-type"), "UnsupportedElement"),
        row("A-48", Call, format!("{hello}{starttls}{hello}"), Dies("not-well-formed"), "Xml("),
        row("G-11", Call, format!("{hello}<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[::1]:5</see-other-host></stream:error>"), Logs("SeeOtherHost, see_other_host: Some(\"[::1]:5\")"), ""),
        row("C-20", CallSecure, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", Says("<stream:stream"), ""),
        row("C-20", CallSecure, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".repeat(2), Dies("unsupported-stanza-type"), "UnsupportedElement"),
        row("C-20", CallSecure, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><invalid-authzid/></failure>", Says("<db:result "), "AuthFailed(InvalidAuthzid)"),
        row("G-08", CallSecure, STANZA, Dies("unsupported-stanza-type"), "UnsupportedElement"),
        row("G-03", CallSecure, VALID, Dies("unsupported-stanza-type"), "UnsupportedElement"),
        row("C-20", Calling, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", Dies("policy-violation"), "UnexpectedSasl"),
        row("G-01", Calling, VALID.replace("'valid'/>", "'error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>"), Logs("refused ours.example>them.example Failed(ItemNotFound)"), ""),
    ]);
}

#[test]
fn components() {
    let open = |to: &str| {
        format!(
            "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='{to}'>"
        )
    };
    let from =
        |from: &str| format!("<message from='{from}' to='b@anywhere.example'><body>x</body></message>");
    run(vec![
        row(
            "H-01",
            ComponentStart,
            open("gate.example").replace("component:accept", "component:connect"),
            Dies("invalid-namespace"),
            "WrongNamespace",
        ),
        row(
            "H-01",
            ComponentStart,
            open("gate.example").replace("jabber:component:accept", "jabber:client"),
            Dies("invalid-namespace"),
            "WrongNamespace",
        ),
        row(
            "H-01",
            ComponentStart,
            open("").replace(" to=''", ""),
            Dies("improper-addressing"),
            "ImproperAddressing",
        ),
        row("H-01", ComponentStart, open("unknown.example"), Dies("host-unknown"), "UnknownHost"),
        row(
            "H-01",
            ComponentStart,
            open("gate.example"),
            Says("xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id="),
            "",
        ),
        row(
            "H-01",
            ComponentOpened,
            "<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>",
            Dies("not-authorized"),
            "WrongHandshake",
        ),
        row("H-01", ComponentOpened, "<handshake/>", Dies("not-authorized"), "WrongHandshake"),
        row("H-01", ComponentOpened, from("gate.example"), Dies("not-authorized"), "NotAuthorized"),
        row(
            "H-01",
            ComponentOpened,
            "<enable xmlns='urn:xmpp:sm:3'/>",
            Says("<failed "),
            "UnexpectedManagement",
        ),
        row(
            "H-01",
            ComponentOpened,
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            Dies("not-authorized"),
            "NotAuthorized",
        ),
        row("H-02", ComponentReady, from("a@else.example"), Dies("invalid-from"), "ForgedFrom"),
        row("H-02", ComponentReady, from("a@sub.gate.example"), Dies("invalid-from"), "ForgedFrom"),
        row("H-02", ComponentReady, from("a@ours.example"), Dies("invalid-from"), "ForgedFrom"),
        row(
            "H-02",
            ComponentReady,
            "<message to='b@ours.example'/>",
            Dies("improper-addressing"),
            "ImproperAddressing",
        ),
        row(
            "H-02",
            ComponentReady,
            "<message from='a@gate.example'/>",
            Dies("improper-addressing"),
            "ImproperAddressing",
        ),
        row(
            "H-02",
            ComponentReady,
            from("a@GATE.example/r"),
            Logs("stanza <message from='a@gate.example/r' to='b@anywhere.example'"),
            "",
        ),
        row("H-02", ComponentReady, "<handshake/>", Dies("unsupported-stanza-type"), "UnsupportedElement"),
        row(
            "A-19",
            ComponentReady,
            from("a@gate.example").replace("<message", "<message xmlns='jabber:client'"),
            Dies("invalid-namespace"),
            "WrongNamespace",
        ),
        row(
            "H-01",
            ComponentReady,
            "<db:result xmlns:db='jabber:server:dialback' from='a' to='b'>1</db:result>",
            Dies("unsupported-stanza-type"),
            "UnsupportedElement",
        ),
        row(
            "H-01",
            ComponentReady,
            "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
            Says("<enabled xmlns='urn:xmpp:sm:3'/>"),
            "",
        ),
        row("H-03", ComponentTaken, "", Dies("conflict"), "Conflict"),
    ]);
}
