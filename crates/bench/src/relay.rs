//! The floor: a server that forwards framed messages and knows nothing of XML, accounts or addresses.
//!
//! A connection says `HELLO <mailbox> <target>` and hears `OK`; from then on each piece that ends with `</message>`
//! goes to the target: another mailbox, or with a leading `#` all who named the same room.
//! Not here: any of XMPP, and any limit: it is only ever reached from this machine's own clients.

use crate::cli::{Cli, Relay};
use crate::{Outcome, tls, wire::Wire};
use memchr::memmem;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const END: &[u8] = b"</message>";

#[derive(Default)]
struct Mailbox {
    waiting: Mutex<Vec<u8>>,
    wake: Notify,
}

impl Mailbox {
    fn push(&self, bytes: &[u8]) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        self.wake.notify_one();
    }

    fn drain_into(&self, out: &mut Vec<u8>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if out.is_empty() {
            std::mem::swap(&mut *waiting, out);
        } else {
            out.append(&mut waiting);
        }
    }
}

type Room = Arc<RwLock<Vec<Arc<Mailbox>>>>;

#[derive(Default)]
struct Hub {
    mailboxes: Mutex<HashMap<String, Arc<Mailbox>>>,
    rooms: Mutex<HashMap<String, Room>>,
}

enum Goal {
    Nobody,
    One(Arc<Mailbox>),
    Room(Room),
}

impl Hub {
    fn mailbox(&self, name: &str) -> Arc<Mailbox> {
        let mut all = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(name.to_owned()).or_default().clone()
    }

    fn goal(&self, name: &str, own: &Arc<Mailbox>) -> Goal {
        if name == "-" {
            return Goal::Nobody;
        }
        if !name.starts_with('#') {
            return Goal::One(self.mailbox(name));
        }
        let mut all = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room = all.entry(name.to_owned()).or_default().clone();
        room.write().unwrap_or_else(PoisonError::into_inner).push(own.clone());
        Goal::Room(room)
    }

    fn forget(&self, name: &str, own: &Arc<Mailbox>, goal: &Goal) {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Goal::Room(room) = goal {
            let mut members = room.write().unwrap_or_else(PoisonError::into_inner);
            members.retain(|member| !Arc::ptr_eq(member, own));
        }
    }
}

impl Goal {
    fn forward(&self, bytes: &[u8]) {
        match self {
            Self::Nobody => {}
            Self::One(mailbox) => mailbox.push(bytes),
            Self::Room(room) => {
                for member in room.read().unwrap_or_else(PoisonError::into_inner).iter() {
                    member.push(bytes);
                }
            }
        }
    }
}

/// Serves until the process is ended.
///
/// # Errors
/// If it cannot listen.
pub(crate) fn serve(cli: &Cli, relay: &Relay) -> Outcome<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = relay.threads {
        builder.worker_threads(threads);
    }
    let files = relay.cert.as_deref().zip(relay.key.as_deref());
    let tls = if cli.plain { None } else { Some(tls::server(&cli.domain, files)?) };
    let at = SocketAddr::new(cli.host, cli.port.unwrap_or(if cli.plain { 5222 } else { 5223 }));
    builder.enable_all().build()?.block_on(async {
        // A worker accepts, not this thread: a wake-up less per connection.
        tokio::spawn(listen(at, tls)).await?
    })
}

async fn listen(at: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Outcome<()> {
    let listener = TcpListener::bind(at).await?;
    println!("relay on {at}");
    let hub = Arc::new(Hub::default());
    loop {
        let (tcp, _) = listener.accept().await?;
        let (hub, tls) = (hub.clone(), tls.clone());
        tokio::spawn(async move {
            // A client that goes away is no fault of the relay.
            let _ = connection(tcp, tls, &hub).await;
        });
    }
}

async fn connection(tcp: TcpStream, tls: Option<Arc<ServerConfig>>, hub: &Hub) -> Outcome<()> {
    let mut wire = Wire::new(tcp)?;
    if let Some(tls) = tls {
        // Boxed, so that an idle connection does not carry the handshake's state.
        Box::pin(wire.secure(rustls::ServerConnection::new(tls)?)).await?;
    }
    let line = loop {
        if let Some(end) = memchr::memchr(b'\n', wire.received()) {
            let line = String::from_utf8(wire.received()[..end].to_vec())?;
            wire.take(end + 1);
            break line;
        }
        wire.fill().await?;
    };
    let words: Vec<&str> = line.split(' ').collect();
    let ["HELLO", name, target] = words[..] else { return Err("no greeting".into()) };
    let own = hub.mailbox(name);
    let goal = hub.goal(target, &own);
    wire.out().extend_from_slice(b"OK\n");
    let ended = forward(&mut wire, &own, &goal).await;
    hub.forget(name, &own, &goal);
    ended
}

async fn forward(wire: &mut Wire, own: &Mailbox, goal: &Goal) -> Outcome<()> {
    loop {
        tokio::select! {
            came = wire.fill() => {
                came?;
                let length = frames(wire.received());
                if length > 0 {
                    goal.forward(&wire.received()[..length]);
                    wire.take(length);
                }
            }
            () = own.wake.notified() => own.drain_into(wire.out()),
        }
    }
}

/// Length of all whole frames. Walks over each, as a server must that sends them to different places.
fn frames(bytes: &[u8]) -> usize {
    memmem::find_iter(bytes, END).map(|at| at + END.len()).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_frames_are_forwarded() {
        let bytes = b"<message>a</message><message>b</message><mess";
        assert_eq!(frames(bytes), 40);
        assert_eq!(frames(b"<message>"), 0);
    }
}
