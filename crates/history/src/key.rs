//! The name of a message, which travels in its body.
//!
//! Not here: stanza ids, which the server gives.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Names one message of one run. Written as `[[run:counter:account/resource]]` somewhere in the body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key {
    /// The run, so that what an earlier run left behind is not taken for a message of this one.
    pub run: u64,
    /// The full address of the device that sent it. Without `]`, `<`, `>`, `&` and quotes, so that it needs no escapes.
    pub from: String,
    /// Grows by one with each message of that device, whomever it is for.
    pub counter: u64,
}

impl Key {
    /// A name.
    pub fn new(run: u64, from: &str, counter: u64) -> Key {
        Key { run, from: from.to_owned(), counter }
    }

    /// The sender's bare address.
    pub fn account(&self) -> &str {
        bare(&self.from)
    }

    /// The first name that stands in `text`: a body, or a whole stanza.
    pub fn find(text: &str) -> Option<Key> {
        let (_, rest) = text.split_once("[[")?;
        let (inner, _) = rest.split_once("]]")?;
        let (run, rest) = inner.split_once(':')?;
        let (counter, from) = rest.split_once(':')?;
        Some(Key { run: run.parse().ok()?, from: from.to_owned(), counter: counter.parse().ok()? })
    }
}

/// The bare part of an address that is in its normal form.
pub(crate) fn bare(address: &str) -> &str {
    address.split('/').next().unwrap_or(address)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[{}:{}:{}]]", self.run, self.counter, self.from)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.to_string()
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Key, &'static str> {
        Key::find(&text).ok_or("not the name of a message")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_again_wherever_it_stands() {
        let key = Key::new(7, "romeo@a.example/garden", 42);
        for text in [format!("{key}"), format!("<body>hi {key} there [[1:2:x]]</body>")] {
            assert_eq!(Key::find(&text), Some(key.clone()), "{text}");
        }
        for text in ["", "[[", "[[1:2]]", "[[a:2:x@y/z]]", "[[1:-2:x@y/z]]"] {
            assert_eq!(Key::find(text), None, "{text}");
        }
        assert_eq!(key.account(), "romeo@a.example");
    }
}
