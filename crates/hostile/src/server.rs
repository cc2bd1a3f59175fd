//! The server under attack: started for the purpose, with a folder of its own, watched from outside.
//!
//! Not here: attacks.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::Target;
use crate::dns::Dns;
use crate::peer::Authority;
use crate::{Outcome, words};

/// The domain that is attacked, and another one of the same server.
const DOMAINS: [&str; 2] = ["a.example", "b.example"];
/// The password of all accounts. It must not come up in the log.
pub(crate) const PASSWORD: &str = "swordfish-0815";
/// What the command for accounts makes of it.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How the server shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Options {
    /// As it comes.
    Calm,
    /// With the shortest times for handshakes and logins, for rows that wait for their end.
    Hasty,
    /// Talking with other servers and with a component.
    Federating,
}

/// The components of a [`Options::Federating`] server: one for each row, because each has one connection only.
pub(crate) const COMPONENTS: [&str; 5] =
    ["h1.a.example", "h2.a.example", "h3.a.example", "h5.a.example", "h7.a.example"];
/// Their secret.
pub(crate) const SECRET: &str = "a-secret-that-nobody-guesses-0816";

/// What a [`Options::Federating`] server believes in, and where other servers and components reach it.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) dns: Dns,
    pub(crate) s2s: SocketAddr,
    pub(crate) s2s_tls: SocketAddr,
    pub(crate) component: SocketAddr,
    /// Domains that are used once.
    domains: AtomicU32,
}

impl World {
    /// A domain that nobody has used yet, of those that must have a certificate.
    pub(crate) fn domain(&self) -> String {
        format!("d{}.strict.example", self.domains.fetch_add(1, Ordering::Relaxed))
    }

    /// The same, of those that dialback is enough for.
    pub(crate) fn lax_domain(&self) -> String {
        format!("d{}.lax.example", self.domains.fetch_add(1, Ordering::Relaxed))
    }
}

/// A running server.
pub struct Server {
    child: Child,
    dir: PathBuf,
    pub(crate) target: Target,
    pub(crate) log: Arc<Log>,
    addresses: AtomicU32,
    users: AtomicU32,
    rested: Mutex<Vec<(String, u32)>>,
    world: Option<World>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Server {
    /// Starts `program` in a new folder below the system's for temporary files.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, options: Options) -> Outcome<Server> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("detente-attack-{}-{number}", std::process::id()));
        let around = match options {
            Options::Federating => Some((Authority::new()?, Dns::start().map_err(words)?)),
            _ => None,
        };
        furnish(&dir, around.as_ref())?;
        let mut child = command(program, &dir, options)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let log = Arc::new(Log::default());
        let err = child.stderr.take().ok_or("no standard error")?;
        std::thread::spawn({
            let log = log.clone();
            move || BufReader::new(err).lines().map_while(Result::ok).for_each(|line| log.push(line))
        });
        let mut out = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut begin = String::new();
        while !begin.lines().any(|line| line.starts_with("ready: ")) {
            if out.read_line(&mut begin).map_err(words)? == 0 {
                let _ = child.wait();
                return Err(format!("the server did not start: {begin} {}", log.text()));
            }
        }
        let target = target(&begin)?;
        let world = match around {
            Some((authority, dns)) => Some(World {
                authority,
                dns,
                s2s: address(&begin, "s2s")?,
                s2s_tls: address(&begin, "s2s-tls")?,
                component: address(&begin, "component")?,
                domains: AtomicU32::new(0),
            }),
            None => None,
        };
        let (addresses, users) = (AtomicU32::new(1), AtomicU32::new(0));
        Ok(Server { child, dir, target, log, addresses, users, rested: Mutex::default(), world })
    }

    /// Other servers and components, where there are any.
    pub(crate) fn world(&self) -> Outcome<&World> {
        self.world.as_ref().ok_or_else(|| "this server talks with no others".to_owned())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An address that nobody has come from yet.
    pub(crate) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(0x7f01_0000 + self.addresses.fetch_add(1, Ordering::Relaxed))
    }

    /// A new account of the attacked domain: its local part.
    pub(crate) fn user(&self) -> Outcome<String> {
        let name = format!("u{}", self.users.fetch_add(1, Ordering::Relaxed));
        self.make(&name, &self.target.domain)?;
        Ok(name)
    }

    /// An account that others may have used before, and that is given back.
    pub(crate) fn borrow_user(&self) -> Outcome<Borrowed<'_>> {
        let rested = self.rested.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (name, uses) = rested.map_or_else(|| self.user().map(|name| (name, 0)), Ok)?;
        Ok(Borrowed { server: self, name, uses })
    }

    /// Makes an account.
    pub(crate) fn make(&self, name: &str, domain: &str) -> Outcome {
        self.administer("user add", &format!("{name}@{domain}"), Some(PASSWORD))
    }

    /// Runs an operator's command about an account.
    pub(crate) fn administer(&self, command: &str, jid: &str, password: Option<&str>) -> Outcome {
        let mut args = serde_json::json!({ "jid": jid });
        if let Some(password) = password {
            args["password"] = password.into();
        }
        self.order(command, args).map(drop)
    }

    /// Runs any operator's command; gives what it answers.
    pub(crate) fn order(&self, command: &str, args: serde_json::Value) -> Outcome<String> {
        let request = serde_json::json!({ "command": command, "args": args });
        let mut stream = UnixStream::connect(self.dir.join("data/admin.sock")).map_err(words)?;
        stream.set_read_timeout(Some(ANSWER_MAX)).map_err(words)?;
        stream.write_all(format!("{request}\n").as_bytes()).map_err(words)?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).map_err(words)?;
        match line.starts_with("{\"ok\"") {
            true => Ok(line),
            false => Err(format!("{command} {args}: {line}")),
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// An account on loan.
pub(crate) struct Borrowed<'a> {
    server: &'a Server,
    pub(crate) name: String,
    uses: u32,
}

/// Sessions of BOSH live on for a while after their client; an account has 16 at most.
const USES_MAX: u32 = 6;

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if self.uses < USES_MAX {
            let mut rested = self.server.rested.lock().unwrap_or_else(PoisonError::into_inner);
            rested.push((std::mem::take(&mut self.name), self.uses + 1));
        }
    }
}

/// Writes configuration and certificate.
fn furnish(dir: &Path, around: Option<&(Authority, Dns)>) -> Outcome {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(words)?;
    let made = rcgen::generate_simple_self_signed(DOMAINS.map(str::to_owned)).map_err(words)?;
    let mut config = format!(
        "[server]\ndomains = [{:?}, {:?}]\n[tls]\ncertificate = \"server.crt\"\nkey = \"server.key\"\n",
        DOMAINS[0], DOMAINS[1]
    );
    if let Some((_, dns)) = around {
        config.push_str(&format!(
            "[federation]\nenabled = \"on\"\nprivate_addresses = true\nca_file = \"ca.crt\"\ndns_servers = [\"{}\"]\n\
             [federation.domain.\"lax.example\"]\nauth = \"dialback\"\n",
            dns.address()
        ));
        for domain in COMPONENTS {
            config.push_str(&format!("[component.{domain:?}]\nsecret = {SECRET:?}\n"));
        }
    }
    for (name, text) in [
        ("detente.toml", config),
        ("ca.crt", around.map(|(authority, _)| authority.pem.clone()).unwrap_or_default()),
        ("server.crt", made.cert.pem()),
        ("server.key", made.signing_key.serialize_pem()),
    ] {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(name));
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(words)?;
    }
    Ok(())
}

fn command(program: &Path, dir: &Path, options: Options) -> Command {
    let mut command = Command::new(program);
    command.arg("serve").current_dir(dir).env_clear().env("DETENTE_CONFIG", dir.join("detente.toml"));
    for listener in ["C2S", "C2S_TLS", "HTTP", "HTTPS"] {
        command.env(format!("DETENTE_LISTEN__{listener}"), "127.0.0.1:0");
    }
    command.env("DETENTE_AUTH__ITERATIONS", "4096").env("DETENTE_STORAGE__DURABILITY", "normal");
    // Every mistake in the log, with its address, and not only a few in ten seconds.
    command.env("DETENTE_LOG__LEVEL", "info,net=debug");
    // A row shall not take long because it is large.
    command.env("DETENTE_LIMITS__RATE_BYTES_PER_SECOND", "0");
    if options == Options::Federating {
        for listener in ["S2S", "S2S_TLS", "COMPONENTS"] {
            command.env(format!("DETENTE_LISTEN__{listener}"), "127.0.0.1:0");
        }
    }
    if options == Options::Hasty {
        command.env("DETENTE_LIMITS__HANDSHAKE_SECONDS", "1");
        command.env("DETENTE_LIMITS__AUTHENTICATE_SECONDS", "5");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Reads where it listens from the line that says it is ready.
fn address(begin: &str, kind: &str) -> Outcome<SocketAddr> {
    let ready = begin.lines().find_map(|line| line.strip_prefix("ready: ")).unwrap_or_default();
    let word = ready.split(", ").find_map(|word| word.strip_prefix(kind)?.strip_prefix(' '));
    word.and_then(|word| word.parse().ok()).ok_or_else(|| format!("no address of {kind} in {ready}"))
}

fn target(begin: &str) -> Outcome<Target> {
    Ok(Target {
        c2s: address(begin, "c2s")?,
        direct: address(begin, "c2s-tls")?,
        http: address(begin, "http")?,
        https: address(begin, "https")?,
        domain: DOMAINS[0].into(),
    })
}

/// What the server has logged.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    fn push(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        self.grown.notify_all();
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits for a line about a peer that has a word.
    pub(crate) fn wait_for(&self, peer: Ipv4Addr, word: &str, patience: Duration) -> bool {
        let (until, peer) = (Instant::now() + patience, format!("peer={peer}"));
        let is = |line: &String| {
            let about = line
                .split_once(&peer)
                .is_some_and(|(_, rest)| !rest.starts_with(|c: char| c.is_ascii_digit()));
            about && line.contains(word)
        };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = 0;
        loop {
            if lines[seen..].iter().any(is) {
                return true;
            }
            seen = lines.len();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            lines = self.grown.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
