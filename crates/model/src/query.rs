//! What a feature may ask the shell for, and what it hears.
//!
//! A question goes out after everything that was written before it is on stable storage, so an answer always
//! includes the asker's own writes.
//!
//! Not here: who answers (engine, accounts, files), and what a feature does with the answer.

use address::Bare;
use stanza::Stanza;

use crate::bytestream::{Activated, Activation};
use crate::invite::{Invitation, Invite, Made};
use crate::push::{PushFound, PushQuery};
use crate::storage::{Loaded, Read};
pub use crate::upload::{Purpose, Slot, UploadFound, UploadQuery, UploadedFile};

/// A question to the shell.
#[derive(Clone, Debug)]
pub enum Query {
    /// To storage. Answer: [`Found::Loaded`].
    Read(Read),
    /// To the accounts. Answer: [`Found::Account`].
    Account(AccountQuery),
    /// Which sessions are there? Answer: [`Found::Sessions`].
    Sessions(SessionFilter),
    /// To the files that people upload. Answer: [`Found::Upload`].
    Upload(UploadQuery),
    /// About push. Answer: [`Found::Push`].
    Push(PushQuery),
    /// To the mediator of bytestreams. Answer: [`Found::Activated`].
    Activate(Activation),
    /// To a place of a service of ours, in the name of the domain that asks. Answer: [`Found::Answer`].
    Request(Box<Stanza>),
}

/// Which sessions.
#[derive(Clone, Debug)]
pub enum SessionFilter {
    /// Of one account.
    Of(Bare),
    /// Of a whole domain.
    Domain(String),
}

/// The answer to a [`Query`].
#[derive(Clone, Debug)]
pub enum Found {
    /// From storage.
    Loaded(Loaded),
    /// From the accounts.
    Account(AccountFound),
    /// Sessions, sorted by address.
    Sessions(Vec<SessionFound>),
    /// From the files.
    Upload(UploadFound),
    /// About push.
    Push(PushFound),
    /// From the mediator of bytestreams.
    Activated(Activated),
    /// From a place of a service: a result or an error.
    Answer(Box<Stanza>),
}

impl Found {
    /// The answer to [`Query::Read`]; an empty one for anything else, after complaining in debug builds.
    pub fn into_loaded(self) -> Loaded {
        match self {
            Found::Loaded(loaded) => loaded,
            other => {
                debug_assert!(false, "not from storage: {other:?}");
                Loaded::Doc(None)
            }
        }
    }
}

/// One session, for operators.
#[derive(Clone, Debug)]
pub struct SessionFound {
    /// Its full address.
    pub jid: address::Jid,
    /// Presence priority, if it is available.
    pub priority: Option<i8>,
    /// Where it comes from and how; `None` while it waits to be resumed.
    pub about: Option<std::sync::Arc<crate::link::About>>,
    /// Whether nobody seems to look at it: its presence is `away` or `xa`, its client says that it is inactive
    /// (XEP-0352), or it waits to be resumed.
    pub idle: bool,
}

/// A question or an order about accounts.
#[derive(Clone)]
pub enum AccountQuery {
    /// Makes an account. Refused with [`AccountFound::Exists`] if there is one.
    Create {
        /// Its address.
        account: Bare,
        /// Its password.
        password: Password,
    },
    /// Sets a password; every token and every other session of the account ends.
    SetPassword {
        /// Whose.
        account: Bare,
        /// The new one.
        password: Password,
    },
    /// Whether that is the password.
    CheckPassword {
        /// Whose.
        account: Bare,
        /// The one to check.
        password: Password,
    },
    /// Forbids (or allows again) an account to log in; forbidden, its sessions end.
    Suspend {
        /// Whose.
        account: Bare,
        /// Whether it is forbidden.
        suspended: bool,
    },
    /// Ends all sessions of an account.
    EndSessions {
        /// Whose.
        account: Bare,
    },
    /// Removes an account and all that it owns.
    Remove {
        /// Whose.
        account: Bare,
    },
    /// Makes an account an operator of its domain, or no longer.
    SetAdmin {
        /// Whose.
        account: Bare,
        /// Whether it is one.
        admin: bool,
    },
    /// What is known of one account.
    Show {
        /// Whose.
        account: Bare,
    },
    /// A page of a domain's accounts, sorted.
    List {
        /// Which domain.
        domain: String,
        /// Only those after this one.
        after: Option<Bare>,
        /// At most so many.
        limit: u32,
        /// Which of them.
        which: Which,
    },
    /// Makes an invitation. Answer: [`AccountFound::Invited`].
    Invite(Box<Invite>),
    /// What an invitation is for. Answer: [`AccountFound::Invitations`] with one, or [`AccountFound::No`].
    LookUp {
        /// The secret.
        token: Password,
    },
    /// Which invitations hold. Answer: [`AccountFound::Invitations`].
    Invitations {
        /// At which domain.
        domain: String,
        /// Only those of this account.
        by: Option<Bare>,
    },
    /// Ends an invitation.
    Revoke {
        /// At which domain.
        domain: String,
        /// Its id.
        id: String,
    },
    /// Makes an account with an invitation; [`AccountFound::No`]: that one does not allow it.
    Redeem {
        /// Its address.
        account: Bare,
        /// Its password.
        password: Password,
        /// The secret.
        token: Password,
    },
    /// Sets a password with the token of a recovery.
    Recover {
        /// Whose.
        account: Bare,
        /// The new one.
        password: Password,
        /// The secret.
        token: Password,
    },
    /// Whether somebody may become a contact without being asked (XEP-0379); uses the token up.
    Vouch {
        /// Whose contact.
        account: Bare,
        /// Who.
        contact: Bare,
        /// The secret.
        token: Password,
    },
    /// How many accounts a domain has.
    Count {
        /// Which domain.
        domain: String,
        /// Which of them.
        which: Which,
    },
}

/// Which accounts of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those that may not log in.
    Suspended,
    /// The domain's operators.
    Admins,
}

/// The answer to an [`AccountQuery`].
#[derive(Clone, Debug)]
pub enum AccountFound {
    /// Done; or yes.
    Done,
    /// No such account; or the wrong password.
    No,
    /// There is one already.
    Exists,
    /// The request is refused, and why, in words for the one who asked.
    Refused(&'static str),
    /// What is known of the accounts that were asked for.
    Accounts(Vec<AccountInfo>),
    /// An invitation was made.
    Invited(Box<(Made, Invitation)>),
    /// Invitations.
    Invitations(Vec<Invitation>),
    /// How many.
    Count(u64),
}

/// What an operator may know of an account.
#[derive(Clone, Debug)]
pub struct AccountInfo {
    /// Its address.
    pub account: Bare,
    /// Whether it may log in.
    pub suspended: bool,
    /// Whether it is an operator of its domain.
    pub admin: bool,
    /// When it was made, in Unix seconds.
    pub created: u64,
}

/// A password on its way to the accounts. It is never shown, and wiped when dropped.
#[derive(Clone)]
pub struct Password(zeroize::Zeroizing<String>);

impl Password {
    /// Wraps a password.
    pub fn new(text: impl Into<String>) -> Password {
        Password(zeroize::Zeroizing::new(text.into()))
    }

    /// The password itself, for the one place that derives keys from it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(hidden)")
    }
}

impl std::fmt::Debug for AccountQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountQuery")
    }
}
