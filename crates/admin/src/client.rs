//! The other end of the socket: asks a running server.
//!
//! Not here: what to do when no server runs (detente).

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroize;

use crate::limits::{ANSWER_MAX, REQUEST_BYTES_MAX};
use crate::{Failure, FailureKind};

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ok(Value),
    Error(Failure),
}

/// Asks. `None`: nobody listens at that path.
///
/// # Errors
/// What the server answers, or that it does not.
pub fn ask(path: &Path, command: &str, args: &Map<String, Value>) -> Option<Result<Value, Failure>> {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return None;
        }
        Err(error) => return Some(Err(unreachable(path, error))),
    };
    Some(converse(stream, command, args).unwrap_or_else(|error| Err(unreachable(path, error))))
}

fn unreachable(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(
        FailureKind::Unreachable,
        format_args!("the server does not answer at {}: {error}", path.display()),
    )
}

fn converse(
    stream: UnixStream,
    command: &str,
    args: &Map<String, Value>,
) -> io::Result<Result<Value, Failure>> {
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    let mut request = json!({ "command": command, "args": args }).to_string();
    if request.len() > REQUEST_BYTES_MAX {
        return Ok(Err(Failure::new(FailureKind::Usage, "an argument is too long")));
    }
    request.push('\n');
    let written = (&stream).write_all(request.as_bytes());
    request.zeroize();
    written?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    match serde_json::from_str(&line) {
        Ok(Reply::Ok(value)) => Ok(Ok(value)),
        Ok(Reply::Error(failure)) => Ok(Err(failure)),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it broke off")),
    }
}
