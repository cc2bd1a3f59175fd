//! STUN and TURN, the server's side, as a value: datagrams and the time in, datagrams out.
//!
//! RFC 8489 (STUN, long-term credentials), RFC 8656 (TURN over UDP, TCP and TLS)
//!
//! Not here: sockets (crate `relay`), TCP relays (RFC 6062) and DTLS, which are not offered; reservations of a second
//! port and relays of both families for one client, which are answered as the RFC says for servers without them.

mod address;
mod allocation;
pub mod attribute;
pub mod credentials;
mod flood;
pub mod frame;
mod integrity;
mod limits;
pub mod message;
mod nonce;
mod pace;
pub mod peers;
mod requests;
mod server;
#[cfg(test)]
mod tests;
mod write;

pub use address::xored;
pub use allocation::Client;
pub use integrity::{Key, long_term_key};
pub use limits::*;
pub use server::{Output, Ports, Server, Settings, Time};
pub use write::Builder;
