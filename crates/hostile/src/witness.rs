//! Two friends who chat all the time: whatever is done to the server, they must not notice.
//!
//! Not here: what is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Client, Transport};
use crate::server::Server;

/// Time between two messages.
const PAUSE: Duration = Duration::from_millis(25);

/// The chat.
pub(crate) struct Witness {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    messages: u64,
    worst: Duration,
    fault: Option<String>,
}

impl Witness {
    /// Begins to chat.
    pub(crate) fn begin(server: &Server) -> Outcome<Witness> {
        let mut pair = Vec::new();
        for transport in [Transport::StartTls, Transport::Direct] {
            let mut client = Client::connect(&server.target, transport, server.address())?;
            let jid = client.log_in_and_bind(&server.user()?, "")?;
            client.say("<presence/>")?;
            client.probe("there")?;
            pair.push((client, jid));
        }
        let (Some(juliet), Some(romeo)) = (pair.pop(), pair.pop()) else { return Err("no pair".into()) };
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let thread = std::thread::spawn({
            let (stop, seen) = (stop.clone(), seen.clone());
            move || {
                let fault = chat(romeo, juliet, &stop, &seen).err();
                seen.lock().unwrap_or_else(PoisonError::into_inner).fault = fault;
            }
        });
        Ok(Witness { stop, seen, thread: Some(thread) })
    }

    /// The longest time that a message has taken since this was asked last.
    pub(crate) fn worst(&self) -> Outcome<Duration> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &seen.fault {
            Some(fault) => Err(format!("the witnesses were disturbed: {fault}")),
            None => Ok(std::mem::take(&mut seen.worst)),
        }
    }

    /// How many messages came, each once and in order.
    pub(crate) fn messages(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).messages
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn chat(
    mut romeo: (Client, String),
    mut juliet: (Client, String),
    stop: &AtomicBool,
    seen: &Mutex<Seen>,
) -> Outcome {
    while !stop.load(Ordering::Relaxed) {
        let number = seen.lock().unwrap_or_else(PoisonError::into_inner).messages;
        let start = Instant::now();
        romeo.0.say(format!(
            "<message to='{}' type='chat' id='w{number}'><body>{number}</body></message>",
            juliet.1
        ))?;
        let came = juliet.0.until("</message>")?;
        if !came.contains(&format!("id='w{number}'")) || !came.contains(&format!("from='{}'", romeo.1)) {
            return Err(format!("instead of message {number} came {came}"));
        }
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.messages += 1;
            seen.worst = seen.worst.max(start.elapsed());
        }
        std::thread::sleep(PAUSE);
        std::mem::swap(&mut romeo, &mut juliet);
    }
    Ok(())
}
