//! The limits of this crate, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: sizes of files and quotas (crate `files`).

use std::time::Duration;

/// Bytes that are fetched at once and kept for the next reader: a file is read from front to back in small pieces.
pub const CHUNK_BYTES: u64 = 1024 * 1024;
/// Chunks that are kept.
pub const CHUNKS_MAX: usize = 32;
/// Chunks that are fetched at once, for all readers together.
pub const FETCHES_MAX: usize = 16;
/// How long a reader waits until its chunk is one of them.
pub const FETCH_WAIT: Duration = Duration::from_secs(30);
/// Connections that wait for the next request.
pub const IDLE_MAX: usize = 8;
/// How long a connection waits: less than what servers allow.
pub const IDLE: Duration = Duration::from_secs(4);
/// For a connection, with TLS.
pub const CONNECT: Duration = Duration::from_secs(10);
/// For a request and its answer.
pub const REQUEST: Duration = Duration::from_secs(30);
/// What a file's way to the storage may take longer than that, for each of so many bytes.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 128 * 1024;
/// Tries of one request.
pub const TRIES: u32 = 3;
/// The first pause between two tries; each further one is twice as long.
pub const PAUSE: Duration = Duration::from_millis(200);
/// How long nothing new is taken in after the storage did not answer.
pub const AWAY: Duration = Duration::from_secs(10);
/// Bytes of an answer that says what is wrong.
pub const ERROR_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a piece on its way from the file to the storage.
pub(crate) const PIECE_BYTES: usize = 128 * 1024;
/// Pieces that wait there.
pub(crate) const PIECES_MAX: usize = 2;
