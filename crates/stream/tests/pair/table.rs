//! A table of bad inputs: each row over every transport, whole and byte by byte.
//!
//! Not here: the rows (bad_input.rs, bad_logins.rs).

use std::time::Duration;

use model::link::Transport;
use stream::Misbehaviour as M;

use super::{Pair, TRANSPORTS, settings};

/// How far the stream has come before the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
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
pub enum On {
    All,
    Streams,
    Frames,
}

#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// This stream error, and the end.
    Dies(&'static str),
    /// Exactly this answer, and the stream goes on.
    Lives(&'static str),
    /// A clean end.
    Ends,
}

pub use At::*;
pub use On::*;
pub use Verdict::*;

pub type Row = (&'static str, At, On, String, Verdict, Vec<M>);

pub fn run(rows: Vec<Row>) {
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

pub fn check(pair: &mut Pair, name: &str, at: At, said: &str, verdict: Verdict) {
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

pub fn prepare(transport: Transport, at: At) -> Pair {
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

pub fn open(attributes: &str) -> String {
    format!("[open {attributes}]")
}

pub fn auth(mechanism: &str, data: &str) -> String {
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{data}</auth>")
}

pub fn row(id: &'static str, at: At, on: On, input: impl Into<String>, verdict: Verdict, note: M) -> Row {
    (id, at, on, input.into(), verdict, vec![note])
}
