//! What a received stanza says, as far as the history wants to know it.
//!
//! XEP-0203 2.0, XEP-0280 1.0, XEP-0359 0.7
//!
//! Not here: pages of archives (`paging`).

use bench::scan::{attribute, has, text};
use history::{Key, Via};

/// A message of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Message { key: Key, from: String, stanza_id: Option<String>, via: Via, delay: bool },
    Error { id: String, condition: String },
}

/// A message with a key, or an error for one; `None` is anything else.
pub(crate) fn message(stanza: &[u8], account: &str) -> Option<Heard> {
    if !stanza.starts_with(b"<message") {
        return None;
    }
    if attribute(stanza, "type") == Some("error") {
        let id = attribute(stanza, "id")?.to_owned();
        return Some(Heard::Error { id, condition: condition(stanza).to_owned() });
    }
    let key = Key::find(std::str::from_utf8(stanza).ok()?)?;
    let carbon = has(stanza, "urn:xmpp:carbons:2");
    let delay = has(stanza, "urn:xmpp:delay");
    let inner = if carbon { inner_message(stanza)? } else { stanza };
    let via = match (carbon, delay) {
        (true, _) => Via::Carbon,
        (false, true) => Via::Offline,
        (false, false) => Via::Live,
    };
    let from = attribute(inner, "from").unwrap_or_default().to_owned();
    Some(Heard::Message { key, from, stanza_id: stanza_id(inner, account), via, delay })
}

/// The message inside of `<forwarded/>`.
pub(crate) fn inner_message(stanza: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(stanza).ok()?;
    let at = text[1..].find("<message")? + 1;
    Some(&stanza[at..])
}

/// The id that the account's own archive gave.
fn stanza_id(message: &[u8], account: &str) -> Option<String> {
    let text = std::str::from_utf8(message).ok()?;
    let mut rest = text;
    while let Some(at) = rest.find("<stanza-id") {
        rest = &rest[at..];
        if attribute(rest.as_bytes(), "by") == Some(account) {
            return attribute(rest.as_bytes(), "id").map(str::to_owned);
        }
        rest = &rest[1..];
    }
    None
}

fn condition(stanza: &[u8]) -> &str {
    const CONDITIONS: [&str; 5] = [
        "resource-constraint",
        "internal-server-error",
        "service-unavailable",
        "remote-server-not-found",
        "not-allowed",
    ];
    let known =
        CONDITIONS.into_iter().find(|name| text(stanza, name).is_some() || has(stanza, &format!("<{name}")));
    known.unwrap_or("other")
}

/// Whether an archive id stands behind another. Ours are numbers; what is not is compared as text.
pub(crate) fn is_newer(one: &str, other: &str) -> bool {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one > other,
        _ => one > other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_told_apart() {
        let body = "<body>[[7:3:a@x/1]]</body>";
        let id = "<stanza-id xmlns='urn:xmpp:sid:0' by='b@x' id='9'/>";
        let delay = "<delay xmlns='urn:xmpp:delay' stamp='x'/>";
        let live = format!("<message from='a@x/1' to='b@x' type='chat'>{body}{id}</message>");
        let offline = format!("<message from='a@x/1' to='b@x' type='chat'>{body}{id}{delay}</message>");
        let carbon = format!(
            "<message from='b@x' to='b@x/2'><received xmlns='urn:xmpp:carbons:2'><forwarded>{live}</forwarded></received></message>"
        );
        for (stanza, via) in [(live, Via::Live), (offline, Via::Offline), (carbon, Via::Carbon)] {
            let heard = message(stanza.as_bytes(), "b@x");
            let Some(Heard::Message { key, from, stanza_id, via: way, .. }) = heard else {
                panic!("{stanza}")
            };
            assert_eq!((key, from.as_str()), (Key::new(7, "a@x/1", 3), "a@x/1"));
            assert_eq!((stanza_id.as_deref(), way), (Some("9"), via));
        }
        let error = "<message type='error' id='m4' from='b@x'><error type='wait'><resource-constraint xmlns='s'/></error></message>";
        let expected = Heard::Error { id: "m4".into(), condition: "resource-constraint".into() };
        assert_eq!(message(error.as_bytes(), "b@x"), Some(expected));
        assert_eq!(message(b"<message><body>no key</body></message>", "b@x"), None);
        assert!(is_newer("10", "9") && !is_newer("9", "9"));
    }
}
