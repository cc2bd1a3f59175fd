//! The book of accounts on stage: what the real accounts would answer.
//!
//! Not here: hashes, tokens, policies.

use address::Bare;
use model::invite::{Invitation, Invite, Made};
use model::query::{AccountFound, AccountInfo, AccountQuery, Which};

use super::{Scene, jid};

/// A registered account.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) password: String,
    pub(crate) suspended: bool,
    pub(crate) admin: bool,
}

impl Known {
    fn is(&self, which: Which) -> bool {
        match which {
            Which::All => true,
            Which::Suspended => self.suspended,
            Which::Admins => self.admin,
        }
    }
}

impl Scene {
    /// Answers as the accounts would.
    pub(super) fn accounts(&mut self, query: AccountQuery) -> AccountFound {
        use AccountQuery as Q;
        match query {
            Q::Create { account, .. } if self.book.contains_key(account.as_str()) => AccountFound::Exists,
            Q::Create { account, password } => {
                self.register(account.as_str(), password.reveal(), false);
                AccountFound::Done
            }
            Q::SetPassword { account, password } => {
                self.edit(&account, |known| known.password = password.reveal().into())
            }
            Q::CheckPassword { account, password } => {
                match self.book.get(account.as_str()).is_some_and(|k| k.password == password.reveal()) {
                    true => AccountFound::Done,
                    false => AccountFound::No,
                }
            }
            Q::Suspend { account, suspended } => self.edit(&account, |known| known.suspended = suspended),
            Q::SetAdmin { account, admin } => self.edit(&account, |known| known.admin = admin),
            Q::EndSessions { account } => self.edit(&account, |_| ()),
            Q::Remove { account } => match self.book.remove(account.as_str()) {
                Some(_) => AccountFound::Done,
                None => AccountFound::No,
            },
            Q::Show { account } => match self.book.get(account.as_str()) {
                Some(known) => AccountFound::Accounts(vec![info(account.as_str(), known)]),
                None => AccountFound::No,
            },
            Q::List { domain, after, limit, which } => AccountFound::Accounts(
                (self.book.iter())
                    .filter(|(name, known)| jid(name).domain() == domain && known.is(which))
                    .filter(|(name, _)| after.as_ref().is_none_or(|after| after.as_str() < name.as_str()))
                    .take(limit as usize)
                    .map(|(name, known)| info(name, known))
                    .collect(),
            ),
            Q::Invite(wanted) => {
                let (id, until, left) = ("1".to_owned(), 2_000_000, 1);
                let made = Made { token: "TOKEN".into(), id: id.clone(), until };
                let Invite { domain, purpose, account, name, .. } = *wanted;
                let invitation = Invitation { id, domain, purpose, account, name, until, left };
                AccountFound::Invited(Box::new((made, invitation)))
            }
            Q::Vouch { token, .. } if token.reveal() == "right" => AccountFound::Done,
            Q::Vouch { .. } | Q::LookUp { .. } | Q::Revoke { .. } | Q::Redeem { .. } | Q::Recover { .. } => {
                AccountFound::No
            }
            Q::Invitations { .. } => AccountFound::Invitations(Vec::new()),
            Q::Count { domain, which } => {
                let those =
                    |(name, known): &(&String, &Known)| jid(name).domain() == domain && known.is(which);
                AccountFound::Count(self.book.iter().filter(those).count() as u64)
            }
        }
    }

    fn edit(&mut self, account: &Bare, change: impl FnOnce(&mut Known)) -> AccountFound {
        match self.book.get_mut(account.as_str()) {
            Some(known) => {
                change(known);
                AccountFound::Done
            }
            None => AccountFound::No,
        }
    }
}

fn info(account: &str, known: &Known) -> AccountInfo {
    let account = Bare::parse(account).unwrap();
    AccountInfo { account, suspended: known.suspended, admin: known.admin, created: 1_000_000 }
}
