//! WebSocket: the upgrade of an HTTP request, and the frames after it.
//!
//! RFC 6455, RFC 7395.
//!
//! Not here: the stream within (stream), carrying it (`carrier.rs`).

mod codec;
pub(crate) mod upgrade;

pub(crate) use codec::{Codec, Event};
