//! One HTTP/1.1 request and its response, on a connection of its own.
//!
//! Not here: what is asked for.

use std::net::SocketAddr;
use std::time::Instant;

use crate::server::Server;
use crate::socket::{PATIENCE, Socket};
use crate::verdict::{Said, broken};

/// What was answered.
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Header lines in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A request. `url` may be any on this server: whatever its host is called, it is reached by the server's address.
pub(crate) fn request(
    server: &Server,
    method: &str,
    url: &str,
    headers: &str,
    body: &[u8],
) -> Said<Response> {
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return broken(format!("no URL: {url}")),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, if secure { "443" } else { "80" }));
    let port: u16 = port.parse()?;
    let mut socket = Socket::connect(SocketAddr::new(server.address, port))?;
    if secure {
        // Certificates are believed; a name in SNI must be one.
        let name = if host.parse::<std::net::IpAddr>().is_ok() { &server.domain } else { host };
        socket.secure(name, "http/1.1")?;
    }
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    socket.write(&[head.as_bytes(), body].concat())?;
    read(&mut socket)
}

/// The same for a path of the port for HTTPS.
pub(crate) fn here(server: &Server, method: &str, path: &str, headers: &str, body: &[u8]) -> Said<Response> {
    let url = format!("https://{}:{}{path}", server.domain, server.https);
    request(server, method, &url, headers, body)
}

fn read(socket: &mut Socket) -> Said<Response> {
    let (until, mut bytes) = (Instant::now() + PATIENCE, Vec::new());
    loop {
        let end = match socket.read(until.saturating_duration_since(Instant::now()))? {
            Some(piece) => {
                bytes.extend(&piece);
                piece.is_empty()
            }
            None => return broken("no answer to an HTTP request"),
        };
        if let Some(response) = whole(&bytes, end) {
            return Ok(response);
        }
        if end {
            return broken(format!("half an answer: {}", String::from_utf8_lossy(&bytes)));
        }
    }
}

fn whole(bytes: &[u8], end: bool) -> Option<Response> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let rest = &bytes[at..];
    let length = head.split_once("\r\ncontent-length:").and_then(|(_, rest)| rest.split("\r\n").next());
    let body = if status == 101 {
        Vec::new()
    } else if let Some(length) = length.and_then(|length| length.trim().parse::<usize>().ok()) {
        rest.get(..length)?.to_vec()
    } else if head.contains("transfer-encoding: chunked") {
        unchunked(rest)?
    } else if end {
        rest.to_vec()
    } else {
        return None;
    };
    Some(Response { status, head, body })
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(out);
        }
        out.extend(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_found_in_all_three_forms() {
        let body = |text: &str, end| whole(text.as_bytes(), end).map(|response| response.body);
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false), Some(b"ab".to_vec()));
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false), None);
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nab", false), None);
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nab", true), Some(b"ab".to_vec()));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        assert_eq!(body(chunked, false), Some(b"abc".to_vec()));
        assert_eq!(body(&chunked[..chunked.len() - 9], false), None);
    }
}
