//! Target 6, `stream`: what a client may say in any order, against a specification of what must come of it.
//!
//! Oracles: after each word the stream has said what the specification says (spec.rs), in XML that can be read, and has
//! told the engine what it must; no session without login, no session that is not told of its end, nothing after the
//! end. A part of the inputs goes to `stream::fuzzing`, which throws bytes, cuts, late answers and times at a stream.
//!
//! Not here: SASL mechanisms but PLAIN (sasl.rs), queues and counters (sm.rs).

mod peer;
mod spec;
mod words;

use crate::source::Source;
use peer::Peer;
use spec::Spec;
use words::Word;

const WORDS_MAX: usize = 40;

/// The target.
///
/// # Panics
/// If an oracle finds a difference.
pub fn stream(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    if mode & 0x80 != 0 {
        return ::stream::fuzzing::fuzz_stream(rest);
    }
    let mut source = Source::new(rest);
    let transport = words::TRANSPORTS[usize::from(mode & 3)];
    let (mut peer, mut spec) = (Peer::new(transport), Spec::new(transport));
    let mut log = Vec::new();
    for _ in 0..WORDS_MAX {
        if source.is_empty() {
            break;
        }
        let word = Word::choose(&mut source);
        let expected = spec.after(word);
        let said = peer.hear(word);
        log.push(format!("{word:?}: {said:?}"));
        assert_eq!(said, expected, "{transport:?}\n{}", log.join("\n"));
        peer.check(&spec, &log);
    }
    let expected = spec.after(Word::Vanish);
    assert_eq!(peer.hear(Word::Vanish), expected, "{transport:?}\n{}", log.join("\n"));
    peer.check(&spec, &log);
    peer.check_end(&spec);
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::{Sasl, TRANSPORTS};

    /// The target would be worth little if its words led nowhere.
    #[test]
    fn words_lead_to_a_session() {
        for transport in TRANSPORTS {
            let (mut peer, mut spec) = (Peer::new(transport), Spec::new(transport));
            let mut words =
                vec![Word::Open(0), Word::StartTls, Word::Open(0), Word::Auth(1, Sasl::Right), Word::Open(0)];
            words.extend([
                Word::BindIq(0, true),
                Word::Enable(true),
                Word::Message,
                Word::AckRequest,
                Word::Ack(0),
            ]);
            if transport != TRANSPORTS[0] {
                words.drain(1..3);
            }
            for word in words {
                assert_eq!(peer.hear(word), spec.after(word), "{transport:?} {word:?}");
            }
            assert!(spec.is_active(), "{transport:?}");
        }
    }
}
