//! What a stream wants from its shell, and what the shell knows that the stream does not.
//!
//! Not here: the words between stream and engine (model::link).

use address::Bare;
use model::grant::Grant;
use model::link::{Client, Up};
use sasl::Mechanism;
use stanza::Stanza;

use crate::Misbehaviour;

/// What the shell shall do.
pub enum Output {
    /// Write all bytes, then start the TLS handshake as server on this socket, then call `Stream::handle_tls`.
    /// Bytes that the shell has read and not yet handed over must be dropped with the connection, never handed over.
    StartTls,
    /// Ask the account store, then call `Stream::handle_answer`. At most one question is open at a time.
    Ask(Ask),
    /// For the engine, in this order.
    Up(Up),
    /// For metrics and the log.
    Note(Misbehaviour),
    /// Authentication succeeded: for rate limits per address and the log.
    Authenticated(Bare),
    /// Write what is left (at most for `Timeouts::close`), then close the connection. Nothing comes after this.
    Closed,
}

/// What a TLS handshake brought.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For humans: `TLSv1.3 TLS13_AES_128_GCM_SHA256`.
    pub about: String,
    /// What SASL may bind to; [`sasl::Channel::proxied`] if TLS ended at a trusted proxy in front of us.
    pub channel: sasl::Channel,
    /// The name that the client asked for (RFC 6066), for the log.
    pub server_name: Option<String>,
    /// Whether bytes of this stream came as TLS early data. Then only a replay-safe token authenticates.
    pub early_data: bool,
}

/// A question to the account store. Addresses are prepared; the domain is one of ours.
pub enum Ask {
    /// Keys for SCRAM. Answered by [`Answer::Keys`].
    Keys {
        /// Whose.
        account: Bare,
        /// For which hash.
        hash: sasl::Hash,
    },
    /// Is this the password? Answered by [`Answer::Password`].
    Password {
        /// Whose.
        account: Bare,
        /// As the client gave it, prepared.
        password: sasl::Password,
    },
    /// The tokens of one installation, of all mechanisms. Answered by [`Answer::Tokens`].
    Tokens {
        /// Whose.
        account: Bare,
        /// The installation (XEP-0388 `<user-agent id=''/>`).
        client: String,
    },
    /// The login is proven: take note of it, in one step. Answered by [`Answer::Login`]. Whatever the account's state
    /// forbids (disabled, token used up in the meantime, count not higher) is found out here and refused.
    Login(Box<Login>),
    /// For which of these hashes does the account lack keys (XEP-0480)? Only after its login. Answered by
    /// [`Answer::Missing`].
    Missing {
        /// Whose.
        account: Bare,
        /// What the client could give.
        hashes: Vec<sasl::Hash>,
    },
    /// Store these keys besides those that there are. Answered by [`Answer::Upgraded`].
    Upgrade {
        /// Whose.
        account: Bare,
        /// By what right, as for the login.
        grant: Grant,
        /// The keys.
        keys: Box<sasl::ScramKeys>,
    },
    /// In-band registration before authentication (XEP-0077). Answered by [`Answer::Registration`].
    Register(Box<Registration>),
}

/// A proven login, with its wishes about tokens (XEP-0484).
pub struct Login {
    /// Who.
    pub account: Bare,
    /// By what right, taken before the secrets were looked up: one that was taken back since is refused.
    pub grant: Grant,
    /// How.
    pub mechanism: Mechanism,
    /// What is known of the installation.
    pub client: Client,
    /// The token that proved it: it must still be in one of its slots; from `New` it moves to `Current`.
    pub token: Option<sasl::Token>,
    /// `<fast count=''/>`: check and store it with [`sasl::token::check_count`].
    pub count: Option<u64>,
    /// Whether the login came in TLS early data, for [`sasl::token::check_count`].
    pub early_data: bool,
    /// `<fast invalidate=''/>`: the token shall end.
    pub invalidate: bool,
    /// `<request-token/>`: issue a token for this mechanism.
    pub request: Option<Mechanism>,
}

/// A token for the client.
pub struct Issued {
    /// The secret.
    pub token: sasl::Token,
    /// When it ends, in Unix seconds.
    pub expires: u64,
}

/// In-band registration before authentication.
pub struct Registration {
    /// The domain of the stream.
    pub domain: Bare,
    /// The iq `get` or `set` with `jabber:iq:register`, or the `set` with `<preauth/>` (XEP-0445).
    pub iq: Stanza,
    /// The token of an invitation that was accepted on this stream.
    pub token: Option<String>,
}

/// What the account store says.
pub enum Answer {
    /// To [`Ask::Keys`]: real ones or a decoy, see [`sasl::Decoy::keys`].
    Keys(sasl::Keys),
    /// To [`Ask::Password`].
    Password(bool),
    /// To [`Ask::Tokens`]; none for unknown and disabled users.
    Tokens(Vec<sasl::Candidate>),
    /// To [`Ask::Login`]: a new token, if one was requested or is due for rotation.
    Login(Option<Issued>),
    /// To [`Ask::Missing`].
    Missing {
        /// Those that are wanted.
        hashes: Vec<sasl::Hash>,
        /// With how many iterations.
        iterations: u32,
    },
    /// To [`Ask::Upgrade`]: they are stored, or are there already.
    Upgraded,
    /// To [`Ask::Register`]: the whole result or error.
    Registration(Box<Stanza>),
    /// To any question about a login: no, for that reason. `AccountDisabled` only after the secret was proven.
    Refused(sasl::Condition),
}
