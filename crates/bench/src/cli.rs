//! The command line: where the server is, who the clients are, and which work to do.
//!
//! Not here: what the works do (`work/`).

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures an XMPP server: CPU per operation, throughput, latency, memory per connection.
#[derive(Parser, Debug, Clone)]
#[command(name = "detente-bench", version)]
pub(crate) struct Cli {
    /// Address of the server (for `relay`: the address to listen on).
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// Port of the server; 5223 with direct TLS, else 5222.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// TLS from the first byte (XEP-0368); this is the default.
    #[arg(long, group = "security")]
    pub(crate) direct_tls: bool,
    /// TLS by STARTTLS (RFC 6120 section 5).
    #[arg(long, group = "security")]
    pub(crate) starttls: bool,
    /// No TLS at all.
    #[arg(long, group = "security")]
    pub(crate) plain: bool,
    /// The XMPP domain.
    #[arg(long, default_value = "localhost")]
    pub(crate) domain: String,
    /// Name of account number n: `{n}` is replaced.
    #[arg(long, default_value = "user{n}")]
    pub(crate) account_pattern: String,
    /// Password of account number n: `{n}` is replaced.
    #[arg(long, default_value = "pw{n}")]
    pub(crate) password: String,
    /// Number of the first account, so that works need not share accounts.
    #[arg(long, default_value_t = 0)]
    pub(crate) first_account: usize,
    /// SASL mechanism.
    #[arg(long, value_enum, default_value_t = Mechanism::Auto)]
    pub(crate) mechanism: Mechanism,
    /// Create the accounts first, by in-band registration (XEP-0077).
    #[arg(long)]
    pub(crate) register: bool,
    /// The server is our bare relay, not an XMPP server.
    #[arg(long)]
    pub(crate) relay: bool,
    /// Process whose CPU and memory (with all its descendants) is measured.
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,
    /// Write the result to this file as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Seconds before the measured time of works that run for a time.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warm_up: f64,
    /// Give up when the server is silent for so many seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) patience: u64,
    /// What to do.
    #[command(subcommand)]
    pub(crate) work: Work,
}

/// SASL mechanisms that the clients know (RFC 5802, RFC 7677, RFC 4616).
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The first that the server offers of SCRAM-SHA-256, -512, -1, PLAIN.
    Auto,
    /// SCRAM-SHA-1.
    #[value(name = "SCRAM-SHA-1")]
    Sha1,
    /// SCRAM-SHA-256.
    #[value(name = "SCRAM-SHA-256")]
    Sha256,
    /// SCRAM-SHA-512.
    #[value(name = "SCRAM-SHA-512")]
    Sha512,
    /// PLAIN.
    #[value(name = "PLAIN")]
    Plain,
}

/// The hint that messages carry (XEP-0334).
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreHint {
    /// `<no-store/>`: the server keeps no copy.
    None,
    /// No hint: the server archives as it is configured.
    Default,
    /// `<no-permanent-store/>`: kept for an absent account, but not archived.
    Offline,
}

/// The works.
#[derive(Subcommand, Debug, Clone)]
pub(crate) enum Work {
    /// TLS connect and close.
    Handshake(Count),
    /// Connect, TLS, SASL, bind, roster, initial presence, close.
    Login(Login),
    /// 1:1 chat messages between pairs.
    Message(Message),
    /// Presence broadcast between accounts that are all subscribed to each other.
    Presence(Presence),
    /// Messages in rooms (XEP-0045).
    Room(Room),
    /// Memory per idle session.
    Idle(Idle),
    /// Fill an archive and page it (XEP-0313).
    Archive(Archive),
    /// Store messages for absent accounts and fetch them.
    Offline(Offline),
    /// Create accounts by in-band registration (XEP-0077).
    Register(Register),
    /// Be the floor: forward framed messages without looking at them.
    Relay(Relay),
}

/// A number of operations and how many run at a time.
#[derive(Args, Debug, Clone)]
pub(crate) struct Count {
    /// Operations in all.
    #[arg(long, default_value_t = 1000)]
    pub(crate) count: usize,
    /// Operations at a time.
    #[arg(long, default_value_t = 4)]
    pub(crate) at_a_time: usize,
}

/// `login`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Login {
    /// How many, how many at a time (each on an account of its own).
    #[command(flatten)]
    pub(crate) count: Count,
    /// So many contacts, all online and mutually subscribed.
    #[arg(long, default_value_t = 0)]
    pub(crate) roster: usize,
}

/// `message`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Message {
    /// Pairs of accounts: the even one sends to the odd one.
    #[arg(long, default_value_t = 100)]
    pub(crate) pairs: usize,
    /// Undelivered messages that each pair keeps under way.
    #[arg(long, default_value_t = 1)]
    pub(crate) in_flight: usize,
    /// Measured seconds.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) duration: f64,
    /// Stream management (XEP-0198) on both ends, an ack request every 10 stanzas.
    #[arg(long)]
    pub(crate) sm: bool,
    /// Whether the messages may be archived.
    #[arg(long, value_enum, default_value_t = StoreHint::None)]
    pub(crate) store_hint: StoreHint,
    /// Open loop: so many messages per second over all pairs, instead of a window.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
}

/// `presence`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Presence {
    /// Accounts, each in the roster of every other.
    #[arg(long, default_value_t = 51)]
    pub(crate) roster: usize,
    /// Measured seconds.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) duration: f64,
}

/// `room`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Room {
    /// Rooms.
    #[arg(long, default_value_t = 1)]
    pub(crate) rooms: usize,
    /// Occupants of each room.
    #[arg(long, default_value_t = 100)]
    pub(crate) occupants: usize,
    /// Messages that the one sender of each room keeps under way.
    #[arg(long, default_value_t = 1)]
    pub(crate) in_flight: usize,
    /// Measured seconds.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) duration: f64,
    /// Whether the messages may be archived.
    #[arg(long, value_enum, default_value_t = StoreHint::None)]
    pub(crate) store_hint: StoreHint,
}

/// `idle`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Idle {
    /// Sessions.
    #[arg(long, default_value_t = 1000)]
    pub(crate) connections: usize,
    /// Stream management (XEP-0198) on each.
    #[arg(long)]
    pub(crate) sm: bool,
    /// Contacts of each account, online and mutually subscribed (groups of that size and one).
    #[arg(long, default_value_t = 0)]
    pub(crate) roster: usize,
    /// Seconds to wait before the memory is read.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) settle: f64,
}

/// `archive`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Archive {
    /// Messages to add to the archive first.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) messages: usize,
    /// Pages to read: half forward from the oldest, half backward from the newest.
    #[arg(long, default_value_t = 100)]
    pub(crate) pages: usize,
    /// Messages per page.
    #[arg(long, default_value_t = 50)]
    pub(crate) page_size: usize,
}

/// `offline`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Offline {
    /// Absent accounts.
    #[arg(long, default_value_t = 40)]
    pub(crate) accounts: usize,
    /// Messages for each.
    #[arg(long, default_value_t = 50)]
    pub(crate) messages: usize,
}

/// `register`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Register {
    /// Accounts to create.
    #[arg(long)]
    pub(crate) accounts: usize,
}

/// `relay`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Relay {
    /// Threads; as many as there are processors if left out.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Certificate chain (PEM); without it a new self-signed P-256 one.
    #[arg(long, requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key (PEM).
    #[arg(long, requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}
