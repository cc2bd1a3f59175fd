//! Opening a connection to one of a domain's servers.
//!
//! RFC 6120 section 3.2, RFC 8305 and XEP-0495 0.1.0 (both families, one a little after the other)
//!
//! Not here: which servers (`targets.rs`), TLS (`secure.rs`), what is said then (`carrier.rs`).

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

use crate::limits;
use crate::resolve::Resolve;
use crate::targets::Target;

/// An address, and how to speak there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Whether TLS comes first.
    pub(crate) direct_tls: bool,
}

/// What a domain has left to try.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    left: VecDeque<Endpoint>,
    /// What did not accept a connection, and why.
    pub(crate) failed: Vec<(Endpoint, String)>,
}

/// Nothing more to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// There are no addresses.
    NoAddress,
    /// All addresses are such that the operator forbids them.
    Forbidden,
    /// DNS does not answer.
    Unanswered,
    /// None accepts a connection.
    NoConnection,
}

impl Endpoints {
    /// Looks addresses up: host after host, the families of each in turns.
    ///
    /// # Errors
    /// If there is none, see [`Unreachable`].
    pub(crate) async fn find(
        resolver: &dyn Resolve,
        targets: &[Target],
        private: bool,
    ) -> Result<Endpoints, Unreachable> {
        let lookups = targets.iter().map(|target| resolver.addresses(&target.host));
        let answers = futures_util::future::join_all(lookups).await;
        let mut found = VecDeque::new();
        let mut none = Unreachable::NoAddress;
        for (target, answer) in targets.iter().zip(answers) {
            let Ok(addresses) = answer else {
                none = Unreachable::Unanswered;
                continue;
            };
            let given = !addresses.is_empty();
            let allowed: Vec<IpAddr> = addresses.into_iter().filter(|ip| private || is_public(*ip)).collect();
            if given && allowed.is_empty() && none == Unreachable::NoAddress {
                none = Unreachable::Forbidden;
            }
            for ip in in_turns(allowed) {
                let address = SocketAddr::new(ip, target.port);
                let endpoint = Endpoint { address, direct_tls: target.direct_tls };
                if found.len() < limits::ADDRESSES_MAX && !found.contains(&endpoint) {
                    found.push_back(endpoint);
                }
            }
        }
        if found.is_empty() { Err(none) } else { Ok(Endpoints { left: found, failed: Vec::new() }) }
    }

    /// All that are left to try, in their order.
    pub(crate) fn into_left(self) -> impl Iterator<Item = Endpoint> {
        self.left.into_iter()
    }

    /// Connects to the first that accepts; those that were tried, and did not win, are not tried again unless they were
    /// merely slower.
    ///
    /// # Errors
    /// If none accepts.
    pub(crate) async fn next(&mut self) -> Result<(TcpStream, Endpoint), Unreachable> {
        let mut trying = FuturesUnordered::new();
        let mut under_way: Vec<Endpoint> = Vec::new();
        let mut head_start = pin!(tokio::time::sleep(std::time::Duration::ZERO));
        loop {
            tokio::select! {
                biased;
                Some((endpoint, outcome)) = trying.next(), if !trying.is_empty() => {
                    under_way.retain(|other| *other != endpoint);
                    match outcome {
                        Ok(tcp) => {
                            // The slower ones may still be needed, if the faster one proves to be of no use.
                            under_way.into_iter().rev().for_each(|other| self.left.push_front(other));
                            return Ok((tcp, endpoint));
                        }
                        Err(error) => {
                            tracing::debug!(%endpoint.address, "no connection: {error}");
                            self.failed.push((endpoint, io::Error::to_string(&error)));
                            head_start.as_mut().reset(tokio::time::Instant::now());
                        }
                    }
                }
                () = &mut head_start, if !self.left.is_empty() => {
                    if let Some(endpoint) = self.left.pop_front() {
                        under_way.push(endpoint);
                        trying.push(open(endpoint));
                    }
                    head_start.as_mut().reset(tokio::time::Instant::now() + limits::STAGGER);
                }
                else => return Err(Unreachable::NoConnection),
            }
        }
    }
}

/// Connects to one.
pub(crate) async fn open(endpoint: Endpoint) -> (Endpoint, io::Result<TcpStream>) {
    let opening = tokio::time::timeout(limits::CONNECT, TcpStream::connect(endpoint.address));
    let outcome = opening.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    (endpoint, outcome.and_then(|tcp| net::prepare(&tcp).map(|()| tcp)))
}

/// IPv6 and IPv4 by turns, IPv6 first (RFC 8305 section 4).
fn in_turns(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut order = Vec::new();
    loop {
        let (six, four) = (v6.next(), v4.next());
        if six.is_none() && four.is_none() {
            return order;
        }
        order.extend(six.into_iter().chain(four));
    }
}

/// Whether an address is one of the public net: what a stranger writes into DNS must not lead us into our own (G-13).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b); // RFC 6598
            let special = (a == 192 && b == 0 && c == 0) || (a == 198 && (b == 18 || b == 19)) || a == 0;
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || shared
                || special
                || a >= 240)
        }
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let embedded = match segments {
        // NAT64 (RFC 6052), 6to4 (RFC 3056): what is inside counts.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((high, low)),
        [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public(IpAddr::from([a, b, c, d]));
    }
    // Of what is handed out all is global unicast (2000::/3), but for documentation.
    segments[0] & 0xe000 == 0x2000 && !(segments[0] == 0x2001 && segments[1] == 0xdb8)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;
    use crate::resolve::{Resolving, Srv, Unanswered};

    struct Hosts(HashMap<&'static str, Result<Vec<IpAddr>, Unanswered>>);

    impl Resolve for Hosts {
        fn srv<'a>(&'a self, _: &'a str) -> Resolving<'a, Vec<Srv>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }

        fn addresses<'a>(&'a self, host: &'a str) -> Resolving<'a, Vec<IpAddr>> {
            Box::pin(std::future::ready(self.0.get(host).cloned().unwrap_or(Ok(Vec::new()))))
        }
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn target(host: &str, port: u16) -> Target {
        Target { host: host.to_owned(), port, direct_tls: false }
    }

    #[test]
    fn only_public_addresses_are_public() {
        for (ip, want) in [
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("172.16.3.4", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("9.9.9.9", true),
            ("::1", false),
            ("::", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:9.9.9.9", true),
            ("64:ff9b::a00:1", false),
            ("2002:7f00:1::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("2001:db8::1", false),
            ("2620:fe::fe", true),
        ] {
            assert_eq!(is_public(ip.parse().unwrap()), want, "{ip}");
        }
    }

    #[tokio::test]
    async fn families_take_turns_and_forbidden_addresses_are_left_out() {
        let hosts = Hosts(HashMap::from([
            ("a", Ok(ips(&["9.9.9.9", "9.9.9.10", "2620:fe::fe", "10.0.0.1"]))),
            ("b", Ok(ips(&["127.0.0.1"]))),
            ("c", Err(Unanswered)),
        ]));
        let found = Endpoints::find(&hosts, &[target("a", 1), target("b", 2), target("a", 1)], false).await;
        let found: Vec<String> = found.unwrap().left.iter().map(|end| end.address.to_string()).collect();
        assert_eq!(found, ["[2620:fe::fe]:1", "9.9.9.9:1", "9.9.9.10:1"]);
        for (host, want) in
            [("b", Unreachable::Forbidden), ("c", Unreachable::Unanswered), ("d", Unreachable::NoAddress)]
        {
            assert_eq!(Endpoints::find(&hosts, &[target(host, 1)], false).await.unwrap_err(), want, "{host}");
        }
    }

    #[tokio::test]
    async fn one_that_refuses_does_not_hold_the_next_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let of = |address| Endpoint { address, direct_tls: false };
        let mut endpoints = Endpoints { left: [of(closed), of(good), of(good)].into(), failed: Vec::new() };
        let connected = tokio::time::timeout(Duration::from_secs(5), endpoints.next()).await.unwrap();
        assert_eq!(connected.unwrap().1, of(good));
        assert_eq!(endpoints.failed.iter().map(|(end, _)| *end).collect::<Vec<_>>(), [of(closed)]);
        let mut endpoints = Endpoints { left: [of(closed)].into(), failed: Vec::new() };
        assert_eq!(endpoints.next().await.unwrap_err(), Unreachable::NoConnection);
    }
}
