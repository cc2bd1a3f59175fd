//! The `<body/>` element: reads a request's, writes a response's.
//!
//! XEP-0124 version 1.11.2 sections 6 to 17, XEP-0206 version 1.4.
//!
//! Not here: what the attributes lead to (`session.rs`), the grammar of XML (xml).

use bytes::Bytes;
use stanza::ns::{HTTP_BIND, STREAMS, XBOSH};
use stream::Open;
use xml::{Event, Framing, Header, Limits, Parser};

/// Largest number that a request may have (XEP-0124 section 14.1).
const RID_MAX: u64 = (1 << 53) - 1;

/// Why a session, or an attempt to have one, ends (XEP-0124 section 17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terminal {
    BadRequest,
    ItemNotFound,
    PolicyViolation,
    SystemShutdown,
    InternalServerError,
    ImproperAddressing,
}

impl Terminal {
    fn name(self) -> &'static str {
        match self {
            Terminal::BadRequest => "bad-request",
            Terminal::ItemNotFound => "item-not-found",
            Terminal::PolicyViolation => "policy-violation",
            Terminal::SystemShutdown => "system-shutdown",
            Terminal::InternalServerError => "internal-server-error",
            Terminal::ImproperAddressing => "improper-addressing",
        }
    }

    /// The whole response.
    pub(crate) fn body(self) -> Bytes {
        format!("<body xmlns='{HTTP_BIND}' type='terminate' condition='{}'/>", self.name()).into()
    }
}

/// A recoverable error: the client sends the request again (XEP-0124 section 17.3).
pub(crate) fn again() -> Bytes {
    format!("<body xmlns='{HTTP_BIND}' type='error'/>").into()
}

/// What a request says, besides its children.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrapper {
    pub(crate) sid: Option<String>,
    pub(crate) rid: u64,
    pub(crate) wait: Option<u64>,
    pub(crate) hold: Option<u64>,
    pub(crate) pause: Option<u64>,
    pub(crate) terminate: bool,
    pub(crate) restart: bool,
    pub(crate) key: Option<String>,
    pub(crate) new_key: Option<String>,
    pub(crate) open: Open,
}

/// Reads a request as it comes.
pub(crate) struct Reader {
    parser: Parser,
    wrapper: Option<Wrapper>,
    children: Vec<Bytes>,
    /// Canonical bytes of the children.
    size: usize,
    /// Bytes that all children may have.
    room: usize,
    /// Bytes that the wrapper's start tag may have.
    header: usize,
    closed: bool,
}

/// The whole request.
pub(crate) struct Request {
    pub(crate) wrapper: Wrapper,
    pub(crate) children: Vec<Bytes>,
}

impl Reader {
    /// `limits` hold until [`Reader::widen`].
    pub(crate) fn new(limits: Limits) -> Reader {
        Reader {
            // Children come out relative to no namespace: each says its own.
            parser: Parser::new(Framing::Wrapper(""), limits),
            wrapper: None,
            children: Vec::new(),
            size: 0,
            room: room(&limits),
            header: limits.header_bytes as usize,
            closed: false,
        }
    }

    /// The wrapper, once its start tag has come.
    pub(crate) fn wrapper(&self) -> Option<&Wrapper> {
        self.wrapper.as_ref()
    }

    /// Larger limits from here on: the session is an authenticated one.
    pub(crate) fn widen(&mut self, limits: Limits) {
        self.parser.set_limits(limits);
        self.room = room(&limits);
    }

    /// Bytes that a whole body may have: its elements, its wrapper, and some white space. More can only be white space.
    pub(crate) fn body_bytes_max(&self) -> usize {
        self.room + 2 * self.header
    }

    /// Adds bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.parser.push(bytes);
    }

    /// Reads on, at most to the end of the start tag if that was not read yet.
    pub(crate) fn read(&mut self) -> Result<(), Terminal> {
        while let Some(event) = self.parser.next().map_err(terminal)? {
            match event {
                Event::Header(header) => {
                    self.wrapper = Some(wrapper(&header).ok_or(Terminal::BadRequest)?);
                    return Ok(());
                }
                Event::Element(element) => {
                    self.size += element.bytes().len();
                    if self.size > self.room {
                        return Err(Terminal::PolicyViolation);
                    }
                    self.children.push(element.bytes().clone());
                }
                Event::Whitespace => {}
                Event::Close => self.closed = true,
            }
        }
        Ok(())
    }

    /// The request, if it is whole.
    pub(crate) fn finish(mut self) -> Result<Request, Terminal> {
        self.read()?;
        match self.wrapper {
            // What stands behind it a program between us might take for another request.
            Some(wrapper) if self.closed && !self.parser.has_trailing() => {
                Ok(Request { wrapper, children: self.children })
            }
            _ => Err(Terminal::BadRequest),
        }
    }
}

/// Why a body cannot be read: too much of something, or not what it should be (XEP-0124 section 17.2).
fn terminal(error: xml::Error) -> Terminal {
    match error {
        xml::Error::LimitPassed(_) => Terminal::PolicyViolation,
        _ => Terminal::BadRequest,
    }
}

/// Several stanzas may come at once.
fn room(limits: &Limits) -> usize {
    2 * limits.element_bytes as usize
}

fn wrapper(header: &Header) -> Option<Wrapper> {
    if header.name() != "body" || header.ns() != HTTP_BIND {
        return None;
    }
    let text = |name: &str| header.attr(name).map(str::to_owned);
    let number = |name: &str| header.attr(name).map(|value| value.trim().parse::<u64>().ok());
    let optional = |name: &str| number(name).map_or(Some(None), |value| value.map(Some));
    let rid = number("rid")??;
    if rid == 0 || rid > RID_MAX {
        return None;
    }
    Some(Wrapper {
        sid: text("sid"),
        rid,
        wait: optional("wait")?,
        hold: optional("hold")?,
        pause: optional("pause")?,
        terminate: header.attr("type") == Some("terminate"),
        restart: matches!(header.attr_ns(XBOSH, "restart"), Some("true" | "1")),
        key: text("key"),
        new_key: text("newkey"),
        open: Open {
            to: text("to"),
            from: text("from"),
            version: header.attr_ns(XBOSH, "version").map(str::to_owned),
            lang: header.lang().map(str::to_owned),
        },
    })
}

/// What a response says, besides its children.
#[derive(Default)]
pub(crate) struct Answer<'a> {
    /// Attributes of the first response of a session.
    pub(crate) created: Option<Created<'a>>,
    /// Our answer to the opening of the stream.
    pub(crate) opened: Option<&'a stream::Opened>,
    /// The session is over; whether by a stream error.
    pub(crate) terminate: Option<bool>,
}

/// XEP-0124 section 7.2.
pub(crate) struct Created<'a> {
    pub(crate) sid: &'a str,
    pub(crate) wait: u64,
    pub(crate) hold: u64,
    pub(crate) requests: u64,
    pub(crate) inactivity: u64,
    pub(crate) polling: u64,
    pub(crate) pause: u64,
}

impl Answer<'_> {
    /// The whole response around `children`.
    pub(crate) fn write(&self, children: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(children.len() + 400);
        out.extend_from_slice(b"<body xmlns='");
        out.extend_from_slice(HTTP_BIND.as_bytes());
        out.push(b'\'');
        let mut attr = |name: &str, value: &str| {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"='");
            xml::escape_attr(&mut out, value);
            out.push(b'\'');
        };
        if let Some(error) = self.terminate {
            attr("type", "terminate");
            if error {
                attr("condition", "remote-stream-error");
            }
        }
        if let Some(created) = &self.created {
            attr("sid", created.sid);
            attr("ver", "1.11");
            for (name, value) in [
                ("wait", created.wait),
                ("hold", created.hold),
                ("requests", created.requests),
                ("inactivity", created.inactivity),
                ("polling", created.polling),
                ("maxpause", created.pause),
            ] {
                attr(name, &value.to_string());
            }
            attr("xmlns:xmpp", XBOSH);
            attr("xmpp:version", "1.0");
            attr("xmpp:restartlogic", "true");
        }
        if let Some(opened) = self.opened {
            attr("authid", &opened.id);
            opened.from.iter().for_each(|from| attr("from", from));
            opened.to.iter().for_each(|to| attr("to", to));
            attr("xml:lang", opened.lang);
        }
        if children.is_empty() {
            out.extend_from_slice(b"/>");
        } else {
            attr("xmlns:stream", STREAMS);
            out.push(b'>');
            out.extend_from_slice(children);
            out.extend_from_slice(b"</body>");
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize) -> Result<Request, Terminal> {
        let mut reader = Reader::new(Limits::BEFORE_AUTH);
        for piece in text.as_bytes().chunks(piece) {
            reader.push(piece);
            reader.read()?;
        }
        reader.finish()
    }

    #[test]
    fn a_request_is_read_however_it_comes() {
        let text = "<?xml version='1.0'?><body xmlns='http://jabber.org/protocol/httpbind' rid='17' sid='s' wait='60' \
             hold='1' xmpp:version='1.0' xml:lang='de' to='a.example' xmlns:xmpp='urn:xmpp:xbosh'>\
             <message xmlns='jabber:client' to='b'><body>x</body></message> <presence xmlns='jabber:client'/></body>";
        for piece in [1, 7, text.len()] {
            let request = read(text, piece).unwrap();
            let wrapper = request.wrapper;
            assert_eq!((wrapper.rid, wrapper.sid.as_deref(), wrapper.wait), (17, Some("s"), Some(60)));
            assert_eq!(
                (wrapper.open.to.as_deref(), wrapper.open.version.as_deref()),
                (Some("a.example"), Some("1.0"))
            );
            assert_eq!(wrapper.open.lang.as_deref(), Some("de"));
            let [message, presence] = &request.children[..] else { panic!("{piece}") };
            assert_eq!(message, "<message xmlns='jabber:client' to='b'><body>x</body></message>");
            assert_eq!(presence, "<presence xmlns='jabber:client'/>");
        }
    }

    #[test]
    fn what_is_no_proper_body_is_a_bad_request() {
        let ns = "xmlns='http://jabber.org/protocol/httpbind'";
        for text in [
            String::new(),
            "x".into(),
            "<body rid='1'/>".into(),
            format!("<other {ns} rid='1'/>"),
            format!("<body {ns}/>"),
            format!("<body {ns} rid='0'/>"),
            format!("<body {ns} rid='-1'/>"),
            format!("<body {ns} rid='9007199254740992'/>"),
            format!("<body {ns} rid='99999999999999999999999'/>"),
            format!("<body {ns} rid='1' wait='soon'/>"),
            format!("<body {ns} rid='1'>"),
            format!("<body {ns} rid='1'><a></body>"),
            // nothing but white space stands behind it.
            format!("<body {ns} rid='1'></body><body {ns} rid='2'></body>"),
            format!("<body {ns} rid='1'/> x"),
            format!("<!DOCTYPE a><body {ns} rid='1'/>"),
            format!("<body {ns} rid='1'><!-- --></body>"),
        ] {
            assert_eq!(read(&text, 3).err(), Some(Terminal::BadRequest), "{text}");
        }
    }

    #[test]
    fn responses_are_proper_xml() {
        let opened =
            stream::Opened { id: "x'<".into(), from: Some("a.example".into()), to: None, lang: "en" };
        let created =
            Created { sid: "s", wait: 60, hold: 1, requests: 2, inactivity: 60, polling: 2, pause: 120 };
        let answer = Answer { created: Some(created), opened: Some(&opened), terminate: Some(true) };
        let body = answer.write(b"<a xmlns='b'/>");
        let mut parser = Parser::new(Framing::Wrapper(""), Limits::CLIENT);
        parser.push(&body);
        let Some(Event::Header(header)) = parser.next().unwrap() else { panic!("no header") };
        assert_eq!(
            (header.ns(), header.attr("authid"), header.attr("requests")),
            (HTTP_BIND, Some("x'<"), Some("2"))
        );
        assert_eq!(header.attr("condition"), Some("remote-stream-error"));
        assert!(matches!(parser.next().unwrap(), Some(Event::Element(_))));
        assert!(matches!(parser.next().unwrap(), Some(Event::Close)));
        assert_eq!(Answer::default().write(b""), format!("<body xmlns='{HTTP_BIND}'/>"));
    }
}
