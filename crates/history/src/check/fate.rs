//! What became of each message: one fate, and one name.
//!
//! INV-1, INV-2 (archives, errors, ids), INV-7 (phantoms, forgeries, cross-talk).
//!
//! Not here: what one device saw in one session (sessions, order).

use std::collections::BTreeMap;

use super::index::{Index, Message};
use super::rights::Rights;
use crate::key::bare;
use crate::{Finding, Kind, What};

pub(super) fn check(index: &Index<'_>, rights: &Rights<'_>, findings: &mut Vec<Finding>) {
    for message in &index.messages {
        origin(index, message, findings);
        if message.send.is_some() {
            loss(index, rights, message, findings);
            once(index, message, findings);
            one_id(index, message, findings);
            readers(index, message, findings);
        }
    }
}

/// Nothing comes from nowhere.
fn origin(index: &Index<'_>, message: &Message<'_>, findings: &mut Vec<Finding>) {
    let seen = message.recvs.iter().chain(&message.errs).copied();
    let first = seen.chain(message.archived.iter().map(|here| here.event)).min();
    if first.is_some_and(|first| message.send.is_none_or(|send| send > first)) {
        let text = format!("{} was seen, and never sent before", message.key);
        findings.push(index.about(Kind::Phantom, message, text));
    }
    for at in &message.recvs {
        if let What::Recv { from, .. } = index.what(*at)
            && *from != message.key.from
        {
            let text = format!("{} claims to be from {from}", message.key);
            findings.push(index.about(Kind::Forged, message, text));
        }
    }
}

fn loss(index: &Index<'_>, rights: &Rights<'_>, message: &Message<'_>, findings: &mut Vec<Finding>) {
    let Some(What::Send { archives, .. }) = message.send.map(|at| index.what(at)) else { return };
    let is_in = |archive: &str| message.archived.iter().any(|here| here.account == archive);
    let refused = !message.errs.is_empty() || may_be_refused(index, rights, message);
    if message.acked.is_some() && !refused {
        if message.reach && !reached(index, message) {
            let text = format!("{} was acknowledged and came to no device", message.key);
            findings.push(index.about(Kind::Lost, message, text));
        }
        for missing in archives.iter().filter(|archive| !is_in(archive)) {
            let text = format!("{} was acknowledged and is not in the archive of {missing}", message.key);
            findings.push(index.about(Kind::Lost, message, text));
        }
    }
    if let Some(recipient) = index.recipient(message)
        && recipient != message.key.account()
        && !message.errs.is_empty()
        && is_in(recipient)
    {
        let text = format!("{} came back as an error and is in the archive of {recipient}", message.key);
        findings.push(index.about(Kind::Both, message, text));
    }
}

/// Blocked by either side at some time before it was acknowledged: an error was its fate, which its sender need not
/// have seen if the session ended.
fn may_be_refused(index: &Index<'_>, rights: &Rights<'_>, message: &Message<'_>) -> bool {
    let (Some(send), Some(acked)) = (message.send, message.acked) else { return true };
    let (one, other) = (message.key.account(), index.recipient(message).unwrap_or_default());
    one != other
        && (rights.may_be_blocked(other, one, send, acked) || rights.may_be_blocked(one, other, send, acked))
}

fn reached(index: &Index<'_>, message: &Message<'_>) -> bool {
    let recipient = index.recipient(message);
    message.recvs.iter().any(|at| match index.what(*at) {
        What::Recv { device, .. } => Some(bare(device)) == recipient,
        _ => false,
    })
}

fn once(index: &Index<'_>, message: &Message<'_>, findings: &mut Vec<Finding>) {
    let mut archives: Vec<&str> = message.archived.iter().map(|here| here.account).collect();
    archives.sort_unstable();
    if let Some(twice) = archives.windows(2).find(|pair| pair[0] == pair[1]) {
        let text = format!("{} is more than once in the archive of {}", message.key, twice[0]);
        findings.push(index.about(Kind::Duplicated, message, text));
    }
    if message.errs.len() > 1 {
        let text = format!("{} came back as an error {} times", message.key, message.errs.len());
        findings.push(index.about(Kind::Duplicated, message, text));
    }
}

/// However often and on whichever way an account gets a message, it has one id there.
fn one_id(index: &Index<'_>, message: &Message<'_>, findings: &mut Vec<Finding>) {
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    let mut differ = None;
    let mut note = |account, id| {
        let known = *ids.entry(account).or_insert(id);
        if known != id {
            differ = differ.or(Some((account, known, id)));
        }
    };
    for at in &message.recvs {
        if let What::Recv { device, stanza_id: Some(id), .. } = index.what(*at) {
            note(bare(device), id);
        }
    }
    for here in &message.archived {
        note(here.account, here.id);
    }
    if let Some((account, one, other)) = differ {
        let text = format!("{} has the ids {one} and {other} at {account}", message.key);
        findings.push(index.about(Kind::NewId, message, text));
    }
}

/// Only the two accounts that it is about see it.
fn readers(index: &Index<'_>, message: &Message<'_>, findings: &mut Vec<Finding>) {
    let (sender, recipient) = (message.key.account(), index.recipient(message).unwrap_or_default());
    let stranger = |account: &str| account != sender && account != recipient;
    let recvs = message.recvs.iter().filter_map(|at| match index.what(*at) {
        What::Recv { device, .. } => Some(bare(device)),
        _ => None,
    });
    for account in recvs.chain(message.archived.iter().map(|here| here.account)) {
        if stranger(account) {
            let text = format!("{} for {recipient} got to {account}", message.key);
            findings.push(index.about(Kind::Forbidden, message, text));
        }
    }
    for at in &message.errs {
        if let What::Err { device, .. } = index.what(*at)
            && *device != message.key.from
        {
            let text = format!("the error for {} got to {device}", message.key);
            findings.push(index.about(Kind::Forbidden, message, text));
        }
    }
}
