//! SASL upgrade tasks: a client that has logged in gives us what it takes to log in with another SCRAM next time.
//!
//! XEP-0480 version 0.2.0, XEP-0388 version 1.0 section 2.6 (tasks)
//!
//! Only what the account lacks is asked for, and only of clients that have shown the password: a token is no right to make
//! new secrets.
//!
//! Not here: the keys (crate `sasl`), storing them (accounts), the course of a login (authenticating.rs).

use address::Bare;
use sasl::upgrade::{Upgrade, parse_task, task_name};
use sasl::{Condition, Hash, Mechanism, ScramKeys};
use stanza::ns;
use xml::{Element, Tree, Writer};

use crate::Issued;
use crate::state::Io;

/// A login that is proven and noted, but not yet told.
pub(crate) struct Pending {
    pub(crate) account: Bare,
    pub(crate) mechanism: Mechanism,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) issued: Option<Issued>,
}

/// Its tasks.
pub(crate) struct Upgrading {
    pub(crate) pending: Pending,
    hash: Hash,
    task: Upgrade,
    /// The client has begun it.
    begun: bool,
    left: Vec<Hash>,
    iterations: u32,
}

/// Writes `<upgrade/>` for each hash that somebody could log in with here.
pub(crate) fn write_offer(w: &mut Writer, offer: &sasl::Offer) {
    for hash in Hash::ALL.into_iter().rev() {
        if offer.mechanisms().iter().any(|mechanism| mechanism.scram_hash() == Some(hash)) {
            w.open("upgrade", ns::SASL_UPGRADE).text(task_name(hash)).close();
        }
    }
}

/// Reads the text of `<upgrade/>`; a task that nobody knows is passed over.
pub(crate) fn read_wish(wishes: &mut Vec<Hash>, text: &str) {
    if let Some(hash) = parse_task(text.trim()).filter(|hash| !wishes.contains(hash)) {
        wishes.push(hash);
    }
}

impl Upgrading {
    /// Begins with the first of these; the other way out if there is none, or no random number for it.
    pub(crate) fn begin(
        io: &mut Io,
        mut pending: Pending,
        mut left: Vec<Hash>,
        iterations: u32,
    ) -> Result<Upgrading, Pending> {
        if left.is_empty() {
            return Err(pending);
        }
        let hash = left.remove(0);
        let Ok(task) = Upgrade::start(hash, iterations) else { return Err(pending) };
        let mut w = io.wire.writer();
        w.open("continue", ns::SASL2);
        if let Some(data) = pending.data.take() {
            w.open("additional-data", ns::SASL2).text(sasl::encode_base64(&data)).close();
        }
        w.open("tasks", ns::SASL2).open("task", ns::SASL2).text(task_name(hash)).close().close().close();
        io.wire.put(&w.finish());
        Ok(Upgrading { pending, hash, task, begun: false, left, iterations })
    }

    /// The next one, or the end.
    pub(crate) fn next(self, io: &mut Io) -> Result<Upgrading, Pending> {
        Upgrading::begin(io, self.pending, self.left, self.iterations)
    }

    /// What the client says to the task: keys, once it has done it.
    ///
    /// # Errors
    /// It is not what belongs here.
    pub(crate) fn handle_element(
        &mut self,
        io: &mut Io,
        element: &Element,
    ) -> Result<Option<ScramKeys>, Condition> {
        let malformed = Condition::MalformedRequest;
        if !self.begun {
            let named = element.attr("task").is_some_and(|task| task == task_name(self.hash));
            if !element.is("next", ns::SASL2) || !named {
                return Err(malformed);
            }
            self.begun = true;
            let mut w = io.wire.writer();
            w.open("task-data", ns::SASL2).open("salt", ns::SCRAM_UPGRADE);
            w.attr("iterations", self.task.iterations().to_string());
            w.text(sasl::encode_base64(self.task.salt())).close().close();
            io.wire.put(&w.finish());
            return Ok(None);
        }
        if !element.is("task-data", ns::SASL2) {
            return Err(malformed);
        }
        let tree = Tree::parse(element.bytes(), element.content_ns()).map_err(|_| malformed)?;
        let hash = tree.roots().next().and_then(|data| data.child("hash", ns::SCRAM_UPGRADE));
        let salted = sasl::decode_base64(hash.ok_or(malformed)?.text().trim())?;
        self.task.clone().finish(&salted).map(Some)
    }
}
