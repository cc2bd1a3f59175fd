//! Nonces that nobody has to remember: the time, and a code over it and the client's address.
//!
//! RFC 8489 section 9.2 (what nonces are for)
//!
//! Not here: when one is asked for (`requests.rs`).

use core::net::IpAddr;

use subtle::ConstantTimeEq;

use crate::integrity::hmac;
use crate::limits::NONCE_LIFETIME;

/// Bytes of the code, in hexadecimal digits twice as many.
const CODE: usize = 8;

/// One for this client.
pub(crate) fn issue(key: &[u8; 32], client: IpAddr, now: u64) -> String {
    let time = format!("{now:010x}");
    let code: String = code(key, client, &time).iter().map(|byte| format!("{byte:02x}")).collect();
    time + &code
}

/// Whether it was given to this client by us, not too long ago.
pub(crate) fn holds(key: &[u8; 32], client: IpAddr, now: u64, nonce: &str) -> bool {
    let Some((time, given)) = nonce.split_at_checked(10) else { return false };
    let Ok(at) = u64::from_str_radix(time, 16) else { return false };
    let expected: String = code(key, client, time).iter().map(|byte| format!("{byte:02x}")).collect();
    let ours: bool = expected.as_bytes().ct_eq(given.as_bytes()).into();
    ours && at <= now && now - at < NONCE_LIFETIME.as_secs()
}

fn code(key: &[u8; 32], client: IpAddr, time: &str) -> [u8; CODE] {
    let full = match client {
        IpAddr::V4(ip) => hmac(key, &[b"nonce", &ip.octets(), time.as_bytes()]),
        IpAddr::V6(ip) => hmac(key, &[b"nonce", &ip.octets(), time.as_bytes()]),
    };
    let mut code = [0; CODE];
    code.copy_from_slice(&full[..CODE]);
    code
}
