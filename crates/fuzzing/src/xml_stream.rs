//! Target 1, `xml_stream`: bytes to events.
//!
//! Oracles: no panic; the same events and verdict for every way to cut the input; what comes out is a fixed point;
//! memory and requests for memory in proportion to the input; what we accept, other parsers accept, with the same
//! tree.
//!
//! Not here: the other parsers in C (fuzz/).

use xml::fuzzing::{fuzz_stream, tiny};
use xml::{Event, Framing, Limits, Parser};

use crate::heap::Meter;
use crate::source::Source;
use crate::xml_flat::{HEADER, Oracle, RXML, compare};
use crate::xml_grammar::{damage, generate};

/// Bytes of heap that a parser may hold for each byte of input: its copy of what it has not told yet, and the
/// canonical form, in which namespaces are written out.
const HEAP_PER_BYTE: usize = 64;
/// Bytes of heap that it may hold whatever the input.
const HEAP_ALWAYS: usize = 16 * 1024;
/// Requests for memory for each byte of input. `<a/>`, the shortest element, needs two.
const REQUESTS_PER_BYTE: usize = 2;
/// Requests whatever the input.
const REQUESTS_ALWAYS: usize = 64;

/// The target with the oracle that is Rust.
///
/// # Panics
/// If an oracle finds a difference.
pub fn xml_stream(data: &[u8]) {
    xml_stream_against(data, &[RXML]);
}

/// The target with these other parsers.
///
/// # Panics
/// If an oracle finds a difference.
pub fn xml_stream_against(data: &[u8], oracles: &[Oracle]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    // Three quarters of the inputs are documents as they are; the others are made by a grammar, and damaged.
    let document = match mode >> 6 {
        0 | 1 => rest.to_vec(),
        2 => [HEADER, rest].concat(),
        _ => [HEADER, &made(rest)].concat(),
    };
    bounded(&document, Limits::CLIENT);
    bounded(&document, Limits::BEFORE_AUTH);
    bounded(&document, tiny());
    let mut input = vec![mode & 0x3F];
    input.extend_from_slice(&document);
    fuzz_stream(&input);
    oracles.iter().for_each(|oracle| compare(&document, oracle));
}

fn made(bytes: &[u8]) -> Vec<u8> {
    let mut source = Source::new(bytes);
    let damages = source.below(5);
    let places: Vec<_> =
        (0..damages).map(|_| (usize::from(source.short()), source.byte(), source.byte())).collect();
    let mut stream = generate(source.rest());
    places.into_iter().for_each(|(at, kind, what)| damage(&mut stream, at, kind, what));
    stream
}

/// What the parser holds never outgrows what it was given.
fn bounded(input: &[u8], limits: Limits) {
    let mut meter = Meter::default();
    let mut parser = Parser::new(Framing::Stream, limits);
    let mut given = 0;
    for piece in input.chunks(61) {
        parser.push(piece);
        given += piece.len();
        let failed = loop {
            let event = parser.next();
            meter.look();
            match event {
                Ok(Some(event)) => drop::<Event>(event),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let most = meter.most().max(0) as usize;
        assert!(most <= HEAP_ALWAYS + HEAP_PER_BYTE * given, "{most} bytes held for {given}");
        let requests = meter.requests();
        assert!(
            requests <= REQUESTS_ALWAYS + REQUESTS_PER_BYTE * given,
            "{requests} requests for memory for {given} bytes"
        );
        if failed {
            return;
        }
        // A limit holds for what waits too: nobody can make us keep more than one element and one piece.
        let kept = parser.unread().len();
        assert!(
            kept <= limits.element_bytes.max(limits.header_bytes) as usize + piece.len(),
            "{kept} unread"
        );
    }
}
