//! The way of words from all streams to the engine: bounded for each stream, and fair between them.
//!
//! A word gets a round: the one that is served now, or the one after its stream's word before it. Rounds are emptied one
//! after the other. So a stream that has much to say costs any other at most one word at a time, however many wait.
//! A stream that has its share waiting is not read from meanwhile, and others are.
//!
//! Not here: who says what (net), who hears it (engine).

mod inbox;
mod ledger;
mod share;

pub use inbox::Inbox;
pub use ledger::Ledger;
pub use share::{Mailbox, Sent, Share};

/// Most words of one stream that wait.
pub const SHARE_WORDS_MAX: usize = 64;
/// Bytes of one stream's words that wait, besides the word that passes this mark.
pub const SHARE_BYTES_MAX: usize = 64 * 1024;
/// Words of all streams that wait; while there are as many, each stream may have one.
pub const WORDS_MAX: usize = 4_096;

/// A mailbox, and where it is emptied.
pub fn mailbox() -> (Mailbox, Inbox) {
    let mailbox = Mailbox::new();
    let inbox = Inbox::new(mailbox.shared().clone());
    (mailbox, inbox)
}
