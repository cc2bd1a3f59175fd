//! The chat messages of the works: an ordinary stanza whose body begins with a number and a time stamp.
//!
//! Not here: who sends them to whom.

use crate::Outcome;
use crate::cli::StoreHint;
use crate::scan;
use memchr::{memchr, memmem};
use std::io::Write;

/// The rest of each body, about as long as people write.
const WORDS: &str =
    "I shall be at the station a little after six, the train was late again; wait for me by the clock.";

/// Everything of a message but its number and time.
pub(crate) struct Template {
    head: String,
    tail: String,
}

impl Template {
    /// Messages of `kind` (`chat` or `groupchat`) to `to`; 330 bytes or so.
    pub(crate) fn new(to: &str, kind: &str, hint: StoreHint) -> Self {
        let hint = match hint {
            StoreHint::None => "<no-store xmlns='urn:xmpp:hints'/>",
            StoreHint::Default => "",
            StoreHint::Offline => "<no-permanent-store xmlns='urn:xmpp:hints'/>",
        };
        Self {
            head: format!("<message to='{to}' type='{kind}' id='"),
            tail: format!(
                " {WORDS}</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
                 <request xmlns='urn:xmpp:receipts'/>{hint}</message>"
            ),
        }
    }

    /// Appends message number `number`, sent at `time` nanoseconds.
    pub(crate) fn write(&self, out: &mut Vec<u8>, number: u64, time: u64) {
        out.extend_from_slice(self.head.as_bytes());
        let _ = write!(out, "b{number}-{time}'><body>{number} {time}");
        out.extend_from_slice(self.tail.as_bytes());
    }
}

/// The number and time in the body of `stanza`; nothing if it is no message with a body of ours.
///
/// # Errors
/// An error message, or a body that is damaged.
pub(crate) fn parse(stanza: &[u8]) -> Outcome<Option<(u64, u64)>> {
    if !stanza.starts_with(b"<message") {
        return Ok(None);
    }
    let Some(begin) = memmem::find(stanza, b"<body>").map(|at| at + 6) else { return Ok(None) };
    if scan::attribute(stanza, "type") == Some("error") {
        return Err(format!("refused: {}", String::from_utf8_lossy(stanza)).into());
    }
    let end = memchr(b'<', &stanza[begin..]).map_or(stanza.len(), |at| at + begin);
    let body = std::str::from_utf8(&stanza[begin..end])?;
    let whole = || {
        let (number, rest) = body.split_once(' ')?;
        let (time, words) = rest.split_once(' ')?;
        (words == WORDS).then_some((number.parse().ok()?, time.parse().ok()?))
    };
    Ok(Some(whole().ok_or_else(|| format!("damaged body {body:?}"))?))
}

/// Checks that numbers come one after the other, each once.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Order {
    /// The number expected next; so many have come.
    pub(crate) next: u64,
}

impl Order {
    /// Takes the next number.
    ///
    /// # Errors
    /// If it is not the expected one.
    pub(crate) fn take(&mut self, who: &str, number: u64) -> Outcome<()> {
        if number != self.next {
            return Err(format!("{who} got number {number} instead of {}", self.next).into());
        }
        self.next += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = vec![];
        Template::new("a@b", "chat", StoreHint::None).write(&mut out, 7, 99);
        assert_eq!(parse(&out).unwrap(), Some((7, 99)));
        assert!((250..400).contains(&out.len()), "{}", out.len());
        let text = String::from_utf8(out).unwrap();
        parse(text.replace("chat'", "error'").as_bytes()).unwrap_err();
        parse(text.replace("station", "").as_bytes()).unwrap_err();
        assert_eq!(parse(b"<message><subject/></message>").unwrap(), None);
    }

    #[test]
    fn loss_doubling_and_swapping_are_errors() {
        for numbers in [[0, 2], [0, 0], [1, 0]] {
            let mut order = Order::default();
            let taken: Outcome<Vec<()>> = numbers.iter().map(|number| order.take("x", *number)).collect();
            taken.unwrap_err();
        }
    }
}
