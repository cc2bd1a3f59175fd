//! What an exchange wants next, and what it is told.
//!
//! Not here: who looks the answers up (crates `kernel` and `store`).

use crate::{Binding, Candidate, Condition, Hash, Keys, Mechanism, Password, Slot};

/// What to do next. The exchange is over after `Success` and `Failure`.
pub enum Step {
    /// Send this to the client and wait for its response. May be empty.
    Challenge(Vec<u8>),
    /// Find this out and call [`handle_answer`](crate::Exchange::handle_answer).
    Ask(Question),
    /// The client is who it says. Now check [`Success::authzid`] and whether the account is still enabled.
    Success(Success),
    /// Tell the client.
    Failure(Condition),
}

/// What the exchange cannot know. User names are as the client wrote them: prepare them as a localpart (RFC 7622 3.3); for a
/// name that cannot be prepared answer as for an unknown user.
pub enum Question {
    /// SCRAM: the keys of this user. Answer with [`Answer::Keys`].
    Keys {
        /// The user name, unescaped but not prepared.
        username: String,
        /// For which hash.
        hash: Hash,
    },
    /// PLAIN: whether this is the password. Answer with [`Answer::Verdict`], for example by
    /// [`Keys::verify_password`] on another thread: it takes milliseconds.
    Password {
        /// The user name, not prepared.
        username: String,
        /// The password, prepared.
        password: Password,
    },
    /// FAST: the tokens of this user *and this client* (the `id` of its `<user-agent/>`). Answer with
    /// [`Answer::Tokens`]; check `count` with [`crate::token::check_count`].
    Tokens {
        /// The user name, not prepared.
        username: String,
        /// The mechanism in use. Give the tokens of the client whatever mechanism they are bound to.
        mechanism: Mechanism,
    },
    /// EXTERNAL: whom the TLS certificate names (XEP-0178). Answer with [`Answer::Certificate`].
    Certificate {
        /// Who the client wants to be; `None` leaves the choice to us.
        authzid: Option<String>,
    },
}

/// The answer to a [`Question`]. One of the wrong kind ends the exchange with `temporary-auth-failure`.
pub enum Answer {
    /// To [`Question::Keys`]: see [`crate::Decoy::keys`], which also serves unknown and disabled users.
    Keys(Keys),
    /// To [`Question::Password`].
    Verdict(Verdict),
    /// To [`Question::Tokens`]: none for unknown and disabled users, at most one for each slot.
    Tokens(Vec<Candidate>),
    /// To [`Question::Certificate`]: the identity it proves, or why not.
    Certificate(Result<String, Condition>),
    /// To any question: it could not be answered now. The client gets `temporary-auth-failure`.
    Unavailable,
}

/// Whether a password was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was.
    Accepted,
    /// It was not, or there is no such user, or the account is disabled.
    Refused,
}

impl From<bool> for Verdict {
    fn from(right: bool) -> Verdict {
        if right { Verdict::Accepted } else { Verdict::Refused }
    }
}

/// Who was authenticated, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Success {
    /// The authenticated name as the client wrote it (prepare it exactly as before), or what the certificate proved.
    /// `None` for ANONYMOUS.
    pub username: Option<String>,
    /// Who the client wants to act as, unescaped; `None` when it left that out. Unless it is the user's own bare JID (after
    /// preparation), answer with [`Condition::InvalidAuthzid`] instead of success (RFC 6120 6.3.8).
    pub authzid: Option<String>,
    /// Additional data for `<success/>`: the server's own proof. May only be sent with success.
    pub data: Option<Vec<u8>>,
    /// By which mechanism.
    pub mechanism: Mechanism,
    /// The channel binding that was checked.
    pub binding: Option<Binding>,
    /// FAST: which slot's token was used. If `New`, move it to `Current` (XEP-0484 5.3).
    pub slot: Option<Slot>,
}

impl Success {
    pub(crate) fn new(mechanism: Mechanism, username: Option<String>) -> Success {
        Success {
            username,
            authzid: None,
            data: None,
            mechanism,
            binding: mechanism.fixed_binding(),
            slot: None,
        }
    }
}
