//! Logins that must fail, by the rows of the security bar.
//!
//! Groups B (TLS), C (authentication), A-48 (restarts).
//!
//! Not here: logins that succeed (logins.rs), delays and counts of failures (times.rs).

mod pair;

use std::time::Duration;

use model::link::Transport;
use pair::client::{hashed_token, plain};
use pair::store::PASSWORD;
use pair::table::*;
use pair::{Pair, TRANSPORTS, settings};
use sasl::Condition as Sasl;
use stream::Misbehaviour as M;

#[test]
fn b01_what_follows_starttls_is_never_taken_for_encrypted() {
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let plain = auth("PLAIN", &plain("", "juliet", PASSWORD));
    let header = pair::client::tcp("[open to='example.org' version='1.0']");
    for after in ["<", "<message/>", plain.as_str(), header.as_str()] {
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
