//! A client that says any bytes over any of the four transports.
//!
//! Not here: sockets (`socket.rs`), frames (`frames.rs`), HTTP (`bosh.rs`), honest logins (`login.rs`).

mod bosh;
mod frames;
mod http;
mod socket;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub(crate) use frames::frame;
pub(crate) use socket::{Offer, Read, Socket};

use crate::Outcome;
use bosh::Bosh;
use frames::Frames;

/// How long any single step may take, unless it says otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    StartTls,
    Direct,
    WebSocket,
    Bosh,
}

impl Transport {
    pub(crate) const ALL: [Transport; 4] =
        [Transport::StartTls, Transport::Direct, Transport::WebSocket, Transport::Bosh];

    pub(crate) fn name(self) -> &'static str {
        ["STARTTLS", "direct TLS", "WebSocket", "BOSH"][self as usize]
    }

    pub(crate) fn is_framed(self) -> bool {
        matches!(self, Transport::WebSocket | Transport::Bosh)
    }
}

/// Where the server listens, and for which domains.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Begins in the clear.
    pub(crate) c2s: SocketAddr,
    /// Begins with TLS.
    pub(crate) direct: SocketAddr,
    /// HTTP in the clear.
    pub(crate) http: SocketAddr,
    /// HTTP over TLS.
    pub(crate) https: SocketAddr,
    /// The domain that is attacked.
    pub(crate) domain: String,
}

/// One connection, or one BOSH session, and what came and was not looked at.
pub(crate) struct Client {
    pub(crate) transport: Transport,
    pub(crate) target: Target,
    lane: Lane,
    pub(crate) seen: String,
    /// How it ended, once it has: `end`, a WebSocket code, a condition of BOSH, a status of HTTP.
    pub(crate) end: Option<String>,
}

enum Lane {
    Bytes(Socket),
    Frames(Frames),
    Bosh(Box<Bosh>),
}

/// What a lane has brought.
pub(crate) enum Came {
    Text(Vec<u8>),
    Nothing,
    End(String),
}

impl Client {
    /// Connected and encrypted; no stream is open.
    pub(crate) fn connect(target: &Target, transport: Transport, from: Ipv4Addr) -> Outcome<Client> {
        let secure = |to, alpn: &'static [u8]| {
            let offer = Offer { alpn: vec![alpn], ..Offer::of(&target.domain) };
            let mut socket = Socket::connect(from, to)?;
            socket.secure(&offer)?;
            Ok::<_, String>(socket)
        };
        let lane = match transport {
            Transport::StartTls => {
                let mut client = Client::plain(target, from)?;
                client.start_tls()?;
                client.lane
            }
            Transport::Direct => Lane::Bytes(secure(target.direct, b"xmpp-client")?),
            Transport::WebSocket => {
                Lane::Frames(Frames::upgrade(secure(target.https, b"http/1.1")?, &target.domain)?)
            }
            Transport::Bosh => Lane::Bosh(Box::new(Bosh::new(target, from))),
        };
        Ok(Client { transport, target: target.clone(), lane, seen: String::new(), end: None })
    }

    /// Connected in the clear, on the port for STARTTLS.
    pub(crate) fn plain(target: &Target, from: Ipv4Addr) -> Outcome<Client> {
        let lane = Lane::Bytes(Socket::connect(from, target.c2s)?);
        let (seen, target) = (String::new(), target.clone());
        Ok(Client { transport: Transport::StartTls, target, lane, seen, end: None })
    }

    fn start_tls(&mut self) -> Outcome {
        self.proceed()?;
        let offer = Offer::of(&self.target.domain);
        self.socket()?.secure(&offer)
    }

    /// Asks for STARTTLS; the next thing said is a handshake.
    fn proceed(&mut self) -> Outcome {
        self.open_here()?;
        self.until("</stream:features>")?;
        self.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")?;
        self.until("<proceed")?;
        self.until(">").map(drop)
    }

    /// A socket on which a handshake is due.
    pub(crate) fn before_tls(target: &Target, transport: Transport, from: Ipv4Addr) -> Outcome<Socket> {
        match transport {
            Transport::StartTls => {
                let mut client = Client::plain(target, from)?;
                client.proceed()?;
                match client.lane {
                    Lane::Bytes(socket) => Ok(socket),
                    _ => Err("no socket".into()),
                }
            }
            Transport::Direct => Socket::connect(from, target.direct),
            Transport::WebSocket | Transport::Bosh => Socket::connect(from, target.https),
        }
    }

    /// The socket itself, where there is one that lasts.
    pub(crate) fn socket(&mut self) -> Outcome<&mut Socket> {
        match &mut self.lane {
            Lane::Bytes(socket) => Ok(socket),
            Lane::Frames(frames) => Ok(&mut frames.socket),
            Lane::Bosh(_) => Err("BOSH has no one socket".into()),
        }
    }

    /// The BOSH session.
    pub(crate) fn bosh(&mut self) -> Outcome<&mut Bosh> {
        match &mut self.lane {
            Lane::Bosh(bosh) => Ok(bosh),
            _ => Err("not BOSH".into()),
        }
    }

    /// Says bytes as they are; in one frame or one body where there are such.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        let bytes = bytes.as_ref();
        match &mut self.lane {
            Lane::Bytes(socket) => socket.write(bytes),
            Lane::Frames(frames) => frames.say(bytes),
            Lane::Bosh(bosh) => return bosh.say("", bytes),
        };
        Ok(())
    }

    /// The same in packets of that many bytes. BOSH: the request's.
    pub(crate) fn say_in_pieces(&mut self, bytes: &[u8], size: usize) -> Outcome {
        match &mut self.lane {
            Lane::Bytes(socket) => bytes.chunks(size).for_each(|piece| socket.write(piece)),
            Lane::Frames(frames) => {
                let framed = frame(0x81, bytes);
                framed.chunks(size).for_each(|piece| frames.socket.write(piece));
            }
            Lane::Bosh(bosh) => return bosh.say_in_pieces(bytes, size),
        }
        Ok(())
    }

    /// Opens the stream, or opens it again, with these attributes.
    pub(crate) fn open(&mut self, attributes: &str) -> Outcome {
        match &mut self.lane {
            Lane::Bytes(socket) => socket.write(header(attributes).as_bytes()),
            Lane::Frames(frames) => frames
                .say(format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' {attributes}/>").as_bytes()),
            Lane::Bosh(bosh) => return bosh.open(attributes),
        }
        Ok(())
    }

    /// Opens it as is proper.
    pub(crate) fn open_here(&mut self) -> Outcome {
        let attributes = format!("to='{}' version='1.0'", self.target.domain);
        self.open(&attributes)
    }

    /// Closes the stream properly.
    pub(crate) fn close(&mut self) -> Outcome {
        match &mut self.lane {
            Lane::Bytes(socket) => socket.write(b"</stream:stream>"),
            Lane::Frames(frames) => frames.say(b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"),
            Lane::Bosh(bosh) => return bosh.say("type='terminate'", b""),
        }
        Ok(())
    }

    /// Breaks the connection off without a word. A BOSH client just goes silent.
    pub(crate) fn vanish(self) {
        drop(self);
    }

    /// Waits for something until then; `false` if nothing came or it has ended.
    pub(crate) fn more(&mut self, until: Instant) -> Outcome<bool> {
        if self.end.is_some() {
            return Ok(false);
        }
        let patience = until.saturating_duration_since(Instant::now());
        if patience.is_zero() {
            return Ok(false);
        }
        let came = match &mut self.lane {
            Lane::Bytes(socket) => match socket.read(patience) {
                Read::Bytes(bytes) => Came::Text(bytes),
                Read::Nothing => Came::Nothing,
                Read::End => Came::End("end".into()),
            },
            Lane::Frames(frames) => frames.read(patience),
            Lane::Bosh(bosh) => bosh.read(patience)?,
        };
        match came {
            Came::Text(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
            Came::Nothing => return Ok(false),
            Came::End(end) => {
                self.end = Some(end);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Everything up to the end of `pattern`.
    pub(crate) fn until(&mut self, pattern: &str) -> Outcome<String> {
        self.until_within(pattern, PATIENCE)
    }

    /// The same with a patience of its own.
    pub(crate) fn until_within(&mut self, pattern: &str, patience: Duration) -> Outcome<String> {
        let until = Instant::now() + patience;
        loop {
            if let Some(at) = self.seen.find(pattern) {
                let rest = self.seen.split_off(at + pattern.len());
                return Ok(std::mem::replace(&mut self.seen, rest));
            }
            if !self.more(until)? {
                // BOSH brings text and end at once.
                if self.seen.contains(pattern) {
                    continue;
                }
                let end = self.end.as_deref().unwrap_or("waiting in vain");
                return Err(format!("no {pattern:?} in {:?}, then {end}", shown(&self.seen)));
            }
        }
    }

    /// Everything to the end; an error if there is none in time.
    pub(crate) fn rest(&mut self, patience: Duration) -> Outcome<String> {
        let until = Instant::now() + patience;
        while self.more(until)? {}
        match &self.end {
            Some(_) => Ok(std::mem::take(&mut self.seen)),
            None => Err(format!("no end after {:?}", shown(&self.seen))),
        }
    }
}

/// The beginning of a stream over TCP.
pub(crate) fn header(attributes: &str) -> String {
    format!(
        "<stream:stream {attributes} xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

/// As much of a text as a message may hold.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(600) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
