//! Files that the configuration names: certificates, keys, the folder of data; and who may read them.
//!
//! Not here: what is inside a certificate (whoever implements [`Certificates`]).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::source::Source;
use crate::tree::Identity;
use crate::{Config, Fault, Level, Place};

/// Settings that are secrets, wherever they stand.
const SECRETS: &[&str] = &["secret", "secret_key", "external_key", "dns_key_secret", "password"];
/// So many of them are named when others may read them.
const SECRETS_SHOWN: usize = 5;

/// Knows certificates.
pub trait Certificates {
    /// Whether this chain and key (both PEM) can serve the domain; what looks wrong but works.
    ///
    /// # Errors
    /// Why they cannot, in words.
    fn check(&self, domain: &str, chain: &[u8], key: &[u8]) -> Result<Vec<String>, String>;
}

pub(crate) fn check(source: &mut Source, config: &Config, file: &Path, certificates: &dyn Certificates) {
    for identity in config.identities() {
        identity_of(source, config, &identity, certificates);
    }
    authorities(source, config);
    data(source, config);
    let secrets = source.in_file(|path| SECRETS.contains(&path.rsplit('.').next().unwrap_or(path)));
    if !secrets.is_empty() && std::fs::metadata(file).is_ok_and(|meta| meta.mode() & 0o004 != 0) {
        let more = if secrets.len() > SECRETS_SHOWN { " ..." } else { "" };
        let shown = secrets[..secrets.len().min(SECRETS_SHOWN)].join(", ");
        source.faults.push(Fault {
            level: Level::Warning,
            place: Place::File(file.to_owned()),
            what: format!("everybody on this machine may read secrets: {shown}{more}"),
            fix: format!("chmod o-r {}", file.display()),
        });
    }
    if std::fs::metadata(file).is_ok_and(|meta| meta.mode() & 0o002 != 0) {
        source.faults.push(Fault {
            level: Level::Error,
            place: Place::File(file.to_owned()),
            what: "everybody on this machine may change the configuration".to_owned(),
            fix: format!("chmod o-w {}", file.display()),
        });
    }
}

fn identity_of(source: &mut Source, config: &Config, identity: &Identity, certificates: &dyn Certificates) {
    let own = config.domain.get(&identity.domain).is_some_and(|domain| domain.certificate.is_some());
    let section = if own { format!("domain.{}", identity.domain) } else { "tls".to_owned() };
    let mut open = |name: &str, path: &Path| {
        let setting = format!("{section}.{name}");
        match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let what = format!("{} cannot be read: {error}", path.display());
                let fix = "name the right file, and let the server's user read it";
                if !source.faults.iter().any(|fault| fault.what == what) {
                    source.error(&setting, what, fix);
                }
                None
            }
        }
    };
    let (chain, key) = (open("certificate", &identity.certificate), open("key", &identity.key));
    let setting = format!("{section}.key");
    if std::fs::metadata(&identity.key).is_ok_and(|meta| meta.mode() & 0o004 != 0) {
        let what = format!("everybody on this machine may read the private key {}", identity.key.display());
        if !source.faults.iter().any(|fault| fault.what == what) {
            source.error(&setting, what, format!("chmod o-rwx {}", identity.key.display()));
        }
    }
    let (Some(chain), Some(key)) = (chain, key) else { return };
    let setting = format!("{section}.certificate");
    match certificates.check(&identity.domain, &chain, &key) {
        Ok(notes) => {
            for note in notes {
                let fix = "get a new certificate, or a complete one, from whoever issued it";
                source.warning(&setting, format!("{}: {note}", identity.domain), fix);
            }
        }
        Err(why) => {
            let fix = "use a certificate for that domain together with the key that it was made for";
            source.error(&setting, format!("{}: {why}", identity.domain), fix);
        }
    }
}

/// Those that are believed about other servers.
fn authorities(source: &mut Source, config: &Config) {
    let Some(path) = config.federation.ca_file.as_ref().map(|path| config.path(path)) else { return };
    if let Err(error) = std::fs::read(&path) {
        let what = format!("{} cannot be read: {error}", path.display());
        source.error("federation.ca_file", what, "name the right file, and let the server's user read it");
    }
}

fn data(source: &mut Source, config: &Config) {
    let path = config.data_dir();
    let Ok(meta) = std::fs::metadata(&path) else {
        // It is made at the first start; then its parent must be there or be made, too.
        return;
    };
    let shown = path.display();
    if !meta.is_dir() {
        source.error("server.data_dir", format!("{shown} is not a folder"), "name a folder");
    } else if open_to_others(&meta) {
        let what = format!("others on this machine may look into the data folder {shown}");
        source.error("server.data_dir", what, format!("chmod 700 {shown}"));
    }
}

fn open_to_others(meta: &Metadata) -> bool {
    meta.mode() & 0o007 != 0
}
