//! Bytes pass between two connections.
//!
//! Not here: which two (`lib.rs`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep, timeout};

use crate::meter::Meter;

/// Bytes of a direction that are under way.
const BUFFER_BYTES: usize = 16 * 1024;

/// How a stream passes bytes.
pub(crate) struct Pace {
    /// Of one direction; 0 sets no limit.
    pub(crate) bytes_per_second: u64,
    /// Of all streams of its account.
    pub(crate) account: Arc<Meter>,
    /// Of all streams.
    pub(crate) all: Arc<Meter>,
    /// How long nothing may pass in either direction, and nothing be taken of what is to pass.
    pub(crate) idle: Duration,
}

/// Until both directions have ended, one has failed, or nothing has passed for long.
pub(crate) async fn both(one: TcpStream, other: TcpStream, pace: &Pace, passed: &AtomicU64) {
    let ((from_one, to_one), (from_other, to_other)) = (one.into_split(), other.into_split());
    let life = Life { moved: AtomicBool::new(true), slowed: AtomicU32::new(0) };
    let passing = async {
        // An error is an end: there is nobody to be told.
        let _ = tokio::try_join!(
            pass(from_one, to_other, pace, &life, passed),
            pass(from_other, to_one, pace, &life, passed)
        );
    };
    tokio::select! {
        () = passing => {}
        () = silence(&life, pace.idle) => {}
    }
}

/// What is known of a stream's life.
struct Life {
    moved: AtomicBool,
    /// How many directions are slowed down by us: that is no silence.
    slowed: AtomicU32,
}

/// Until nothing has moved for that long; noticed after twice that at most.
async fn silence(life: &Life, idle: Duration) {
    while life.moved.swap(false, Ordering::Relaxed) || life.slowed.load(Ordering::Relaxed) > 0 {
        sleep(idle).await;
    }
}

/// One direction. Most transfers use but one, so silence in the other is no reason to end.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    pace: &Pace,
    life: &Life,
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
        life.moved.store(true, Ordering::Relaxed);
        passed.fetch_add(read as u64, Ordering::Relaxed);
        let pause = pause(pace, read as u64);
        if !pause.is_zero() {
            life.slowed.fetch_add(1, Ordering::Relaxed);
            sleep(pause).await;
            life.moved.store(true, Ordering::Relaxed);
            life.slowed.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// How long a direction waits after so many bytes.
fn pause(pace: &Pace, bytes: u64) -> Duration {
    let (now, nanos) = (Instant::now(), (bytes * 1_000_000_000).checked_div(pace.bytes_per_second));
    let own = Duration::from_nanos(nanos.unwrap_or_default());
    own.max(pace.account.took(bytes, now)).max(pace.all.took(bytes, now))
}
