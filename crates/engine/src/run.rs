//! The loop around the engine: takes inputs in batches, carries out what the engine asks for.
//!
//! Not here: any rule; the engine is tested without this loop.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use kernel::Now;
use mailbox::Inbox;
use model::bytestream::{Activated, Activation};
use model::push::{PushFound, PushQuery};
use model::query::{AccountFound, AccountQuery, Found, Query, UploadFound, UploadQuery};
use stanza::{Condition, StanzaError};
use store::{Fault, Store};
use tokio::sync::mpsc;

use crate::engine::{Engine, Output};
use crate::input::{Input, Time};
use crate::limits;

/// Who answers the engine's questions.
#[derive(Clone)]
pub struct Services {
    /// Stores.
    pub store: Arc<dyn Store>,
    /// Knows credentials and standing.
    pub accounts: Arc<dyn Accounts>,
    /// Keeps uploaded files.
    pub files: Arc<dyn Files>,
    /// Sends notifications to the web, and brings those that come in.
    pub pushes: Arc<dyn Pushes>,
    /// Lets bytes pass between clients.
    pub bytestreams: Arc<dyn Bytestreams>,
}

/// Accounts, as far as the engine asks about them.
pub trait Accounts: Send + Sync {
    /// Answers a question or carries out an order; done when it is stored.
    fn answer(&self, query: AccountQuery) -> store::BoxFuture<'_, Result<AccountFound, Fault>>;
}

/// Uploaded files, as far as the engine asks about them.
pub trait Files: Send + Sync {
    /// Answers a question or carries out an order; done when it is stored.
    fn answer(&self, query: UploadQuery) -> store::BoxFuture<'_, Result<UploadFound, Fault>>;
}

/// Push, as far as the engine asks about it. The answer must not wait for anybody outside of this machine.
pub trait Pushes: Send + Sync {
    /// Answers a question or takes an order.
    fn answer(&self, query: PushQuery) -> PushFound;
}

/// The mediator of bytestreams, as far as the engine asks about it. The answer must not wait for anybody.
pub trait Bytestreams: Send + Sync {
    /// Carries out an order.
    fn activate(&self, activation: Activation) -> Activated;
}

/// No mediator: every order is answered with [`Activated::Off`].
pub struct NoBytestreams;

impl Bytestreams for NoBytestreams {
    fn activate(&self, _: Activation) -> Activated {
        Activated::Off
    }
}

/// No push: every question is answered with [`PushFound::Off`].
pub struct NoPushes;

impl Pushes for NoPushes {
    fn answer(&self, _: PushQuery) -> PushFound {
        PushFound::Off
    }
}

/// No files: every question is answered with [`UploadFound::Off`].
pub struct NoFiles;

impl Files for NoFiles {
    fn answer(&self, _: UploadQuery) -> store::BoxFuture<'_, Result<UploadFound, Fault>> {
        Box::pin(std::future::ready(Ok(UploadFound::Off)))
    }
}

/// The way in for operators. Bounded: who sends too fast waits.
#[derive(Clone)]
pub struct Handle(mpsc::Sender<Input>);

impl Handle {
    /// A way in, and the end that [`run`] takes.
    pub fn new(capacity: usize) -> (Handle, mpsc::Receiver<Input>) {
        let (tx, rx) = mpsc::channel(capacity);
        (Handle(tx), rx)
    }

    /// Hands an input over, waiting for room. After the engine has stopped it vanishes.
    pub async fn send(&self, input: Input) {
        let _ = self.0.send(input).await;
    }

    /// The channel itself.
    pub fn sender(&self) -> &mpsc::Sender<Input> {
        &self.0
    }
}

/// Clocks for the loop.
struct Clock(Instant);

impl Clock {
    fn time(&self) -> Time {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time { now: Now { unix_ms: unix.as_millis() as u64 }, mono_ms: self.0.elapsed().as_millis() as u64 }
    }
}

/// The time for [`Engine::new`]; the loop's own clock starts at zero too.
pub fn start_time() -> Time {
    Clock(Instant::now()).time()
}

/// Runs until every way in is closed, or until [`Input::Shutdown`] and everything is stored and sent. `ups` is what
/// streams say; both ways are bounded, so who sends too fast waits.
pub async fn run(mut engine: Engine, mut ups: Inbox, mut inputs: mpsc::Receiver<Input>, services: Services) {
    let clock = Clock(Instant::now());
    let mut pending: FuturesUnordered<BoxFuture<'_, Input>> = FuturesUnordered::new();
    let mut batch = Vec::with_capacity(limits::BATCH_MAX);
    let (mut said, mut stopping) = (Vec::with_capacity(limits::BATCH_MAX), false);
    // What was left from the last time goes on its way.
    engine.finish();
    while let Some(output) = engine.poll_output() {
        pending.push(carry_out(output, &services));
    }
    loop {
        let over = ups.is_over();
        if over && inputs.is_closed() && inputs.is_empty() && pending.is_empty() {
            return;
        }
        // What waits for storage is bounded: meanwhile streams are not listened to.
        let congested = engine.is_congested();
        let (more, open) = (engine.has_work() && !congested, !engine.has_work() && !congested);
        let wait = engine.poll_timeout().map(|at| at.saturating_sub(clock.time().mono_ms));
        let timeout = async {
            match wait {
                Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(done) = pending.next(), if !pending.is_empty() => batch.push(done),
            Some(input) = inputs.recv() => batch.push(input),
            _ = ups.take(&mut said, limits::BATCH_MAX, limits::BATCH_BYTES_MAX), if open && !over => {}
            () = timeout => batch.push(Input::Timeout),
            () = std::future::ready(()), if more => {}
        }
        // What else is ready belongs to the same batch: one commit for all of it.
        if open && said.is_empty() {
            ups.take_now(&mut said, limits::BATCH_MAX, limits::BATCH_BYTES_MAX);
        }
        let time = clock.time();
        for input in batch.drain(..) {
            stopping |= matches!(input, Input::Shutdown);
            engine.handle(time, input);
        }
        for up in said.drain(..) {
            engine.handle(time, Input::Up(up));
        }
        engine.finish();
        while let Some(output) = engine.poll_output() {
            pending.push(carry_out(output, &services));
        }
        if stopping && engine.is_drained() && pending.is_empty() {
            return;
        }
    }
}

fn carry_out(output: Output, services: &Services) -> BoxFuture<'_, Input> {
    match output {
        Output::Commit(ticket, batch) => {
            // Handed over now, not when polled: the order of commits is the order of outputs.
            let commit = services.store.commit(batch);
            Box::pin(async move { Input::Committed(ticket, commit.await.map_err(|fault| refusal(&fault))) })
        }
        Output::Ask(ticket, query) => Box::pin(async move {
            let found = match query {
                Query::Read(read) => services.store.read(read).await.map(Found::Loaded),
                Query::Account(query) => services.accounts.answer(query).await.map(Found::Account),
                Query::Upload(query) => services.files.answer(query).await.map(Found::Upload),
                Query::Push(query) => Ok(Found::Push(services.pushes.answer(query))),
                Query::Activate(activation) => {
                    Ok(Found::Activated(services.bytestreams.activate(activation)))
                }
                Query::Request(_) => Err(Fault::new(store::FaultKind::Misuse, "a request for the engine")),
                Query::Sessions(_) => Ok(Found::Sessions(Vec::new())),
            };
            Input::Found(ticket, found.map_err(|fault| refusal(&fault)))
        }),
    }
}

/// What a peer sees of a fault of ours; the cause goes to the log.
fn refusal(fault: &Fault) -> StanzaError {
    tracing::error!(kind = fault.kind().name(), cause = fault.cause(), "storage");
    match fault.kind().passes() {
        true => Condition::ResourceConstraint.into(),
        false => Condition::InternalServerError.into(),
    }
}
