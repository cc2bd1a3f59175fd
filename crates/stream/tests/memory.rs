//! What an idle stream costs in memory, as the operating system sees it.
//!
//! Not here: memory of the shell's buffers (crate `net`).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod pair;

use std::sync::Arc;

use model::link::{Down, Transport};
use pair::Pair;
use stanza::{MessageType, Stanza};
use stream::Stream;

/// Bytes of the struct itself.
const STRUCT_BYTES_MAX: usize = 720;
/// Bytes of resident memory that an idle, bound stream may cost: the struct, about 250 bytes of heap (the address, the
/// stream header's namespaces), and what the allocator loses.
const IDLE_BYTES_MAX: usize = 1536;
const STREAMS: usize = 1_000;

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// A stream (over TCP, where most is kept) that was bound, has carried stanzas of 20 KiB both ways, and has nothing to do.
fn idle(transport: Transport) -> Stream {
    let mut pair = Pair::bound(transport);
    let text = "x".repeat(20_000);
    pair.tell(&format!("<message><body>{text}</body></message>"));
    let mut w = xml::Writer::new("jabber:client");
    w.open("body", "jabber:client").text(&text).close();
    let stanza = Stanza::message(MessageType::Chat).with_inner(w.finish());
    pair.stream.handle_down(pair.now, Down::Stanza(Arc::new(stanza)));
    assert!(pair.heard().len() > 20_000);
    pair.stream
}

#[test]
fn an_idle_stream_costs_little() {
    println!("struct: {} bytes", size_of::<Stream>());
    assert!(size_of::<Stream>() <= STRUCT_BYTES_MAX);
    // What the first ones cost besides (lazy keys, the allocator's own growth) is not the streams'.
    let warm: Vec<Stream> = (0..100).map(|_| idle(Transport::Tcp)).collect();
    let before = resident_bytes();
    let streams: Vec<Stream> = (0..STREAMS).map(|_| idle(Transport::Tcp)).collect();
    let each = resident_bytes().saturating_sub(before) / streams.len();
    println!("resident: {each} bytes each");
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes each");
    drop((warm, streams));
}
