//! The ways of XML to and from a server: a stream, frames of a WebSocket, bodies of BOSH.
//!
//! RFC 6120 section 4, RFC 6455, RFC 7395, XEP-0124, XEP-0206
//!
//! What comes is brought into one canonical form by our own parser, so that rows see the same text from every server.
//!
//! Not here: logging in (`client.rs`).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use xml::{Event, Framing, Limits, Parser};

use crate::http;
use crate::server::Server;
use crate::socket::{PATIENCE, Socket};
use crate::verdict::{Lack, Said, broken, missing};

const CLIENT: &str = "jabber:client";
const BOSH: &str = "http://jabber.org/protocol/httpbind";

/// An element that came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Canonical bytes.
    pub(crate) text: String,
    /// What `xmlns` it stands below.
    pub(crate) below: String,
}

/// One of the ways.
pub(crate) enum Lane {
    Stream { socket: Socket, parser: Box<Parser> },
    Frames { socket: Socket, input: Vec<u8> },
    Bosh { sid: String, rid: u64 },
}

/// A way and what came by it.
pub(crate) struct Way {
    pub(crate) lane: Lane,
    pub(crate) heard: VecDeque<Heard>,
    /// Attribute `id` of the peer's last header.
    pub(crate) id: String,
    ended: bool,
}

impl Way {
    pub(crate) fn stream(socket: Socket) -> Way {
        let parser = Box::new(Parser::new(Framing::Stream, Limits::SERVER));
        Way::new(Lane::Stream { socket, parser })
    }

    /// An upgraded connection on the port for HTTPS.
    pub(crate) fn frames(server: &Server) -> Said<Way> {
        let mut socket = Socket::connect(SocketAddr::new(server.address, server.https))?;
        socket.secure(&server.domain, "http/1.1")?;
        let request = format!(
            "GET /xmpp-websocket HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Origin: https://{}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: xmpp\r\n\r\n",
            server.domain, server.domain
        );
        socket.write(request.as_bytes())?;
        let mut input = Vec::new();
        let until = Instant::now() + PATIENCE;
        let end = loop {
            if let Some(at) = input.windows(4).position(|four: &[u8]| four == b"\r\n\r\n") {
                break at + 4;
            }
            match socket.read(until.saturating_duration_since(Instant::now()))? {
                Some(piece) if !piece.is_empty() => input.extend(piece),
                _ => return missing("no answer to the upgrade"),
            }
        };
        let head = String::from_utf8_lossy(&input[..end]).into_owned();
        if !head.starts_with("HTTP/1.1 101") {
            return missing(format!("no upgrade: {}", head.lines().next().unwrap_or_default()));
        }
        input.drain(..end);
        Ok(Way::new(Lane::Frames { socket, input }))
    }

    pub(crate) fn bosh() -> Way {
        Way::new(Lane::Bosh { sid: String::new(), rid: 1_000 })
    }

    fn new(lane: Lane) -> Way {
        Way { lane, heard: VecDeque::new(), id: String::new(), ended: false }
    }

    /// Opens the stream, or opens it again.
    pub(crate) fn open(&mut self, server: &Server) -> Said {
        let to = &server.domain;
        match &mut self.lane {
            Lane::Stream { .. } => self.open_as(CLIENT, "", to),
            Lane::Frames { .. } => self.send(
                server,
                &format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{to}' version='1.0'/>"),
            ),
            Lane::Bosh { sid, .. } if sid.is_empty() => self.post(
                server,
                &format!(
                    "to='{to}' xml:lang='en' wait='3' hold='1' ver='1.11' content='text/xml; charset=utf-8' \
                     xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'"
                ),
                "",
            ),
            Lane::Bosh { .. } => {
                self.post(server, &format!("to='{to}' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'"), "")
            }
        }
    }

    /// Opens a stream for other content than a client's.
    pub(crate) fn open_as(&mut self, content: &str, more: &str, to: &str) -> Said {
        let Lane::Stream { socket, parser } = &mut self.lane else { return broken("no stream") };
        parser.restart();
        let version = if content == "jabber:component:accept" { "" } else { " version='1.0'" };
        socket.write(
            format!(
                "<?xml version='1.0'?><stream:stream to='{to}'{version} xmlns='{content}' {more} \
                 xmlns:stream='http://etherx.jabber.org/streams'>"
            )
            .as_bytes(),
        )
    }

    pub(crate) fn socket(&mut self) -> Said<&mut Socket> {
        match &mut self.lane {
            Lane::Stream { socket, .. } | Lane::Frames { socket, .. } => Ok(socket),
            Lane::Bosh { .. } => broken("BOSH has no socket of its own"),
        }
    }

    pub(crate) fn send(&mut self, server: &Server, xml: &str) -> Said {
        match &mut self.lane {
            Lane::Stream { socket, .. } => socket.write(xml.as_bytes()),
            Lane::Frames { socket, .. } => socket.write(&frame(0x81, xml.as_bytes())),
            Lane::Bosh { .. } => self.post(server, "", xml),
        }
    }

    /// One request of BOSH and its answer.
    fn post(&mut self, server: &Server, attributes: &str, inside: &str) -> Said {
        let Lane::Bosh { sid, rid } = &mut self.lane else { return broken("not BOSH") };
        *rid += 1;
        let session = if sid.is_empty() { String::new() } else { format!("sid='{sid}'") };
        let body = format!("<body xmlns='{BOSH}' rid='{rid}' {session} {attributes}>{inside}</body>");
        let headers = "Content-Type: text/xml; charset=utf-8\r\n";
        let response = http::here(server, "POST", "/http-bind", headers, body.as_bytes())?;
        if response.status != 200 {
            return missing(format!("/http-bind answers {}", response.status));
        }
        let mut parser = Parser::new(Framing::Wrapper(CLIENT), Limits::SERVER);
        parser.push(&response.body);
        while let Some(event) = parser.next().map_err(|error| unreadable(&error))? {
            match event {
                Event::Header(header) => {
                    if let Some(new) = header.attr("sid") {
                        *sid = new.to_owned();
                    }
                    self.ended = header.attr("type") == Some("terminate");
                }
                Event::Element(element) => self.heard.push_back(heard(&element)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads until something was heard; `false` if nothing came in time.
    pub(crate) fn listen(&mut self, server: &Server, until: Instant) -> Said<bool> {
        while self.heard.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            if self.ended {
                return broken("the server has ended the stream");
            }
            match &self.lane {
                Lane::Bosh { .. } => self.post(server, "", "")?,
                _ => self.read(left)?,
            }
        }
        Ok(true)
    }

    fn read(&mut self, patience: Duration) -> Said {
        let piece = self.socket()?.read(patience)?;
        let Some(piece) = piece else { return Ok(()) };
        self.ended = piece.is_empty();
        match &mut self.lane {
            Lane::Stream { parser, .. } => {
                parser.push(&piece);
                while let Some(event) = parser.next().map_err(|error| unreadable(&error))? {
                    match event {
                        Event::Header(header) => self.id = header.attr("id").unwrap_or_default().to_owned(),
                        Event::Element(element) => self.heard.push_back(heard(&element)),
                        Event::Close => self.ended = true,
                        Event::Whitespace => {}
                    }
                }
            }
            Lane::Frames { input, .. } => {
                input.extend(piece);
                while let Some((first, payload)) = unframed(input) {
                    self.ended |= first == 0x88;
                    let mut parser = Parser::new(Framing::Documents(CLIENT), Limits::SERVER);
                    parser.push(if first == 0x81 { &payload } else { &[] });
                    while let Some(event) = parser.next().map_err(|error| unreadable(&error))? {
                        if let Event::Element(element) = event {
                            self.heard.push_back(heard(&element));
                        }
                    }
                }
            }
            Lane::Bosh { .. } => {}
        }
        Ok(())
    }
}

fn unreadable(error: &xml::Error) -> Lack {
    Lack::Broken(format!("XML that cannot be read: {error:?}"))
}

fn heard(element: &xml::Element) -> Heard {
    Heard {
        text: String::from_utf8_lossy(element.bytes()).into_owned(),
        below: element.content_ns().to_owned(),
    }
}

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 0, 255, 19];
    let mut out = vec![first];
    match payload.len() {
        n @ 0..126 => out.push(0x80 | n as u8),
        n => {
            out.push(0x80 | 126);
            out.extend((n as u16).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// Takes a whole frame off the front.
fn unframed(input: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
    let (first, second) = (*input.first()?, *input.get(1)?);
    let (size, length) = match second & 0x7f {
        126 => (4, number(input.get(2..4)?)),
        127 => (10, number(input.get(2..10)?)),
        short => (2, usize::from(short)),
    };
    let payload = input.get(size..size + length)?.to_vec();
    input.drain(..size + length);
    Some((first, payload))
}
