//! Addresses in attributes, XORed so that no box on the way rewrites them.
//!
//! RFC 8489 section 14.2
//!
//! Not here: which addresses are let through (`peers.rs`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::message::{MAGIC_COOKIE, Transaction};

const V4: u8 = 1;
const V6: u8 = 2;

/// The value of an attribute.
pub fn xored(address: SocketAddr, transaction: &Transaction) -> Vec<u8> {
    let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
    let mut value = vec![0, if address.is_ipv4() { V4 } else { V6 }];
    value.extend_from_slice(&port.to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => value.extend_from_slice(&(ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes()),
        IpAddr::V6(ip) => value.extend_from_slice(&(ip.to_bits() ^ mask(transaction)).to_be_bytes()),
    }
    value
}

/// Reads one; `None` if it is malformed.
pub(crate) fn read_xored(value: &[u8], transaction: &Transaction) -> Option<SocketAddr> {
    let (&[_, family, high, low], ip) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([high, low]) ^ (MAGIC_COOKIE >> 16) as u16;
    let ip = match family {
        V4 => IpAddr::V4(Ipv4Addr::from_bits(u32::from_be_bytes(ip.try_into().ok()?) ^ MAGIC_COOKIE)),
        V6 => IpAddr::V6(Ipv6Addr::from_bits(u128::from_be_bytes(ip.try_into().ok()?) ^ mask(transaction))),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn mask(transaction: &Transaction) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(transaction);
    u128::from_be_bytes(mask)
}
