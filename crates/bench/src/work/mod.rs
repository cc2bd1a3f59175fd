//! The works, one file each, and what they share: many sessions at a time.
//!
//! Not here: connecting and logging in (`login.rs`).

mod archive;
mod connect;
mod contacts;
mod idle;
mod message;
mod offline;
mod presence;
mod room;
mod text;

use crate::account::Account;
use crate::cli::{Cli, Work};
use crate::session::Session;
use crate::{Outcome, report::Report, target::Target};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Logins at a time while a work gets ready.
const LOGINS_AT_A_TIME: usize = 8;

/// Does the work that the command line names, and publishes what it found.
///
/// # Errors
/// Anything that went wrong; above all stanzas lost, doubled or out of order.
pub(crate) fn run(cli: &Cli) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let target = Arc::new(Target::new(cli)?);
        if cli.register {
            register(cli, &target, accounts(&cli.work)).await?;
        }
        let mut report = dispatch(cli, &target).await?;
        target.describe(&mut report);
        report.publish(cli)
    })
}

async fn dispatch(cli: &Cli, target: &Arc<Target>) -> Outcome<Report> {
    match &cli.work {
        Work::Handshake(work) => connect::handshake(target, work).await,
        Work::Login(work) => connect::login(cli, target, work).await,
        Work::Message(work) => message::run(cli, target, work).await,
        Work::Presence(work) => presence::run(cli, target, work).await,
        Work::Room(work) => room::run(cli, target, work).await,
        Work::Idle(work) => idle::run(cli, target, work).await,
        Work::Archive(work) => archive::run(cli, target, work).await,
        Work::Offline(work) => offline::run(cli, target, work).await,
        Work::Register(work) => {
            register(cli, target, work.accounts).await?;
            let mut report = Report::new("register");
            report.set("accounts", work.accounts);
            Ok(report)
        }
        Work::Relay(_) => Err("the relay is no client".into()),
    }
}

/// How many accounts a work uses.
fn accounts(work: &Work) -> usize {
    match work {
        Work::Handshake(_) | Work::Relay(_) => 0,
        Work::Login(work) => work.count.at_a_time + work.roster,
        Work::Message(work) => work.pairs * 2,
        Work::Presence(work) => work.roster,
        Work::Room(work) => work.rooms * work.occupants,
        Work::Idle(work) => work.connections,
        Work::Archive(_) => 2,
        Work::Offline(work) => work.accounts + 1,
        Work::Register(work) => work.accounts,
    }
}

async fn register(cli: &Cli, target: &Arc<Target>, count: usize) -> Outcome<()> {
    let one = async |target: Arc<Target>, account: Account| target.register(&account).await;
    crowd(cli, target, count, one).await.map(drop)
}

/// Logs account numbers 0 to `count - 1` in, in order; `peer` names the relay target of each.
///
/// # Errors
/// The first login that failed.
async fn log_in_all(
    cli: &Cli,
    target: &Arc<Target>,
    count: usize,
    peer: impl Fn(usize) -> String,
) -> Outcome<Vec<Session>> {
    let permits = Arc::new(Semaphore::new(LOGINS_AT_A_TIME));
    let mut tasks: Vec<tokio::task::JoinHandle<Outcome<Session>>> = vec![];
    for n in 0..count {
        let (target, permits, peer) = (target.clone(), permits.clone(), peer(n));
        let account = Account::numbered(cli, n);
        tasks.push(tokio::spawn(async move {
            let _permit = permits.acquire().await?;
            let mut session = target.log_in(&account, "bench", &peer).await?;
            if !target.relay {
                // Its presence is known before anybody writes to it.
                target.patiently("a sign of life", session.fence(&target.domain)).await?;
            }
            Ok(session)
        }));
    }
    let mut sessions = Vec::with_capacity(count);
    for task in tasks {
        sessions.push(task.await??);
    }
    Ok(sessions)
}

/// Does `one` for account numbers 0 to `count - 1`, some at a time.
async fn crowd<F, R>(cli: &Cli, target: &Arc<Target>, count: usize, one: F) -> Outcome<()>
where
    F: Fn(Arc<Target>, Account) -> R,
    R: Future<Output = Outcome<()>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(LOGINS_AT_A_TIME));
    let mut tasks = JoinSet::new();
    for n in 0..count {
        let (permits, done) = (permits.clone(), one(target.clone(), Account::numbered(cli, n)));
        tasks.spawn(async move {
            let _permit = permits.acquire().await?;
            done.await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
