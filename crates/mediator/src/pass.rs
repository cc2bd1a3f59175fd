//! Bytes pass between two connections.
//!
//! Not here: which two (`lib.rs`).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep, timeout};

/// Bytes of a direction that are under way.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long nothing may pass, or be taken, in one direction while the other has ended, or in both.
const STALLED: Duration = Duration::from_secs(300);

/// Until both directions have ended, or one has failed.
pub(crate) async fn both(one: TcpStream, other: TcpStream, bytes_per_second: u64) {
    let ((from_one, to_one), (from_other, to_other)) = (one.into_split(), other.into_split());
    // An error is an end: there is nobody to be told.
    let _ = tokio::try_join!(
        pass(from_one, to_other, bytes_per_second),
        pass(from_other, to_one, bytes_per_second)
    );
}

/// One direction. Most transfers use but one, so silence in the other is no reason to end; a whole stream in which nobody
/// says or takes anything ends with its lifetime.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes_per_second: u64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let stalled = |_| io::Error::from(io::ErrorKind::TimedOut);
        timeout(STALLED, to.write_all(&buffer[..read])).await.map_err(stalled)??;
        if let Some(nanos) = (read as u64 * 1_000_000_000).checked_div(bytes_per_second) {
            sleep(Duration::from_nanos(nanos)).await;
        }
    }
}
