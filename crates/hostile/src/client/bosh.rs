//! BOSH as a client speaks it: two connections, requests in order, bodies of any bytes.
//!
//! XEP-0124, XEP-0206.
//!
//! Not here: what is in the bodies.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::http::{Incoming, Progress};
use super::socket::{Offer, Socket};
use super::{Came, PATIENCE, Target};
use crate::Outcome;

const NAMESPACES: &str = "xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'";

/// A session, or the attempt to have one.
pub(crate) struct Bosh {
    target: Target,
    from: Ipv4Addr,
    pub(crate) sid: Option<String>,
    pub(crate) rid: u64,
    waiting: VecDeque<Connection>,
    free: Vec<Connection>,
    /// What came while something was sent.
    early: VecDeque<Came>,
    end: Option<String>,
}

/// Requests that may be open at once.
const OPEN_MAX: usize = 2;

/// A connection that is idle for longer may be closed by the server at any time.
const IDLE_MAX: Duration = Duration::from_secs(4);

struct Connection {
    socket: Socket,
    used: Instant,
    incoming: Incoming,
}

impl Bosh {
    pub(crate) fn new(target: &Target, from: Ipv4Addr) -> Bosh {
        Bosh {
            target: target.clone(),
            from,
            sid: None,
            rid: 1_000,
            waiting: VecDeque::new(),
            free: Vec::new(),
            early: VecDeque::new(),
            end: None,
        }
    }

    /// Begins the session, or restarts its stream.
    pub(crate) fn open(&mut self, attributes: &str) -> Outcome {
        let attributes = attributes.replace("version=", "xmpp:version=");
        match &self.sid {
            Some(_) => self.say(&format!("{attributes} xmpp:restart='true'"), b""),
            None => self.say(&format!("{attributes} wait='60' hold='1' ver='1.10'"), b""),
        }
    }

    /// Sends the next request.
    pub(crate) fn say(&mut self, attributes: &str, content: &[u8]) -> Outcome {
        let request = self.request(attributes, content);
        self.post(&request, usize::MAX)
    }

    /// The same in packets of that many bytes.
    pub(crate) fn say_in_pieces(&mut self, content: &[u8], size: usize) -> Outcome {
        let request = self.request("", content);
        self.post(&request, size)
    }

    fn request(&mut self, attributes: &str, content: &[u8]) -> Vec<u8> {
        self.rid += 1;
        let sid = self.sid.as_ref().map(|sid| format!("sid='{sid}'")).unwrap_or_default();
        let start = format!("<body {NAMESPACES} rid='{}' {sid} {attributes}>", self.rid);
        [start.as_bytes(), content, b"</body>"].concat()
    }

    /// A new connection, for any use.
    pub(crate) fn connection(&self) -> Outcome<Socket> {
        let mut socket = Socket::connect(self.from, self.target.https)?;
        socket.secure(&Offer { alpn: vec![b"http/1.1"], ..Offer::of(&self.target.domain) })?;
        Ok(socket)
    }

    /// Sends a body as it is.
    pub(crate) fn post(&mut self, body: &[u8], size: usize) -> Outcome {
        while self.waiting.len() >= OPEN_MAX {
            match self.answer(PATIENCE)? {
                Came::Text(text) => self.early.push_back(Came::Text(text)),
                Came::Nothing => {}
                Came::End(end) => {
                    self.early.push_back(Came::End(end));
                    return Ok(());
                }
            }
        }
        let mut connection = match self.free.pop().filter(|free| free.used.elapsed() < IDLE_MAX) {
            Some(connection) => connection,
            None => {
                Connection { socket: self.connection()?, used: Instant::now(), incoming: Incoming::default() }
            }
        };
        let head = format!(
            "POST /http-bind HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n",
            self.target.domain,
            body.len()
        );
        let whole = [head.as_bytes(), body].concat();
        whole.chunks(size.min(whole.len())).for_each(|piece| connection.socket.write(piece));
        self.waiting.push_back(connection);
        Ok(())
    }

    /// What the oldest request is answered with.
    pub(crate) fn read(&mut self, patience: Duration) -> Outcome<Came> {
        let until = Instant::now() + patience;
        loop {
            if let Some(early) = self.early.pop_front() {
                return Ok(early);
            }
            if self.waiting.is_empty() && self.end.is_none() {
                self.say("", b"")?;
            }
            match self.answer(until.saturating_duration_since(Instant::now()))? {
                // An answer with nothing in it.
                Came::Text(text) if text.is_empty() => {}
                came => return Ok(came),
            }
        }
    }

    /// The answer to the oldest request.
    fn answer(&mut self, patience: Duration) -> Outcome<Came> {
        if let Some(end) = self.end.take() {
            return Ok(Came::End(end));
        }
        let Some(mut connection) = self.waiting.pop_front() else { return Ok(Came::Nothing) };
        match connection.incoming.read(&mut connection.socket, patience) {
            Progress::NotYet => {
                self.waiting.push_front(connection);
                Ok(Came::Nothing)
            }
            Progress::Broken => Ok(Came::End("end".into())),
            Progress::Whole(response) if response.status != 200 => Ok(Came::End(response.status.to_string())),
            Progress::Whole(response) => {
                connection.used = Instant::now();
                self.free.push(connection);
                self.unwrap(&String::from_utf8_lossy(&response.body))
                    .map(|text| Came::Text(text.into_bytes()))
            }
        }
    }

    /// What is in a body. The start tag of the first stands for the server's header.
    fn unwrap(&mut self, body: &str) -> Outcome<String> {
        let (start, rest) = body.split_once('>').ok_or_else(|| format!("no body: {body}"))?;
        if self.sid.is_none() {
            self.sid = attribute(start, "sid").map(str::to_owned);
        }
        if attribute(start, "type") == Some("terminate") {
            self.end = Some(attribute(start, "condition").unwrap_or("terminate").to_owned());
        }
        Ok(rest.strip_suffix("</body>").unwrap_or_default().to_owned())
    }
}

/// The value of an attribute in single quotes.
pub(crate) fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}='")).and_then(|(_, rest)| rest.split('\'').next())
}
