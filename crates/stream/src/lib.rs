//! The server's side of one client stream, as a machine without I/O: bytes and answers go in, bytes and questions
//! come out, and time is an argument.
//!
//! RFC 6120 (streams, STARTTLS, SASL, binding), RFC 7395 (WebSocket), RFC 7590, XEP-0198, XEP-0206, XEP-0352,
//! XEP-0368, XEP-0386, XEP-0388, XEP-0440, XEP-0474, XEP-0478, XEP-0480, XEP-0484.
//!
//! Not here: sockets, TLS and HTTP (net), accounts (whoever answers an [`Ask`]), sessions and their queues (engine),
//! what a stanza means (kernel).

mod active;
mod authenticating;
mod bind2;
mod binding;
mod clock;
mod cost;
mod fast;
mod features;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod input;
mod manage;
mod misbehaviour;
mod offered;
mod opening;
mod parts;
mod peer;
mod port;
mod profile;
mod random;
mod sasl1;
mod sasl2;
mod settings;
mod starttls;
mod state;
mod stream;
mod unbound;
mod upgrading;
mod wire;

pub use frame::{Frame, Open, Opened};
pub use misbehaviour::Misbehaviour;
pub use model::rate::Rate;
pub use parts::PARTS;
pub use port::{Answer, Ask, Issued, Login, Output, Registration, Tls};
pub use settings::{Domains, Settings, Timeouts};
pub use stream::{Connection, Stream};
