//! Data between clients and peers.
//!
//! Not here: requests (`requests.rs`).

use super::*;
use crate::frame;

fn indication(peer: &str, data: &[u8]) -> Vec<u8> {
    Builder::new(a::SEND, Class::Indication, [9; 12])
        .address(a::XOR_PEER_ADDRESS, ip(peer))
        .put(a::DATA, data)
        .finish()
}

fn to_peer(stage: &mut Stage, client: Client, bytes: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    match stage.server.handle(stage.time, client, bytes, &mut stage.sockets)? {
        Output::Peer(relay, peer, data) => {
            assert!(stage.sockets.open.contains(&relay));
            Some((peer, data.to_vec()))
        }
        Output::Client(..) => panic!("to a client"),
    }
}

#[test]
fn indications_go_both_ways_with_a_permission_and_not_without() {
    let mut stage = Stage::new(Limits::default());
    let relay = stage.allocate(phone(), &romeo()).unwrap();
    let peer = ip("8.8.8.8:53");
    let bytes = indication("8.8.8.8:53", b"hello");
    assert_eq!(to_peer(&mut stage, phone(), &bytes), None);
    assert_eq!(stage.server.handle_peer(stage.time.now, relay, peer, b"a"), None);
    stage.permit(phone(), &romeo(), "8.8.8.8:1").unwrap();
    assert_eq!(to_peer(&mut stage, phone(), &bytes), Some((peer, b"hello".to_vec())));
    let Some(Output::Client(to, bytes)) = stage.server.handle_peer(stage.time.now, relay, peer, b"answer")
    else {
        panic!("nothing came")
    };
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((to, message.method, message.class), (phone(), a::DATA_METHOD, Class::Indication));
    assert_eq!(
        (message.address(a::XOR_PEER_ADDRESS), message.find(a::DATA)),
        (Some(peer), Some(&b"answer"[..]))
    );
    // Another peer, and after five minutes this one too.
    assert_eq!(stage.server.handle_peer(stage.time.now, relay, ip("8.8.4.4:53"), b"a"), None);
    stage.pass(301);
    assert_eq!(stage.server.handle_peer(stage.time.now, relay, peer, b"a"), None);
    let bytes = indication("8.8.8.8:53", b"hello");
    assert_eq!(to_peer(&mut stage, phone(), &bytes), None);
}

#[test]
fn channels_go_both_ways_and_are_padded_in_streams() {
    for (client, padded) in [(phone(), false), (Client::Stream(5, phone().remote()), true)] {
        let mut stage = Stage::new(Limits::default());
        let relay = stage.allocate(client, &romeo()).unwrap();
        let peer = ip("8.8.8.8:53");
        stage.bind(client, &romeo(), 0x4000, "8.8.8.8:53").unwrap();
        let bytes = frame::write_channel_data(0x4000, b"hello", padded).unwrap();
        assert_eq!(to_peer(&mut stage, client, &bytes), Some((peer, b"hello".to_vec())));
        let unbound = frame::write_channel_data(0x4001, b"hello", padded).unwrap();
        assert_eq!(to_peer(&mut stage, client, &unbound), None);
        let Some(Output::Client(_, bytes)) = stage.server.handle_peer(stage.time.now, relay, peer, b"x")
        else {
            panic!("nothing came")
        };
        assert_eq!(frame::channel_data(&bytes), Some((0x4000, &b"x"[..])));
        assert_eq!(bytes.len(), if padded { 8 } else { 5 });
        // Another port of the same peer has a permission, but no channel.
        let Some(Output::Client(_, bytes)) =
            stage.server.handle_peer(stage.time.now, relay, ip("8.8.8.8:54"), b"x")
        else {
            panic!("nothing came")
        };
        assert!(Message::parse(&bytes).is_some());
        assert_eq!(stage.bind(client, &romeo(), 0x4000, "8.8.8.8:54"), Err(400));
        assert_eq!(stage.bind(client, &romeo(), 0x4001, "8.8.8.8:53"), Err(400));
        stage.pass(599);
        stage.bind(client, &romeo(), 0x4000, "8.8.8.8:53").unwrap();
    }
}

/// Two clients that can both reach nothing but this relay: it joins them, and nothing else of this machine is reached.
#[test]
fn two_relays_of_ours_talk_inside() {
    let mut stage = Stage::new(Limits::default());
    let (juliet, laptop) = (issue(SECRET, "juliet", NOW + 60), Client::Stream(1, phone().remote()));
    let romeos = stage.allocate(phone(), &romeo()).unwrap();
    let juliets = stage.allocate(laptop, &juliet).unwrap();
    stage.permit(phone(), &romeo(), &juliets.to_string()).unwrap();
    let bytes = indication(&juliets.to_string(), b"hello");
    assert!(
        stage.server.handle(stage.time, phone(), &bytes, &mut stage.sockets).is_none(),
        "not permitted by her"
    );
    stage.permit(laptop, &juliet, &romeos.to_string()).unwrap();
    let Some(Output::Client(to, bytes)) =
        stage.server.handle(stage.time, phone(), &bytes, &mut stage.sockets)
    else {
        panic!("nothing came")
    };
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((to, message.address(a::XOR_PEER_ADDRESS)), (laptop, Some(romeos)));
    for port in [22, 5222, 3478, 49_999] {
        let bytes = indication(&format!("203.0.113.1:{port}"), b"hello");
        assert!(stage.server.handle(stage.time, phone(), &bytes, &mut stage.sockets).is_none());
    }
}

#[test]
fn what_ends_is_closed() {
    let mut stage = Stage::new(Limits::default());
    let stream = Client::Stream(1, phone().remote());
    stage.allocate(stream, &romeo()).unwrap();
    stage.server.handle_gone(stream, &mut stage.sockets);
    stage.server.handle_gone(stream, &mut stage.sockets);
    assert!(stage.sockets.open.is_empty());
    let relay = stage.allocate(phone(), &romeo()).unwrap();
    stage.permit(phone(), &romeo(), "8.8.8.8:1").unwrap();
    stage.pass(599);
    assert_eq!(stage.sockets.open, [relay]);
    stage.pass(1);
    assert!(stage.sockets.open.is_empty());
    assert_eq!(stage.server.handle_peer(stage.time.now, relay, ip("8.8.8.8:1"), b"a"), None);
    assert_eq!(stage.server.allocations(), 0);
}

#[test]
fn messages_are_found_in_streams() {
    for (bytes, want) in [
        (&[][..], Ok(None)),
        (&[0], Ok(None)),
        (&[0, 1, 0], Ok(None)),
        (&[0, 1, 0, 8], Ok(Some(28))),
        (&[0, 1, 0, 7], Err(())),
        (&[0x40, 0, 0, 5], Ok(Some(12))),
        (&[0x4f, 0xff, 0, 0], Ok(Some(4))),
        (&[0x7f, 0xff, 0, 0], Ok(Some(4))),
        (&[0x80], Err(())),
        (&b"GET "[..], Err(())),
    ] {
        assert_eq!(frame::length(bytes), want, "{bytes:?}");
    }
}
