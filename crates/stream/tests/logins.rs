//! Whole logins, each over every transport, and each also byte by byte.
//!
//! RFC 6120 sections 4 to 7, XEP-0198, XEP-0386, XEP-0388, XEP-0440, XEP-0484.
//!
//! Not here: logins that fail (bad_logins.rs).

mod pair;

use address::Bare;
use model::grant::{Grant, Grants};
use model::link::{ArchiveEnds, Transport};
use pair::client::{Scram, hashed_token, plain, text_of};
use pair::store::PASSWORD;
use pair::{END_POINT, EXPORTER, Pair, TRANSPORTS, settings, settings_elsewhere};
use sasl::{Hash, Mechanism};

/// Every transport, whole and byte by byte.
fn everywhere(test: impl Fn(Pair)) {
    for transport in TRANSPORTS {
        for byte_by_byte in [false, true] {
            let mut pair = Pair::new(transport);
            pair.byte_by_byte = byte_by_byte;
            pair.secure();
            test(pair);
        }
    }
}

const MECHANISMS: &str = "<mechanism>SCRAM-SHA-512-PLUS</mechanism><mechanism>SCRAM-SHA-256-PLUS</mechanism>\
    <mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-512</mechanism><mechanism>SCRAM-SHA-256</mechanism>\
    <mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>";

#[test]
fn features_are_those_of_the_state() {
    let mut tcp = Pair::new(Transport::Tcp);
    assert_eq!(
        tcp.open(),
        "[open]<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
    );
    everywhere(|mut pair| {
        let expected = format!(
            "[open]<stream:features>\
             <authentication xmlns='urn:xmpp:sasl:2'>{MECHANISMS}<inline>\
             <bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/><feature var='urn:xmpp:csi:0'/>\
             <feature var='urn:xmpp:sm:3'/></inline></bind><sm xmlns='urn:xmpp:sm:3'/>\
             <fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism>\
             <mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast></inline>\
             <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>\
             <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>\
             <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-1</upgrade></authentication>\
             <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{MECHANISMS}</mechanisms>\
             <sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>\
             <channel-binding type='tls-server-end-point'/></sasl-channel-binding>\
             <limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits></stream:features>"
        );
        assert_eq!(pair.open(), expected);
        pair.tell(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>",
            plain("", "juliet", PASSWORD)
        ));
        pair.heard();
        assert_eq!(
            pair.open(),
            "[open]<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>\
             <sm xmlns='urn:xmpp:sm:3'/><csi xmlns='urn:xmpp:csi:0'/><ver xmlns='urn:xmpp:features:rosterver'/>\
             <sub xmlns='urn:xmpp:features:pre-approval'/><limits xmlns='urn:xmpp:stream-limits:0'>\
             <max-bytes>262144</max-bytes><idle-seconds>300</idle-seconds></limits></stream:features>"
        );
    });
}

#[test]
fn scram_by_sasl1_then_bind_then_stanzas() {
    everywhere(|mut pair| {
        for (at, (mechanism, hash, binding)) in [
            ("SCRAM-SHA-1", Hash::Sha1, None),
            ("SCRAM-SHA-256", Hash::Sha256, None),
            ("SCRAM-SHA-512", Hash::Sha512, None),
            ("SCRAM-SHA-256-PLUS", Hash::Sha256, Some(("tls-exporter", &EXPORTER[..]))),
            ("SCRAM-SHA-1-PLUS", Hash::Sha1, Some(("tls-server-end-point", &END_POINT[..]))),
        ]
        .into_iter()
        .enumerate()
        {
            if at > 0 {
                let byte_by_byte = pair.byte_by_byte;
                pair = Pair::new(pair.transport);
                pair.byte_by_byte = byte_by_byte;
                pair.secure();
            }
            pair.open();
            let mut scram = Scram::new(hash, "juliet", binding);
            let challenge = pair.say(&format!(
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{}</auth>",
                scram.first()
            ));
            let last = scram.last(&text_of(&challenge, "challenge"), PASSWORD);
            let success =
                pair.say(&format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{last}</response>"));
            assert_eq!(
                success,
                format!("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</success>", scram.expected())
            );
            assert_eq!(pair.authenticated, ["juliet@example.org"]);
            assert!(
                pair.open_as("to='example.org' from='juliet@example.org' version='1.0'").contains("<bind")
            );
            pair.say("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
            assert_eq!(
                pair.ups(),
                [format!(
                    "bind juliet@example.org any carbons=false enable=None Active {mechanism} Some(\"TLSv1.3\")"
                )]
            );
            assert_eq!(
                pair.say("<message to='romeo@example.org'><body>art thou?</body></message>[]<presence/>"),
                ""
            );
        }
    });
}

#[test]
fn everything_in_one_go_by_sasl2() {
    everywhere(|mut pair| {
        pair.engine.archive = Some(ArchiveEnds {
            first: ("a".into(), 1_219_439_343_000),
            last: ("z".into(), 1_587_393_261_042),
        });
        pair.open();
        let mut scram = Scram::new(Hash::Sha256, "juliet", Some(("tls-exporter", &EXPORTER)));
        let challenge = pair.say(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256-PLUS'><initial-response>{}</initial-response>\
             <user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Awesome</software><device>Phone</device></user-agent>\
             <bind xmlns='urn:xmpp:bind:0'><tag>Awesome</tag><enable xmlns='urn:xmpp:carbons:2'/>\
             <enable xmlns='urn:xmpp:sm:3' resume='true' max='300'/><inactive xmlns='urn:xmpp:csi:0'/></bind>\
             <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/></authenticate>",
            scram.first()
        ));
        assert!(challenge.starts_with("<challenge xmlns='urn:xmpp:sasl:2'>"), "{challenge}");
        let last = scram.last(&text_of(&challenge, "challenge"), PASSWORD);
        let success = pair.say(&format!("<response xmlns='urn:xmpp:sasl:2'>{last}</response>"));
        let features = "<stream:features><csi xmlns='urn:xmpp:csi:0'/><ver xmlns='urn:xmpp:features:rosterver'/>\
             <sub xmlns='urn:xmpp:features:pre-approval'/><limits xmlns='urn:xmpp:stream-limits:0'>\
             <max-bytes>262144</max-bytes><idle-seconds>300</idle-seconds></limits></stream:features>";
        assert_eq!(
            success,
            format!(
                "<success xmlns='urn:xmpp:sasl:2'><additional-data>{}</additional-data>\
                 <authorization-identifier>juliet@example.org/Awesome~1</authorization-identifier>\
                 <bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'>\
                 <start id='a' timestamp='2008-08-22T21:09:03.000Z'/><end id='z' timestamp='2020-04-20T14:34:21.042Z'/></metadata>\
                 <enabled xmlns='urn:xmpp:sm:3' id='sm-1' resume='true' max='600'/></bound>\
                 <token xmlns='urn:xmpp:fast:0' expiry='2027-01-15T08:00:00Z' token='token-1'/></success>{features}",
                scram.expected()
            )
        );
        assert_eq!(
            pair.ups(),
            [
                "bind juliet@example.org tag \"Awesome\" client Some(\"d4565fa7-4d72-4749-b3d3-740edbf87770\") carbons=true \
              enable=Some(Enable { resume: true, max: Some(300) }) Inactive SCRAM-SHA-256-PLUS Some(\"TLSv1.3\")"
            ]
        );
        // Already inactive, so this says nothing new; stream management is on.
        assert_eq!(pair.say("<inactive xmlns='urn:xmpp:csi:0'/>"), "");
        assert_eq!(pair.say("<active xmlns='urn:xmpp:csi:0'/>"), "");
        assert_eq!(pair.say("<r xmlns='urn:xmpp:sm:3'/>"), "");
        assert_eq!(pair.ups(), ["Active", "ack?"]);
    });
}

#[test]
fn a_token_logs_in_and_resumes_in_one_round_trip() {
    for (mechanism, binding) in [
        (Mechanism::HtSha256Expr, &EXPORTER[..]),
        (Mechanism::HtSha256Endp, &END_POINT[..]),
        (Mechanism::HtSha256None, &[][..]),
    ] {
        everywhere(|mut pair| {
            pair.engine.resumable = Some("sm-1");
            let kept = pair::store::Kept {
                slot: sasl::Slot::Current,
                secret: "secret".into(),
                mechanism,
                expired: false,
                count: 4,
            };
            pair.store.tokens.insert("uuid".into(), vec![kept]);
            pair.open_as("to='example.org' from='juliet@example.org' version='1.0'");
            let success = pair.say(&format!(
                "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{}'><initial-response>{}</initial-response>\
                 <user-agent id='uuid'/><fast xmlns='urn:xmpp:fast:0' count='5'/>\
                 <resume xmlns='urn:xmpp:sm:3' previd='sm-1' h='9'/><bind xmlns='urn:xmpp:bind:0'/></authenticate>",
                mechanism.name(),
                hashed_token("juliet", "secret", binding)
            ));
            let data = text_of(&success, "additional-data");
            assert_eq!(
                success,
                format!(
                    "<success xmlns='urn:xmpp:sasl:2'><additional-data>{data}</additional-data>\
                     <authorization-identifier>juliet@example.org/old</authorization-identifier>\
                     <resumed xmlns='urn:xmpp:sm:3' h='17' previd='sm-1'/></success>"
                )
            );
            assert_eq!(pair.ups(), ["resume juliet@example.org sm-1 9"]);
            assert_eq!(pair.store.tokens["uuid"][0].count, 5);
            assert_eq!(pair.stream.jid().unwrap().as_str(), "juliet@example.org/old");
        });
    }
}

#[test]
fn c26_a_failed_resumption_is_followed_by_the_bind_in_the_same_answer() {
    let auth = plain("", "juliet", PASSWORD);
    for (bind, expected, ups) in [
        (
            "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3'/></bind>",
            "<authorization-identifier>juliet@example.org/~1</authorization-identifier>\
             <failed xmlns='urn:xmpp:sm:3' h='3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>\
             <bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3'/></bound></success><stream:features><csi",
            2,
        ),
        (
            "",
            "<authorization-identifier>juliet@example.org</authorization-identifier>\
             <failed xmlns='urn:xmpp:sm:3' h='3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>\
             </success><stream:features><bind",
            1,
        ),
    ] {
        everywhere(|mut pair| {
            pair.open();
            let success = pair.say(&format!(
                "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{auth}</initial-response>\
                 <resume xmlns='urn:xmpp:sm:3' previd='gone' h='0'/>{bind}</authenticate>"
            ));
            let expected = format!("<success xmlns='urn:xmpp:sasl:2'>{expected}");
            assert!(success.starts_with(&expected), "{success}");
            assert_eq!(pair.ups().len(), ups);
        });
    }
}

#[test]
fn sasl2_without_wishes_leads_to_the_old_bind() {
    everywhere(|mut pair| {
        pair.open();
        let success = pair.say(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{}</initial-response></authenticate>",
            plain("juliet@example.org", "juliet", PASSWORD)
        ));
        assert!(
            success.starts_with(
                "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>juliet@example.org</authorization-identifier>\
                 </success><stream:features><bind "
            ),
            "{success}"
        );
        let bound = pair.say("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        assert!(bound.contains("<jid>juliet@example.org/chosen</jid>"));
    });
}

#[test]
fn plain_without_an_initial_response_and_with_an_abort_before() {
    everywhere(|mut pair| {
        pair.open();
        let empty = "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
        let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>";
        assert_eq!(pair.say(auth), empty);
        assert_eq!(pair.say("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), "");
        assert_eq!(
            pair.pass(std::time::Duration::from_secs(1)),
            "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>"
        );
        assert_eq!(pair.say(auth), empty);
        let response = plain("", "juliet", PASSWORD);
        assert_eq!(
            pair.say(&format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{response}</response>")),
            "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
        );
    });
}

#[test]
fn a_session_is_resumed_after_sasl1() {
    everywhere(|mut pair| {
        pair.engine.resumable = Some("sm-1");
        pair.open();
        pair.log_in();
        assert_eq!(
            pair.say("<resume xmlns='urn:xmpp:sm:3' previd='other' h='2'/>"),
            "<failed xmlns='urn:xmpp:sm:3' h='3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
        );
        assert_eq!(
            pair.say("<resume xmlns='urn:xmpp:sm:3' previd='sm-1' h='2'/>"),
            "<resumed xmlns='urn:xmpp:sm:3' h='17' previd='sm-1'/>"
        );
        assert_eq!(pair.say("<a xmlns='urn:xmpp:sm:3' h='5'/>"), "");
        assert_eq!(
            pair.ups(),
            ["resume juliet@example.org other 2", "resume juliet@example.org sm-1 2", "ack 5"]
        );
    });
}

#[test]
fn the_loopback_may_do_without_tls_if_the_operator_says_so() {
    for (peer, allowed, offered) in [
        ("127.0.0.1", true, true),
        ("::1", true, true),
        ("::ffff:127.0.0.1", true, true),
        ("127.0.0.1", false, false),
        ("192.0.2.7", true, false),
    ] {
        for transport in TRANSPORTS {
            let settings = stream::Settings { plain_on_loopback: allowed, ..settings() };
            let mut pair = Pair::from(transport, settings, peer);
            let features = pair.open();
            assert_eq!(features.contains("<mechanism>PLAIN"), offered, "{peer} {transport:?} {features}");
            assert!(!features.contains("-PLUS"), "nothing to bind to: {features}");
            assert_eq!(features.contains("<required/></starttls>"), transport == Transport::Tcp && !offered);
        }
    }
}

#[test]
fn registration_is_passed_out_before_authentication() {
    for transport in TRANSPORTS {
        let mut pair = Pair::new(transport);
        if transport == Transport::Tcp {
            pair.open_as("to='other.example' version='1.0'");
            pair.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        }
        pair.tls(pair::tls());
        let features = pair.open_as("to='other.example' version='1.0'");
        assert!(
            features.contains("<register xmlns='http://jabber.org/features/iq-register'/>"),
            "{features}"
        );
        let form = pair.say("<iq type='get' id='r1'><query xmlns='jabber:iq:register'/></iq>");
        assert_eq!(form, "<iq id='r1' type='result'/>");
        assert_eq!(
            pair.store.asked,
            ["register other.example <iq id='r1' type='get'><query xmlns='jabber:iq:register'/></iq>"]
        );
    }
}

/// XEP-0198 section 3: `location`, for sessions that may be resumed and clients that connect by host and port.
#[test]
fn the_place_to_resume_is_told_where_it_makes_sense() {
    const LOCATION: &str = " location='[2001:db8::1]:9222'";
    for transport in TRANSPORTS {
        let wanted = if matches!(transport, Transport::Tcp | Transport::DirectTls) { LOCATION } else { "" };
        for (resume, rest) in
            [("true", format!(" id='sm-2' resume='true' max='600'{wanted}/>")), ("false", "/>".to_owned())]
        {
            let mut pair = Pair::bound_with(transport, settings_elsewhere());
            let said = pair.say(&format!("<enable xmlns='urn:xmpp:sm:3' resume='{resume}'/>"));
            assert_eq!(said, format!("<enabled xmlns='urn:xmpp:sm:3'{rest}"), "{transport:?}");
        }
        let mut pair = Pair::secured(transport, settings_elsewhere());
        let success = pair.say(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{}</initial-response>\
             <bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind></authenticate>",
            plain("", "juliet", PASSWORD)
        ));
        let enabled = format!(
            "<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id='sm-1' resume='true' max='600'{wanted}/>"
        );
        assert!(success.contains(&enabled), "{transport:?} {success}");
    }
}

/// C-28: what is asked of accounts and engine says by what right, taken before the password was looked at.
#[test]
fn c28_a_login_and_a_bind_say_by_what_right() {
    #[derive(Debug)]
    struct Revocable(Grants);

    impl stream::Domains for Revocable {
        fn serves(&self, domain: &str) -> bool {
            domain == "example.org"
        }

        fn grant(&self, account: &Bare) -> Grant {
            self.0.of(account)
        }
    }

    let juliet = || Bare::parse("juliet@example.org").unwrap();
    for (revoked, logged_in, held) in
        [("never", true, &[true][..]), ("at login", false, &[]), ("at bind", true, &[false])]
    {
        let grants = Grants::default();
        let settings =
            stream::Settings { domains: std::sync::Arc::new(Revocable(grants.clone())), ..settings() };
        let mut pair = Pair::secured(Transport::DirectTls, settings);
        pair.store.revoke = (revoked == "at login").then(|| (grants.clone(), juliet()));
        let auth = plain("", "juliet", PASSWORD);
        let said = pair
            .say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>"));
        assert_eq!(said.contains("<success"), logged_in, "{revoked}: {said}");
        if logged_in {
            pair.open();
            if revoked == "at bind" {
                grants.revoke(&juliet());
            }
            pair.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        }
        let seen: Vec<bool> = pair.engine.grants.iter().map(|grant| grant.holds()).collect();
        assert_eq!(seen, held, "{revoked}");
    }
}

fn upgrade(name: &str) -> String {
    format!("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-{name}</upgrade>")
}

/// Begins with PLAIN and these tasks; what is said then.
fn begin(pair: &mut Pair, tasks: &str) -> String {
    pair.say(&format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{}</initial-response>{tasks}</authenticate>",
        plain("", "juliet", PASSWORD)
    ))
}

fn next(name: &str) -> String {
    format!("<next xmlns='urn:xmpp:sasl:2' task='UPGR-{name}'/>")
}

/// What a client makes of the salt.
fn hashed(hash: Hash, salt: &str) -> String {
    assert!(salt.contains("iterations='4096'"), "{salt}");
    let bytes = sasl::decode_base64(&text_of(salt, "salt")).unwrap_or_default();
    task_data(&sasl::encode_base64(&pair::client::salted(hash, &bytes, 4096, PASSWORD)))
}

fn task_data(hash: &str) -> String {
    let hash = format!("<hash xmlns='urn:xmpp:scram-upgrade:0'>{hash}</hash>");
    format!("<task-data xmlns='urn:xmpp:sasl:2'>{hash}</task-data>")
}

/// XEP-0480: what the account lacks is asked for, one after the other, before the login is told.
#[test]
fn clients_give_keys_that_are_missing() {
    everywhere(|mut pair| {
        pair.open();
        let mut scram = Scram::new(Hash::Sha1, "juliet", None);
        let tasks = format!(
            "{}{}{}{}",
            upgrade("SCRAM-SHA-1"),
            upgrade("SCRAM-SHA-512"),
            upgrade("SCRAM-SHA-256"),
            upgrade("X")
        );
        let challenge = pair.say(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1'><initial-response>{}</initial-response>{tasks}</authenticate>",
            scram.first()
        ));
        let last = scram.last(&text_of(&challenge, "challenge"), PASSWORD);
        let said = pair.say(&format!("<response xmlns='urn:xmpp:sasl:2'>{last}</response>"));
        let expected = |data: &str, name: &str| {
            format!(
                "<continue xmlns='urn:xmpp:sasl:2'>{data}<tasks><task>UPGR-{name}</task></tasks></continue>"
            )
        };
        let data = format!("<additional-data>{}</additional-data>", scram.expected());
        assert_eq!(said, expected(&data, "SCRAM-SHA-512"));
        let salt = pair.say(&next("SCRAM-SHA-512"));
        assert_eq!(pair.say(&hashed(Hash::Sha512, &salt)), expected("", "SCRAM-SHA-256"));
        let salt = pair.say(&next("SCRAM-SHA-256"));
        let said = pair.say(&hashed(Hash::Sha256, &salt));
        assert!(said.starts_with("<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>"), "{said}");
        let asked = &pair.store.asked[pair.store.asked.len() - 3..];
        let juliet = "juliet@example.org";
        assert_eq!(
            asked,
            [
                format!("missing {juliet} SHA-1 SHA-512 SHA-256"),
                format!("upgrade {juliet} SHA-512 true"),
                format!("upgrade {juliet} SHA-256 true"),
            ]
        );
    });
}

#[test]
fn nothing_is_asked_of_who_offers_nothing_that_is_missing() {
    for tasks in [
        String::new(),
        upgrade("SCRAM-SHA-1"),
        upgrade("X"),
        "<upgrade xmlns='urn:x'>UPGR-SCRAM-SHA-512</upgrade>".into(),
    ] {
        let mut pair = Pair::secured(Transport::DirectTls, settings());
        let said = begin(&mut pair, &tasks);
        assert!(said.starts_with("<success ") && !said.contains("continue"), "{tasks}: {said}");
    }
    // The login is good also where nothing more can be stored.
    let mut pair = Pair::secured(Transport::DirectTls, settings());
    pair.store.full = true;
    assert!(begin(&mut pair, &upgrade("SCRAM-SHA-256")).starts_with("<success "));
}

/// Whatever goes wrong in a task, nobody is logged in and nothing is stored.
#[test]
fn tasks_that_go_wrong_fail_the_login() {
    let hash = |text: &str| task_data(text);
    let short = sasl::encode_base64(&[1; 20]);
    for (first, second, condition) in [
        ("<abort xmlns='urn:xmpp:sasl:2'/>".to_owned(), None, "aborted"),
        (next("SCRAM-SHA-512"), None, "malformed-request"),
        ("<next xmlns='urn:xmpp:sasl:2'/>".to_owned(), None, "malformed-request"),
        (hash(&short), None, "malformed-request"),
        ("<response xmlns='urn:xmpp:sasl:2'/>".to_owned(), None, "malformed-request"),
        (next("SCRAM-SHA-256"), Some("<abort xmlns='urn:xmpp:sasl:2'/>".to_owned()), "aborted"),
        (next("SCRAM-SHA-256"), Some(next("SCRAM-SHA-256")), "malformed-request"),
        (next("SCRAM-SHA-256"), Some(hash(&short)), "malformed-request"),
        (next("SCRAM-SHA-256"), Some(hash("")), "malformed-request"),
        (next("SCRAM-SHA-256"), Some(hash("%")), "incorrect-encoding"),
        (next("SCRAM-SHA-256"), Some("<task-data xmlns='urn:xmpp:sasl:2'/>".to_owned()), "malformed-request"),
    ] {
        let mut pair = Pair::secured(Transport::DirectTls, settings());
        assert!(begin(&mut pair, &upgrade("SCRAM-SHA-256")).starts_with("<continue "));
        let mut said = pair.say(&first);
        if let Some(second) = &second {
            assert!(said.starts_with("<task-data "), "{said}");
            said = pair.say(second);
        }
        let expected = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        // The answer to a failure is late.
        let said = said + &pair.pass(std::time::Duration::from_secs(1));
        assert!(said.contains(&expected), "{first} {second:?}: {said}");
        assert!(
            pair.store.asked.iter().all(|asked| !asked.starts_with("upgrade ")),
            "{:?}",
            pair.store.asked
        );
    }
}
