//! Makes accounts contacts of each other, both ways, over the wire (RFC 6121 section 3).
//!
//! Subscriptions that exist already are kept, so a second run is quick.
//! Not here: logging the accounts in.

use crate::scan::attribute;
use crate::session::Session;
use crate::{Outcome, target::Target};
use memchr::memmem;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How often an account looks into its roster.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many looks, unanswered requests are sent again.
const LOOKS_BEFORE_AGAIN: u32 = 60;

/// Subscribes session `i` and session `j` to each other wherever `related(i, j)`, which must be symmetric.
///
/// # Errors
/// Of the streams, or that it takes too long.
pub(super) async fn befriend(
    target: &Arc<Target>,
    sessions: Vec<Session>,
    related: impl Fn(usize, usize) -> bool,
) -> Outcome<Vec<Session>> {
    let bare: Vec<String> = sessions.iter().map(|session| session.bare().to_owned()).collect();
    let count = sessions.len();
    let ready = Arc::new(AtomicUsize::new(0));
    let mut tasks = vec![];
    for (n, session) in sessions.into_iter().enumerate() {
        let wanted = (0..count).filter(|other| *other != n && related(n, *other));
        let wanted: HashSet<String> = wanted.map(|other| bare[other].clone()).collect();
        tasks.push(tokio::spawn(one(session, wanted, ready.clone(), count)));
    }
    let mut done = vec![];
    for task in tasks {
        done.push(target.very_patiently("subscriptions", async { task.await? }).await?);
    }
    Ok(done)
}

/// One account: asks, answers, looks, until all accounts have all they want.
async fn one(
    mut session: Session,
    wanted: HashSet<String>,
    ready: Arc<AtomicUsize>,
    count: usize,
) -> Outcome<Session> {
    let (mut looks, mut complete) = (0, false);
    while ready.load(Ordering::Relaxed) < count {
        if !complete {
            session.queue(super::super::login::ROSTER);
        }
        let until = Instant::now() + LOOK_EVERY;
        while let Ok(came) = timeout(until - Instant::now(), session.wire.fill()).await {
            came?;
            while session.advance()? {
                let stanza = session.stanza().to_vec();
                if stanza.starts_with(b"<presence") {
                    answer(&mut session, &stanza);
                } else if attribute(&stanza, "id") == Some("roster") && !complete {
                    let missing = missing(&stanza, &wanted);
                    complete = missing.is_empty();
                    if complete {
                        ready.fetch_add(1, Ordering::Relaxed);
                    } else if looks % LOOKS_BEFORE_AGAIN == 0 {
                        ask(&mut session, &missing);
                    }
                    looks += 1;
                }
            }
        }
    }
    session.wire.flush().await?;
    Ok(session)
}

fn ask(session: &mut Session, whom: &[&String]) {
    for jid in whom {
        session.queue(&format!("<presence to='{jid}' type='subscribe'/>"));
    }
}

fn answer(session: &mut Session, stanza: &[u8]) {
    if attribute(stanza, "type") == Some("subscribe") {
        let from = attribute(stanza, "from").unwrap_or_default().split('/').next().unwrap_or_default();
        session.queue(&format!("<presence to='{from}' type='subscribed'/>"));
    }
}

/// Which of `wanted` are not yet subscribed both ways in this roster.
fn missing<'a>(roster: &[u8], wanted: &'a HashSet<String>) -> Vec<&'a String> {
    let both: HashSet<&str> = memmem::find_iter(roster, b"<item ")
        .map(|at| &roster[at..])
        .filter(|item| attribute(item, "subscription") == Some("both"))
        .filter_map(|item| attribute(item, "jid"))
        .collect();
    wanted.iter().filter(|jid| !both.contains(jid.as_str())).collect()
}

/// Keeps sessions reading, until the returned set is dropped.
pub(super) fn read_on(sessions: Vec<Session>) -> JoinSet<()> {
    let mut readers = JoinSet::new();
    for mut session in sessions {
        readers.spawn(async move { while session.next().await.is_ok() {} });
    }
    readers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mutual_subscriptions_count() {
        let roster =
            b"<iq><query><item jid='a@x' subscription='both'/><item subscription='to' jid='b@x'/></query>";
        let wanted = ["a@x", "b@x", "c@x"].map(str::to_owned).into();
        let mut found = missing(roster, &wanted);
        found.sort();
        assert_eq!(found, ["b@x", "c@x"]);
    }
}
