//! Limits, each reached.
//!
//! Not here: their numbers (`limits.rs` of the crate).

use super::*;
use crate::{ALLOCATION_AGE_MAX, ANSWERS_BURST, ANSWERS_PER_SECOND, CHANNELS_MAX, PERMISSIONS_MAX, frame};

fn client(port: u16) -> Client {
    Client::Udp(0, SocketAddr::new(phone().remote().ip(), port))
}

#[test]
fn allocations_of_one_user_and_of_all() {
    let limits = Limits { allocations: 3, allocations_per_user: 2, ..Limits::default() };
    let mut stage = Stage::new(limits);
    let juliet = issue(SECRET, "juliet", NOW + 60);
    // Other credentials of the same user count together.
    let again = issue(SECRET, "romeo", NOW + 90);
    stage.allocate(client(1), &romeo()).unwrap();
    stage.allocate(client(2), &again).unwrap();
    assert_eq!(stage.allocate(client(3), &romeo()), Err(486));
    stage.allocate(client(3), &juliet).unwrap();
    assert_eq!(stage.allocate(client(4), &juliet), Err(508));
    stage.ask(client(1), &romeo(), a::REFRESH, &[(a::LIFETIME, &[0; 4])]).unwrap();
    stage.allocate(client(4), &juliet).unwrap();
    assert_eq!(stage.sockets.open.len(), 3);
}

#[test]
fn ports_that_cannot_be_had() {
    let mut stage = Stage::new(Limits::default());
    stage.sockets.none = true;
    assert_eq!(stage.allocate(phone(), &romeo()), Err(508));
    stage.sockets.none = false;
    stage.allocate(phone(), &romeo()).unwrap();
}

#[test]
fn permissions_and_channels() {
    let mut stage = Stage::new(Limits::default());
    stage.allocate(phone(), &romeo()).unwrap();
    for at in 0..CHANNELS_MAX {
        stage.bind(phone(), &romeo(), 0x4000 + at as u16, &format!("8.8.8.8:{}", at + 1)).unwrap();
    }
    assert_eq!(stage.bind(phone(), &romeo(), 0x4fff, "8.8.8.8:999"), Err(508));
    stage.bind(phone(), &romeo(), 0x4000, "8.8.8.8:1").unwrap();
    for at in 1..PERMISSIONS_MAX {
        stage.permit(phone(), &romeo(), &format!("8.8.4.{at}:1")).unwrap();
    }
    assert_eq!(stage.permit(phone(), &romeo(), "9.9.9.9:1"), Err(508));
    stage.permit(phone(), &romeo(), "8.8.8.8:1").unwrap();
    stage.pass(301);
    stage.permit(phone(), &romeo(), "9.9.9.9:1").unwrap();
}

#[test]
fn lifetimes() {
    let mut stage = Stage::new(Limits::default());
    stage.allocate(phone(), &romeo()).unwrap();
    let refresh = |stage: &mut Stage, asked: u32| {
        let answer = stage.ask(phone(), &romeo(), a::REFRESH, &[(a::LIFETIME, &asked.to_be_bytes())])?;
        Ok(Message::parse(&answer).unwrap().number(a::LIFETIME).unwrap())
    };
    for (asked, want) in [(1, 600), (600, 600), (1_200, 1_200), (u32::MAX, 3_600)] {
        assert_eq!(refresh(&mut stage, asked), Ok(want));
    }
    for _ in 0..ALLOCATION_AGE_MAX.as_secs() / 3_000 {
        stage.pass(3_000);
        // The nonce is renewed as clients do.
        if refresh(&mut stage, 3_600) == Err(438) {
            stage.forget_nonce();
            assert!(refresh(&mut stage, 3_600).unwrap() <= 3_600);
        }
    }
    stage.pass(3_000);
    assert_eq!(stage.server.allocations(), 0, "a day is the most");
}

#[test]
fn bytes_in_a_second() {
    let limits = Limits { bytes_per_second_per_user: 1_000, bytes_per_second: 1_500, ..Limits::default() };
    let mut stage = Stage::new(limits);
    let juliet = issue(SECRET, "juliet", NOW + 60);
    let mut relays = Vec::new();
    for (port, who) in [(1, &romeo()), (2, &romeo()), (3, &juliet)] {
        relays.push(stage.allocate(client(port), who).unwrap());
        stage.bind(client(port), who, 0x4000, "8.8.8.8:1").unwrap();
    }
    let data = frame::write_channel_data(0x4000, &[0; 600], false).unwrap();
    let passes = |stage: &mut Stage, port| {
        stage.server.handle(stage.time, client(port), &data, &mut stage.sockets).is_some()
    };
    assert!(passes(&mut stage, 1));
    assert!(!passes(&mut stage, 2), "two allocations of one user share");
    let back = stage.server.handle_peer(stage.time.now, relays[0], ip("8.8.8.8:1"), &[0; 600]);
    assert_eq!(back, None, "and both directions");
    assert!(passes(&mut stage, 3));
    stage.pass(1);
    assert!(passes(&mut stage, 2) && passes(&mut stage, 3));
    stage.pass(10);
    assert!(passes(&mut stage, 2) && passes(&mut stage, 3));
    assert!(!passes(&mut stage, 3));
}

/// An address that is forged does not get more than so much; the same holds for its whole /64.
#[test]
fn answers_that_need_no_credentials() {
    let mut stage = Stage::new(Limits::default());
    let answers = |stage: &mut Stage, from: &str, count| {
        (0..count).filter(|_| stage.plain(Client::Udp(0, ip(from)), a::ALLOCATE, &[]).is_some()).count()
            as u32
    };
    assert_eq!(answers(&mut stage, "[2a00::1]:1", 100), ANSWERS_BURST);
    assert_eq!(answers(&mut stage, "[2a00::2]:1", 10), 0);
    assert_eq!(answers(&mut stage, "198.51.100.7:1", 1), 1);
    stage.pass(1);
    assert_eq!(answers(&mut stage, "[2a00::1]:1", 100), ANSWERS_PER_SECOND);
    let stream = Client::Stream(1, ip("[2a00::1]:1"));
    assert!(stage.plain(stream, a::ALLOCATE, &[]).is_some());
}

#[test]
fn an_answer_to_nobody_in_particular_is_short() {
    let mut stage = Stage::new(Limits::default());
    let request = stage.builder(a::ALLOCATE, UDP).finish();
    let challenge = stage.send(phone(), &request).unwrap();
    assert!(challenge.len() <= 112, "{} bytes for {}", challenge.len(), request.len());
    let request = stage.builder(a::BINDING, &[]).finish();
    assert_eq!(stage.send(phone(), &request).unwrap().len(), 32);
    let long = stage.builder(a::BINDING, &[(0x8022, &[0; 2_048])]).finish();
    assert_eq!(stage.send(phone(), &long), None);
    let many = vec![(0x8022, &[][..]); 65];
    let many = stage.builder(a::BINDING, &many).finish();
    assert_eq!(stage.send(phone(), &many), None);
}
