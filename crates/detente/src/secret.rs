//! Secrets of this installation and random passwords, from the system's random numbers.
//!
//! Not here: keys of accounts (accounts).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use admin::{Failure, FailureKind};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// Kept beside the database, so that a copy of the database alone holds no token that works.
const TOKEN_KEY: &str = "token.key";
/// What credentials of the relay are made with.
const RELAY_KEY: &str = "turn.key";
/// What dialback keys are made with (XEP-0185).
const DIALBACK_KEY: &str = "dialback.key";
/// What all keys of push are made of.
const PUSH_KEY: &str = "push.key";
/// Letters and digits that nobody mixes up.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 20 characters of 5 bits.
const PASSWORD_CHARS: usize = 20;

/// Fills a buffer.
///
/// # Errors
/// The system gives none.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Failure> {
    rand::fill(bytes).map_err(|_| Failure::new(FailureKind::Failed, "the system gives no random numbers"))
}

/// The key that seals tokens; made when there is none.
///
/// # Errors
/// It cannot be read or written.
pub(crate) fn token_key(data: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
    key(data, TOKEN_KEY, "clients will use passwords again")
}

/// The secret of the relay for calls; made when there is none.
///
/// # Errors
/// It cannot be read or written.
pub(crate) fn relay_key(data: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
    key(data, RELAY_KEY, "clients will ask for new credentials")
}

/// What dialback keys are made with; made when there is none.
///
/// # Errors
/// It cannot be read or written.
pub(crate) fn dialback_key(data: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
    key(data, DIALBACK_KEY, "other servers will ask again")
}

/// The secret of push; made when there is none.
///
/// # Errors
/// It cannot be read or written.
pub(crate) fn push_key(data: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
    key(data, PUSH_KEY, "browsers will have to register for push again")
}

fn key(data: &Path, name: &str, without: &str) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let path = data.join(name);
    let failed =
        |error: io::Error| Failure::new(FailureKind::Failed, format_args!("{}: {error}", path.display()));
    match fs::read(&path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let broken = |_| failed(io::Error::other(format!("not 32 bytes; remove it, and {without}")));
            return bytes.as_slice().try_into().map(Zeroizing::new).map_err(broken);
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Err(_) => {}
    }
    let mut key = Zeroizing::new([0; 32]);
    random(&mut key[..])?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    put_whole(&path, &key[..]).map_err(failed)?;
    Ok(key)
}

/// Writes a file that is there wholly or not at all, whatever happens meanwhile.
fn put_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The name, too.
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

/// A password of 100 random bits.
///
/// # Errors
/// The system gives no random numbers.
pub(crate) fn password() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0; PASSWORD_CHARS]);
    random(&mut bytes[..])?;
    // 256 is a multiple of 32: no character is likelier than another.
    let chars = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(Zeroizing::new(chars.collect()))
}
