//! To whom nothing is relayed: a relay stands inside a network and must not open it to those outside.
//!
//! RFC 8656 section 21.1.5; ranges from RFC 6890, RFC 4291, RFC 6052, RFC 8215, RFC 3056, RFC 4380 and their registries
//!
//! Not here: permissions of a client (`allocation.rs`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, as in `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    base: IpAddr,
    bits: u8,
}

impl Range {
    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Range {
        Range { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    const fn v6(first: [u16; 4], bits: u8) -> Range {
        let [a, b, c, d] = first;
        Range { base: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), bits }
    }

    /// Whether the address is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                (base.to_bits() ^ ip.to_bits()).checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                (base.to_bits() ^ ip.to_bits()).checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Range {
    type Err = ();

    /// An address, or an address and a number of bits.
    fn from_str(text: &str) -> Result<Range, ()> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| ())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most { Err(()) } else { Ok(Range { base, bits }) }
    }
}

/// What is never meant by a peer on the Internet. All of IPv6 that is not global unicast (2000::/3) is left out as well:
/// loopback, IPv4-mapped, NAT64, unique local, link-local, multicast.
const DENIED: [Range; 22] = [
    Range::v4(0, 0, 0, 0, 8),
    Range::v4(10, 0, 0, 0, 8),
    Range::v4(100, 64, 0, 0, 10),
    Range::v4(127, 0, 0, 0, 8),
    Range::v4(169, 254, 0, 0, 16),
    Range::v4(172, 16, 0, 0, 12),
    Range::v4(192, 0, 0, 0, 24),
    Range::v4(192, 0, 2, 0, 24),
    Range::v4(192, 88, 99, 0, 24),
    Range::v4(192, 168, 0, 0, 16),
    Range::v4(198, 18, 0, 0, 15),
    Range::v4(198, 51, 100, 0, 24),
    Range::v4(203, 0, 113, 0, 24),
    Range::v4(224, 0, 0, 0, 4),
    Range::v4(240, 0, 0, 0, 4),
    Range::v6([0x2001, 0, 0, 0], 32),     // Teredo: an address of IPv4 inside
    Range::v6([0x2001, 2, 0, 0], 48),     // benchmarks
    Range::v6([0x2001, 0x10, 0, 0], 28),  // ORCHID
    Range::v6([0x2001, 0x20, 0, 0], 28),  // ORCHIDv2
    Range::v6([0x2001, 0xdb8, 0, 0], 32), // documentation
    Range::v6([0x2002, 0, 0, 0], 16),     // 6to4: an address of IPv4 inside
    Range::v6([0x3fff, 0, 0, 0], 20),     // documentation
];
const GLOBAL_V6: Range = Range::v6([0x2000, 0, 0, 0], 3);

/// Which peers may be reached.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// May be reached although they are in a range that is denied to all. Tests need it, and networks without Internet.
    pub allowed: Vec<Range>,
    /// May not be reached, whatever else is said: the server's own addresses, and what the operator names.
    pub denied: Vec<Range>,
}

impl Peers {
    /// Whether something may be sent to that address.
    pub fn admit(&self, ip: IpAddr) -> bool {
        let within = |ranges: &[Range]| ranges.iter().any(|range| range.contains(ip));
        if within(&self.denied) {
            return false;
        }
        within(&self.allowed) || !(within(&DENIED) || (ip.is_ipv6() && !GLOBAL_V6.contains(ip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_stays_inside() {
        let peers = Peers::default();
        for denied in [
            "127.0.0.1",
            "127.255.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "2001:db8::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!peers.admit(denied.parse().unwrap()), "{denied}");
        }
        for admitted in
            ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "192.0.1.1", "2001:4860::1", "2a00::1"]
        {
            assert!(peers.admit(admitted.parse().unwrap()), "{admitted}");
        }
    }

    #[test]
    fn the_operator_adds_and_takes_away() {
        let ranges = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<Range>>();
        let peers = Peers {
            allowed: ranges(&["127.0.0.1", "fd00::/8"]),
            denied: ranges(&["8.8.8.0/24", "fd01::/16"]),
        };
        for (ip, admitted) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("8.8.8.8", false),
            ("8.8.4.4", true),
            ("fd02::1", true),
            ("fd01::1", false),
        ] {
            assert_eq!(peers.admit(ip.parse().unwrap()), admitted, "{ip}");
        }
        assert!(ranges(&["0.0.0.0/0"])[0].contains("1.2.3.4".parse().unwrap()));
        for bad in ["", "a", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/", "/8"] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }
}
