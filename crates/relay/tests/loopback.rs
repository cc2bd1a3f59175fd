//! Clients by UDP and by a stream, and peers, over real sockets.
//!
//! Not here: TLS (interop, and the tests of `net`), the rules in detail (crate `turn`).
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::SocketAddr;
use std::time::Duration;

use relay::Relay;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;
use turn::attribute::{self as a, Attribute, Class, Method};
use turn::credentials::{Credentials, issue};
use turn::message::Message;
use turn::peers::Peers;
use turn::{Builder, Limits, Settings, frame, long_term_key, xored};

const SECRET: &[u8] = b"secret";
/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn settings(ports: std::ops::RangeInclusive<u16>) -> Settings {
    Settings {
        secret: SECRET.to_vec(),
        realm: "example.org".into(),
        external: vec!["127.0.0.1".parse().unwrap()],
        ports,
        // Tests have nothing but loopback; .3 stays denied.
        peers: Peers { allowed: vec!["127.0.0.2".parse().unwrap()], denied: Vec::new() },
        limits: Limits::default(),
        seed: [3; 32],
    }
}

/// How a client reaches the relay.
enum Way {
    Udp(UdpSocket, SocketAddr),
    Stream(TcpStream),
}

impl Way {
    async fn send(&mut self, bytes: &[u8]) {
        match self {
            Way::Udp(socket, to) => assert_eq!(socket.send_to(bytes, *to).await.unwrap(), bytes.len()),
            Way::Stream(stream) => stream.write_all(bytes).await.unwrap(),
        }
    }

    async fn receive(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 2_048];
        match self {
            Way::Udp(socket, _) => {
                let length = timeout(SOON, socket.recv(&mut bytes)).await.unwrap().unwrap();
                bytes.truncate(length);
            }
            Way::Stream(stream) => {
                timeout(SOON, stream.read_exact(&mut bytes[..4])).await.unwrap().unwrap();
                let length = frame::length(&bytes[..4]).unwrap().unwrap();
                timeout(SOON, stream.read_exact(&mut bytes[4..length])).await.unwrap().unwrap();
                bytes.truncate(length);
            }
        }
        bytes
    }
}

struct Caller {
    way: Way,
    credentials: Credentials,
    nonce: Vec<u8>,
    count: u8,
}

impl Caller {
    fn new(way: Way, user: &str) -> Caller {
        let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 60;
        Caller { way, credentials: issue(SECRET, user, soon), nonce: Vec::new(), count: 0 }
    }

    /// Asks; the code if it is refused.
    async fn ask(&mut self, method: Method, with: &[(Attribute, &[u8])]) -> Result<Vec<u8>, u16> {
        let Credentials { username, password } = self.credentials.clone();
        loop {
            self.count += 1;
            let mut request = Builder::new(method, Class::Request, [self.count; 12]);
            for (number, value) in with {
                // Addresses are XORed with the transaction.
                request = match *number {
                    a::XOR_PEER_ADDRESS => {
                        let peer: SocketAddr = std::str::from_utf8(value).unwrap().parse().unwrap();
                        request.put(*number, &xored(peer, &[self.count; 12]))
                    }
                    number => request.put(number, value),
                };
            }
            if !self.nonce.is_empty() {
                let key = long_term_key(&username, "example.org", &password);
                request = request.put(a::USERNAME, username.as_bytes()).put(a::REALM, b"example.org");
                request = request.put(a::NONCE, &self.nonce).sign(&key);
            }
            self.way.send(&request.finish()).await;
            let answer = self.way.receive().await;
            let message = Message::parse(&answer).unwrap();
            let Some(error) = message.find(a::ERROR_CODE) else { return Ok(answer) };
            match message.find(a::NONCE) {
                Some(nonce) if self.nonce.is_empty() => self.nonce = nonce.to_vec(),
                _ => return Err(u16::from(error[2]) * 100 + u16::from(error[3])),
            }
        }
    }

    async fn allocate(&mut self) -> Result<SocketAddr, u16> {
        let answer = self.ask(a::ALLOCATE, &[(a::REQUESTED_TRANSPORT, &[17, 0, 0, 0])]).await?;
        Ok(Message::parse(&answer).unwrap().address(a::XOR_RELAYED_ADDRESS).unwrap())
    }

    async fn bind(&mut self, peer: SocketAddr) -> Result<(), u16> {
        let peer = peer.to_string();
        let with = [(a::CHANNEL_NUMBER, &[0x40, 0, 0, 0][..]), (a::XOR_PEER_ADDRESS, peer.as_bytes())];
        self.ask(a::CHANNEL_BIND, &with).await.map(|_| ())
    }
}

/// A relay that serves UDP and TCP, and where.
async fn start(ports: std::ops::RangeInclusive<u16>) -> (Relay, SocketAddr, SocketAddr) {
    let relay = Relay::bind(settings(ports), &["127.0.0.1:0".parse().unwrap()]).unwrap();
    let udp = relay.addresses().unwrap()[0];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = listener.local_addr().unwrap();
    tokio::spawn(relay.clone().run());
    let serving = relay.clone();
    tokio::spawn(async move {
        while let Ok((stream, from)) = listener.accept().await {
            let relay = serving.clone();
            tokio::spawn(async move { relay.serve(stream, from).await });
        }
    });
    (relay, udp, tcp)
}

async fn by_udp(to: SocketAddr) -> Way {
    Way::Udp(UdpSocket::bind("127.0.0.1:0").await.unwrap(), to)
}

async fn by_tcp(to: SocketAddr) -> Way {
    Way::Stream(TcpStream::connect(to).await.unwrap())
}

#[tokio::test]
async fn data_go_both_ways_by_udp_and_by_tcp() {
    let (relay, udp, tcp) = start(21_000..=21_499).await;
    for way in [by_udp(udp).await, by_tcp(tcp).await] {
        let stream = matches!(way, Way::Stream(_));
        let mut caller = Caller::new(way, "romeo");
        let relayed = caller.allocate().await.unwrap();
        let peer = UdpSocket::bind("127.0.0.2:0").await.unwrap();
        caller.bind(peer.local_addr().unwrap()).await.unwrap();
        let mut buffer = [0; 100];
        for text in [&b"hello"[..], b"again"] {
            caller.way.send(&frame::write_channel_data(0x4000, text, stream).unwrap()).await;
            let (length, from) = timeout(SOON, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
            assert_eq!((&buffer[..length], from.port()), (text, relayed.port()));
            peer.send_to(b"answer", relayed).await.unwrap();
            let back = caller.way.receive().await;
            assert_eq!(frame::channel_data(&back), Some((0x4000, &b"answer"[..])));
        }
        // Who was not permitted is not heard: what comes next is from the peer.
        let stranger = UdpSocket::bind("127.0.0.3:0").await.unwrap();
        stranger.send_to(b"let me in", relayed).await.unwrap();
        peer.send_to(b"last", relayed).await.unwrap();
        let back = caller.way.receive().await;
        assert_eq!(frame::channel_data(&back), Some((0x4000, &b"last"[..])));
        assert_eq!(caller.bind(stranger.local_addr().unwrap()).await, Err(403));
        caller.ask(a::REFRESH, &[(a::LIFETIME, &[0; 4])]).await.unwrap();
        assert_eq!(relay.allocations(), 0);
        // The port is free again, as soon as the task that listened there has ended.
        let free = async {
            while UdpSocket::bind(("0.0.0.0", relayed.port())).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, free).await.unwrap();
    }
}

#[tokio::test]
async fn two_clients_meet_inside() {
    let (_relay, udp, tcp) = start(21_500..=21_999).await;
    let (mut romeo, mut juliet) =
        (Caller::new(by_udp(udp).await, "romeo"), Caller::new(by_tcp(tcp).await, "juliet"));
    let (his, hers) = (romeo.allocate().await.unwrap(), juliet.allocate().await.unwrap());
    romeo.bind(hers).await.unwrap();
    juliet.bind(his).await.unwrap();
    romeo.way.send(&frame::write_channel_data(0x4000, b"wherefore", false).unwrap()).await;
    assert_eq!(frame::channel_data(&juliet.way.receive().await), Some((0x4000, &b"wherefore"[..])));
    juliet.way.send(&frame::write_channel_data(0x4000, b"art thou", true).unwrap()).await;
    assert_eq!(frame::channel_data(&romeo.way.receive().await), Some((0x4000, &b"art thou"[..])));
}

#[tokio::test]
async fn a_connection_that_closes_or_talks_nonsense_leaves_nothing() {
    let (relay, _, tcp) = start(22_000..=22_499).await;
    for nonsense in
        [None, Some(&b"\x80\x80\x80\x80"[..]), Some(b"\x4f\xff\xff\xff"), Some(b"GET / HTTP/1.1\r\n")]
    {
        let mut caller = Caller::new(by_tcp(tcp).await, "romeo");
        caller.allocate().await.unwrap();
        assert_eq!(relay.allocations(), 1);
        let Way::Stream(mut stream) = caller.way else { unreachable!() };
        match nonsense {
            Some(bytes) => stream.write_all(bytes).await.unwrap(),
            None => stream.shutdown().await.unwrap(),
        }
        let ended = timeout(SOON, stream.read(&mut [0; 10])).await.unwrap();
        assert!(ended.is_err() || ended.is_ok_and(|length| length == 0));
        timeout(SOON, async {
            while relay.allocations() > 0 {
                tokio::task::yield_now().await
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn expired_credentials_and_others_are_refused() {
    let (relay, udp, tcp) = start(22_500..=22_999).await;
    for way in [by_udp(udp).await, by_tcp(tcp).await] {
        let mut caller = Caller::new(way, "romeo");
        let good = caller.credentials.clone();
        for bad in [issue(SECRET, "romeo", 1_000_000_000), issue(b"other", "romeo", 4_000_000_000)] {
            caller.credentials = bad;
            assert_eq!(caller.allocate().await, Err(401));
        }
        assert_eq!(relay.allocations(), 0);
        caller.credentials = good;
        caller.allocate().await.unwrap();
        caller.ask(a::REFRESH, &[(a::LIFETIME, &[0; 4])]).await.unwrap();
    }
}
