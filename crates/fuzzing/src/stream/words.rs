//! The words of the grammar: what a client can say, and the engine, the clock and the network can do.
//!
//! Not here: what must come of them (spec.rs).

use model::link::Transport;
use sasl::encode_base64;

use crate::source::Source;

pub(super) const TRANSPORTS: [Transport; 4] =
    [Transport::Tcp, Transport::DirectTls, Transport::WebSocket, Transport::Bosh];

/// What a PLAIN message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sasl {
    Right,
    Wrong,
    /// The right password, for somebody else's account.
    Foreign,
    Malformed,
    BadBase64,
    /// Nothing yet: the message comes as a response.
    None,
    UnknownMechanism,
}

/// A wish inside a SASL2 login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Bind,
    BindAndEnable,
    Resume,
    ResumeOrBind,
    BadResume,
}

/// One thing that happens. A `bool` is the engine's answer, where it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A stream header, good (0) or wrong in one of the ways of `OPENS`.
    Open(usize),
    Close,
    /// The connection is gone.
    Vanish,
    Whitespace,
    StartTls,
    /// With something behind it.
    StartTlsAndMore,
    /// Profile 1 or 2.
    Auth(u8, Sasl),
    Auth2(Sasl, Wish, bool),
    Response(u8, Sasl),
    Abort(u8),
    Register,
    Compress,
    BindIq(usize, bool),
    Resume(bool, bool),
    Enable(bool),
    /// `h` as in `COUNTS`.
    Ack(usize),
    AckRequest,
    ClientState(usize),
    Message,
    Presence,
    Iq,
    IqWithoutId,
    MalformedTo,
    Forged,
    Unknown,
    ServerStanza,
    /// The engine says something.
    EngineStanza,
    EngineAsks,
    EngineCloses(bool),
    /// More time passes than anybody may take to authenticate.
    Wait,
}

pub(super) const OPENS: [&str; 7] = [
    "to='example.org' version='1.0'",
    "to='other.example' version='1.0'",
    "to='nowhere.example' version='1.0'",
    "version='1.0'",
    "to='example.org' version='0.9'",
    "to='example.org' version='1.0' from='eve@example.org'",
    "to='example.org' version='1.0' from='juliet@elsewhere.example'",
];
pub(super) const COUNTS: [&str; 5] = ["0", "1", "4294967296", "-1", "x"];

impl Word {
    pub(super) fn choose(source: &mut Source<'_>) -> Word {
        let sasl = |source: &mut Source<'_>| {
            use Sasl::{BadBase64, Foreign, Malformed, None, Right, UnknownMechanism, Wrong};
            [Right, Right, Right, Wrong, Foreign, Malformed, BadBase64, None, UnknownMechanism]
                [source.below(9)]
        };
        let wish = |source: &mut Source<'_>| {
            use Wish::{BadResume, Bind, BindAndEnable, Nothing, Resume, ResumeOrBind};
            [Nothing, Bind, BindAndEnable, Resume, ResumeOrBind, BadResume][source.below(6)]
        };
        let yes = |source: &mut Source<'_>| source.byte() & 3 != 3;
        match source.below(34) {
            0..=2 => Word::Open(if source.byte() & 1 == 0 { 0 } else { source.below(OPENS.len()) }),
            3 => Word::Close,
            4 => Word::Vanish,
            5 => Word::Whitespace,
            6 | 7 => Word::StartTls,
            8 => Word::StartTlsAndMore,
            9 | 10 => Word::Auth(1, sasl(source)),
            11 => Word::Auth2(sasl(source), wish(source), yes(source)),
            12 => Word::Response(1, sasl(source)),
            13 => Word::Response(2, sasl(source)),
            14 => Word::Abort(1 + source.byte() % 2),
            15 => Word::Register,
            16 => Word::Compress,
            17 | 18 => Word::BindIq(source.below(3), yes(source)),
            19 => Word::Resume(yes(source), yes(source)),
            20 => Word::Enable(yes(source)),
            21 => Word::Ack(source.below(COUNTS.len())),
            22 => Word::AckRequest,
            23 => Word::ClientState(source.below(3)),
            24 => Word::Message,
            25 => Word::Presence,
            26 => Word::Iq,
            27 => Word::IqWithoutId,
            28 => Word::MalformedTo,
            29 => Word::Forged,
            30 => [Word::Unknown, Word::ServerStanza][source.below(2)],
            31 => [Word::EngineStanza, Word::EngineAsks][source.below(2)],
            32 => Word::EngineCloses(source.byte() & 1 == 1),
            _ => Word::Wait,
        }
    }

    /// The XML of a word that is an element.
    pub(super) fn element(self) -> Option<String> {
        let ns = |profile| ["", "urn:ietf:params:xml:ns:xmpp-sasl", "urn:xmpp:sasl:2"][usize::from(profile)];
        Some(match self {
            Word::StartTls => "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".to_owned(),
            Word::StartTlsAndMore => {
                "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><presence xmlns='jabber:client'/>"
                    .to_owned()
            }
            Word::Auth(profile, Sasl::None) => format!("<auth xmlns='{}' mechanism='PLAIN'/>", ns(profile)),
            Word::Auth(profile, sasl) => {
                format!(
                    "<auth xmlns='{}' mechanism='{}'>{}</auth>",
                    ns(profile),
                    sasl.mechanism(),
                    sasl.text()
                )
            }
            Word::Auth2(sasl, wish, _) => {
                let initial = match sasl {
                    Sasl::None => String::new(),
                    sasl => format!("<initial-response>{}</initial-response>", sasl.text()),
                };
                let (mechanism, wish) = (sasl.mechanism(), wish.text());
                format!(
                    "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>{initial}{wish}</authenticate>"
                )
            }
            Word::Response(profile, sasl) => {
                format!("<response xmlns='{}'>{}</response>", ns(profile), sasl.text())
            }
            Word::Abort(profile) => format!("<abort xmlns='{}'/>", ns(profile)),
            Word::Register => {
                "<iq xmlns='jabber:client' type='get' id='r'><query xmlns='jabber:iq:register'/></iq>"
                    .to_owned()
            }
            Word::Compress => {
                "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>"
                    .to_owned()
            }
            Word::BindIq(resource, _) => {
                let resource = ["", "<resource>balcony</resource>", "<resource>\u{7f}</resource>"][resource];
                format!(
                    "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                     {resource}</bind></iq>"
                )
            }
            Word::Resume(good, _) => {
                let h = if good { "h='1'" } else { "h='-1'" };
                format!("<resume xmlns='urn:xmpp:sm:3' previd='before' {h}/>")
            }
            Word::Enable(_) => "<enable xmlns='urn:xmpp:sm:3' resume='true'/>".to_owned(),
            Word::Ack(count) => format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", COUNTS[count]),
            Word::AckRequest => "<r xmlns='urn:xmpp:sm:3'/>".to_owned(),
            Word::ClientState(which) => {
                format!("<{} xmlns='urn:xmpp:csi:0'/>", ["active", "inactive", "absent"][which])
            }
            Word::Message => "<message xmlns='jabber:client'><body>x</body></message>".to_owned(),
            Word::Presence => "<presence xmlns='jabber:client'/>".to_owned(),
            Word::Iq => {
                "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>".to_owned()
            }
            Word::IqWithoutId => {
                "<iq xmlns='jabber:client' type='get'><ping xmlns='urn:xmpp:ping'/></iq>".to_owned()
            }
            Word::MalformedTo => "<message xmlns='jabber:client' to='@'/>".to_owned(),
            Word::Forged => "<message xmlns='jabber:client' from='eve@example.org'/>".to_owned(),
            Word::Unknown => "<strange xmlns='urn:strange'/>".to_owned(),
            Word::ServerStanza => "<message xmlns='jabber:server'/>".to_owned(),
            _ => return None,
        })
    }
}

impl Sasl {
    fn mechanism(self) -> &'static str {
        if self == Sasl::UnknownMechanism { "PLAINER" } else { "PLAIN" }
    }

    fn text(self) -> String {
        match self {
            Sasl::Right | Sasl::UnknownMechanism => encode_base64(b"\0juliet\0secret"),
            Sasl::Wrong => encode_base64(b"\0juliet\0guess"),
            Sasl::Foreign => encode_base64(b"romeo@example.org\0juliet\0secret"),
            Sasl::Malformed => encode_base64(b"juliet"),
            Sasl::BadBase64 => "!".to_owned(),
            Sasl::None => encode_base64(b"\0\0"),
        }
    }
}

impl Wish {
    fn text(self) -> &'static str {
        match self {
            Wish::Nothing => "",
            Wish::Bind => "<bind xmlns='urn:xmpp:bind:0'/>",
            Wish::BindAndEnable => {
                "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"
            }
            Wish::Resume => "<resume xmlns='urn:xmpp:sm:3' previd='before' h='1'/>",
            Wish::ResumeOrBind => {
                "<resume xmlns='urn:xmpp:sm:3' previd='before' h='1'/><bind xmlns='urn:xmpp:bind:0'/>"
            }
            Wish::BadResume => "<resume xmlns='urn:xmpp:sm:3' h='1'/>",
        }
    }
}
