//! The socket of a running server: one request in JSON on a line, one answer in JSON on a line.
//!
//! A request is `{"command": "user show", "args": {"jid": "a@b.example"}}`; an answer is `{"ok": ...}` or
//! `{"error": {"kind": "not-found", "text": "..."}}`.
//!
//! Only the server's own user may open the socket; whoever can, may do everything.
//!
//! Not here: the commands (`table.rs`), the other end (`client.rs`).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroize;

use crate::limits::{CONNECTIONS_MAX, IDLE_MAX, REQUEST_BYTES_MAX};
use crate::{Failure, FailureKind, Port, run};

/// An open socket; its file is removed when it is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    command: String,
    #[serde(default)]
    args: Map<String, Value>,
}

/// Opens the socket. The caller holds the lock of the data directory, so a file that is there is left over.
///
/// # Errors
/// The system refuses.
pub fn bind(path: &Path) -> io::Result<Socket> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Until the mode is set the directory protects it, which is closed to others.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Socket { listener, path: path.to_owned() })
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Socket {
    /// Serves until dropped.
    pub async fn run(self, port: Arc<dyn Port>) {
        let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(permit) = free.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let port = port.clone();
                    tokio::spawn(async move {
                        // Who breaks off has no one to be told.
                        let _ = serve(stream, &*port).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!("the administration socket does not accept: {error}");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }
}

async fn serve(stream: UnixStream, port: &dyn Port) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(REQUEST_BYTES_MAX as u64 + 1);
        let Ok(taken) = timeout(IDLE_MAX, bounded.read_until(b'\n', &mut line)).await else { return Ok(()) };
        let whole = taken? > 0 && line.ends_with(b"\n");
        if line.is_empty() {
            return Ok(());
        }
        let outcome = match whole {
            true => answer(port, &line).await,
            false => Err(Failure::new(FailureKind::Usage, "a request is one line, and not a long one")),
        };
        line.zeroize();
        let reply = match outcome {
            Ok(value) => json!({ "ok": value }),
            Err(failure) => json!({ "error": failure }),
        };
        write.write_all(format!("{reply}\n").as_bytes()).await?;
        if !whole {
            return Ok(());
        }
    }
}

async fn answer(port: &dyn Port, line: &[u8]) -> Result<Value, Failure> {
    // serde_json refuses depths that could hurt. Its words could quote the request, which may hold a password.
    let request: Request = serde_json::from_slice(line).map_err(|error| {
        let place = format!("the request is not as agreed, near character {}", error.column());
        Failure::new(FailureKind::Usage, place)
    })?;
    run(port, &request.command, request.args).await
}
