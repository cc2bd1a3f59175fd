//! Bytes pass between two connections.
//!
//! Not here: which two (`lib.rs`).

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep, timeout};

/// Bytes of a direction that are under way.
const BUFFER_BYTES: usize = 16 * 1024;
/// How a stream passes bytes.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Of one direction; 0 sets no limit.
    pub(crate) bytes_per_second: u64,
    /// How long nothing may pass in either direction, and nothing be taken of what is to pass.
    pub(crate) idle: Duration,
}

/// Until both directions have ended, one has failed, or nothing has passed for long.
pub(crate) async fn both(one: TcpStream, other: TcpStream, pace: Pace, passed: &AtomicU64) {
    let ((from_one, to_one), (from_other, to_other)) = (one.into_split(), other.into_split());
    let moved = AtomicBool::new(true);
    let passing = async {
        // An error is an end: there is nobody to be told.
        let _ = tokio::try_join!(
            pass(from_one, to_other, pace, &moved, passed),
            pass(from_other, to_one, pace, &moved, passed)
        );
    };
    tokio::select! {
        () = passing => {}
        () = silence(&moved, pace.idle) => {}
    }
}

/// Until nothing has moved for that long; noticed after twice that at most.
async fn silence(moved: &AtomicBool, idle: Duration) {
    while moved.swap(false, Ordering::Relaxed) {
        sleep(idle).await;
    }
}

/// One direction. Most transfers use but one, so silence in the other is no reason to end.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    pace: Pace,
    moved: &AtomicBool,
    passed: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let stalled = |_| io::Error::from(io::ErrorKind::TimedOut);
        timeout(pace.idle, to.write_all(&buffer[..read])).await.map_err(stalled)??;
        moved.store(true, Ordering::Relaxed);
        passed.fetch_add(read as u64, Ordering::Relaxed);
        if let Some(nanos) = (read as u64 * 1_000_000_000).checked_div(pace.bytes_per_second) {
            sleep(Duration::from_nanos(nanos)).await;
        }
    }
}
