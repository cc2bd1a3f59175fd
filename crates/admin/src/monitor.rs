//! How the server is doing: gathered from the sockets, the engine and the store when somebody asks.
//!
//! The store is asked to commit something, since a full or broken disk shows in nothing else; the answer holds for a
//! moment, however often it is asked for.
//!
//! Not here: routes (net), words for people (detente).

use std::sync::Arc;
use std::time::Instant;

use engine::{Handle, Input, Standing};
use kernel::Tally;
use model::storage::{Batch, Owner, Space, Write};
use net::{Counters, Monitor, Watching};
use serde_json::{Value, json};
use store::Store;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use crate::limits::{PROBE_HOLDS, PROBE_MAX};
use crate::measures::{self, Kind, Measure};

/// What is written to find out whether anything can be.
const PROBE: Space = Space("probe");

/// Gathers it.
pub struct Gauges {
    version: &'static str,
    began: Instant,
    engine: Handle,
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
    tally: Arc<Tally>,
    last: Mutex<Option<(Instant, Probe)>>,
    more: Option<More>,
}

/// Measures of other parts.
pub type More = Box<dyn Fn() -> Vec<Measure> + Send + Sync>;

/// What came of a try to commit.
#[derive(Clone)]
struct Probe {
    outcome: Result<(), String>,
    took_ms: u64,
}

impl Gauges {
    /// Of these parts of a server that starts now.
    pub fn new(
        version: &'static str,
        engine: Handle,
        store: Arc<dyn Store>,
        counters: Arc<Counters>,
    ) -> Gauges {
        let (began, tally, last) = (Instant::now(), Arc::default(), Mutex::default());
        Gauges { version, began, engine, store, counters, tally, last, more: None }
    }

    /// The same with measures of another part.
    #[must_use]
    pub fn with_more(self, more: Option<More>) -> Gauges {
        Gauges { more, ..self }
    }

    /// The same with what is counted about safety.
    #[must_use]
    pub fn with_tally(mut self, tally: Arc<Tally>) -> Gauges {
        self.tally = tally;
        self
    }

    async fn probe(&self) -> Probe {
        let mut last = self.last.lock().await;
        if let Some((at, probe)) = last.as_ref().filter(|(at, _)| at.elapsed() < PROBE_HOLDS) {
            let _ = at;
            return probe.clone();
        }
        let began = Instant::now();
        let write = Write::DocPut { space: PROBE, owner: Owner::from("server"), value: "1".into() };
        let outcome = match timeout(PROBE_MAX, self.store.commit(Batch::from(write))).await {
            Ok(outcome) => outcome.map_err(|fault| format!("storage: {fault}")),
            Err(_) => Err("storage: a commit takes too long".to_owned()),
        };
        let probe = Probe { outcome, took_ms: began.elapsed().as_millis() as u64 };
        *last = Some((Instant::now(), probe.clone()));
        probe
    }

    async fn standing(&self) -> Option<Standing> {
        let (tx, rx) = oneshot::channel();
        let reply = Box::new(move |standing| {
            // Whoever asked may have given up.
            let _ = tx.send(standing);
        });
        let asked = async {
            self.engine.send(Input::Standing(reply)).await;
            rx.await.ok()
        };
        timeout(PROBE_MAX, asked).await.ok().flatten()
    }

    async fn measures(&self) -> (Vec<Measure>, Probe, Option<Standing>) {
        let (probe, standing) = tokio::join!(self.probe(), self.standing());
        let one = |name, about, value| Measure::one(name, Kind::Gauge, about, value);
        let mut all = vec![
            one("uptime_seconds", "Time since the start.", self.began.elapsed().as_secs()),
            one("engine_answers", "1: the engine answers.", standing.is_some().into()),
            one("storage_commits", "1: storage can commit.", probe.outcome.is_ok().into()),
            one("storage_commit_milliseconds", "How long the last try to commit took.", probe.took_ms),
        ];
        if let Some(standing) = standing {
            let number = |n: usize| n as u64;
            all.extend([
                one(
                    "sessions",
                    "Sessions, those that wait to be resumed included.",
                    number(standing.sessions),
                ),
                one("accounts_in_memory", "Accounts in memory.", number(standing.accounts)),
                one("batches_waiting", "Batches that wait to be stored.", number(standing.batches)),
                one("stanzas_away", "Stanzas on their way to neighbours.", number(standing.away)),
                one(
                    "questions_waiting",
                    "Questions of the engine that wait for an answer.",
                    number(standing.questions),
                ),
            ]);
        }
        all.extend(measures::of_sockets(&self.counters));
        all.extend(self.more.iter().flat_map(|more| more()));
        all.extend(measures::of_safety(&self.tally));
        (all, probe, standing)
    }

    /// For `detente status`.
    pub(crate) async fn status(&self) -> Value {
        let (all, probe, standing) = self.measures().await;
        json!({
            "version": self.version,
            "ready": standing.is_some() && probe.outcome.is_ok(),
            "storage": probe.outcome.err().unwrap_or_else(|| "ok".to_owned()),
            "measures": measures::tree(&all),
        })
    }
}

impl Monitor for Gauges {
    fn metrics(&self) -> Watching<'_, String> {
        Box::pin(async { measures::text(self.version, &self.measures().await.0) })
    }

    fn ready(&self) -> Watching<'_, Result<(), String>> {
        Box::pin(async {
            let (probe, standing) = tokio::join!(self.probe(), self.standing());
            probe.outcome?;
            standing.map(|_| ()).ok_or_else(|| "the engine does not answer".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::storage::{Loaded, Read};
    use store::{BoxFuture, Fault, FaultKind};

    /// A store that can be full, or stuck.
    #[derive(Clone, Copy)]
    enum Disk {
        Good,
        Full,
        Stuck,
    }

    impl Store for Disk {
        fn commit(&self, _: Batch) -> BoxFuture<'_, Result<(), Fault>> {
            match self {
                Disk::Good => Box::pin(async { Ok(()) }),
                Disk::Full => Box::pin(async { Err(Fault::new(FaultKind::Full, "no space left")) }),
                Disk::Stuck => Box::pin(std::future::pending()),
            }
        }

        fn read(&self, _: Read) -> BoxFuture<'_, Result<Loaded, Fault>> {
            Box::pin(async { Ok(Loaded::Doc(None)) })
        }
    }

    fn gauges(disk: Disk, engine: Handle) -> Gauges {
        Gauges::new("1", engine, Arc::new(disk), Arc::default())
    }

    /// Time stands still but for waiting, so a limit that is too long shows.
    #[tokio::test(start_paused = true)]
    async fn not_ready_within_ten_seconds_of_what_is_wrong() {
        for (disk, answers, expected) in [
            (Disk::Good, true, Ok(())),
            (Disk::Full, true, Err("storage: ")),
            (Disk::Stuck, true, Err("storage: a commit takes too long")),
            (Disk::Good, false, Err("the engine does not answer")),
        ] {
            let (engine, mut inputs) = Handle::new(1);
            tokio::spawn(async move {
                while let Some(input) = inputs.recv().await {
                    match input {
                        Input::Standing(reply) if answers => reply(Standing::default()),
                        input => std::mem::forget(input),
                    }
                }
            });
            let gauges = gauges(disk, engine);
            let began = tokio::time::Instant::now();
            let ready = gauges.ready().await;
            assert!(began.elapsed().as_secs() < 10, "{expected:?}");
            match expected {
                Ok(()) => assert_eq!(ready, Ok(())),
                Err(why) => assert!(ready.clone().is_err_and(|text| text.starts_with(why)), "{ready:?}"),
            }
            let status = gauges.status().await;
            assert_eq!(status["ready"], json!(ready.is_ok()));
            let text = gauges.metrics().await;
            let commits = u8::from(matches!(disk, Disk::Good));
            assert!(text.contains(&format!("\ndetente_storage_commits {commits}\n")), "{text}");
            assert_eq!(text.contains("detente_sessions "), answers);
        }
    }
}
