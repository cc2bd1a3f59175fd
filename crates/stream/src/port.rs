//! What a stream wants from its shell, and what the shell knows that the stream does not.
//!
//! Not here: the words between stream and engine (model::link).

use std::sync::Arc;

use address::Bare;
use model::link::{Client, Up};
use sasl::Mechanism;
use stanza::{Stanza, StanzaError};

use crate::{Misbehaviour, Secret};

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

/// What happened to TLS in a handshake. `Default` is a proxy in front of us of which nothing is known.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// For humans: `TLSv1.3 TLS_AES_128_GCM_SHA256`.
    pub about: String,
    /// RFC 9266 keying material (`EXPORTER-Channel-Binding`, empty context, 32 bytes); only from TLS 1.3, or from
    /// TLS 1.2 with extended master secret.
    pub exporter: Option<[u8; 32]>,
    /// RFC 5929 hash of the certificate that we presented.
    pub server_end_point: Option<Vec<u8>>,
    /// The name that the client asked for (RFC 6066), lower case.
    pub server_name: Option<String>,
    /// Whether bytes of this stream came as TLS early data. Then only a replay-safe token authenticates.
    pub early_data: bool,
}

/// A question to the account store. Addresses are prepared; the domain is one of ours.
#[derive(Debug)]
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
        password: Secret,
    },
    /// Tokens of one installation. Answered by [`Answer::Tokens`].
    Tokens {
        /// Whose.
        account: Bare,
        /// The installation (XEP-0388 `<user-agent id=''/>`).
        client: String,
        /// Only tokens issued for this mechanism.
        mechanism: Mechanism,
    },
    /// The login is proven: take note of it, in one step. Answered by [`Answer::Login`]. Whatever the account's state
    /// forbids (disabled, token used in the meantime, count not higher) is found out here and refused.
    Login(Box<Login>),
    /// In-band registration before authentication (XEP-0077). Answered by [`Answer::Registration`].
    Register(Box<Registration>),
}

/// A proven login with its wishes about tokens (XEP-0484).
#[derive(Debug)]
pub struct Login {
    /// Who.
    pub account: Bare,
    /// How.
    pub mechanism: Mechanism,
    /// What is known of the installation.
    pub client: Client,
    /// The token that proved it, as identified by [`Token::id`]: it must still be valid, and becomes the current one.
    pub token: Option<u64>,
    /// `<fast count=''/>`: must be higher than the last count of the token.
    pub count: Option<u32>,
    /// `<fast invalidate=''/>`: the token shall end.
    pub invalidate: bool,
    /// `<request-token/>`: issue a token for this mechanism.
    pub request: Option<Mechanism>,
}

/// A token as the store keeps it.
#[derive(Clone, Debug)]
pub struct Token {
    /// Names it within the store.
    pub id: u64,
    /// The secret.
    pub secret: Secret,
}

/// In-band registration before authentication.
#[derive(Debug)]
pub struct Registration {
    /// Of our domains, the one of the stream.
    pub domain: String,
    /// The iq `get` or `set` with `jabber:iq:register`.
    pub iq: Stanza,
}

/// What the account store says.
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::Keys`]; `None` if there are none: the exchange goes on and fails like with a wrong password.
    Keys(Option<sasl::ScramKeys>),
    /// To [`Ask::Password`].
    Password(bool),
    /// To [`Ask::Tokens`]: at most two, the newer first.
    Tokens(Vec<Token>),
    /// To [`Ask::Login`]: a new token with its expiry in Unix seconds, if one was requested or is due for rotation.
    Login(Option<(Secret, u64)>),
    /// To [`Ask::Register`]: the whole result or error.
    Registration(Result<Arc<Stanza>, StanzaError>),
    /// To any question about a login: no.
    Refused(Refusal),
}

/// Why a login fails although nothing may be wrong with the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The secret or token is not (or no longer) right.
    NotAuthorized,
    /// The token has expired (XEP-0484 section 4.2).
    Expired,
    /// The account is switched off. Only said after the secret was proven.
    Disabled,
    /// Too many attempts, or the store cannot answer now.
    Later,
}
