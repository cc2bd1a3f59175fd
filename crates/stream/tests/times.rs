//! Time limits, pauses and closing, in virtual time.
//!
//! RFC 6120 sections 4.4 and 4.6, 6.4.5; security bar, C-04, D-20.
//!
//! Not here: rows without time (bad_input.rs).

mod pair;

use std::sync::Arc;
use std::time::Duration;

use address::Jid;
use model::link::{Bound, Down, ResumeRefused, Transport};
use pair::client::plain;
use pair::engine::SESSION;
use pair::store::PASSWORD;
use pair::{Pair, TRANSPORTS, settings};
use stanza::{MessageType, Stanza, StreamCondition};
use stream::{Misbehaviour as M, Rate, Settings};

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: &str =
    "<stream:error><connection-timeout xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>[close]";

fn auth(password: &str) -> String {
    format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>",
        plain("", "juliet", password)
    )
}

fn message(body: &str) -> Down {
    let mut w = xml::Writer::new("jabber:client");
    w.open("body", "jabber:client").text(body).close();
    Down::Stanza(Arc::new(Stanza::message(MessageType::Chat).with_inner(w.finish())))
}

#[test]
fn a16_the_time_to_authenticate_is_not_extended() {
    for transport in TRANSPORTS {
        let mut pair = Pair::new(transport);
        pair.secure();
        pair.open();
        for _ in 0..299 {
            assert_eq!(pair.say(if transport == Transport::Bosh { "" } else { " " }), "");
            assert_eq!(pair.pass(SECOND / 10), "");
        }
        assert_eq!(pair.closed, 0);
        assert_eq!(pair.pass(SECOND), TIMEOUT);
        assert_eq!((pair.closed, pair.notes.clone()), (1, vec![M::TooSlow]));
    }
}

#[test]
fn who_says_nothing_at_all_gets_a_header_and_an_error() {
    for transport in TRANSPORTS {
        let mut pair = Pair::new(transport);
        assert_eq!(pair.pass(30 * SECOND), format!("[open]{TIMEOUT}"));
    }
}

#[test]
fn a_handshake_that_never_ends_is_cut_without_a_word() {
    let mut pair = Pair::new(Transport::Tcp);
    pair.open();
    pair.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(pair.pass(30 * SECOND), "");
    assert_eq!(pair.closed, 1);
}

#[test]
fn an_account_store_that_does_not_answer_does_not_hold_a_stream_for_ever() {
    let mut pair = Pair::secured(Transport::Tcp, settings());
    pair.store.deaf = true;
    pair.say(&auth(PASSWORD));
    assert!(!pair.stream.wants_input());
    assert_eq!(pair.pass(30 * SECOND), TIMEOUT);
    pair.stream.handle_answer(pair.now, stream::Answer::Password(true));
    pair.run();
    assert!(pair.authenticated.is_empty());
}

#[test]
fn a_resource_must_be_bound_in_time() {
    for transport in TRANSPORTS {
        let mut pair = Pair::secured(transport, settings());
        pair.pass(20 * SECOND);
        pair.log_in();
        assert_eq!(pair.pass(29 * SECOND), "", "the time for binding begins with authentication");
        assert_eq!(pair.pass(SECOND), TIMEOUT);
    }
}

#[test]
fn c04_failures_are_answered_ever_later_and_five_are_enough() {
    for transport in TRANSPORTS {
        let mut pair = Pair::secured(transport, settings());
        let failure = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>";
        for (nth, delay_ms) in [250, 500, 1000, 2000, 4000].into_iter().enumerate() {
            assert_eq!(pair.say(&auth("wrong")), "");
            assert_eq!(pair.pass(Duration::from_millis(delay_ms - 1)), "", "attempt {nth}");
            let said = pair.pass(Duration::from_millis(1));
            assert!(said.starts_with(failure), "{said}");
            assert_eq!(pair.closed, usize::from(nth == 4), "attempt {nth}");
            assert_eq!(said.contains("<policy-violation"), nth == 4);
        }
        assert_eq!(pair.notes.last(), Some(&M::TooManyFailures));
        assert_eq!(pair.say(&auth(PASSWORD)), "");
        assert!(pair.authenticated.is_empty());
    }
}

#[test]
fn what_comes_while_a_failure_waits_is_handled_after_it() {
    for transport in TRANSPORTS {
        let mut pair = Pair::secured(transport, settings());
        pair.tell(&auth("wrong"));
        pair.tell(&auth(PASSWORD));
        assert_eq!(pair.heard(), "");
        assert!(!pair.stream.wants_input());
        let said = pair.pass(SECOND);
        assert!(
            said.starts_with("<failure")
                && said.ends_with("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        );
    }
}

#[test]
fn more_than_may_wait_ends_the_stream() {
    for transport in TRANSPORTS {
        let mut pair = Pair::secured(transport, settings());
        pair.tell(&auth("wrong"));
        for _ in 0..10_000 {
            pair.tell("<x xmlns='urn:x'>0123456789</x>");
        }
        assert_eq!((pair.closed, pair.notes.last()), (1, Some(&M::Flood)), "{transport:?}");
    }
}

#[test]
fn a_whole_login_may_come_in_one_segment() {
    let mut pair = Pair::new(Transport::DirectTls);
    pair.secure();
    let said = pair.say(&format!(
        "[open to='example.org' version='1.0']{}[open to='example.org' version='1.0']\
         <iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence/>",
        auth(PASSWORD)
    ));
    assert_eq!(said.matches("[open]").count(), 2);
    assert!(said.contains("/chosen</jid>"));
    assert_eq!(pair.ups().last().unwrap(), "stanza <presence from='juliet@example.org/chosen'/>");
    assert_ne!(pair.ids[0], pair.ids[1], "a restarted stream has a new identifier");
    assert_eq!(pair.ids[0].len(), 32);
}

#[test]
fn a_silent_client_is_asked_and_then_given_up() {
    for transport in TRANSPORTS {
        let mut pair = Pair::bound(transport);
        if transport == Transport::Bosh {
            assert_eq!(pair.stream.poll_timeout(), None, "silence is normal there");
            continue;
        }
        let ping = "<iq from='example.org' to='juliet@example.org/balcony' id='still-there' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
        assert_eq!(pair.pass(299 * SECOND), "");
        assert_eq!(pair.pass(SECOND), ping);
        // The answer is a sign of life, and nothing for the engine but to be counted.
        assert_eq!(pair.say("<iq type='result' id='still-there'/>"), "");
        assert_eq!(pair.ups(), ["refused None"]);
        assert_eq!(pair.pass(299 * SECOND), "");
        assert_eq!(pair.say("<message/>"), "");
        assert_eq!(pair.pass(299 * SECOND), "");
        assert_eq!(pair.pass(SECOND), ping);
        assert_eq!(pair.pass(29 * SECOND), "");
        assert_eq!(pair.pass(SECOND), TIMEOUT);
        assert_eq!(pair.ups().last().unwrap(), "closed 7 Broken");
        assert_eq!(pair.notes, [M::Silent]);
    }
}

#[test]
fn a_managed_client_is_asked_by_r() {
    let mut pair = Pair::bound(Transport::Tcp);
    pair.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    assert_eq!(pair.pass(300 * SECOND), "<r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(pair.say("<a xmlns='urn:xmpp:sm:3' h='0'/>"), "");
    assert_eq!(pair.pass(299 * SECOND), "");
    assert_eq!(pair.ups(), ["enable Enable { resume: true, max: None }", "ack 0"]);
}

#[test]
fn management_words_pass_in_order() {
    for transport in TRANSPORTS {
        let mut pair = Pair::bound(transport);
        let said = pair.say(
            "<enable xmlns='urn:xmpp:sm:3' resume='1' max='60'/>[]<message/>[]<r xmlns='urn:xmpp:sm:3'/>",
        );
        assert_eq!(said, "<enabled xmlns='urn:xmpp:sm:3' id='sm-2' resume='true' max='600'/>");
        assert_eq!(
            pair.ups(),
            [
                "enable Enable { resume: true, max: Some(60) }",
                "stanza <message from='juliet@example.org/balcony'/>",
                "ack?"
            ]
        );
        for down in [message("a"), Down::AckRequest, Down::Ack(1), message("b & c")] {
            pair.stream.handle_down(pair.now, down);
        }
        assert_eq!(
            pair.heard(),
            "<message type='chat'><body>a</body></message><r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='1'/>\
             <message type='chat'><body>b &amp; c</body></message>"
        );
    }
}

#[test]
fn d20_many_r_are_one() {
    for transport in TRANSPORTS {
        let mut pair = Pair::bound(transport);
        pair.say("<enable xmlns='urn:xmpp:sm:3'/>");
        pair.ups();
        for _ in 0..100 {
            pair.tell("<r xmlns='urn:xmpp:sm:3'/>");
        }
        assert_eq!(pair.ups(), ["ack?"]);
        pair.tell("<message/>[]<r xmlns='urn:xmpp:sm:3'/>");
        assert_eq!(pair.ups().last().unwrap(), "ack?", "its answer would be another");
        pair.stream.handle_down(pair.now, Down::Ack(1));
        pair.tell("<r xmlns='urn:xmpp:sm:3'/>");
        assert_eq!(pair.ups(), ["ack?"]);
        for _ in 0..100 {
            pair.tell("<inactive xmlns='urn:xmpp:csi:0'/>");
        }
        assert_eq!(pair.ups(), ["Inactive"]);
    }
}

#[test]
fn a_client_that_is_too_fast_is_paused_not_killed() {
    for transport in TRANSPORTS {
        let rate = Rate { bytes_per_second: 1000, burst_bytes: 20_000 };
        let mut pair = Pair::bound_with(transport, Settings { rate, ..settings() });
        let body = "x".repeat(10_000);
        let mut sent = 0;
        while pair.stream.wants_input() {
            pair.tell(&format!("<message><body>{body}</body></message>"));
            sent += 1;
        }
        assert!((2..=3).contains(&sent), "{sent}");
        assert_eq!(pair.ups().len(), sent, "what has come is handled");
        let until = pair.stream.poll_timeout().unwrap();
        assert!(until > pair.now && until <= pair.now + 15 * SECOND);
        pair.pass(15 * SECOND);
        assert!(pair.stream.wants_input());
        assert_eq!((pair.closed, pair.notes.len()), (0, 0));
    }
}

/// E-17: eleven bytes that go to thousands.
#[test]
fn broadcasts_cost_more_than_their_bytes_and_what_came_with_them_waits() {
    for transport in TRANSPORTS {
        let rate = Rate { bytes_per_second: 4_300, burst_bytes: 20_000 };
        let mut pair = Pair::bound_with(transport, Settings { rate, ..settings() });
        pair.tell(&vec!["<presence/>"; 60].join("[]"));
        let first = pair.ups().len();
        assert!((4..=5).contains(&first), "{first}");
        assert!(!pair.stream.wants_input());
        let mut all = first;
        for _ in 0..60 - first {
            pair.pass(SECOND);
            let more = pair.ups().len();
            assert!(more <= 2, "{more}");
            all += more;
        }
        pair.pass(2 * SECOND);
        all += pair.ups().len();
        assert_eq!((all, pair.closed, pair.notes.len()), (60, 0, 0), "nothing is lost");
        // Without a limit they are free.
        let rate = Rate::UNLIMITED;
        let mut pair = Pair::bound_with(transport, Settings { rate, ..settings() });
        pair.tell(&vec!["<presence/>"; 60].join("[]"));
        assert_eq!(pair.ups().len(), 60);
    }
}

#[test]
fn the_engine_closes_in_peace_or_with_an_error() {
    let error = stanza::StreamError {
        condition: StreamCondition::UndefinedCondition,
        text: None,
        app: Some("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>".into()),
    };
    for transport in TRANSPORTS {
        let mut pair = Pair::bound(transport);
        pair.stream.handle_down(pair.now, message("last"));
        pair.stream.handle_down(pair.now, Down::Close(Some(error.clone())));
        pair.run();
        assert_eq!(
            pair.heard(),
            "<message type='chat'><body>last</body></message><stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/></stream:error>[close]"
        );
        assert_eq!((pair.closed, pair.ups()), (1, vec!["closed 7 Broken".to_owned()]));

        // In peace: our half at once, the connection when the client has closed its half...
        let mut pair = Pair::bound(transport);
        pair.stream.handle_down(pair.now, Down::Close(None));
        pair.run();
        assert_eq!((pair.heard(), pair.ups()), ("[close]".into(), vec!["closed 7 Clean".to_owned()]));
        assert_eq!(pair.say("<message/>"), "");
        assert_eq!((pair.closed, pair.ups().len()), (0, 0));
        assert_eq!(pair.say("[close]"), "");
        assert_eq!(pair.closed, 1);

        // ... or after five seconds.
        let mut pair = Pair::bound(transport);
        pair.stream.handle_down(pair.now, Down::Close(None));
        pair.run();
        pair.pass(4 * SECOND);
        assert_eq!(pair.closed, 0);
        pair.pass(SECOND);
        assert_eq!((pair.closed, pair.ups().len()), (1, 1));
    }
}

#[test]
fn shutting_down_closes_streams_in_every_state() {
    let shutdown = || Down::Close(Some(StreamCondition::SystemShutdown.into()));
    for transport in TRANSPORTS {
        let opened = |mut pair: Pair| {
            pair.stream.handle_down(pair.now, shutdown());
            pair.run();
            let said = pair.heard();
            assert!(said.contains("<system-shutdown ") && said.ends_with("[close]"), "{said}");
            assert_eq!(pair.closed, 1);
        };
        opened(Pair::new(transport));
        opened(Pair::secured(transport, settings()));
        opened(Pair::bound(transport));
    }
}

#[test]
fn a47_the_end_of_file_breaks_and_the_closing_tag_does_not() {
    for transport in TRANSPORTS {
        let mut pair = Pair::bound(transport);
        pair.eof();
        assert_eq!(pair.ups(), ["closed 7 Broken"]);
        pair.eof();
        assert_eq!((pair.closed, pair.ups().len()), (1, 0));

        let mut pair = Pair::bound(transport);
        pair.stream.handle_down(pair.now, message("queued"));
        assert_eq!(pair.say("[close]"), "<message type='chat'><body>queued</body></message>[close]");
        pair.eof();
        assert_eq!((pair.closed, pair.ups()), (1, vec!["closed 7 Clean".to_owned()]));
    }
}

#[test]
fn a_session_that_is_bound_for_a_dead_stream_is_given_back() {
    let bound = || {
        let jid = Jid::parse("juliet@example.org/x").unwrap();
        Down::Bound(Ok(Box::new(Bound { session: SESSION, jid, enabled: None, archive: None })))
    };
    let refused = || Down::Resumed(Err(ResumeRefused { h: None }));
    for transport in TRANSPORTS {
        for (inside, answer, told) in [
            ("<bind xmlns='urn:xmpp:bind:0'/>", bound(), vec!["closed 7 Broken".to_owned()]),
            ("<bind xmlns='urn:xmpp:bind:0'/>", Down::Bound(Err(stanza::Condition::Conflict.into())), vec![]),
            (
                "<bind xmlns='urn:xmpp:bind:0'/><resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
                refused(),
                vec![],
            ),
        ] {
            let mut pair = Pair::secured(transport, settings());
            pair.engine.deaf = true;
            let initial = plain("", "juliet", PASSWORD);
            pair.say(&format!(
                "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{initial}</initial-response>{inside}</authenticate>"
            ));
            assert_eq!(pair.ups().len(), 1);
            assert!(!pair.stream.wants_input());
            assert_eq!(pair.pass(60 * SECOND), "", "the engine may take its time");
            pair.eof();
            assert_eq!(pair.closed, 0, "the stream must hear what became of the session");
            pair.stream.handle_down(pair.now, answer);
            pair.run();
            assert_eq!((pair.closed, pair.ups()), (1, told));
        }
    }
}

#[test]
fn a_refused_bind_may_be_tried_again() {
    for transport in TRANSPORTS {
        let mut pair = Pair::secured(transport, settings());
        pair.log_in();
        pair.engine.refuse = Some(stanza::Condition::ResourceConstraint.into());
        let bind = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
        assert_eq!(
            pair.say(bind),
            "<iq id='1' type='error'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        );
        pair.engine.refuse = None;
        assert!(pair.say(bind).contains("<jid>"));

        let mut pair = Pair::secured(transport, settings());
        pair.engine.refuse = Some(stanza::Condition::ResourceConstraint.into());
        let initial = plain("", "juliet", PASSWORD);
        let said = pair.say(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{initial}</initial-response>\
             <bind xmlns='urn:xmpp:bind:0'/></authenticate>"
        ));
        assert!(said.contains("<authorization-identifier>juliet@example.org</") && !said.contains("<bound"));
        assert!(said.contains("<stream:features><bind "), "{said}");
    }
}
