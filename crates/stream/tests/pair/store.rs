//! An account store in memory: `juliet@example.org`, and her tokens.
//!
//! Not here: the real one.

use address::Bare;
use model::grant::Grants;
use sasl::{Candidate, Condition, Decoy, Hash, Mechanism, Password, ScramKeys, Slot, Token};
use stanza::{IqType, Kind, Stanza};
use std::collections::HashMap;
use std::sync::LazyLock;
use stream::{Answer, Ask, Issued};

pub const ACCOUNT: &str = "juliet@example.org";
pub const PASSWORD: &str = "balcony rose";
pub const EXPIRES: u64 = 1_800_000_000;

static KEYS: LazyLock<HashMap<Hash, ScramKeys>> = LazyLock::new(|| {
    let password = Password::parse(PASSWORD).unwrap();
    let derive = |hash| ScramKeys::derive(hash, &password, b"some salt", 4096).unwrap();
    Hash::ALL.into_iter().map(|hash| (hash, derive(hash))).collect()
});

pub struct Kept {
    pub slot: Slot,
    pub secret: String,
    pub mechanism: Mechanism,
    pub expired: bool,
    pub count: u64,
}

#[derive(Default)]
pub struct Store {
    pub tokens: HashMap<String, Vec<Kept>>,
    /// What was asked, a line each.
    pub asked: Vec<String>,
    /// Answer nothing.
    pub deaf: bool,
    /// Taken back after the secret was proven.
    pub revoke: Option<(Grants, Bare)>,
    /// Refuse proven logins.
    pub refuse: Option<Condition>,
    /// Nothing more can be stored or looked up.
    pub full: bool,
    issued: usize,
}

impl Store {
    pub fn new() -> Store {
        Store::default()
    }

    pub fn answer(&mut self, ask: Ask) -> Option<Answer> {
        let answer = match ask {
            Ask::Keys { account, hash } => {
                self.asked.push(format!("keys {account} {}", hash.name()));
                let found = (account.as_str() == ACCOUNT).then(|| KEYS[&hash].clone());
                Answer::Keys(Decoy::new(&[5; 32]).keys(account.as_str(), hash, found))
            }
            Ask::Password { account, password } => {
                self.asked.push(format!("password {account}"));
                Answer::Password(account.as_str() == ACCOUNT && password.expose() == PASSWORD)
            }
            Ask::Tokens { account, client } => {
                self.asked.push(format!("tokens {account} {client}"));
                Answer::Tokens(self.candidates(&account, &client))
            }
            Ask::Login(login) => {
                self.asked.push(format!("login {} {}", login.account, login.mechanism.name()));
                if let Some((grants, account)) = &self.revoke {
                    grants.revoke(account);
                }
                match self.refuse {
                    None if !login.grant.holds() => Answer::Refused(Condition::NotAuthorized),
                    Some(condition) => Answer::Refused(condition),
                    None => self.log_in(&login),
                }
            }
            Ask::Missing { account, hashes } => {
                let names: Vec<&str> = hashes.iter().map(|hash| hash.name()).collect();
                self.asked.push(format!("missing {account} {}", names.join(" ")));
                match self.full {
                    true => Answer::Refused(Condition::TemporaryAuthFailure),
                    false => Answer::Missing {
                        hashes: hashes.into_iter().filter(|hash| *hash != Hash::Sha1).collect(),
                        iterations: 4096,
                    },
                }
            }
            Ask::Upgrade { account, grant, keys } => {
                let fits = keys.verify_password(&Password::parse(PASSWORD).unwrap());
                self.asked.push(format!("upgrade {account} {} {fits}", keys.hash().name()));
                if grant.holds() { Answer::Upgraded } else { Answer::Refused(Condition::NotAuthorized) }
            }
            Ask::Register(registration) => {
                self.asked.push(format!("register {} {:?}", registration.domain, registration.iq));
                let id = registration.iq.id.clone();
                Answer::Registration(Box::new(Stanza { id, ..Stanza::new(Kind::Iq(IqType::Result)) }))
            }
        };
        (!self.deaf).then_some(answer)
    }

    fn candidates(&self, account: &Bare, client: &str) -> Vec<Candidate> {
        let kept = self.tokens.get(client).filter(|_| account.as_str() == ACCOUNT);
        let candidate = |kept: &Kept| Candidate {
            slot: kept.slot,
            token: Token::stored(kept.secret.clone()),
            mechanism: kept.mechanism,
            expired: kept.expired,
        };
        kept.into_iter().flatten().map(candidate).collect()
    }

    fn log_in(&mut self, login: &stream::Login) -> Answer {
        let client = login.client.id.clone().unwrap_or_default();
        let tokens = self.tokens.entry(client).or_default();
        if let Some(used) = &login.token {
            let Some(kept) = tokens.iter_mut().find(|kept| kept.secret == used.expose()) else {
                return Answer::Refused(Condition::NotAuthorized);
            };
            match sasl::token::check_count(kept.count, login.count, login.early_data) {
                Ok(count) => kept.count = count,
                Err(condition) => return Answer::Refused(condition),
            }
            if login.invalidate {
                tokens.retain(|kept| kept.secret != used.expose());
            }
        }
        Answer::Login(login.request.map(|mechanism| {
            self.issued += 1;
            let secret = format!("token-{}", self.issued);
            tokens.retain(|kept| kept.slot != Slot::New);
            let (slot, count) = (Slot::New, 0);
            tokens.push(Kept { slot, secret: secret.clone(), mechanism, expired: false, count });
            Issued { token: Token::stored(secret), expires: EXPIRES }
        }))
    }
}
