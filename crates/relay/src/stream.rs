//! One client that came by TCP or TLS.
//!
//! RFC 8656 section 3.1 (clients behind firewalls that let no datagrams pass)
//!
//! Not here: accepting and TLS (crate `net`), where messages end (`turn::frame`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, interval_at};
use turn::{Client, frame};

use crate::sockets::Opener;
use crate::{Core, Shared};

/// Messages that may wait for a slow client; beyond it they are dropped, like datagrams.
const WAITING: usize = 256;
/// How long a client may be connected without an allocation.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes read at once.
const READ: usize = 4_096;

/// Serves a connection until it ends.
pub(crate) async fn serve<S>(shared: &Arc<Shared>, client: Client, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Client::Stream(id, _) = client else { return };
    let (sender, waiting) = mpsc::channel(WAITING);
    shared.lock().streams.insert(id, sender);
    // Also when the task is aborted.
    let _leaving = Leaving { shared, client, id };
    let _ = converse(shared, client, stream, waiting).await;
}

async fn converse<S>(
    shared: &Arc<Shared>,
    client: Client,
    stream: S,
    mut waiting: Receiver<Vec<u8>>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut input = Vec::new();
    let mut ticks = interval_at(Instant::now() + IDLE, IDLE);
    loop {
        tokio::select! {
            read = read(&mut reader, &mut input) => {
                if read? == 0 {
                    return Ok(());
                }
                messages(shared, client, &mut input)?;
            }
            message = waiting.recv() => {
                writer.write_all(&message.unwrap_or_default()).await?;
                // All that is there, then one flush.
                while let Ok(message) = waiting.try_recv() {
                    writer.write_all(&message).await?;
                }
                writer.flush().await?;
            }
            _ = ticks.tick() => {
                if !shared.lock().server.has_allocation(client) {
                    return Ok(());
                }
            }
        }
    }
}

async fn read(reader: &mut (impl AsyncRead + Unpin), input: &mut Vec<u8>) -> io::Result<usize> {
    // A message that begins here is never longer than a frame, so this does not grow.
    input.reserve(READ);
    reader.read_buf(input).await
}

/// Handles all whole messages.
fn messages(shared: &Arc<Shared>, client: Client, input: &mut Vec<u8>) -> io::Result<()> {
    let mut at = 0;
    while let Some(length) = frame::length(&input[at..]).map_err(|()| io::ErrorKind::InvalidData)? {
        let Some(message) = input.get(at..at + length) else { break };
        shared.take_client(client, message);
        at += length;
    }
    input.drain(..at);
    Ok(())
}

/// Lets everything of a client go when its connection does.
struct Leaving<'a> {
    shared: &'a Arc<Shared>,
    client: Client,
    id: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut core = self.shared.lock();
        core.streams.remove(&self.id);
        let Core { server, open, .. } = &mut *core;
        server.handle_gone(self.client, &mut Opener { open, shared: self.shared });
    }
}
