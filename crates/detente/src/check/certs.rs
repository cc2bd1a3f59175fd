//! `detente check certs`: whether the certificates are for the domains that they are to prove, and how long they hold.
//!
//! RFC 6120 section 13.7.1, RFC 9525
//!
//! Not here: loading them (net), judging them (federation).

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use config::{Config, Identity};
use federation::{Doubt, Roots, Shown};
use net::TlsStore;
use stanza::when;

use super::dns;
use super::finding::{Finding, Level};

/// Days before its end when a certificate should have been renewed.
const RENEW_DAYS: i64 = 14;
/// Files of a folder that are looked at for certificates that are not used.
const FILES_MAX: usize = 256;
/// Bytes of one of them.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// All of it.
pub(crate) fn check(config: &Config, roots: &Roots, of: Option<&str>) -> Vec<Finding> {
    let identities = config.identities();
    let store = TlsStore::new();
    let mut findings = Vec::new();
    for domain in &config.server.domains {
        let wanted = of.is_none_or(|of| of == domain);
        let Some(identity) = identities.iter().find(|identity| identity.domain == *domain) else {
            if wanted {
                let todo = format!("set `certificate` and `key` in [tls] or [domain.\"{domain}\"]");
                findings.push(Finding::new(
                    Level::Wrong,
                    domain,
                    "has no certificate: nobody can encrypt",
                    todo,
                ));
            }
            continue;
        };
        let found = one(config, identity, &store, roots);
        if wanted {
            findings.extend(found);
        }
    }
    if config.federates() {
        let below = |domain: &String| of.is_none_or(|of| domain == of || domain.ends_with(&format!(".{of}")));
        findings.extend(
            dns::subdomains(config)
                .iter()
                .filter(|domain| below(domain))
                .map(|domain| subdomain(&store, domain)),
        );
    }
    findings.extend(unused(&identities).into_iter().filter(|_| of.is_none()));
    findings
}

/// The certificate of one domain of accounts.
fn one(config: &Config, identity: &Identity, store: &TlsStore, roots: &Roots) -> Vec<Finding> {
    let Identity { domain, certificate, key } = identity;
    let about = format!("{domain} ({})", certificate.display());
    let read = std::fs::read(certificate).and_then(|chain| Ok((chain, std::fs::read(key)?)));
    let (chain, key) = match read {
        Ok(read) => read,
        Err(error) => {
            let found = format!("cannot be read: {error}");
            return vec![Finding::new(
                Level::Wrong,
                about,
                found,
                "let the server's user read certificate and key",
            )];
        }
    };
    let notes = match store.load(domain, &chain, &key) {
        Ok(notes) => notes,
        Err(error) => {
            let todo = "name the certificate of this domain with its chain, and the key that belongs to it";
            return vec![Finding::new(Level::Wrong, about, error.to_string(), todo)];
        }
    };
    let mut findings: Vec<Finding> = notes
        .iter()
        .map(|note| {
            Finding::new(
                Level::Better,
                &about,
                note.to_string(),
                "put leaf and intermediates into the file, the leaf first",
            )
        })
        .collect();
    let (shown, proof) = roots.judge(&chain, domain);
    findings.extend(shown.map(|shown| validity(&about, &shown)));
    findings.extend(proof.err().and_then(|doubt| believed(config, &about, doubt)));
    findings
}

fn validity(about: &str, shown: &Shown) -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = (shown.not_after - i64::try_from(now.as_secs()).unwrap_or(i64::MAX)).div_euclid(86_400);
    let until = u64::try_from(shown.not_after).map(when::seconds).unwrap_or_default();
    let found = format!(
        "for {}; issued by {}; until {until} ({left} days)",
        shown.names.join(", "),
        if shown.self_made { "itself" } else { &shown.issuer }
    );
    match left {
        ..0 => Finding::new(
            Level::Wrong,
            about,
            found,
            "it has expired: renew it, and reload the server (SIGHUP)",
        ),
        0..RENEW_DAYS => {
            Finding::new(Level::Better, about, found, "renew it now, and reload the server (SIGHUP)")
        }
        _ => Finding::ok(about, found),
    }
}

/// What those who do not know us think of it.
fn believed(config: &Config, about: &str, doubt: Doubt) -> Option<Finding> {
    let public = if config.federates() { Level::Wrong } else { Level::Note };
    Some(match doubt {
        // Said already.
        Doubt::OutsideValidity | Doubt::None | Doubt::Unreadable => return None,
        Doubt::Untrusted => Finding::new(
            public,
            about,
            "no authority that this system trusts has issued it: clients warn, and other servers refuse it",
            "get one of a public authority, with all intermediates (or name your own authority with `ca_file` in [federation])",
        ),
        Doubt::NotForServers => {
            Finding::new(Level::Wrong, about, "it is not one for servers", "get one that is")
        }
        Doubt::OtherName => {
            Finding::new(Level::Wrong, about, "it is for other names", "get one for this domain")
        }
    })
}

fn subdomain(store: &TlsStore, domain: &str) -> Finding {
    match store.proves(domain) {
        true => Finding::ok(domain, "is in the certificate"),
        false => Finding::new(
            Level::Better,
            domain,
            "is in no certificate: people of other servers may not get in",
            "get a certificate that names it, too",
        ),
    }
}

/// Certificates that lie beside those that are used.
fn unused(identities: &[Identity]) -> Vec<Finding> {
    let used: Vec<PathBuf> =
        identities.iter().filter_map(|one| one.certificate.canonicalize().ok()).collect();
    let mut folders: Vec<&Path> = used.iter().filter_map(|path| path.parent()).collect();
    folders.sort_unstable();
    folders.dedup();
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    let files = files.flat_map(|entries| entries.flatten().take(FILES_MAX)).map(|entry| entry.path());
    let mut findings: Vec<Finding> =
        files.filter(|path| !used.contains(path)).filter_map(|path| beside(&path)).collect();
    findings.sort_by(|one, other| one.about.cmp(&other.about));
    findings
}

fn beside(path: &Path) -> Option<Finding> {
    let named = path.extension().is_some_and(|ext| ["crt", "pem", "cer"].iter().any(|known| ext == *known));
    let small = std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= FILE_BYTES_MAX);
    let bytes = std::fs::read(path).ok().filter(|_| named && small)?;
    let shown = Shown::of_pem(&bytes)?;
    let found = format!("a certificate for {}, which is not used", shown.names.join(", "));
    Some(Finding::new(
        Level::Note,
        path.display().to_string(),
        found,
        "name it in the configuration, if it should be",
    ))
}
