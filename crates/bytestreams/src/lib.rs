//! A mediator of SOCKS5 bytestreams as a machine without I/O: who may enter, who belongs together, when it ends.
//!
//! XEP-0065 1.8.2 (sections 6.3 to 6.5), RFC 1928 (what of it that needs)
//!
//! Not here: sockets and the bytes that pass, the requests over XMPP (address, activation).

mod hall;
mod handshake;
mod limits;
mod name;

pub use hall::{Denied, Hall};
pub use handshake::{Handshake, Said, refused};
pub use limits::Limits;
pub use name::Name;
