//! `detente init`: a folder with an annotated configuration and, where none was given, a self-made certificate.
//!
//! Not here: making accounts; starting the server.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use address::Jid;

use crate::{self_made, template};

/// What to make.
#[derive(Clone, Debug)]
pub struct Init {
    /// The folder.
    pub dir: PathBuf,
    /// The domains, at least one.
    pub domains: Vec<String>,
    /// Where to listen. Without it: this machine only for `localhost` and names below it, else everywhere.
    pub listen: Option<IpAddr>,
    /// Added to every port.
    pub port_offset: u16,
    /// Files of an own certificate and its key, both PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The configuration.
    pub config: PathBuf,
    /// The domains as they stand there.
    pub domains: Vec<String>,
    /// Whether a certificate of our own making is in use.
    pub self_made: bool,
    /// Whether only this machine is served.
    pub local: bool,
}

/// Why nothing was made.
#[derive(Debug)]
pub enum InitError {
    /// The configuration is there already. Nothing was changed.
    Exists(PathBuf),
    /// That is no domain that this server can serve.
    Domain(String),
    /// A port would be above 65,535.
    Port,
    /// A file or folder cannot be made or read.
    Io(PathBuf, io::Error),
    /// No certificate could be made.
    Certificate(String, String),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitError::Exists(path) => write!(f, "{} exists already; nothing was changed", path.display()),
            InitError::Domain(domain) => {
                write!(f, "\"{domain}\" is no domain; write the part behind the @, as in example.org")
            }
            InitError::Port => f.write_str("the port offset is too large: ports end at 65535"),
            InitError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            InitError::Certificate(domain, why) => {
                write!(f, "no certificate for {domain} could be made: {why}")
            }
        }
    }
}

impl std::error::Error for InitError {}

impl Init {
    /// Makes it. What exists is never overwritten: a configuration refuses all, a certificate and its key are used.
    ///
    /// # Errors
    /// See [`InitError`].
    pub fn run(&self) -> Result<Made, InitError> {
        let config = self.dir.join("detente.toml");
        let domains = self.domains.iter().map(|domain| domain_of(domain)).collect::<Result<Vec<_>, _>>()?;
        let local = match self.listen {
            Some(ip) => ip.is_loopback(),
            None => domains.iter().all(|domain| domain == "localhost" || domain.ends_with(".localhost")),
        };
        if fs::symlink_metadata(&config).is_ok() {
            return Err(InitError::Exists(config));
        }
        let mut set = self.listeners(local)?;
        set.insert("server.domains".to_owned(), quoted_list(&domains));
        make_dir(&self.dir)?;
        match &self.identity {
            Some((certificate, key)) => {
                for (name, path) in [("tls.certificate", certificate), ("tls.key", key)] {
                    let full = fs::canonicalize(path).map_err(|error| InitError::Io(path.clone(), error))?;
                    set.insert(name.to_owned(), quoted(&full.to_string_lossy()));
                }
            }
            None => {
                make_dir(&self.dir.join("certs"))?;
                for domain in &domains {
                    for (name, file) in self.certify(domain)? {
                        set.insert(format!("domain.{domain}.{name}"), quoted(&file));
                    }
                }
            }
        }
        write_new(&config, &template::render(&set, &domains), 0o600)?;
        Ok(Made { config, domains, self_made: self.identity.is_none(), local })
    }

    fn listeners(&self, local: bool) -> Result<BTreeMap<String, String>, InitError> {
        let port = |base: u16| base.checked_add(self.port_offset).ok_or(InitError::Port);
        let everywhere: &[&str] = &["0.0.0.0", "[::]"];
        let given = self.listen.filter(|ip| !ip.is_unspecified()).map(|ip| match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        let hosts = match &given {
            Some(host) => vec![host.as_str()],
            None if local => vec!["127.0.0.1"],
            None => everywhere.to_vec(),
        };
        let inside = if local { hosts.clone() } else { vec!["127.0.0.1"] };
        let mut set = BTreeMap::new();
        for (name, base, hosts) in [
            ("c2s", 5222, &hosts),
            ("c2s_tls", 5223, &hosts),
            ("http", 5280, &inside),
            ("https", 5281, &hosts),
            ("s2s", 5269, &hosts),
            ("s2s_tls", 5270, &hosts),
        ] {
            let port = port(base)?;
            let addresses: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
            set.insert(format!("listen.{name}"), quoted_list(&addresses));
        }
        Ok(set)
    }

    /// The names of certificate and key, seen from the folder.
    fn certify(&self, domain: &str) -> Result<[(&'static str, String); 2], InitError> {
        let names = [("certificate", format!("certs/{domain}.crt")), ("key", format!("certs/{domain}.key"))];
        let paths = [self.dir.join(&names[0].1), self.dir.join(&names[1].1)];
        let there = |path: &&PathBuf| fs::symlink_metadata(path).is_ok();
        match paths.iter().filter(there).collect::<Vec<_>>()[..] {
            [] => {}
            // Half a pair cannot be completed without replacing it.
            [half] => return Err(InitError::Exists(half.clone())),
            _ => return Ok(names),
        }
        let failed = |error: rcgen::Error| InitError::Certificate(domain.to_owned(), error.to_string());
        let (certificate, key) = self_made::pair(domain).map_err(failed)?;
        write_new(&paths[0], &certificate, 0o644)?;
        write_new(&paths[1], &key, 0o600)?;
        Ok(names)
    }
}

fn domain_of(text: &str) -> Result<String, InitError> {
    let jid = Jid::parse(text).ok().filter(|jid| jid.is_domain() && jid.as_str().is_ascii());
    jid.map(|jid| jid.as_str().to_owned()).ok_or_else(|| InitError::Domain(text.to_owned()))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn quoted_list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}

fn make_dir(path: &Path) -> Result<(), InitError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| InitError::Io(path.to_owned(), error))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), InitError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
        _ => InitError::Io(path.to_owned(), error),
    })
}
