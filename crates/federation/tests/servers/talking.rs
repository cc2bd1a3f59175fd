//! Messages, presence, requests and rooms between servers that trust each other.
//!
//! Not here: servers that do not (`believing.rs`).

use std::sync::Arc;
use std::time::Duration;

use federation::Srv;

use crate::world::{World, closed_port};

#[tokio::test]
async fn a_message_arrives_and_is_answered() {
    let world = World::new();
    let (a, b) = (world.server("a.example").await, world.server("b.example").await);
    let (romeo, mut juliet) =
        (a.client("romeo@a.example/garden").await, b.client("juliet@b.example/balcony").await);
    juliet.send("<presence />").await;
    romeo.send("<message to='juliet@b.example/balcony' type='chat' id='m1'><body>hello</body></message>").await;
    let came = juliet.expect(&["hello", "id='m1'"]).await;
    assert!(came.contains("from='romeo@a.example/garden'"), "{came}");
    a.cleared("b.example").await;
    assert_eq!(a.counters.stanzas[0].value(), 1);
}
