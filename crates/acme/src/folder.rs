//! The folder of certificates: what is in it, written so that it is there wholly or not at all.
//!
//! A certificate and its key are one file, because they are of use only together.
//!
//! Not here: what they are asked for with (`order.rs`).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is remembered of attempts, so that a server that is started again and again does not ask again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// Failures since the last success.
    pub(crate) failures: u32,
    /// After failures: the next attempt is not before, Unix time.
    pub(crate) not_before: i64,
    /// What went wrong last.
    pub(crate) trouble: Option<String>,
    /// Names that the certificate lacks, and why.
    pub(crate) left_out: Vec<(String, String)>,
    /// All names that were asked for.
    pub(crate) names: Vec<String>,
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Folder {
        Folder(path.to_owned())
    }

    /// Chain and key of a domain, in one text.
    pub(crate) fn certificate(&self, domain: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(format!("{domain}.pem"))).ok()
    }

    pub(crate) fn put_certificate(&self, domain: &str, pem: &str) -> io::Result<()> {
        self.put(&format!("{domain}.pem"), pem.as_bytes())
    }

    pub(crate) fn memory(&self, domain: &str) -> Memory {
        let read = fs::read(self.0.join(format!("{domain}.json"))).ok();
        read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    pub(crate) fn put_memory(&self, domain: &str, memory: &Memory) -> io::Result<()> {
        self.put(&format!("{domain}.json"), &serde_json::to_vec_pretty(memory)?)
    }

    /// Accounts, by the address of the authority's directory.
    pub(crate) fn accounts(&self) -> io::Result<serde_json::Map<String, serde_json::Value>> {
        match fs::read(self.0.join("accounts.json")) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(serde_json::Map::new()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn put_accounts(&self, all: &serde_json::Map<String, serde_json::Value>) -> io::Result<()> {
        self.put("accounts.json", &serde_json::to_vec_pretty(all)?)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.0)?.sync_all() // the name, too
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_kept_is_there_again_and_nobody_elses() {
        let path = std::env::temp_dir().join(format!("detente-acme-{}", std::process::id()));
        let folder = Folder::new(&path);
        assert_eq!((folder.certificate("a.example"), folder.memory("a.example")), (None, Memory::default()));
        assert!(folder.accounts().unwrap().is_empty());
        let memory = Memory { failures: 3, trouble: Some("no".to_owned()), ..Memory::default() };
        folder.put_certificate("a.example", "pem").unwrap();
        folder.put_memory("a.example", &memory).unwrap();
        folder.put_accounts(&serde_json::Map::from_iter([("directory".to_owned(), 1.into())])).unwrap();
        assert_eq!(folder.certificate("a.example").as_deref(), Some(&b"pem"[..]));
        assert_eq!(folder.memory("a.example"), memory);
        assert_eq!(folder.accounts().unwrap().len(), 1);
        for entry in fs::read_dir(&path).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::remove_dir_all(&path).unwrap();
    }
}
