//! What must come of each word in each state: RFC 6120 sections 4 to 8, RFC 7395, XEP-0198, XEP-0352, XEP-0386,
//! XEP-0388, written down a second time, without looking at how the server does it.
//!
//! Not here: bytes (peer.rs).

use model::link::Transport;

use super::words::{Sasl, Wish, Word};

/// What is heard from the server, in short: `open`, `close`, `features a b`, `failure not-authorized` and so on.
pub(super) type Said = Vec<String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A header is due.
    Opening,
    Offered,
    /// PLAIN was chosen without a message, by this profile and with these wishes.
    Challenged(u8, Wish, bool),
    Unbound,
    Active,
    /// Our half is closed.
    Closing,
    Closed,
}

/// The state that the specifications define.
pub(super) struct Spec {
    transport: Transport,
    phase: Phase,
    secure: bool,
    /// The domain of the last header, and of the login.
    domain: &'static str,
    login: Option<&'static str>,
    failures: u8,
    managed: bool,
    /// A header of ours is out since the last restart.
    open: bool,
    /// White space came before the first header: then an XML declaration comes too late (XML 1.0 section 2.8). After a
    /// restart it may still belong to the document before.
    blank: bool,
    first: bool,
    /// Waits since a bound client last said something.
    silent: u32,
    /// How many sessions began and ended, how many stanzas went up.
    pub(super) began: usize,
    pub(super) ended: usize,
    pub(super) stanzas: usize,
}

fn said(words: &[&str]) -> Said {
    words.iter().map(|word| (*word).to_owned()).collect()
}

const BIND: &str = "features bind csi limits sm sub ver";
/// How often 40 seconds pass until a silent client is asked whether it is there (after 300); then it has 30 seconds.
const WAITS_TO_PROBE: u32 = 8;
/// Failed logins after which the stream ends.
const FAILURES_MAX: u8 = 5;

impl Spec {
    pub(super) fn new(transport: Transport) -> Spec {
        Spec {
            transport,
            phase: Phase::Opening,
            secure: transport != Transport::Tcp,
            domain: "",
            login: None,
            failures: 0,
            managed: false,
            open: false,
            blank: false,
            first: true,
            silent: 0,
            began: 0,
            ended: 0,
            stanzas: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn framed(&self) -> bool {
        matches!(self.transport, Transport::WebSocket | Transport::Bosh)
    }

    /// A stream error: it needs a header before it (RFC 6120 section 4.9.1.2) and the end after it.
    fn error(&mut self, condition: &str) -> Said {
        let mut out = if self.open { Said::new() } else { said(&["open"]) };
        out.push(format!("error {condition}"));
        out.push("close".to_owned());
        self.end();
        out
    }

    fn end(&mut self) {
        if self.phase == Phase::Active {
            self.ended += 1;
        }
        self.phase = Phase::Closed;
        self.open = false;
    }

    pub(super) fn after(&mut self, word: Word) -> Said {
        match word {
            Word::Wait => self.silent += 1,
            Word::EngineStanza | Word::EngineAsks | Word::EngineCloses(_) => {}
            _ => self.silent = 0,
        }
        match (self.phase, word) {
            (Phase::Closed, _) => Said::new(),
            (_, Word::Vanish) => {
                // Closing our half costs nothing; nobody hears it.
                let out = if self.open { said(&["close"]) } else { Said::new() };
                self.end();
                out
            }
            (Phase::Closing, Word::Close | Word::Wait) => {
                self.end();
                Said::new()
            }
            // What comes after our end is of no interest, but it must be XML.
            (Phase::Closing, Word::Open(_)) if !self.framed() => {
                self.end();
                Said::new()
            }
            (Phase::Closing, Word::StartTlsAndMore) if self.framed() => {
                self.end();
                Said::new()
            }
            (Phase::Closing, _) => Said::new(),
            (phase, Word::Whitespace) => {
                self.blank |= phase == Phase::Opening && !self.framed() && self.first;
                Said::new()
            }
            (_, Word::EngineCloses(error)) => self.engine_closes(error),
            (Phase::Opening, word) => self.opening(word),
            (_, Word::Open(_)) if self.framed() => self.error("policy-violation"),
            // An XML declaration amid a document.
            (_, Word::Open(_)) => self.error("not-well-formed"),
            (_, Word::Close) => {
                self.end();
                said(&["close"])
            }
            (Phase::Offered, word) => self.offered(word),
            (Phase::Challenged(profile, wish, yes), word) => self.challenged(profile, wish, yes, word),
            (Phase::Unbound, word) => self.unbound(word),
            (Phase::Active, word) => self.active(word),
        }
    }

    fn engine_closes(&mut self, error: bool) -> Said {
        match (error, self.open) {
            (true, _) => self.error("conflict"),
            (false, true) => {
                if self.phase == Phase::Active {
                    self.ended += 1;
                }
                (self.phase, self.open) = (Phase::Closing, false);
                said(&["close"])
            }
            (false, false) => {
                self.end();
                Said::new()
            }
        }
    }

    fn opening(&mut self, word: Word) -> Said {
        match word {
            Word::Open(_) if self.blank => self.error("not-well-formed"),
            Word::Open(how) => {
                self.first = false;
                self.header(how)
            }
            Word::Close if self.framed() => {
                self.end();
                Said::new()
            }
            // An end tag, and nothing is open.
            Word::Close => self.error("not-well-formed"),
            Word::Wait => self.error("connection-timeout"),
            Word::EngineStanza | Word::EngineAsks => Said::new(),
            // More than one element in a frame is no frame.
            Word::StartTlsAndMore if self.transport == Transport::WebSocket || self.framed() => {
                self.error("bad-format")
            }
            _ if self.framed() => self.error("bad-format"),
            // The first element is taken for the header, and is none.
            _ => self.error("invalid-namespace"),
        }
    }

    fn header(&mut self, how: usize) -> Said {
        let domain = if how == 1 { "other.example" } else { "example.org" };
        match how {
            2 => return self.error("host-unknown"),
            3 => return self.error("improper-addressing"),
            _ if self.login.is_some_and(|login| login != domain) => return self.error("not-authorized"),
            4 => return self.error("unsupported-version"),
            // Somebody else's address; before the login that may still be a lie.
            5 if self.login.is_some() => return self.error("invalid-from"),
            6 => return self.error("invalid-from"),
            _ => {}
        }
        (self.domain, self.open) = (domain, true);
        if self.login.is_some() {
            self.phase = Phase::Unbound;
            return said(&["open", BIND]);
        }
        self.phase = Phase::Offered;
        let features = match self.secure {
            true => "features authentication limits mechanisms sasl-channel-binding",
            false => "features starttls",
        };
        said(&["open", features])
    }

    fn offered(&mut self, word: Word) -> Said {
        match word {
            Word::StartTlsAndMore if self.framed() => self.error("bad-format"),
            Word::StartTls if !self.secure => {
                (self.secure, self.open, self.phase) = (true, false, Phase::Opening);
                said(&["proceed"])
            }
            // Also where the same segment brings more than the request.
            Word::StartTls | Word::StartTlsAndMore => self.error("policy-violation"),
            Word::Auth(_, sasl) => self.authenticate(1, sasl, Wish::Nothing, true),
            Word::Auth2(sasl, wish, yes) => self.authenticate(2, sasl, wish, yes),
            Word::Enable(_) | Word::Resume(..) => said(&["failed unexpected-request"]),
            Word::Compress => said(&["failure unsupported-method"]),
            Word::Wait => self.error("connection-timeout"),
            Word::EngineStanza | Word::EngineAsks => Said::new(),
            _ => self.error("not-authorized"),
        }
    }

    fn authenticate(&mut self, profile: u8, sasl: Sasl, wish: Wish, yes: bool) -> Said {
        match sasl {
            // What cannot be read fails before it is looked at.
            Sasl::BadBase64 => self.failure("incorrect-encoding"),
            _ if !self.secure => self.failure("encryption-required"),
            Sasl::UnknownMechanism => self.failure("invalid-mechanism"),
            Sasl::None => {
                self.phase = Phase::Challenged(profile, wish, yes);
                said(&["challenge"])
            }
            sasl => self.verdict(profile, sasl, wish, yes),
        }
    }

    fn challenged(&mut self, profile: u8, wish: Wish, yes: bool, word: Word) -> Said {
        match word {
            Word::StartTlsAndMore if self.framed() => self.error("bad-format"),
            Word::Response(by, sasl) if by == profile => {
                self.phase = Phase::Offered;
                match sasl {
                    Sasl::BadBase64 => self.failure("incorrect-encoding"),
                    Sasl::UnknownMechanism => self.verdict(profile, Sasl::Right, wish, yes),
                    Sasl::None => self.verdict(profile, Sasl::Malformed, wish, yes),
                    sasl => self.verdict(profile, sasl, wish, yes),
                }
            }
            Word::Abort(by) if by == profile => self.failure("aborted"),
            Word::Wait => self.error("connection-timeout"),
            Word::EngineStanza | Word::EngineAsks => Said::new(),
            _ => self.error("not-authorized"),
        }
    }

    fn verdict(&mut self, profile: u8, sasl: Sasl, wish: Wish, yes: bool) -> Said {
        match sasl {
            Sasl::Right => self.success(profile, wish, yes),
            // Romeo is nobody on this stream but himself.
            Sasl::Foreign => self.failure("invalid-authzid"),
            Sasl::Wrong => self.failure("not-authorized"),
            _ => self.failure("malformed-request"),
        }
    }

    fn failure(&mut self, condition: &str) -> Said {
        self.phase = Phase::Offered;
        self.failures += 1;
        let mut out = vec![format!("failure {condition}")];
        if self.failures == FAILURES_MAX {
            out.extend(self.error("policy-violation"));
        }
        out
    }

    fn success(&mut self, profile: u8, wish: Wish, yes: bool) -> Said {
        self.login = Some(self.domain);
        if profile == 1 {
            // RFC 6120 section 6.4.6: a new stream.
            (self.phase, self.open) = (Phase::Opening, false);
            return said(&["success"]);
        }
        // XEP-0388: resumption first, then binding, in one answer.
        match (wish, yes) {
            (Wish::Resume | Wish::ResumeOrBind, true) => {
                self.begin(true);
                said(&["success resumed"])
            }
            (Wish::Bind, true) => {
                self.begin(false);
                said(&["success bound", "features csi limits sm sub ver"])
            }
            (Wish::BindAndEnable, true) => {
                self.begin(true);
                said(&["success bound+enabled", "features csi limits sub ver"])
            }
            (Wish::Resume | Wish::BadResume, _) => self.logged_in("success failed"),
            // The engine refuses both.
            (Wish::ResumeOrBind, false) => self.logged_in("success failed"),
            (Wish::Nothing, _) | (Wish::Bind | Wish::BindAndEnable, false) => self.logged_in("success"),
        }
    }

    fn logged_in(&mut self, how: &str) -> Said {
        self.phase = Phase::Unbound;
        said(&[how, BIND])
    }

    fn begin(&mut self, managed: bool) {
        (self.phase, self.managed) = (Phase::Active, managed);
        self.began += 1;
    }

    fn unbound(&mut self, word: Word) -> Said {
        match word {
            Word::StartTlsAndMore if self.framed() => self.error("bad-format"),
            Word::BindIq(2, _) => said(&["iq error bad-request"]),
            Word::BindIq(_, true) => {
                self.begin(false);
                said(&["iq result"])
            }
            Word::BindIq(_, false) => said(&["iq error resource-constraint"]),
            Word::IqWithoutId => said(&["iq error bad-request"]),
            Word::Resume(true, true) => {
                self.begin(true);
                said(&["resumed"])
            }
            Word::Resume(true, false) => said(&["failed item-not-found"]),
            Word::Resume(false, _) => said(&["failed bad-request"]),
            Word::Enable(_) | Word::Ack(_) | Word::AckRequest => said(&["failed unexpected-request"]),
            Word::StartTls | Word::StartTlsAndMore => self.error("policy-violation"),
            Word::Wait => self.error("connection-timeout"),
            Word::EngineStanza | Word::EngineAsks => Said::new(),
            _ => self.error("not-authorized"),
        }
    }

    fn active(&mut self, word: Word) -> Said {
        match word {
            Word::StartTlsAndMore if self.framed() => self.error("bad-format"),
            Word::Message | Word::Presence | Word::Iq | Word::Register => {
                self.stanzas += 1;
                Said::new()
            }
            // Counted and answered by the engine; it has nothing to say here.
            Word::IqWithoutId | Word::MalformedTo | Word::BindIq(..) => Said::new(),
            Word::Forged => self.error("invalid-from"),
            Word::ServerStanza => self.error("invalid-namespace"),
            Word::Enable(yes) if !self.managed => {
                self.managed = yes;
                said(&[if yes { "enabled" } else { "failed internal-server-error" }])
            }
            Word::Ack(count) if self.managed && count < 2 => Said::new(),
            Word::Ack(_) if self.managed => self.error("bad-format"),
            Word::AckRequest if self.managed => said(&["a"]),
            Word::Enable(_) | Word::Ack(_) | Word::AckRequest | Word::Resume(..) => {
                said(&["failed unexpected-request"])
            }
            Word::ClientState(2) => self.error("unsupported-stanza-type"),
            Word::ClientState(_) => Said::new(),
            Word::StartTls | Word::StartTlsAndMore => self.error("policy-violation"),
            Word::Auth(..) | Word::Auth2(..) | Word::Response(..) | Word::Abort(_) => {
                self.error("policy-violation")
            }
            Word::EngineStanza => said(&["message"]),
            Word::EngineAsks => said(&["r"]),
            // A BOSH client is silent by design.
            Word::Wait if self.transport == Transport::Bosh => Said::new(),
            Word::Wait if self.silent == WAITS_TO_PROBE => said(&[if self.managed { "r" } else { "iq get" }]),
            Word::Wait if self.silent > WAITS_TO_PROBE => self.error("connection-timeout"),
            Word::Wait => Said::new(),
            _ => self.error("unsupported-stanza-type"),
        }
    }
}
