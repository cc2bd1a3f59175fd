//! What a connection costs while it is idle, and what a message costs while it passes.
//!
//! A program without the test harness, whose own thread would allocate while every allocation is counted.
//!
//! Not here: times (examples/speed.rs).

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use xml::{Event, Framing, Limits, Parser};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' \
                      to='example.org' xmlns:stream='http://etherx.jabber.org/streams'>";
const CHAT: &str = "<message to='a@b.example/c' id='1' type='chat'><body>Hello, it&apos;s me</body>\
                    <active xmlns='http://jabber.org/protocol/chatstates'/></message>";

fn main() {
    let region = Region::new(ALLOCATOR);
    let held = |region: &Region<'_, System>| {
        let change = region.change();
        change.bytes_allocated as isize - change.bytes_deallocated as isize
    };
    let mut parser = Parser::new(Framing::Stream, Limits::CLIENT);
    parser.push(HEADER.as_bytes());
    assert!(matches!(parser.next(), Ok(Some(Event::Header(_)))));
    for _ in 0..3 {
        parser.push(CHAT.as_bytes());
        assert!(matches!(parser.next(), Ok(Some(Event::Element(_)))));
    }
    let busy = Region::new(ALLOCATOR);
    parser.push(CHAT.as_bytes());
    let event = parser.next();
    assert!(busy.change().allocations <= 2, "{:?}", busy.change());
    drop(event);
    assert!(matches!(parser.next(), Ok(None)));
    assert!(parser.is_idle());
    parser.release();
    let idle = held(&region);
    assert!(idle < 300, "{idle} bytes of heap while idle");

    // A large stanza, byte by byte, never holds much more than itself in canonical form.
    let large = format!("<message><body>{}</body></message>", "&amp;".repeat(50_000));
    let before = held(&region);
    let mut most = 0;
    for byte in large.as_bytes() {
        parser.push(std::slice::from_ref(byte));
        drop(parser.next());
        most = most.max(held(&region) - before);
    }
    assert!(most < 3 * large.len() as isize, "{most} bytes for {}", large.len());
    assert!(parser.is_idle());
    parser.release();
    assert!(held(&region) <= before, "as idle as it was");
}
