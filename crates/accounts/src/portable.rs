//! Accounts on their way out of this server, or in: keys and standing.
//!
//! XEP-0227 1.1 sections 4.2 and 4.3
//!
//! Not here: everything else that accounts have (crate `moving`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sasl::{Hash, Password, ScramKeys};
use stanza::{ns, when};
use store::Fault;
use xml::{El, Writer};

use crate::accounts::bug;
use crate::record::Record;

/// Writes what `<user/>` holds of an account's keys and standing; `stored` is its document.
///
/// # Errors
/// The document is unreadable.
pub fn leave(stored: &[u8], w: &mut Writer) -> Result<(), Fault> {
    let record = Record::read(stored)?;
    for hash in Hash::ALL {
        let Some(keys) = record.keys(hash) else { continue };
        let (scram, name) = (ns::PIE_SCRAM, format!("SCRAM-{}", hash.name()));
        w.open("scram-credentials", scram).attr("mechanism", name);
        w.leaf("iter-count", scram, keys.iterations().to_string());
        w.leaf("salt", scram, STANDARD.encode(keys.salt()));
        w.leaf("server-key", scram, STANDARD.encode(keys.server_key()));
        w.leaf("stored-key", scram, STANDARD.encode(keys.stored_key()));
        w.close();
    }
    w.open("standing", ns::MOVING).attr("created", when::seconds(record.created));
    w.attr_opt("admin", record.admin.then_some("true"));
    w.attr_opt("suspended", record.suspended.then_some("true"));
    w.close();
    Ok(())
}

/// An account on its way in.
#[derive(Default)]
pub struct Arriving {
    password: Option<Password>,
    keys: Vec<ScramKeys>,
    created: Option<u64>,
    admin: bool,
    suspended: bool,
}

impl Arriving {
    /// A password in clear. `false`: it cannot be one.
    pub fn password(&mut self, text: &str) -> bool {
        self.password = Password::parse(text).ok();
        self.password.is_some()
    }

    /// Takes over `<scram-credentials/>`. `false`: they are for a mechanism that is not known, or not in order.
    pub fn credentials(&mut self, el: El<'_>) -> bool {
        let keys = read(el);
        self.keys.extend(keys.clone());
        keys.is_some()
    }

    /// Takes over `<standing/>`, our own element.
    pub fn standing(&mut self, el: El<'_>) {
        let is = |name| el.attr(name).as_deref() == Some("true");
        (self.admin, self.suspended) = (is("admin"), is("suspended"));
        self.created = el.attr("created").and_then(|at| when::parse(&at)).map(|ms| ms / 1_000);
    }

    /// It may not log in.
    pub fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Since when there is such an account, in Unix seconds.
    pub fn created(&mut self, at: u64) {
        self.created = Some(at);
    }

    /// Whether anybody could ever log in.
    pub fn has_secret(&self) -> bool {
        self.password.is_some() || !self.keys.is_empty()
    }

    /// The document to store. Keys for these hashes are derived of a password in clear, which takes a while.
    ///
    /// # Errors
    /// There are no random numbers.
    pub fn document(self, hashes: &[Hash], iterations: u32, now: u64) -> Result<Bytes, Fault> {
        let mut keys = self.keys;
        for hash in hashes {
            let Some(password) = self.password.as_ref().filter(|_| keys.iter().all(|k| k.hash() != *hash))
            else {
                continue;
            };
            let salt = sasl::random_salt().map_err(|_| bug("no random numbers"))?;
            keys.push(ScramKeys::derive(*hash, password, &salt, iterations).map_err(bug)?);
        }
        let mut record = Record::new(self.created.unwrap_or(now), &keys);
        (record.admin, record.suspended) = (self.admin, self.suspended);
        Ok(record.write())
    }
}

fn read(el: El<'_>) -> Option<ScramKeys> {
    let hash = Hash::parse(el.attr("mechanism")?.strip_prefix("SCRAM-")?)?;
    let field = |name| el.child_text(name, ns::PIE_SCRAM);
    let decode = |name| STANDARD.decode(field(name)?.trim()).ok();
    let (mut salt, mut stored, mut server) = (decode("salt")?, decode("stored-key")?, decode("server-key")?);
    // ejabberd writes the Base64 of what already is Base64.
    let twice = |bytes: &[u8]| STANDARD.decode(bytes).ok();
    if stored.len() != hash.output_len() {
        (salt, stored, server) = (twice(&salt)?, twice(&stored)?, twice(&server)?);
    }
    let iterations = field("iter-count")?.trim().parse().ok()?;
    ScramKeys::import(hash, salt, iterations, &stored, &server).ok()
}
