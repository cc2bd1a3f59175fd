//! How long a message takes to parse and canonicalise, and how many allocations.
//!
//! `cargo run --release -p xml --example speed`
//!
//! Not here: a bound that fails a build; tests/memory.rs bounds the allocations.

use std::alloc::System;
use std::hint::black_box;
use std::time::Instant;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use xml::{Event, Framing, Limits, Parser, Tree};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HEADER: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

fn main() {
    let chat = chat();
    let omemo = omemo();
    let cyrillic = chat.replace("I am on my way, see you", "я уже выхожу, до встреч");
    for (name, message) in [("chat", &chat), ("omemo", &omemo), ("cyrillic", &cyrillic)] {
        let best =
            (0..40).map(|_| batch(message)).fold((f64::MAX, 0.0), |a, b| if b.0 < a.0 { b } else { a });
        let bytes = message.len();
        println!("{name}: {bytes} B, {:.0} ns, {:.2} allocations per message", best.0, best.1);
    }
    tree(&omemo);
}

/// Time and allocations per message for 5,000 of them in pieces of 4 KiB, as a socket gives them.
fn batch(message: &str) -> (f64, f64) {
    const MESSAGES: usize = 5_000;
    let input = message.repeat(MESSAGES);
    let mut parser = Parser::new(Framing::Stream, Limits::CLIENT);
    parser.push(HEADER.as_bytes());
    while let Ok(Some(_)) = parser.next() {}
    let region = Region::new(ALLOCATOR);
    let start = Instant::now();
    let mut seen = 0;
    for piece in input.as_bytes().chunks(4_096) {
        parser.push(piece);
        while let Ok(Some(event)) = parser.next() {
            if let Event::Element(element) = event {
                black_box(&element);
                seen += 1;
            }
        }
    }
    let (time, change) = (start.elapsed(), region.change());
    assert_eq!(seen, MESSAGES);
    (time.as_nanos() as f64 / MESSAGES as f64, change.allocations as f64 / MESSAGES as f64)
}

fn tree(message: &str) {
    let mut parser = Parser::new(Framing::Documents(""), Limits::CLIENT);
    parser.push(message.as_bytes());
    let Ok(Some(Event::Element(element))) = parser.next() else { return };
    let mut best = f64::MAX;
    for _ in 0..40 {
        let start = Instant::now();
        for _ in 0..1_000 {
            let tree = Tree::parse(element.bytes(), "");
            assert!(black_box(&tree).is_ok());
        }
        best = best.min(start.elapsed().as_nanos() as f64 / 1_000.0);
    }
    println!("tree of omemo: {best:.0} ns");
}

fn chat() -> String {
    "<message to='juliet@capulet.example/balcony' from='romeo@montague.example/orchard' id='7b6f8d2c-1f5e' \
     type='chat' xml:lang='en'><body>I am on my way, see you at the usual place at nine &amp; don't be late.</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
     <markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='7b6f8d2c-1f5e'/></message>"
        .to_owned()
}

fn omemo() -> String {
    let key = "MwohBWp".repeat(24) + "AA==";
    let payload = "q83vEjRW".repeat(48);
    let keys: String = (1..=4).map(|i| format!("<key rid='100000{i}'>{key}</key>")).collect();
    format!(
        "<message to='juliet@capulet.example' id='7b6f8d2c-1f5e' type='chat'>\
         <encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='27183'>{keys}<iv>BBBBBBBBBBBBBBBB</iv></header>\
         <payload>{payload}</payload></encrypted><encryption xmlns='urn:xmpp:eme:0' name='OMEMO' \
         namespace='eu.siacs.conversations.axolotl'/><body>I sent you an OMEMO encrypted message.</body>\
         <store xmlns='urn:xmpp:hints'/></message>"
    )
}
