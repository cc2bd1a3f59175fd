//! Messages for absent accounts (XEP-0160): storing them, and fetching them at the next login.
//!
//! They carry `<no-permanent-store/>` (XEP-0334), so that the cost of an archive is not in the figure.
//!
//! Not here: archive pages (`archive.rs`).

use super::text::{Order, Template, parse};
use crate::account::Account;
use crate::cli::{Cli, Offline, StoreHint};
use crate::report::{Report, Spent};
use crate::{Outcome, target::Target};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Messages sent before the server is asked whether it has taken them in.
const BURST: usize = 50;

/// Runs the work. The fetch includes one login per account.
///
/// # Errors
/// Of any client; messages lost, doubled or out of order.
pub(super) async fn run(cli: &Cli, target: &Arc<Target>, work: &Offline) -> Outcome<Report> {
    let absent: Vec<Account> = (1..=work.accounts).map(|n| Account::numbered(cli, n)).collect();
    // The accounts log in once first: the client's keys are derived, and nothing old is waiting.
    for account in &absent {
        let mut session = target.log_in(account, "bench", "-").await?;
        target.patiently("a first login", session.fence(&target.domain)).await?;
        target.leave([session]).await?;
    }
    let mut sender = target.log_in(&Account::numbered(cli, 0), "bench", "-").await?;
    let total = (work.accounts * work.messages) as u64;
    let spent = Spent::begin(target.processes)?;
    let mut burst = 0;
    for number in 0..work.messages as u64 {
        for account in &absent {
            let to = format!("{}@{}", account.name, target.domain);
            Template::new(&to, "chat", StoreHint::Offline).write(sender.wire.out(), number, 0);
            burst += 1;
            if burst % BURST == 0 {
                target.patiently("storing", sender.fence(&target.domain)).await?;
            }
        }
    }
    target.patiently("storing", sender.fence(&target.domain)).await?;
    let mut report = Report::new("offline");
    report.set("accounts", work.accounts).set("messages", work.messages);
    report.spent("store_", &spent.end(total)?);

    let spent = Spent::begin(target.processes)?;
    let mut tasks = JoinSet::new();
    for account in absent {
        tasks.spawn(fetch(target.clone(), account, work.messages as u64));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    report.spent("fetch_", &spent.end(total)?);
    target.leave([sender]).await?;
    Ok(report)
}

async fn fetch(target: Arc<Target>, account: Account, count: u64) -> Outcome<()> {
    let mut session = target.log_in(&account, "bench", "-").await?;
    let all = async {
        let mut order = Order::default();
        while order.next < count {
            if let Some((number, _)) = parse(&session.next().await?)? {
                order.take(&account.name, number)?;
            }
        }
        // Nothing may come twice.
        session.queue("<iq type='get' id='end'><ping xmlns='urn:xmpp:ping'/></iq>");
        loop {
            let stanza = session.next().await?;
            if parse(&stanza)?.is_some() {
                return Err(format!("{} got more than was sent", account.name).into());
            }
            if crate::scan::attribute(&stanza, "id") == Some("end") {
                return Ok(());
            }
        }
    };
    target.patiently("fetching", all).await?;
    target.leave([session]).await
}
