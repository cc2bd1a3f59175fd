//! The way in: reads a file and stores what is in it.
//!
//! XEP-0227 1.1
//!
//! An account or room that is there already stays as it is. One that came only half (the process was killed) comes anew:
//! what makes it exist is written last. So an import can be repeated, and a second one changes nothing.
//!
//! Not here: what becomes of single elements (`user.rs`, `kept.rs`).

use std::collections::HashSet;
use std::io::Read as IoRead;
use std::sync::Arc;

use address::{Bare, Jid};
use features::portable;
use model::spaces::{ACCOUNT, ARCHIVE};
use model::storage::{Batch, Entry, Owner, Read, Space, Write};
use pubsub::portable::{Arriving as Nodes, NODES};
use sasl::Hash;
use serde::Serialize;
use stanza::{ns, when};
use store::{Store, block_on};
use xml::{El, Tree};

use crate::kept;
use crate::limits::{BATCH_BYTES, NOTES_MAX};
use crate::reader::{Reader, Tag, Token};
use crate::source::{Fault, Open, Source};
use crate::user::{User, number};

/// How to import.
pub struct Import {
    /// Domains that have accounts here.
    pub domains: Vec<String>,
    /// Domains that have rooms here.
    pub rooms: Vec<String>,
    /// Domains that have nodes of their own here.
    pub nodes: Vec<String>,
    /// Hashes for which passwords in clear get keys.
    pub hashes: Vec<Hash>,
    /// Iterations of these keys.
    pub iterations: u32,
    /// Unix milliseconds.
    pub now_ms: u64,
    /// Read everything, store nothing.
    pub dry_run: bool,
}

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Accounts that are new.
    pub accounts: u64,
    /// Accounts that were there already, and stayed as they are.
    pub existing: u64,
    /// Contacts of the new ones.
    pub contacts: u64,
    /// Messages of their archives, and of rooms.
    pub archived: u64,
    /// Messages that wait for them.
    pub offline: u64,
    /// Nodes, of accounts and services.
    pub nodes: u64,
    /// Items of these.
    pub items: u64,
    /// Rooms that are new.
    pub rooms: u64,
    /// Rooms that were there already, and stayed as they are.
    pub existing_rooms: u64,
    /// What was left out, and why; the first ones.
    pub notes: Vec<String>,
    /// How many more such remarks there were.
    pub more_notes: u64,
}

/// Imports one file. `open` opens files that it includes, by their names relative to its folder.
///
/// # Errors
/// The file is not what it should be, or storage fails. What came before stays.
pub fn import<'a>(
    store: &'a dyn Store,
    how: &'a Import,
    name: &str,
    file: Box<dyn IoRead>,
    open: Open<'a>,
) -> Result<Summary, Fault> {
    let reader = Reader::new(Source::new(name, file, open));
    let mut run = Run {
        reader,
        store,
        how,
        batch: Batch::new(),
        bytes: 0,
        fresh: HashSet::new(),
        summary: Summary::default(),
    };
    run.file()?;
    run.flush()?;
    Ok(run.summary)
}

struct Run<'a> {
    reader: Reader<'a>,
    store: &'a dyn Store,
    how: &'a Import,
    batch: Batch,
    bytes: usize,
    /// Who came in this run.
    fresh: HashSet<String>,
    summary: Summary,
}

/// Whose a `<host/>` is.
enum Kind {
    Accounts,
    Rooms,
    Nodes,
}

impl Run<'_> {
    fn file(&mut self) -> Result<(), Fault> {
        let mut any = false;
        loop {
            match self.reader.next()? {
                Token::Start(tag) if tag.is("server-data", ns::PIE) => {
                    self.reader.enter(&tag);
                    self.server()?;
                }
                Token::Start(tag) if tag.is("host", ns::PIE) => self.host(tag)?,
                Token::Start(tag) => {
                    let what = format!(
                        "<{} xmlns='{}'> is no portable data; it begins with <server-data xmlns='{}'>",
                        tag.header.name(),
                        tag.header.ns(),
                        ns::PIE
                    );
                    return Err(self.reader.source.fault(what));
                }
                Token::Eof if any => return Ok(()),
                Token::Eof => return Err(self.reader.source.fault("the file is empty")),
                Token::End => return Err(self.reader.source.fault("an end tag without its start tag")),
            }
            any = true;
        }
    }

    fn server(&mut self) -> Result<(), Fault> {
        while let Some(tag) = self.child()? {
            match tag.is("host", ns::PIE) {
                true => self.host(tag)?,
                false => self.unknown(tag, "the file")?,
            }
        }
        Ok(())
    }

    /// The next element inside the one that is open.
    fn child(&mut self) -> Result<Option<Tag>, Fault> {
        match self.reader.next()? {
            Token::Start(tag) => Ok(Some(tag)),
            Token::End => Ok(None),
            Token::Eof => Err(self.reader.source.fault("the file ends in the middle of an element")),
        }
    }

    fn note(&mut self, text: impl AsRef<str>) {
        if self.summary.notes.len() < NOTES_MAX {
            self.summary.notes.push(format!("{}: {}", self.reader.source.place(), text.as_ref()));
        } else {
            self.summary.more_notes += 1;
        }
    }

    fn unknown(&mut self, tag: Tag, whose: &str) -> Result<(), Fault> {
        let text = format!("<{} xmlns='{}'> of {whose} is left out", tag.header.name(), tag.header.ns());
        self.note(text);
        self.reader.skip(tag)
    }

    fn host(&mut self, tag: Tag) -> Result<(), Fault> {
        let Some(domain) = tag.attr("jid").and_then(|jid| Jid::parse(jid).ok()) else {
            return Err(self.reader.source.fault("<host/> without a valid jid"));
        };
        let of = |list: &[String]| list.iter().any(|ours| ours == domain.as_str());
        let kind = match domain.as_str() {
            _ if of(&self.how.domains) => Kind::Accounts,
            _ if of(&self.how.rooms) => Kind::Rooms,
            _ if of(&self.how.nodes) => Kind::Nodes,
            other => {
                let text = format!("{other} is not served here and left out with all that it has");
                self.note(text);
                return self.reader.skip(tag);
            }
        };
        self.reader.enter(&tag);
        let mut service = None;
        while let Some(tag) = self.child()? {
            match kind {
                Kind::Accounts if tag.is("user", ns::PIE) => self.user(domain.as_str(), tag)?,
                Kind::Rooms if tag.is("room", ns::MOVING) => self.room(domain.as_str(), tag)?,
                Kind::Nodes if tag.is("pubsub", ns::PUBSUB_OWNER) || tag.is("pubsub", ns::PUBSUB) => {
                    self.service(domain.as_str(), tag, &mut service)?;
                }
                _ => self.unknown(tag, domain.as_str())?,
            }
        }
        if let Some(Some(nodes)) = service {
            self.summary.nodes += nodes.count() as u64;
        }
        Ok(())
    }

    /// Whether somebody has something in a space, now or earlier in this run.
    fn exists(&mut self, space: Space, owner: &Owner) -> Result<bool, Fault> {
        if self.fresh.contains(owner.as_str()) {
            return Ok(true);
        }
        let read = Read::Doc { space, owner: owner.clone() };
        Ok(block_on(self.store.read(read))?.into_doc().is_some())
    }

    fn write(&mut self, write: Write) -> Result<(), Fault> {
        let one = Batch::from(write);
        self.bytes += one.bytes();
        self.batch.0.extend(one.0);
        if self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn write_all(&mut self, writes: impl IntoIterator<Item = Write>) -> Result<(), Fault> {
        writes.into_iter().try_for_each(|write| self.write(write))
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        if !self.how.dry_run && !batch.is_empty() {
            block_on(self.store.commit(batch))?;
        }
        Ok(())
    }

    fn user(&mut self, domain: &str, tag: Tag) -> Result<(), Fault> {
        let jid = tag.attr("name").and_then(|name| Jid::from_parts(Some(name), domain, None).ok());
        let Some(jid) = jid.map(|jid| jid.bare()) else {
            let name = tag.attr("name").unwrap_or_default().to_owned();
            self.note(format!("\"{name}\" cannot be the name of an account; it is left out"));
            return self.reader.skip(tag);
        };
        let owner = Owner::from(jid.text());
        if self.exists(ACCOUNT, &owner)? {
            self.summary.existing += 1;
            return self.reader.skip(tag);
        }
        // What an import that was broken off has left.
        self.write(Write::Purge { owner })?;
        let mut user = User::new(jid.clone(), self.how.now_ms);
        self.attributes(&mut user, &tag);
        self.reader.enter(&tag);
        while let Some(tag) = self.child()? {
            self.part(&mut user, tag)?;
        }
        if !user.account.has_secret() {
            self.note(format!("{jid} has no password that is understood here: set one"));
        }
        self.summary.nodes += user.nodes.count() as u64;
        let account = std::mem::take(&mut user.account);
        let document = account.document(&self.how.hashes, self.how.iterations, self.how.now_ms / 1_000)?;
        let (contacts, writes) = user.finish(document);
        self.write_all(writes)?;
        self.summary.contacts += contacts as u64;
        self.summary.accounts += 1;
        self.fresh.insert(jid.as_str().to_owned());
        Ok(())
    }

    fn attributes(&mut self, user: &mut User, tag: &Tag) {
        let jid = user.jid.clone();
        if let Some(password) = tag.attr("password")
            && !user.account.password(password)
        {
            self.note(format!("the password of {jid} cannot be one here"));
        }
        let prosody = |name| tag.header.attr_ns(ns::PROSODY_ACCOUNT, name);
        if prosody("disabled").is_some_and(|disabled| disabled == "true") {
            user.account.suspend();
        }
        if let Some(created) = prosody("created").and_then(|at| at.parse().ok()) {
            user.account.created(created);
        }
    }

    /// A child of `<user/>`.
    fn part(&mut self, user: &mut User, tag: Tag) -> Result<(), Fault> {
        let jid = user.jid.clone();
        let is_presence = tag.is("presence", ns::CLIENT) || tag.is("presence", ns::PIE);
        match (tag.header.name(), tag.header.ns()) {
            ("query", ns::ROSTER) => self.each(
                &jid,
                tag,
                |_, user, el| (el.is("item", ns::ROSTER) && user.contact(el)).then(Vec::new),
                user,
            ),
            ("query", ns::PRIVATE) => {
                self.each(&jid, tag, |_, user, el| user.private(el).map(|w| vec![w]), user)
            }
            ("archive", ns::PIE_MAM) => self.each(&jid, tag, archived, user),
            ("pubsub", ns::PUBSUB_OWNER) => {
                self.each(&jid, tag, |_, user, el| user.nodes.configuration(el), user)
            }
            ("pubsub", ns::PUBSUB) => self.nodes(&jid, tag, &mut user.nodes),
            ("offline-messages", ns::PIE) => self.offline(user, tag),
            _ if is_presence => {
                let element = self.reader.element(tag)?;
                if !user.request(&element) {
                    self.note(format!("a presence of {jid} is left out"));
                }
                Ok(())
            }
            _ => self.small(user, tag),
        }
    }

    /// A part that is read as a whole.
    fn small(&mut self, user: &mut User, tag: Tag) -> Result<(), Fault> {
        let known = [
            ("scram-credentials", ns::PIE_SCRAM),
            ("vCard", ns::VCARD),
            ("query", ns::PRIVACY),
            ("prefs", ns::MAM),
            ("standing", ns::MOVING),
            ("kept", ns::MOVING),
        ];
        let jid = user.jid.clone();
        let Some((name, _)) = known.into_iter().find(|(name, ns)| tag.is(name, ns)) else {
            return self.unknown(tag, jid.as_str());
        };
        let element = self.reader.element(tag)?;
        let (bytes, owner) = (element.bytes().clone(), user.owner.clone());
        let Some(tree) = tree(&bytes) else { return Ok(()) };
        let Some(el) = tree.root() else { return Ok(()) };
        let mut writes = Vec::new();
        let taken = match name {
            "scram-credentials" => user.account.credentials(el),
            "vCard" if el.raw(ns::CLIENT).len() <= features::vcard::VCARD_BYTES_MAX => {
                writes = pubsub::portable::photo(&owner, el);
                true
            }
            "query" => {
                let (blocked, more) = portable::block_read(el, features::blocking::BLOCKED_MAX);
                let space = portable::BLOCKLIST;
                let put = |jid: Jid| Write::MapPut {
                    space,
                    owner: owner.clone(),
                    key: Arc::from(jid.as_str()),
                    value: Default::default(),
                };
                writes = blocked.into_iter().map(put).collect();
                !more
            }
            "prefs" => portable::prefs_read(el).is_some_and(|value| {
                writes.push(Write::DocPut { space: portable::PREFS, owner: owner.clone(), value });
                true
            }),
            "standing" => {
                user.account.standing(el);
                true
            }
            _ => user.kept(el).is_some_and(|write| {
                writes.push(write);
                true
            }),
        };
        if !taken {
            self.note(format!("<{name}/> of {jid} is left out, wholly or in part"));
        }
        self.write_all(writes)
    }

    /// Reads the children of an element one by one.
    fn each<T>(
        &mut self,
        whose: &Bare,
        tag: Tag,
        take: impl Fn(&mut Self, &mut T, El<'_>) -> Option<Vec<Write>>,
        into: &mut T,
    ) -> Result<(), Fault> {
        self.reader.enter(&tag);
        while let Some(tag) = self.child()? {
            let name = tag.header.name().to_owned();
            let element = self.reader.element(tag)?;
            let bytes = element.bytes().clone();
            let taken = tree(&bytes).and_then(|tree| take(self, into, tree.root()?));
            match taken {
                Some(writes) => self.write_all(writes)?,
                None => self.note(format!("a <{name}/> of {whose} is left out")),
            }
        }
        Ok(())
    }

    fn offline(&mut self, user: &mut User, tag: Tag) -> Result<(), Fault> {
        self.reader.enter(&tag);
        while let Some(tag) = self.child()? {
            let element = self.reader.element(tag)?;
            match user.waiting(&element, self.how.now_ms) {
                Some(write) => {
                    self.summary.offline += 1;
                    self.write(write)?;
                }
                None => self.note(format!("a waiting message of {} is left out", user.jid)),
            }
        }
        Ok(())
    }

    fn nodes(&mut self, whose: &Bare, tag: Tag, nodes: &mut Nodes) -> Result<(), Fault> {
        self.reader.enter(&tag);
        while let Some(tag) = self.child()? {
            let Some(node) = tag.attr("node").map(str::to_owned).filter(|_| tag.is("items", ns::PUBSUB))
            else {
                self.unknown(tag, whose.as_str())?;
                continue;
            };
            let take = |run: &mut Self, nodes: &mut Nodes, el: El<'_>| {
                let writes = nodes.item(&node, el);
                run.summary.items += u64::from(writes.is_some());
                writes
            };
            self.each(whose, tag, take, nodes)?;
        }
        Ok(())
    }

    /// The nodes of a service: all, if it has none yet.
    fn service(&mut self, domain: &str, tag: Tag, nodes: &mut Option<Option<Nodes>>) -> Result<(), Fault> {
        let owner = Owner::from(domain);
        if nodes.is_none() {
            let read = Read::MapSize { space: NODES, owner: owner.clone() };
            let empty = block_on(self.store.read(read))?.into_size().count == 0;
            if !empty {
                self.note(format!("{domain} has nodes already; those of the file are left out"));
            }
            *nodes = Some(empty.then(|| Nodes::new(owner, false, self.how.now_ms)));
        }
        let (Some(Some(nodes)), Ok(whose)) = (nodes, Bare::parse(domain)) else {
            return self.reader.skip(tag);
        };
        match tag.header.ns() {
            ns::PUBSUB => self.nodes(&whose, tag, nodes),
            _ => self.each(&whose, tag, |_, nodes: &mut Nodes, el| nodes.configuration(el), nodes),
        }
    }

    fn room(&mut self, domain: &str, tag: Tag) -> Result<(), Fault> {
        let jid = tag.attr("name").and_then(|name| Jid::from_parts(Some(name), domain, None).ok());
        let Some(jid) = jid.map(|jid| jid.bare()) else {
            return Err(self.reader.source.fault("<room/> without a valid name"));
        };
        let owner = Owner::from(jid.text());
        if self.exists(kept::ROOM, &owner)? {
            self.summary.existing_rooms += 1;
            return self.reader.skip(tag);
        }
        self.write(Write::Purge { owner: owner.clone() })?;
        let mut room = Room { owner, service: Owner::from(domain), last: 0, document: None };
        self.reader.enter(&tag);
        while let Some(tag) = self.child()? {
            if tag.is("archive", ns::PIE_MAM) {
                self.each(&jid, tag, said, &mut room)?;
                continue;
            }
            let element = self.reader.element(tag)?;
            let bytes = element.bytes().clone();
            match tree(&bytes).and_then(|tree| room.kept(tree.root()?)) {
                Some(writes) => self.write_all(writes)?,
                None => self.note(format!("a <{}/> of {jid} is left out", element.name())),
            }
        }
        // What makes it exist comes last.
        self.write_all(room.document)?;
        self.summary.rooms += 1;
        self.fresh.insert(jid.as_str().to_owned());
        Ok(())
    }
}

/// A room on its way in.
struct Room {
    owner: Owner,
    service: Owner,
    last: u64,
    document: Option<Write>,
}

impl Room {
    fn kept(&mut self, el: El<'_>) -> Option<Vec<Write>> {
        if !el.is("kept", ns::MOVING) {
            return None;
        }
        if let Some(row) = kept::read(el, &kept::OF_SERVICE, &self.service) {
            return Some(vec![row]);
        }
        let write = kept::read(el, &kept::OF_ROOM, &self.owner)?;
        if matches!(&write, Write::DocPut { space, .. } if *space == kept::ROOM) {
            self.document = Some(write);
            return Some(Vec::new());
        }
        Some(vec![write])
    }
}

fn archived(run: &mut Run<'_>, user: &mut User, el: El<'_>) -> Option<Vec<Write>> {
    let write = user.archived(el);
    run.summary.archived += u64::from(write.is_some());
    write.map(|write| vec![write])
}

/// A message of a room, with its author as we know it.
fn said(run: &mut Run<'_>, room: &mut Room, el: El<'_>) -> Option<Vec<Write>> {
    let forwarded = el.child("forwarded", ns::FORWARD)?;
    let at_ms = when::parse(&forwarded.child("delay", ns::DELAY)?.attr("stamp")?)?;
    let value = forwarded.child("message", ns::CLIENT)?.raw("").into_owned();
    stanza::Stanza::from_stored(&value).ok()?;
    let own = |name| el.attr_ns(ns::MOVING, name);
    room.last = number(el.attr("id").as_deref(), room.last);
    let entry = Entry {
        id: room.last,
        at_ms,
        with: own("with").map(|with| Arc::from(&*with)),
        resource: own("resource").map(|resource| Arc::from(&*resource)),
        tag: own("tag").and_then(|tag| tag.parse().ok()).unwrap_or(0),
        value: value.into(),
    };
    run.summary.archived += 1;
    Some(vec![Write::LogAppend { space: ARCHIVE, owner: room.owner.clone(), entry }])
}

fn tree(bytes: &[u8]) -> Option<Tree<'_>> {
    Tree::parse(bytes, ns::CLIENT).ok()
}
