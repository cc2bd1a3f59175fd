//! The mediator over loopback.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use bytestreams::{Denied, HANDSHAKES_PER_ADDRESS_MAX, Handshake, Limits, Name};
use mediator::{Mediator, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn mediator(limits: Limits) -> Mediator {
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    serving(settings(limits), here)
}

fn settings(limits: Limits) -> Settings {
    let none = 0;
    Settings {
        limits,
        bytes_per_second: none,
        bytes_per_second_per_account: none,
        bytes_per_second_in_all: none,
    }
}

fn serving(settings: Settings, here: SocketAddr) -> Mediator {
    let mediator = Mediator::bind(settings, &[here]).unwrap();
    tokio::spawn(mediator.clone().run());
    mediator
}

fn name(sid: &str) -> Name {
    Name::of(sid, "a@b/c", "d@e/f")
}

/// Connects and asks for a stream; the second answer.
async fn connect(to: &Mediator, name: Name) -> (TcpStream, Vec<u8>) {
    let mut socket = TcpStream::connect(to.addresses()[0]).await.unwrap();
    socket.write_all(&[5, 1, 0]).await.unwrap();
    let mut answer = [0; 2];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [5, 0]);
    let request = [&[5, 1, 0, 3, 40], name.to_string().as_bytes(), &[0, 0]].concat();
    socket.write_all(&request).await.unwrap();
    let mut answer = vec![0; 47];
    let read = socket.read(&mut answer).await.unwrap();
    answer.truncate(read);
    (socket, answer)
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come to be");
}

/// Both are here: the answer may be read before the connection has been put where it waits.
async fn activate(mediator: &Mediator, name: Name) {
    until(|| mediator.activate(name, "a@b") == Ok(())).await;
}

#[tokio::test]
async fn bytes_pass_both_ways_until_both_have_ended() {
    let mediator = mediator(Limits::default()).await;
    let (mut one, granted) = connect(&mediator, name("1")).await;
    assert_eq!(granted, Handshake::granted(name("1")));
    assert_eq!(mediator.activate(name("2"), "a@b"), Err(Denied::Missing));
    assert_eq!(mediator.activate(name("1"), "a@b"), Err(Denied::Alone));
    let (mut other, _) = connect(&mediator, name("1")).await;
    // What is said early is not lost.
    one.write_all(b"early").await.unwrap();
    activate(&mediator, name("1")).await;
    let content: Vec<u8> = (0..300_000).map(|n| (n / 3) as u8).collect();
    let sending = tokio::spawn({
        let content = content.clone();
        async move {
            one.write_all(&content).await.unwrap();
            one.shutdown().await.unwrap();
            let mut back = Vec::new();
            one.read_to_end(&mut back).await.unwrap();
            back
        }
    });
    let mut seen = Vec::new();
    other.read_to_end(&mut seen).await.unwrap();
    assert!(seen[..5] == *b"early" && seen[5..] == content);
    other.write_all(b"thanks").await.unwrap();
    drop(other);
    assert_eq!(sending.await.unwrap(), b"thanks");
    until(|| mediator.counts() == (0, 0)).await;
    assert_eq!(mediator.passed(), 5 + 300_000 + 6);
}

#[tokio::test]
async fn who_does_not_fit_is_refused_and_leaves_nothing() {
    let limits = Limits { connections_per_address: 3, ..Limits::default() };
    let mediator = mediator(limits).await;
    for bad in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[4, 1, 0, 80, 127, 0, 0, 1, 0], &[5, 0], &[5, 1, 2]] {
        let mut socket = TcpStream::connect(mediator.addresses()[0]).await.unwrap();
        socket.write_all(bad).await.unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer == [5, 0xff], "{answer:?}");
    }
    assert_eq!(mediator.counts(), (0, 0));
    let (_one, _) = connect(&mediator, name("1")).await;
    let (_two, _) = connect(&mediator, name("1")).await;
    let (_three, refused) = connect(&mediator, name("1")).await;
    assert_eq!(refused[..2], [5, 2], "a third");
    let (_four, _) = connect(&mediator, name("2")).await;
    let (_five, refused) = connect(&mediator, name("3")).await;
    assert_eq!(refused[..2], [5, 2], "too many of one address");
}

#[tokio::test]
async fn who_waits_too_long_is_closed() {
    let mediator = mediator(Limits { waiting_ms: 0, ..Limits::default() }).await;
    let (mut one, _) = connect(&mediator, name("1")).await;
    assert_eq!(one.read(&mut [0]).await.unwrap_or_default(), 0);
    until(|| mediator.counts() == (0, 0)).await;
}

#[tokio::test]
async fn a_stream_in_which_nothing_passes_ends() {
    let mediator = mediator(Limits { idle_ms: 20, ..Limits::default() }).await;
    let (mut one, _) = connect(&mediator, name("1")).await;
    let (mut other, _) = connect(&mediator, name("1")).await;
    activate(&mediator, name("1")).await;
    other.write_all(b"a").await.unwrap();
    assert_eq!(one.read(&mut [0; 2]).await.unwrap(), 1);
    assert_eq!(one.read(&mut [0]).await.unwrap_or_default(), 0);
    until(|| mediator.counts() == (0, 0)).await;
}

#[tokio::test]
async fn both_families_can_have_one_port_as_by_default() {
    let any = |text: &str, port| SocketAddr::new(text.parse().unwrap(), port);
    if std::net::TcpListener::bind(any("::1", 0)).is_err() {
        return; // a machine without IPv6
    }
    let settings = settings(Limits::default());
    // A port that is free now may be taken the next moment, by somebody else.
    let bound = (0..20).find_map(|_| {
        let port = std::net::TcpListener::bind(any("0.0.0.0", 0)).unwrap().local_addr().unwrap().port();
        Mediator::bind(settings, &[any("0.0.0.0", port), any("::", port)]).ok()
    });
    let bound = bound.expect("both can be had");
    tokio::spawn(bound.clone().run());
    let port = bound.addresses()[0].port();
    for here in ["127.0.0.1", "::1"] {
        TcpStream::connect(any(here, port)).await.unwrap();
    }
}

/// Else they would keep everybody out, by a few bytes each.
#[tokio::test]
async fn who_says_nothing_keeps_nobody_out() {
    let mediator = mediator(Limits::default()).await;
    let mut silent = Vec::new();
    for _ in 0..HANDSHAKES_PER_ADDRESS_MAX {
        silent.push(TcpStream::connect(mediator.addresses()[0]).await.unwrap());
    }
    let mut further = TcpStream::connect(mediator.addresses()[0]).await.unwrap();
    assert_eq!(further.read(&mut [0]).await.unwrap_or_default(), 0);
    // That was at once: the time of the first is not over.
    let mut first = silent.remove(0);
    first.write_all(&[5, 1, 0]).await.unwrap();
    assert_eq!(first.read(&mut [0; 2]).await.unwrap(), 2);
    drop((silent, first));
    for _ in 0..1_000 {
        let mut socket = TcpStream::connect(mediator.addresses()[0]).await.unwrap();
        let sent = socket.write_all(&[5, 1, 0]).await;
        if sent.is_ok() && socket.read(&mut [0; 2]).await.unwrap_or_default() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there is room again");
}

#[tokio::test]
async fn who_goes_while_he_waits_leaves_his_place() {
    let mediator = mediator(Limits::default()).await;
    let (silent, _) = connect(&mediator, name("1")).await;
    let (mut said, _) = connect(&mediator, name("2")).await;
    let (_stays, _) = connect(&mediator, name("3")).await;
    said.write_all(b"early").await.unwrap();
    until(|| mediator.counts() == (3, 0)).await;
    drop((silent, said));
    until(|| mediator.counts() == (1, 0)).await;
}

/// Else each further stream would be as fast as the first.
#[tokio::test]
async fn the_streams_of_an_account_and_all_streams_share_what_may_pass() {
    const PER_SECOND: u64 = 160 * 1024;
    let each = settings(Limits::default());
    for settings in [
        Settings { bytes_per_second_per_account: PER_SECOND, ..each },
        Settings { bytes_per_second_in_all: PER_SECOND, ..each },
    ] {
        let mediator = serving(settings, "127.0.0.1:0".parse().unwrap());
        let began = std::time::Instant::now();
        let mut receiving = Vec::new();
        for sid in ["1", "2"] {
            let (mut one, _) = connect(&mediator, name(sid)).await;
            let (mut other, _) = connect(&mediator, name(sid)).await;
            activate(&mediator, name(sid)).await;
            receiving.push(tokio::spawn(async move {
                one.write_all(&[7; 32 * 1024]).await.unwrap();
                other.read_exact(&mut [0; 32 * 1024]).await.unwrap();
            }));
        }
        for received in receiving {
            received.await.unwrap();
        }
        // All but the last buffer of each have been waited for; one alone would need half of that.
        assert!(began.elapsed() >= Duration::from_millis(190), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn streams_end_with_the_rights_of_their_account() {
    let mediator = mediator(Limits::default()).await;
    let (mut one, _) = connect(&mediator, name("1")).await;
    let (mut other, _) = connect(&mediator, name("1")).await;
    activate(&mediator, name("1")).await;
    mediator.end_account("c@b");
    one.write_all(b"on").await.unwrap();
    other.read_exact(&mut [0; 2]).await.unwrap();
    mediator.end_account("a@b");
    for end in [&mut one, &mut other] {
        assert_eq!(end.read(&mut [0]).await.unwrap_or_default(), 0);
    }
    assert_eq!(mediator.counts(), (0, 0));
}
