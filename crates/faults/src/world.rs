//! A folder with a configuration and data, and the real server run on it.
//!
//! Not here: faults (`shim`, `volume`, `power`), clients (`device`).

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bench::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The domain of all accounts.
pub(crate) const DOMAIN: &str = "localhost";
/// Longest wait for a start.
const START_MAX: Duration = Duration::from_secs(60);

/// The server that was started last: there is never more than one.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Ends the server: for when this program is told to end.
pub(crate) fn end_server() {
    let pid = Pid::from_raw(RUNNING.load(Ordering::Relaxed) as i32);
    // One that has ended and was not asked for is still this program's child, so its number is nobody else's.
    let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
}

/// The folder. It goes with the scenario, unless it is kept.
pub(crate) struct World {
    pub(crate) root: PathBuf,
    /// Where clients connect with direct TLS; the same at every start.
    pub(crate) at: SocketAddr,
    program: PathBuf,
    settings: Vec<(String, String)>,
    /// Words before the program: wrappers that run it elsewhere or with less.
    wrapper: Vec<String>,
    /// Where the server's file system is seen from here, if it has one of its own.
    outside: Option<PathBuf>,
    keep: bool,
}

impl World {
    /// As `detente init` makes it, in a new folder below the system's for temporary files.
    pub(crate) fn new(program: &Path, name: &str, keep: bool) -> Outcome<World> {
        let root = std::env::temp_dir().join(format!("detente-faults-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root)?;
        let run = root.join("run");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let made = Command::new(program).arg("init").arg(&run).args(["--domain", DOMAIN]).output()?;
        if !made.status.success() {
            return Err(format!("init failed: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let mut world = World {
            root,
            at: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            program: program.to_owned(),
            settings: Vec::new(),
            wrapper: Vec::new(),
            outside: None,
            keep,
        };
        let at = world.at.to_string();
        for (name, value) in [
            ("LISTEN__C2S_TLS", at.as_str()),
            ("LISTEN__C2S", ""),
            ("LISTEN__HTTP", ""),
            ("LISTEN__HTTPS", ""),
            ("AUTH__ITERATIONS", "4096"),
            ("AUTH__SCRAM", "SHA-256"),
            ("LIMITS__RATE_BYTES_PER_SECOND", "0"),
            ("LIMITS__CONNECTIONS_PER_ADDRESS", "1000000"),
            ("LIMITS__CONNECTS_PER_ADDRESS", "1000000"),
        ] {
            world.set(name, value);
        }
        Ok(world)
    }

    /// A setting, from the next start on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let name = format!("DETENTE_{name}");
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.to_owned()));
    }

    /// A setting as it comes, from the next start on.
    pub(crate) fn unset(&mut self, name: &str) {
        self.settings.retain(|(known, _)| *known != format!("DETENTE_{name}"));
    }

    /// A variable of the environment, from the next start on.
    pub(crate) fn variable(&mut self, name: &str, value: &Path) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.display().to_string()));
    }

    /// Runs the server by way of another program.
    pub(crate) fn wrap(&mut self, words: &[&str]) {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// The server sees another file system; from here it is seen through this path.
    pub(crate) fn look_through(&mut self, outside: PathBuf) {
        self.outside = Some(outside);
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("run/detente.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("run/data")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.root.join("log")
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Begins a start and does not wait for its end.
    pub(crate) fn spawn(&self, log: Option<Stdio>) -> Outcome<Child> {
        let log = match log {
            Some(log) => log,
            None => OpenOptions::new().create(true).append(true).open(self.log_path())?.into(),
        };
        let words = self.wrapper.iter().map(String::as_str);
        let program = self.program.display().to_string();
        let mut words = words.chain([program.as_str(), "serve"]);
        // There is at least the program.
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(&self.root).env_clear().env("DETENTE_CONFIG", self.config());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("RUST_BACKTRACE", "0");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        RUNNING.store(child.id(), Ordering::Relaxed);
        Ok(child)
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&self) -> Outcome<Server> {
        self.start_with(None)
    }

    pub(crate) fn start_with(&self, log: Option<Stdio>) -> Outcome<Server> {
        let began = Instant::now();
        let mut child = self.spawn(log)?;
        let mut server = match child.stdout.take() {
            Some(out) => Server { child, ready: Duration::ZERO, out: BufReader::new(out) },
            None => return Err("no standard output".into()),
        };
        let mut line = String::new();
        while !line.starts_with("ready: ") {
            line.clear();
            if server.out.read_line(&mut line)? == 0 {
                return Err(format!("the server did not start:\n{}", tail(&self.log(), 20)).into());
            }
            if began.elapsed() > START_MAX {
                return Err("the server was not ready in a minute".into());
            }
        }
        server.ready = began.elapsed();
        Ok(server)
    }

    /// Gives a command to the running server by its socket.
    pub(crate) fn order(&self, command: &str, args: &Value) -> Outcome<Value> {
        let path = self.data().join("admin.sock");
        let mut stream = UnixStream::connect(match &self.outside {
            Some(outside) => outside.join(path.strip_prefix("/")?),
            None => path,
        })?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        writeln!(stream, "{}", json!({ "command": command, "args": args }))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        let mut answer: Value = serde_json::from_str(&line)?;
        match answer.get_mut("ok") {
            Some(value) => Ok(value.take()),
            None => Err(format!("{command}: {answer}").into()),
        }
    }

    /// Makes an account.
    pub(crate) fn add(&self, name: &str, password: &str) -> Outcome<()> {
        let args = json!({ "jid": format!("{name}@{DOMAIN}"), "password": password });
        self.order("user add", &args).map(drop)
    }

    /// The folder stays when the scenario is over.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }

    /// The folder goes.
    pub(crate) fn release(&mut self) {
        self.keep = false;
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.keep
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    /// From the start to the line that says so.
    pub(crate) ready: Duration,
    out: BufReader<std::process::ChildStdout>,
}

impl Server {
    /// As by `kill -9`; it is gone when this returns.
    pub(crate) fn kill(mut self) -> Outcome<()> {
        self.child.kill()?;
        RUNNING.store(0, Ordering::Relaxed);
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal. A wrapper must have become the server itself (`exec`).
    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        kill_process(Pid::from_child(&self.child), signal).map_err(Into::into)
    }

    /// Waits for its end by itself.
    pub(crate) fn wait(mut self, patience: Duration) -> Outcome<(Option<i32>, Duration)> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                RUNNING.store(0, Ordering::Relaxed);
                let mut rest = String::new();
                let _ = self.out.read_to_string(&mut rest);
                return Ok((status.code(), began.elapsed()));
            }
            if began.elapsed() > patience {
                return Err(format!("the server did not end in {patience:?}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it runs still.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// What CPU time it spends in a while in which nobody writes.
    pub(crate) fn busy(&self, time: Duration, crowd: &crate::crowd::Crowd) -> Outcome<Duration> {
        crowd.quiet(true);
        std::thread::sleep(Duration::from_millis(500));
        let tree = bench::meter::Tree(self.child.id());
        let before = tree.cpu()?;
        std::thread::sleep(time);
        let spent = tree.cpu()?.saturating_sub(before);
        crowd.quiet(false);
        Ok(spent)
    }

    /// Open file descriptors.
    pub(crate) fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        RUNNING.store(0, Ordering::Relaxed);
        let _ = self.child.wait();
    }
}

/// Makes an empty file of that size.
pub(crate) fn empty_file(path: &Path, bytes: u64) -> Outcome<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    file.set_len(bytes)?;
    Ok(file)
}
