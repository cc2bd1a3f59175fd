//! Streams between servers, and those of components, as one machine without I/O: bytes and answers go in, bytes and
//! questions come out, and time is an argument.
//!
//! RFC 6120 (streams, STARTTLS, SASL EXTERNAL, section 8.1 on addresses), RFC 7590, XEP-0114, XEP-0178, XEP-0185,
//! XEP-0198, XEP-0220, XEP-0288, XEP-0344, XEP-0368, XEP-0478.
//!
//! Not here: sockets, TLS, DNS and the choice among connections (federation), certificates (whoever answers an
//! [`Ask`]), the queue of what waits for a domain, what a stanza means (kernel).
//!
//! # How a shell drives a stream
//!
//! ```text
//! Stream::outgoing / incoming / component     one for each connection
//!   handle_tls, handle_input, handle_answer, handle_timeout, handle_eof, …
//!   then poll_output until None, then write take_bytes, then handle_written
//!   then wait for poll_timeout, for input while wants_input, or for something to send
//! ```

mod clock;
mod component;
mod content;
mod dialback;
mod features;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod header;
mod incoming;
mod input;
mod io;
mod keys;
mod manage;
mod misbehaviour;
mod outgoing;
mod pairs;
mod parts;
mod port;
mod receiving;
mod resumption;
mod sending;
mod settings;
mod stream;
mod times;
mod wire;

pub use misbehaviour::Misbehaviour;
pub use model::rate::Rate;
pub use parts::PARTS;
pub use port::{
    Answer, Ask, Certificate, End, Ended, Output, Pair, PeerTls, Proof, Purpose, Refusal, Trust, Unsendable,
    Verdict, Verification,
};
pub use resumption::Resumption;
pub use settings::{Domains, Policy, Secret, Settings, Timeouts};
pub use stream::{Accept, Connect, Stream};
