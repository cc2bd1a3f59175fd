//! A stanza: its kind, its addresses, and its content as shared canonical bytes.
//!
//! RFC 6120 section 8.
//!
//! Not here: whether the sender may say so (stream, kernel). Attributes that RFC 6120 section 8.1 does not define are
//! not relayed.

use std::fmt;
use std::sync::Arc;

use address::Jid;
use bytes::Bytes;
use xml::{Element, Writer, escape_attr};

use crate::{Condition, IqType, Kind, MessageType, Payload, PresenceType, StanzaError, ns};

/// A message, presence or iq. Cheap to clone.
#[derive(Clone)]
pub struct Stanza {
    /// Which of the three, and its type.
    pub kind: Kind,
    /// Who sent it.
    pub from: Option<Jid>,
    /// For whom it is.
    pub to: Option<Jid>,
    /// The sender's name for it.
    pub id: Option<Arc<str>>,
    /// Default language of its texts.
    pub lang: Option<Arc<str>>,
    /// What is inside.
    pub payload: Payload,
}

/// An element that is no usable stanza. The stream goes on; this is the answer, where one is allowed.
#[derive(Debug)]
pub struct Unusable {
    /// An error to the sender, without addresses; `None` where RFC 6120 forbids an answer.
    pub reply: Option<Box<Stanza>>,
}

impl Stanza {
    /// A stanza of that kind with nothing in it.
    pub fn new(kind: Kind) -> Stanza {
        Stanza { kind, from: None, to: None, id: None, lang: None, payload: Payload::default() }
    }

    /// Reads a first-level element in the content namespace.
    ///
    /// # Errors
    /// If the type is undefined, an address malformed, or an iq not of the required form (RFC 6120 section 8.2.3).
    pub fn from_element(element: &Element) -> Result<Stanza, Unusable> {
        let text = |name: &str| element.attr(name).map(|value| Arc::<str>::from(&*value));
        let (id, ty) = (text("id"), element.attr("type"));
        let kind = Kind::parse(element.name(), ty.as_deref());
        let refuse = |condition| Unusable::new(element.name(), kind, id.clone(), condition);
        let address = |name: &str| match element.attr(name) {
            Some(value) => Jid::parse(&value).map(Some).map_err(|_| refuse(Condition::JidMalformed)),
            None => Ok(None),
        };
        let (to, from) = (address("to")?, address("from")?);
        let Some(kind) = kind else { return Err(refuse(Condition::BadRequest)) };
        let children = element.children().len();
        let formed = match kind {
            Kind::Iq(IqType::Get | IqType::Set) => id.is_some() && children == 1,
            Kind::Iq(IqType::Result) => id.is_some() && children <= 1,
            Kind::Iq(IqType::Error) => id.is_some(),
            _ => true,
        };
        if !formed {
            return Err(refuse(Condition::BadRequest));
        }
        let lang = element.lang().map(|value| Arc::from(&*value));
        Ok(Stanza { kind, from, to, id, lang, payload: Payload::of(element) })
    }

    /// Reads what [`Stanza::to_stored`] wrote.
    ///
    /// # Errors
    /// If the stored bytes are corrupt.
    pub fn from_stored(bytes: &[u8]) -> Result<Stanza, xml::Error> {
        let tree = xml::Tree::parse(bytes, "")?;
        let broken = || xml::Error::NotCanonical(0);
        let root = tree.root().ok_or_else(broken)?;
        let kind = Kind::parse(root.name(), root.attr("type").as_deref()).ok_or_else(broken)?;
        let address = |name: &str| match root.attr(name) {
            Some(value) => Jid::parse(&value).map(Some).map_err(|_| broken()),
            None => Ok(None),
        };
        let text = |name: &str| root.attr(name).map(|value| Arc::<str>::from(&*value));
        Ok(Stanza {
            kind,
            from: address("from")?,
            to: address("to")?,
            id: text("id"),
            lang: root.lang().map(|value| Arc::from(&*value)),
            payload: Payload::canonical(Bytes::copy_from_slice(root.inner_raw())),
        })
    }

    /// Appends the stanza as XML. `xmlns` is declared where the transport has no outer element to declare it
    /// (RFC 7395 section 3.3.3) or where the stanza is stored or wrapped.
    pub fn write(&self, out: &mut Vec<u8>, xmlns: Option<&str>) {
        let name = self.kind.name().as_bytes();
        out.reserve(self.payload.inner().len() + 160);
        out.push(b'<');
        out.extend_from_slice(name);
        let mut attr = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                out.push(b' ');
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(b"='");
                escape_attr(out, value);
                out.push(b'\'');
            }
        };
        attr("xmlns", xmlns);
        attr("from", self.from.as_ref().map(Jid::as_str));
        attr("to", self.to.as_ref().map(Jid::as_str));
        attr("id", self.id.as_deref());
        attr("type", self.kind.type_attr());
        attr("xml:lang", self.lang.as_deref());
        if self.payload.is_empty() {
            return out.extend_from_slice(b"/>");
        }
        out.push(b'>');
        out.extend_from_slice(self.payload.inner());
        out.extend_from_slice(b"</");
        out.extend_from_slice(name);
        out.push(b'>');
    }

    /// The stanza as a document of its own, to be stored or put into an element of another namespace.
    pub fn to_stored(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, Some(ns::CLIENT));
        out
    }

    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        self.payload.inner().len() + 160
    }

    /// A presence of that type.
    pub fn presence(ty: PresenceType) -> Stanza {
        Stanza::new(Kind::Presence(ty))
    }

    /// A message of that type.
    pub fn message(ty: MessageType) -> Stanza {
        Stanza::new(Kind::Message(ty))
    }

    /// An iq `set` of ours.
    pub fn iq_set(id: &str, payload: Bytes) -> Stanza {
        Stanza { id: Some(id.into()), ..Stanza::new(Kind::Iq(IqType::Set)) }.with_inner(payload)
    }

    /// The `result` that answers this request.
    pub fn result(&self, payload: Bytes) -> Stanza {
        self.reply(Kind::Iq(IqType::Result)).with_inner(payload)
    }

    /// The error that answers this stanza; `None` if it may not be answered (RFC 6120 section 8.3.1).
    pub fn error(&self, error: StanzaError) -> Option<Stanza> {
        if self.kind.is_error() || self.kind == Kind::Iq(IqType::Result) {
            return None;
        }
        let mut w = Writer::new(ns::CLIENT);
        error.write(&mut w);
        Some(self.reply(self.kind.error()).with_inner(w.finish()))
    }

    fn reply(&self, kind: Kind) -> Stanza {
        let (from, to, id) = (self.to.clone(), self.from.clone(), self.id.clone());
        Stanza { kind, from, to, id, lang: None, payload: Payload::default() }
    }

    /// The same from somebody else.
    #[must_use]
    pub fn from(mut self, from: &Jid) -> Stanza {
        self.from = Some(from.clone());
        self
    }

    /// The same to somebody else.
    #[must_use]
    pub fn to(mut self, to: &Jid) -> Stanza {
        self.to = Some(to.clone());
        self
    }

    /// The same with that id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Stanza {
        self.id = Some(id.into());
        self
    }

    /// The same with that canonical content.
    #[must_use]
    pub fn with_inner(mut self, inner: Bytes) -> Stanza {
        self.payload = Payload::canonical(inner);
        self
    }
}

impl fmt::Debug for Stanza {
    /// The stanza as XML. For tests and for operators who asked to see payloads, never for ordinary logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out, None);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl Unusable {
    fn new(name: &str, kind: Option<Kind>, id: Option<Arc<str>>, condition: Condition) -> Unusable {
        // An answer to an answer is forbidden; an element of undefined type is answered as what its name says.
        let answerable = match kind {
            Some(kind) => !kind.is_error() && kind != Kind::Iq(IqType::Result),
            None => true,
        };
        let error_kind = kind.map(Kind::error).or_else(|| Kind::parse(name, Some("error")));
        let reply = error_kind.filter(|_| answerable).map(|kind| {
            let mut w = Writer::new(ns::CLIENT);
            StanzaError::from(condition).write(&mut w);
            Box::new(Stanza { id, ..Stanza::new(kind) }.with_inner(w.finish()))
        });
        Unusable { reply }
    }
}
