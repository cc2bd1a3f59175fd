//! The three kinds of stanza and their types.
//!
//! RFC 6121 section 5.2.2 (message), 4.7.1 (presence); RFC 6120 section 8.2.3 (iq).
//!
//! Not here: which type may go where (kernel).

/// What a stanza is: its element name and `type` attribute together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `<message/>`
    Message(MessageType),
    /// `<presence/>`
    Presence(PresenceType),
    /// `<iq/>`
    Iq(IqType),
}

/// RFC 6121 section 5.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// No type, `normal`, or a type that nobody defined.
    Normal,
    /// One-to-one conversation.
    Chat,
    /// From or to a room.
    Groupchat,
    /// An alert that expects no answer.
    Headline,
    /// An earlier message failed.
    Error,
}

/// RFC 6121 section 4.7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceType {
    /// No type: available for communication.
    Available,
    /// No longer available.
    Unavailable,
    /// The sender wants to see the recipient's presence.
    Subscribe,
    /// The sender lets the recipient see its presence.
    Subscribed,
    /// The sender no longer wants to see the recipient's presence.
    Unsubscribe,
    /// The sender no longer lets the recipient see its presence, or refuses to.
    Unsubscribed,
    /// A server asks for a user's current presence.
    Probe,
    /// An earlier presence failed.
    Error,
}

/// RFC 6120 section 8.2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IqType {
    /// Asks for information.
    Get,
    /// Provides or changes data.
    Set,
    /// Answers a request that succeeded.
    Result,
    /// Answers a request that failed.
    Error,
}

impl Kind {
    /// Reads element name and `type`; `None` if they are not a stanza.
    pub fn parse(name: &str, ty: Option<&str>) -> Option<Kind> {
        Some(match (name, ty) {
            // RFC 6121 section 5.2.2: an unknown type is to be treated as "normal".
            ("message", ty) => Kind::Message(match ty {
                Some("chat") => MessageType::Chat,
                Some("groupchat") => MessageType::Groupchat,
                Some("headline") => MessageType::Headline,
                Some("error") => MessageType::Error,
                _ => MessageType::Normal,
            }),
            ("presence", None) => Kind::Presence(PresenceType::Available),
            ("presence", Some(ty)) => Kind::Presence(match ty {
                "unavailable" => PresenceType::Unavailable,
                "subscribe" => PresenceType::Subscribe,
                "subscribed" => PresenceType::Subscribed,
                "unsubscribe" => PresenceType::Unsubscribe,
                "unsubscribed" => PresenceType::Unsubscribed,
                "probe" => PresenceType::Probe,
                "error" => PresenceType::Error,
                _ => return None,
            }),
            ("iq", Some(ty)) => Kind::Iq(match ty {
                "get" => IqType::Get,
                "set" => IqType::Set,
                "result" => IqType::Result,
                "error" => IqType::Error,
                _ => return None,
            }),
            _ => return None,
        })
    }

    /// The element's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Message(_) => "message",
            Kind::Presence(_) => "presence",
            Kind::Iq(_) => "iq",
        }
    }

    /// The `type` attribute, absent where it is the default.
    pub fn type_attr(self) -> Option<&'static str> {
        match self {
            Kind::Message(ty) => match ty {
                MessageType::Normal => None,
                MessageType::Chat => Some("chat"),
                MessageType::Groupchat => Some("groupchat"),
                MessageType::Headline => Some("headline"),
                MessageType::Error => Some("error"),
            },
            Kind::Presence(ty) => match ty {
                PresenceType::Available => None,
                PresenceType::Unavailable => Some("unavailable"),
                PresenceType::Subscribe => Some("subscribe"),
                PresenceType::Subscribed => Some("subscribed"),
                PresenceType::Unsubscribe => Some("unsubscribe"),
                PresenceType::Unsubscribed => Some("unsubscribed"),
                PresenceType::Probe => Some("probe"),
                PresenceType::Error => Some("error"),
            },
            Kind::Iq(ty) => Some(match ty {
                IqType::Get => "get",
                IqType::Set => "set",
                IqType::Result => "result",
                IqType::Error => "error",
            }),
        }
    }

    /// The kind of an error that answers this one.
    pub fn error(self) -> Kind {
        match self {
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
            Kind::Iq(_) => Kind::Iq(IqType::Error),
        }
    }

    /// Whether this is itself an error, which must never be answered with another (RFC 6120 section 8.3.1).
    pub fn is_error(self) -> bool {
        self == self.error()
    }

    /// Whether it asks for an answer: iq `get` or `set`.
    pub fn is_request(self) -> bool {
        matches!(self, Kind::Iq(IqType::Get | IqType::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_a_round_trip() {
        for (name, types) in [
            ("message", &[None, Some("chat"), Some("groupchat"), Some("headline"), Some("error")][..]),
            (
                "presence",
                &[None, Some("unavailable"), Some("subscribe"), Some("subscribed"), Some("probe")][..],
            ),
            ("iq", &[Some("get"), Some("set"), Some("result"), Some("error")][..]),
        ] {
            for ty in types {
                let kind = Kind::parse(name, *ty).unwrap();
                assert_eq!((kind.name(), kind.type_attr()), (name, *ty));
            }
        }
        assert_eq!(Kind::parse("message", Some("bogus")), Some(Kind::Message(MessageType::Normal)));
        for (name, ty) in [("presence", Some("bogus")), ("iq", None), ("iq", Some("x")), ("body", None)] {
            assert_eq!(Kind::parse(name, ty), None);
        }
    }
}
