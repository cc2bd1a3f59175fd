//! A server of DNS on loopback that says what a test wants: the truth, lies, or nothing.
//!
//! RFC 1035 section 4 (messages), RFC 2782 (SRV)
//!
//! Not here: who asks it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is said about a name.
#[derive(Clone, Debug)]
pub enum Record {
    /// An address.
    Address(IpAddr),
    /// A service: priority, weight, port, host (without the final dot; empty: decidedly not there).
    Srv(u16, u16, u16, String),
    /// Nothing at all is answered, to any question about the name.
    Silence,
    /// The answer is broken: a name that points at itself.
    Garbage,
    /// Another name, of whatever kind was asked for.
    Alias(String),
}

/// A server that runs until it is dropped. What it does not know does not exist.
pub struct Dns {
    address: SocketAddr,
    names: Arc<Mutex<HashMap<String, Vec<Record>>>>,
    asked: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Dns {
    /// Starts one.
    ///
    /// # Errors
    /// There is no socket for it.
    pub fn start() -> io::Result<Dns> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let address = socket.local_addr()?;
        let names: Arc<Mutex<HashMap<String, Vec<Record>>>> = Arc::default();
        let (asked, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (known, count, told) = (names.clone(), asked.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !told.load(Ordering::Relaxed) {
                let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
                count.fetch_add(1, Ordering::Relaxed);
                let reply = reply(&buffer[..length], &known.lock().unwrap_or_else(PoisonError::into_inner));
                if let Some(reply) = reply {
                    let _ = socket.send_to(&reply, peer);
                }
            }
        });
        Ok(Dns { address, names, asked, stop, thread: Some(thread) })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Questions so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// From now on this is what is said about a name.
    pub fn put(&self, name: &str, records: Vec<Record>) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), records);
    }

    /// A domain whose server is at that port of this machine, with STARTTLS or direct TLS.
    pub fn put_server(&self, domain: &str, port: u16, direct_tls: bool) {
        let service = if direct_tls { "_xmpps-server" } else { "_xmpp-server" };
        let host = format!("host.{domain}");
        self.put(&format!("{service}._tcp.{domain}"), vec![Record::Srv(0, 5, port, host.clone())]);
        self.put(&host, vec![Record::Address(IpAddr::from([127, 0, 0, 1]))]);
    }
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SRV: u16 = 33;

fn reply(question: &[u8], names: &HashMap<String, Vec<Record>>) -> Option<Vec<u8>> {
    let (name, end) = name(question)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let records = names.get(&name);
    let mut answers: Vec<(u16, Vec<u8>)> = Vec::new();
    for record in records.into_iter().flatten() {
        match record {
            Record::Silence => return None,
            Record::Address(IpAddr::V4(ip)) if kind == A => answers.push((A, ip.octets().into())),
            Record::Address(IpAddr::V6(ip)) if kind == AAAA => answers.push((AAAA, ip.octets().into())),
            Record::Srv(priority, weight, port, host) if kind == SRV => {
                let numbers = [priority, weight, port].map(|number| number.to_be_bytes()).concat();
                answers.push((SRV, [numbers, labels(host)].concat()));
            }
            Record::Alias(other) => answers.push((CNAME, labels(other))),
            // A pointer at the question that follows the twelve bytes of the header, and one at itself.
            Record::Garbage => answers.push((kind, vec![0xc0, 0xff, 0xc0, 0xff])),
            _ => {}
        }
    }
    let found = if records.is_some() { 0x80 } else { 0x83 }; // NXDOMAIN
    let mut out = question.get(..2)?.to_vec();
    out.extend([0x85, found, 0, 1]);
    out.extend(u16::try_from(answers.len()).ok()?.to_be_bytes());
    out.extend([0; 4]);
    out.extend(question.get(12..end + 4)?);
    for (kind, data) in answers {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 1]);
        out.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        out.extend(data);
    }
    Some(out)
}

/// The name that is asked about, and where the question goes on.
fn name(question: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = question.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}
