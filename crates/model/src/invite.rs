//! Invitations: what is asked of the accounts about them, and what they say.
//!
//! XEP-0379 0.3.3, XEP-0401 0.6.0, XEP-0445 0.2.0
//!
//! Not here: who keeps them (accounts), who asks (features, admin, net).

use address::Bare;

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To become a contact, and to make an account if one has none.
    Contact,
    /// To make an account.
    Account,
    /// To choose a new password for an account that exists.
    Recovery,
}

/// An invitation that is wanted.
#[derive(Clone, Debug)]
pub struct Invite {
    /// At which domain.
    pub domain: String,
    /// What for.
    pub purpose: Purpose,
    /// Who becomes a contact; for a recovery, whose password it is.
    pub account: Option<Bare>,
    /// The only name that the new account may have.
    pub name: Option<String>,
    /// How long it holds, in seconds; 0: as long as the server finds right.
    pub seconds: u64,
    /// How often it can be used; 0 counts as once.
    pub uses: u32,
    /// Who wants it; `None`: the operator.
    pub by: Option<Bare>,
}

/// An invitation that was made. The token is told only now.
#[derive(Clone)]
pub struct Made {
    /// The secret.
    pub token: String,
    /// Names it to those who may revoke it.
    pub id: String,
    /// When it ends, in Unix seconds.
    pub until: u64,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Made({})", self.id)
    }
}

/// An invitation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Names it to those who may revoke it.
    pub id: String,
    /// At which domain.
    pub domain: String,
    /// What for.
    pub purpose: Purpose,
    /// Who becomes a contact; for a recovery, whose password it is.
    pub account: Option<Bare>,
    /// The only name that the new account may have.
    pub name: Option<String>,
    /// When it ends, in Unix seconds.
    pub until: u64,
    /// How often it can still be used.
    pub left: u32,
}

impl Invitation {
    /// The address that a client opens (XEP-0379 section 3.2, XEP-0401 sections 4.1 and 4.4, XEP-0445 section 2).
    pub fn uri(&self, token: &str) -> String {
        let domain = &self.domain;
        match (self.purpose, &self.account, &self.name) {
            (Purpose::Contact, Some(account), _) => {
                format!("xmpp:{}?roster;preauth={token};ibr=y", escape(account.as_str()))
            }
            (_, _, Some(name)) => format!("xmpp:{}@{domain}?register;preauth={token}", escape(name)),
            _ => format!("xmpp:{domain}?register;preauth={token}"),
        }
    }
}

/// RFC 5122 section 2.2: what may not stand in the address of a URI.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                out.push(byte.into())
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
