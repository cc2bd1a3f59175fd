//! A mediator of SOCKS5 bytestreams as a machine without I/O: who may enter, who belongs together, when it ends; and the
//! service over XMPP that says where it is and lets bytes pass.
//!
//! XEP-0065 1.8.2 (sections 4 and 6.3 to 6.5), RFC 1928 (what of it that needs)
//!
//! Not here: sockets and the bytes that pass (crate `mediator`).

mod hall;
mod handshake;
mod limits;
mod name;
mod parts;
mod service;

pub use hall::{Denied, Hall};
pub use handshake::{Handshake, Said, refused};
pub use limits::{HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX, Limits, SID_BYTES_MAX};
pub use name::Name;
pub use parts::PARTS;
pub use service::{Host, NAME, Proxy};
