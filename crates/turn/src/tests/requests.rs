//! Who gets an allocation, and what may be asked of it.
//!
//! Not here: limits (`limits.rs`), data (`relaying.rs`).

use super::*;

#[test]
fn a_client_is_told_where_it_is_seen() {
    let mut stage = Stage::new(Limits::default());
    for client in [phone(), Client::Stream(1, ip("[2a00::7]:9"))] {
        let answer = stage.plain(client, a::BINDING, &[]).unwrap();
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.address(a::XOR_MAPPED_ADDRESS), Some(client.remote()));
        assert_eq!(code(&stage.plain(client, a::BINDING, &[(0x7777, b"")]).unwrap()), Some(420));
    }
}

#[test]
fn only_credentials_of_ours_that_are_not_expired_open_a_relay() {
    let mut stage = Stage::new(Limits::default());
    let forged = |username: &str| Credentials { username: username.into(), password: "x".into() };
    for (credentials, want) in [
        (romeo(), Ok(())),
        (issue(SECRET, "romeo", NOW), Err(401)),
        (issue(SECRET, "romeo", NOW - 1), Err(401)),
        (issue(SECRET, "romeo", NOW + 25 * 3_600), Err(401)),
        (issue(b"other", "romeo", NOW + 60), Err(401)),
        (forged("romeo"), Err(401)),
        (forged(""), Err(401)),
        (forged(&format!("{}:romeo", u64::MAX)), Err(401)),
        (Credentials { username: issue(SECRET, "juliet", NOW + 60).username, ..romeo() }, Err(401)),
    ] {
        let got = stage.allocate(phone(), &credentials).map(|_| ());
        assert_eq!(got, want, "{credentials:?}");
        if got.is_ok() {
            stage.ask(phone(), &credentials, a::REFRESH, &[(a::LIFETIME, &[0; 4])]).unwrap();
        }
        assert!(stage.sockets.open.is_empty());
    }
}

#[test]
fn a_nonce_is_for_one_address_and_one_hour() {
    let mut stage = Stage::new(Limits::default());
    stage.allocate(phone(), &romeo()).unwrap();
    let elsewhere = Client::Udp(0, ip("198.51.100.8:40000"));
    assert_eq!(stage.allocate(elsewhere, &romeo()), Err(438));
    // The same address by another way is the same client.
    stage.allocate(Client::Stream(3, phone().remote()), &romeo()).unwrap();
    stage.pass(3_601);
    let late = issue(SECRET, "romeo", NOW + 7_200);
    assert_eq!(stage.allocate(phone(), &late), Err(438));
    stage.forget_nonce();
    stage.allocate(phone(), &late).unwrap();
}

#[test]
fn a_call_goes_on_when_its_credentials_expire_and_no_new_one_begins() {
    let mut stage = Stage::new(Limits::default());
    let short = issue(SECRET, "romeo", NOW + 60);
    stage.allocate(phone(), &short).unwrap();
    stage.pass(61);
    stage.ask(phone(), &short, a::REFRESH, &[]).unwrap();
    stage.permit(phone(), &short, "8.8.8.8:1").unwrap();
    assert_eq!(stage.allocate(Client::Udp(0, ip("198.51.100.7:40001")), &short), Err(401));
    stage.pass(601);
    assert_eq!(stage.ask(phone(), &short, a::REFRESH, &[]), Err(437));
    assert!(stage.sockets.open.is_empty());
}

#[test]
fn what_is_asked_for_an_allocation() {
    let v6: (Attribute, &[u8]) = (a::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    let udp = UDP[0];
    for (with, want) in [
        (&[][..], Err(400)),
        (&[(a::REQUESTED_TRANSPORT, &[6, 0, 0, 0][..])], Err(442)),
        (&[(a::REQUESTED_TRANSPORT, &[17][..])], Err(400)),
        (&[udp, v6], Ok("2a00::1")),
        (&[udp, (a::REQUESTED_ADDRESS_FAMILY, &[1, 0, 0, 0])], Ok("203.0.113.1")),
        (&[udp, (a::REQUESTED_ADDRESS_FAMILY, &[3, 0, 0, 0])], Err(440)),
        (&[udp, (a::ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])], Ok("203.0.113.1")),
        (&[udp, v6, (a::ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])], Err(400)),
        (&[udp, (a::EVEN_PORT, &[0])], Ok("203.0.113.1")),
        (&[udp, (a::EVEN_PORT, &[0x80])], Err(508)),
        (&[udp, (a::RESERVATION_TOKEN, &[0; 8])], Err(508)),
        (&[udp, (a::RESERVATION_TOKEN, &[0; 8]), (a::EVEN_PORT, &[0])], Err(400)),
        (&[udp, (0x001a, &[])], Err(420)),
    ] {
        let mut stage = Stage::new(Limits::default());
        let got = stage.ask(phone(), &romeo(), a::ALLOCATE, with);
        let relay =
            got.map(|answer| Message::parse(&answer).unwrap().address(a::XOR_RELAYED_ADDRESS).unwrap());
        let even = with.iter().any(|(number, _)| *number == a::EVEN_PORT);
        assert!(relay.is_err() || !even || relay.unwrap().port().is_multiple_of(2));
        assert_eq!(relay.map(|relay| relay.ip().to_string()), want.map(str::to_owned), "{with:?}");
        assert!(relay.map_or(stage.sockets.open.is_empty(), |relay| stage.sockets.open == [relay]));
    }
}

#[test]
fn an_answer_that_was_lost_comes_again_and_a_second_relay_does_not() {
    let mut stage = Stage::new(Limits::default());
    let relay = stage.allocate(phone(), &romeo()).unwrap();
    assert_eq!(stage.allocate(phone(), &romeo()), Err(437));
    stage.ask(phone(), &romeo(), a::REFRESH, &[(a::LIFETIME, &[0; 4])]).unwrap();
    let request = stage.signed(&romeo(), a::ALLOCATE, UDP);
    let [first, second] = [0, 1].map(|_| stage.send(phone(), &request).unwrap());
    assert_eq!((code(&first), first), (None, second));
    assert!(!stage.sockets.open.contains(&relay) || stage.sockets.open.len() == 1);
}

#[test]
fn peers_inside_are_refused() {
    let mut stage = Stage::new(Limits::default());
    stage.allocate(phone(), &romeo()).unwrap();
    for (peer, want) in [
        ("8.8.8.8:53", Ok(())),
        ("127.0.0.1:53", Err(403)),
        ("10.0.0.1:53", Err(403)),
        ("169.254.169.254:80", Err(403)),
        ("224.0.0.1:5353", Err(403)),
        ("[2a00::2]:53", Err(443)),
        ("[::ffff:127.0.0.1]:53", Err(443)),
        // Ourselves: only relays are there (see `relaying.rs`).
        ("203.0.113.1:22", Ok(())),
    ] {
        assert_eq!(stage.permit(phone(), &romeo(), peer).map(|_| ()), want, "{peer}");
        assert_eq!(
            stage.bind(phone(), &romeo(), 0x4001, peer).map(|_| ()).err(),
            want.err().or(match peer {
                "8.8.8.8:53" => None,
                // The channel is taken.
                _ => Some(400),
            }),
            "{peer}"
        );
    }
}

#[test]
fn peers_of_ipv6_inside_are_refused() {
    let mut stage = Stage::new(Limits::default());
    let v6: &[(Attribute, &[u8])] = &[UDP[0], (a::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])];
    stage.ask(phone(), &romeo(), a::ALLOCATE, v6).unwrap();
    for (peer, want) in [
        ("[2a00::2]:53", Ok(())),
        ("[::1]:53", Err(403)),
        ("[::ffff:8.8.8.8]:53", Err(403)),
        ("[::ffff:127.0.0.1]:53", Err(403)),
        ("[64:ff9b::7f00:1]:53", Err(403)),
        ("[2002:7f00:1::1]:53", Err(403)),
        ("[fe80::1]:53", Err(403)),
        ("[ff02::1]:53", Err(403)),
        ("[fd00::1]:53", Err(403)),
        ("8.8.8.8:53", Err(443)),
    ] {
        assert_eq!(stage.permit(phone(), &romeo(), peer).map(|_| ()), want, "{peer}");
    }
}

#[test]
fn requests_that_make_no_sense() {
    let mut stage = Stage::new(Limits::default());
    for method in [a::REFRESH, a::CREATE_PERMISSION, a::CHANNEL_BIND] {
        assert_eq!(stage.ask(phone(), &romeo(), method, &[]), Err(437));
    }
    stage.allocate(phone(), &romeo()).unwrap();
    let juliet = issue(SECRET, "juliet", NOW + 60);
    for (who, method, with, want) in [
        (&juliet, a::REFRESH, &[][..], 441),
        (&romeo(), a::CREATE_PERMISSION, &[], 400),
        (&romeo(), a::CREATE_PERMISSION, &[(a::XOR_PEER_ADDRESS, &[0, 1][..])], 400),
        (&romeo(), a::CREATE_PERMISSION, &[(a::XOR_PEER_ADDRESS, &[0, 3, 0, 0, 0, 0, 0, 0][..])], 400),
        (&romeo(), a::CHANNEL_BIND, &[(a::CHANNEL_NUMBER, &[0x40, 0, 0, 0][..])], 400),
        (&romeo(), a::REFRESH, &[(a::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0][..])], 443),
        (&romeo(), a::REFRESH, &[(0x7fff, &[][..])], 420),
    ] {
        assert_eq!(stage.ask(phone(), who, method, with), Err(want), "{with:?}");
    }
    for number in [0x3fff, 0x8000, 0, 0xffff] {
        assert_eq!(stage.bind(phone(), &romeo(), number, "8.8.8.8:53"), Err(400), "{number:x}");
    }
    // No answer: other methods, answers, what is no message.
    for method in [0x00a, 0x00b, 0xfff] {
        assert_eq!(stage.plain(phone(), method, &[]), None);
    }
    let answer = Builder::new(a::ALLOCATE, Class::Success, [1; 12]).finish();
    assert_eq!(stage.send(phone(), &answer), None);
    for bytes in [&b""[..], b"\0", b"GET / HTTP/1.1\r\n\r\n", &[0; 20], &[0x40; 3], &[0xff; 100]] {
        assert_eq!(stage.send(phone(), bytes), None);
    }
}
