//! Who takes what other programs post for clients.
//!
//! RFC 8030 section 5 (without storage: TTL is 0).
//!
//! Not here: HTTP (`http/push.rs`), whom it is for (whoever implements [`Pushes`]).

use bytes::Bytes;

use crate::files::{Pending, Status};

/// What the addresses begin with that are given out for this; the token follows.
pub const PUSH_PATH: &str = "/push/";
/// Most bytes of what is posted (RFC 8030 section 7.2).
pub const PUSH_BYTES_MAX: usize = 4_096;

/// Those who take it, as connections see them.
pub trait Pushes: Send + Sync + 'static {
    /// Brings it to whom this token stands for. The answer is the status of HTTP to answer with.
    fn post(&self, token: String, body: Bytes) -> Pending<'static, Status>;
}
