//! What must happen to a stream after bad input, and whether it did.
//!
//! Not here: what was sent.

use std::time::Duration;

use crate::Outcome;
use crate::client::{Client, Transport, shown};
use crate::row::At;

/// How long the end of a stream may take: the longest delay of a failed login, and some.
const END: Duration = Duration::from_secs(20);
/// Sent after the end, and never answered.
const LATE: &str = "<iq xmlns='jabber:client' type='get' id='late'><ping xmlns='urn:xmpp:ping'/></iq>";

/// A request for a resource that cannot be had.
const UNBINDABLE: &str = "<iq xmlns='jabber:client' type='set' id='unbindable'>\
    <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>\u{202e}</resource></bind></iq>";

/// What must happen.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// One of these stream errors, and the end. Where the transport itself has to refuse: one of these codes of
    /// WebSocket, one of these conditions of BOSH.
    Dies {
        stream: &'static [&'static str],
        websocket: &'static [&'static str],
        bosh: &'static [&'static str],
    },
    /// The answer contains this (or is empty), and the stream goes on.
    Lives(String),
    /// The login fails with this condition, and the stream goes on.
    Fails(&'static str),
    /// An end, whatever is said before.
    Ends,
}

/// A stream error, on all transports.
pub(crate) const fn dies(stream: &'static [&'static str]) -> Verdict {
    Verdict::Dies { stream, websocket: &[], bosh: &[] }
}

/// XML that cannot be accepted: a BOSH body with it cannot be read either (XEP-0124 section 17.2).
pub(crate) const fn bad_xml(stream: &'static [&'static str]) -> Verdict {
    Verdict::Dies { stream, websocket: &[], bosh: &["bad-request"] }
}

/// The same for bytes that are no UTF-8, which a WebSocket does not take either (RFC 6455 section 8.1).
pub(crate) const fn bad_bytes(stream: &'static [&'static str]) -> Verdict {
    Verdict::Dies { stream, websocket: &["1007"], bosh: &["bad-request"] }
}

/// Beyond a limit of XML.
pub(crate) const fn too_much() -> Verdict {
    Verdict::Dies { stream: &["policy-violation"], websocket: &["1009"], bosh: &["policy-violation"] }
}

/// An answer, and the stream goes on.
pub(crate) fn lives(answer: impl Into<String>) -> Verdict {
    Verdict::Lives(answer.into())
}

impl Verdict {
    /// Looks at a client that has just said what it had to say.
    pub(crate) fn check(&self, client: &mut Client, at: At) -> Outcome {
        match self {
            Verdict::Dies { stream, websocket, bosh } => {
                let or_end = match client.transport {
                    Transport::WebSocket => websocket,
                    Transport::Bosh => bosh,
                    _ => &[][..],
                };
                check_end(client, stream, or_end)
            }
            Verdict::Ends => client.rest(END).map(drop),
            Verdict::Fails(condition) => {
                let seen = client.until("</failure>")?;
                match seen.contains("<failure ") && seen.contains(&format!("<{condition}")) {
                    true => check_alive(client, at).map(drop),
                    false => Err(format!("not {condition} but {}", shown(&seen))),
                }
            }
            // It may come later than the proof of life: another address was asked.
            Verdict::Lives(answer) if !answer.is_empty() => {
                client.until(answer)?;
                check_alive(client, at).map(drop)
            }
            Verdict::Lives(_) => {
                // Stream management asks now and then.
                let seen = check_alive(client, at)?.replace("<r xmlns='urn:xmpp:sm:3'/>", "");
                match seen.is_empty() || at == At::Start {
                    true => Ok(()),
                    false => Err(format!("not nothing but {:?}", shown(&seen))),
                }
            }
        }
    }
}

fn check_end(client: &mut Client, stream: &[&str], or_end: &[&str]) -> Outcome {
    // What comes after the end is ignored.
    if client.transport != Transport::Bosh {
        client.say(LATE)?;
    }
    let seen = client.rest(END)?;
    let end = client.end.as_deref().unwrap_or_default();
    if seen.contains("id='late'") {
        return Err(format!("it went on: {}", shown(&seen)));
    }
    if or_end.contains(&end) {
        return Ok(());
    }
    let error = stream_error(&seen);
    let proper = match client.transport {
        Transport::StartTls | Transport::Direct => seen.ends_with("</stream:stream>"),
        Transport::WebSocket => {
            seen.contains("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>") && end == "1000"
        }
        Transport::Bosh => end == "remote-stream-error",
    };
    match error.is_some_and(|error| stream.contains(&error)) && proper {
        true => Ok(()),
        false => Err(format!("not {stream:?} but {error:?}, end {end:?}, {:?}", shown(&seen))),
    }
}

/// The condition of the stream error in there.
pub(crate) fn stream_error(seen: &str) -> Option<&str> {
    let (_, rest) = seen.split_once("<stream:error")?;
    let (_, rest) = rest.split_once("><")?;
    rest.split([' ', '/', '>']).next()
}

/// Gives what came before the answer to a proof of life.
fn check_alive(client: &mut Client, at: At) -> Outcome<String> {
    let (question, answer) = match at {
        At::Active | At::Managed => {
            let seen = client.probe("alive")?;
            // Once more by way of an account: what it was asked before is answered before.
            let nobody = format!("nobody@{}", client.target.domain);
            return Ok(seen + &client.probe_of(&nobody, "nobody")?);
        }
        At::Start if client.end.is_none() => return client.until("</stream:features>"),
        At::Clear => ("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed"),
        At::Unbound => (UNBINDABLE, "id='unbindable'"),
        // It is answered at once, counts for nothing and works in every state before a login.
        _ => (
            "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
            "<failure xmlns='http://jabber.org/protocol/compress'",
        ),
    };
    client.say(question)?;
    let seen = client.until(answer)?;
    client.until(">")?;
    Ok(seen[..seen.len() - answer.len()].to_owned())
}
