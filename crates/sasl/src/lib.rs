//! SASL (RFC 4422), the server side: mechanisms, exchanges, keys and tokens.
//!
//! The crate decides and never fetches. An [`Exchange`] takes what the client sent and gives back a
//! [`Step`]: something to send, something to look up (a [`Question`], answered by an [`Answer`]), or the
//! end. It knows no socket, no database and no clock.
//!
//! ```text
//! Offer::sasl2(allowed, &channel)   what to advertise
//!   .select(name)                   which mechanism the client took
//! Exchange::start(..)               one authentication exchange
//!   .handle_initial(..)             -> Step::Ask(Question::Keys{..})
//!   .handle_answer(Answer::Keys(..))-> Step::Challenge(..)
//!   .handle_response(..)            -> Step::Success(..) or Step::Failure(..)
//! ```
//!
//! Standards: RFC 6120 6, RFC 4616, RFC 4505, RFC 5802, RFC 7677, RFC 9266, RFC 5929; XEP-0388 1.0, XEP-0440 1.0,
//! XEP-0474 0.5, XEP-0480 0.2, XEP-0484 0.2, XEP-0515 0.1.
//!
//! Not here: XML of any profile (crate `stream`), accounts and rate limits (crate `kernel`), storage, TLS.

mod anonymous;
mod channel;
mod condition;
mod decoy;
mod downgrade;
mod encoding;
mod exchange;
mod external;
mod hash;
mod ht;
pub mod limits;
mod mechanism;
mod offer;
mod password;
mod plain;
mod scram;
mod secret;
mod step;
pub mod token;
pub mod upgrade;

pub use channel::{Binding, Channel, TlsVersion};
pub use condition::Condition;
pub use decoy::{Decoy, Keys, Shape};
pub use downgrade::{downgrade_hash, downgrade_text};
pub use encoding::{decode_base64, decode_sasl1, encode_base64, encode_sasl1};
pub use exchange::Exchange;
pub use hash::Hash;
pub use mechanism::Mechanism;
pub use offer::Offer;
pub use password::{Password, PasswordError};
pub use scram::{KeysError, Nonce, ScramKeys, random_salt};
pub use step::{Answer, Question, Step, Success, Verdict};
pub use token::{Candidate, Slot, Token};
