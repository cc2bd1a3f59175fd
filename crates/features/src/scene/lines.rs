//! Writes and questions as lines to compare.
//!
//! Not here: stanzas, which are their own text.

use model::query::{AccountQuery, Query};
use model::storage::{Entry, Owner, Write};

use super::OWN;

fn whose(owner: &Owner) -> String {
    if owner.as_str() == OWN { String::new() } else { format!(" of {owner}") }
}

/// A write.
pub(super) fn tell(write: &Write) -> String {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    match write {
        Write::DocPut { space, owner, value } => format!("put {}{} = {}", space.0, whose(owner), text(value)),
        Write::DocDelete { space, owner } => format!("del {}{}", space.0, whose(owner)),
        Write::MapPut { space, owner, key, value } => {
            format!("put {}{} {key} = {}", space.0, whose(owner), text(value))
        }
        Write::MapDelete { space, owner, key } => format!("del {}{} {key}", space.0, whose(owner)),
        Write::MapClear { space, owner, prefix } => format!("del {}{} {prefix}*", space.0, whose(owner)),
        Write::LogAppend { space, owner, entry } => {
            format!("log {}{} {}", space.0, whose(owner), tell_entry(entry))
        }
        Write::LogReplace { space, owner, id, value } => {
            format!("log {}{} #{id} := {}", space.0, whose(owner), text(value))
        }
        Write::LogDelete { space, owner, what } => format!("del {}{} {what:?}", space.0, whose(owner)),
        Write::Purge { owner } => format!("purge {owner}"),
    }
}

fn tell_entry(entry: &Entry) -> String {
    let resource = entry.resource.as_ref().map(|resource| format!("/{resource}")).unwrap_or_default();
    let with = entry.with.as_deref().unwrap_or_default();
    format!("#{} {with}{resource} = {}", entry.id, String::from_utf8_lossy(&entry.value))
}

/// An order to the accounts; questions change nothing and are passed over.
pub(super) fn tell_query(query: &Query) -> Option<String> {
    use AccountQuery as Q;
    let Query::Account(query) = query else { return None };
    Some(match query {
        Q::Create { account, .. } => format!("ask create {account}"),
        Q::SetPassword { account, .. } => format!("ask password {account}"),
        Q::CheckPassword { account, .. } => format!("ask check {account}"),
        Q::Suspend { account, suspended: true } => format!("ask suspend {account}"),
        Q::Suspend { account, suspended: false } => format!("ask allow {account}"),
        Q::EndSessions { account } => format!("ask end {account}"),
        Q::Remove { account } => format!("ask remove {account}"),
        Q::SetAdmin { account, admin } => format!("ask admin {account} {admin}"),
        Q::Invite(wanted) => {
            format!("ask invite {:?} {:?} {:?}", wanted.purpose, wanted.account, wanted.name)
        }
        Q::Vouch { account, contact, .. } => format!("ask vouch {account} {contact}"),
        Q::Revoke { id, .. } => format!("ask revoke {id}"),
        Q::Redeem { account, .. } => format!("ask redeem {account}"),
        Q::Recover { account, .. } => format!("ask recover {account}"),
        Q::LookUp { .. } | Q::Invitations { .. } => return None,
        // Questions change nothing.
        Q::Show { .. } | Q::List { .. } | Q::Count { .. } => return None,
    })
}
