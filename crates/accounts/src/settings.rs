//! What the operator decides about accounts, and what the shell lends.
//!
//! Not here: where the values come from (config), which mechanisms are offered (stream).

use model::query::{AccountFound, AccountQuery};
use sasl::Hash;
use stanza::Stanza;
use store::{BoxFuture, Clock, system_clock};
use zeroize::Zeroizing;

/// The way to whoever carries out orders that sessions must hear of: the engine while the server runs.
pub trait Orders: Send + Sync {
    /// Carries an order out.
    fn order(&self, query: AccountQuery) -> BoxFuture<'_, AccountFound>;

    /// Brings a stanza on its way.
    fn bring(&self, stanza: Stanza) -> BoxFuture<'_, ()>;
}

/// All of it.
#[derive(Clone)]
pub struct Settings {
    /// Domains that may have accounts, prepared.
    pub domains: Vec<String>,
    /// Domains on which anybody may make an account in-band (XEP-0077).
    pub registration: Vec<String>,
    /// Hashes for which new passwords get SCRAM keys. The first one also serves to check `PLAIN`. Never empty.
    pub hashes: Vec<Hash>,
    /// PBKDF2 iterations of new keys, from [`sasl::limits::ITERATIONS_MIN`] to [`sasl::limits::ITERATIONS_MAX`].
    pub iterations: u32,
    /// Whether tokens are given out (XEP-0484).
    pub tokens: bool,
    /// Encrypts tokens in storage. It should be kept outside of the database; a new one ends all tokens.
    pub token_key: Zeroizing<[u8; 32]>,
    /// Passwords checked at the same time.
    pub threads: usize,
    /// Tells the time.
    pub clock: Clock,
}

impl Settings {
    /// Defaults for these domains: SHA-256 and SHA-1 keys with 10,000 iterations, no registration, the system's clock.
    pub fn new(domains: Vec<String>, token_key: impl Into<Zeroizing<[u8; 32]>>) -> Settings {
        Settings {
            domains,
            registration: Vec::new(),
            hashes: vec![Hash::Sha256, Hash::Sha1],
            iterations: sasl::limits::ITERATIONS_DEFAULT,
            tokens: true,
            token_key: token_key.into(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2)),
            clock: system_clock(),
        }
    }
}
